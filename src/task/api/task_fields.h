/* Sections of a YAML file read by tables: a name, a type, where the value goes, its bounds. Unknown names, wrong types
 * and values out of bounds are complaints with file, line and what would be right. */
#ifndef TASK_FIELDS_H
#define TASK_FIELDS_H

#include "base_arena.h"
#include "base_money.h"
#include "task_yaml.h"

struct task_reader {
    struct arena *arena; /* strings and lists go into it */
    const char *path; /* NULL: no file's; complaints then name no place, and `lines` is not used */
    const struct task_yaml_lines *lines;
    struct err *e;
    const char *within; /* "tiers[0]", for complaints */
    void *of;           /* what is read, for the caller's own functions */
};

enum task_field_type {
    TASK_TEXT,
    TASK_NAME,   /* letters, digits, '_', '-', '.'; shorter than TASK_FIELD_NAME_MAX */
    TASK_NUMBER, /* double; where 1 is the most, it may also be text such as "5 %" */
    TASK_WHOLE,  /* int; int64_t where max is larger than an int's */
    TASK_BYTES,  /* uint64_t */
    TASK_FLAG,   /* bool; int where max is 1 */
    TASK_MONEY,  /* money; as a YAML number up to 9000000 where it has digits behind the point, as text up to 9e9 */
    TASK_NAMES,  /* const char *const *, and their number */
    TASK_WORD,   /* int (an enum): the index in `words` */
    TASK_SKIP    /* read by other means */
};
enum { TASK_FIELD_NAME_MAX = 64, TASK_FIELD_MAX_NAMES = 256 };
struct task_field {
    const char *name; /* NULL: the end of a table */
    enum task_field_type type;
    size_t at, at_n; /* offsets of the value, and of the int count of NAMES */
    double min, max; /* of numbers */
    bool required;
    const char *const *words; /* of WORD, with a NULL behind the last */
};

/* A FORMAT error at the member `key`, or the item `index` where key is NULL, of parent. */
int task_complain(struct task_reader *r, const json_t *parent, const char *key, size_t index, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
/* The members of o, which is the member or item so named of parent, into `base`. */
int task_read_fields(struct task_reader *r, const json_t *parent, const char *key, size_t index, json_t *o,
                     const struct task_field *fields, void *base) ERR_CHECK;
/* The member of o that f describes, whose value is v. */
int task_read_field(struct task_reader *r, const json_t *o, const struct task_field *f, json_t *v,
                    void *base) ERR_CHECK;
/* Have two of what a table describes the same values? SKIP members are not looked at. */
bool task_fields_same(const struct task_field *fields, const void *a, const void *b);
const char *task_reader_keep(struct task_reader *r, const char *s); /* a copy in the arena, or NULL */

#endif
