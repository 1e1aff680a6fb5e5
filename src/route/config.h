/* Reading croft.yaml's sections by tables: a name, a type, where the value goes, its bounds. */
#ifndef ROUTE_CONFIG_H
#define ROUTE_CONFIG_H

#include "route_policy.h"
#include "task_yaml.h"

struct route_reader {
    struct route_config *c;
    const struct task_yaml_lines *lines;
    struct err *e;
    const char *within; /* "tiers[0]", for complaints */
};

enum route_type {
    T_TEXT,
    T_NAME,   /* letters, digits, '_', '-', '.'; shorter than ROUTE_NAME_MAX */
    T_NUMBER, /* double */
    T_WHOLE,  /* int; int64_t where max is larger than an int's */
    T_BYTES,  /* uint64_t */
    T_FLAG,   /* bool; int where max is 1 */
    T_MONEY,
    T_NAMES, /* const char *const *, and their number */
    T_PLACE,
    T_WIRE,
    T_PERIOD,
    T_SKIP /* read by other means */
};
struct route_field {
    const char *name; /* NULL: the end of a table */
    enum route_type type;
    size_t at, at_n; /* offsets of the value, and of the int count of NAMES */
    double min, max; /* of numbers */
    bool required;
};

/* A FORMAT error at the member `key`, or the item `index` where key is NULL, of parent. */
int route_complain(struct route_reader *r, const json_t *parent, const char *key, size_t index, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/* The members of o, which is the member or item so named of parent, into `base`. */
int route_read_object(struct route_reader *r, const json_t *parent, const char *key, size_t index, json_t *o,
                      const struct route_field *fields, void *base) ERR_CHECK;
int route_read_value(struct route_reader *r, const json_t *o, const struct route_field *f, json_t *v,
                     void *base) ERR_CHECK;
const char *route_keep(struct route_reader *r, const char *s); /* a copy in the configuration's arena, or NULL */

#endif
