/* The perimeter (gate.h). This is the only file of the program that calls net_client_send: tests/lint proves it from
 * the symbols of all objects, and that nothing else in src/route and src/serve can open a connection at all. So a
 * request that must not leave cannot, whatever the policy above decides, on a first try as on a later one.
 *
 * What it holds: the bytes' own class, copied at sealing, is judged at the moment of sending against the tier they go
 * to; anything that is not exactly a listed word is refused; local-only data goes to this device alone, and "this
 * device" is read off the URL once more, not believed. No redirect is followed by the client below, and for this
 * machine no proxy is asked.
 *
 * Threads: the loop's. No state. Read next: upstream.c. */
#include "gate.h"
#include "net_url.h"

#include <string.h>

bool route_class_valid(struct str word)
{
    if (word.n == 0 || word.n >= ROUTE_NAME_MAX) return false;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return false;
    }
    return true;
}

int route_gate_check(const struct route_tier *t, struct str data_class, struct err *e)
{
    if (!route_class_valid(data_class))
        return ERR(e, DENIED, "The request has no valid data class, so it may not go to the tier '%s'.", t->name);
    if (str_eqz(data_class, ROUTE_LOCAL_ONLY)) {
        if (t->place == ROUTE_DEVICE) return 0;
        return ERR(e, DENIED,
                   "Data of the class '" ROUTE_LOCAL_ONLY "' never leaves this device, so it may not go to "
                   "the tier '%s'.",
                   t->name);
    }
    for (int i = 0; i < t->n_classes; i++)
        if (str_eqz(data_class, t->classes[i])) return 0;
    return ERR(e, DENIED, "The tier '%s' may not see data of the class '%.*s': it is not among its classes.", t->name,
               (int)data_class.n, data_class.p);
}

static void keep_class(char out[ROUTE_NAME_MAX], struct str word)
{
    bool valid = route_class_valid(word);
    if (valid) memcpy(out, word.p, word.n);
    out[valid ? word.n : 0] = 0;
}

void route_parcel_seal(struct route_parcel *p, struct str data_class) { keep_class(p->data_class, data_class); }

void route_parcel_restrict(struct route_parcel *p, struct str data_class)
{
    if (p->restricted && !str_eqz(data_class, p->stricter))
        p->stricter[0] = 0; /* two further classes: there is room for one, so nobody may see it */
    else
        keep_class(p->stricter, data_class);
    p->restricted = true;
}

int route_gate_send(struct net_client *c, const struct route_tier *t, const struct route_parcel *p, const char *path,
                    struct net_call_params *call, struct net_call **out, struct err *e)
{
    struct net_url u;
    struct buf url;
    int rc = route_gate_check(t, str_of(p->data_class), e);
    if (rc == 0 && p->restricted) rc = route_gate_check(t, str_of(p->stricter), e);
    if (rc) return rc;
    size_t n = strlen(t->url);
    while (n && t->url[n - 1] == '/') n--;
    buf_init(&url, 8192);
    buf_add(&url, t->url, n);
    buf_str(&url, path);
    rc = buf_check(&url, "tier's URL", e);
    if (rc == 0) rc = net_url_parse(url.data, &u, e);
    if (rc == 0 && t->place == ROUTE_DEVICE && !u.loopback)
        rc = ERR(e, DENIED, "The tier '%s' is not on this device.", t->name);
    if (rc == 0) {
        call->url = url.data;
        call->body = p->bytes.data;
        call->n_body = p->bytes.len;
        call->ca_file = t->ca_file;
        call->insecure_http = t->insecure_http;
        rc = net_client_send(c, call, out, e);
    }
    buf_done(&url);
    return rc;
}
