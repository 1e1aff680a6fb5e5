/* The gate: bytes with their data class, and the one function that sends them. */
#ifndef ROUTE_GATE_H
#define ROUTE_GATE_H

#include "base_buf.h"
#include "net_client.h"
#include "route_tier.h"

/* Bytes on their way out. The class was copied when they were sealed and cannot be changed, only joined by another
 * that must be allowed as well. A class that is no word is kept as "", which no tier may see. */
struct route_parcel {
    struct buf bytes;
    char data_class[ROUTE_NAME_MAX], stricter[ROUTE_NAME_MAX];
    bool restricted; /* `stricter` holds */
};
void route_parcel_seal(struct route_parcel *p, struct str data_class);
void route_parcel_restrict(struct route_parcel *p, struct str data_class);

/* Judges the parcel and posts it to `path` behind the tier's URL. DENIED: nothing was sent. url, body, ca_file and
 * insecure_http of `call` are filled in here. */
int route_gate_send(struct net_client *c, const struct route_tier *t, const struct route_parcel *p, const char *path,
                    struct net_call_params *call, struct net_call **out, struct err *e) ERR_CHECK;

#endif
