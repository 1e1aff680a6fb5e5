/* JSON Schema, inside: what gram_schema*.c share. A schema is a set of `parts` that all hold at one place (its own
 * keywords, those of its $ref, of its allOf); from the parts each file reads the keywords of one type of value.
 *
 * Generated text has one of two styles, with or without a space behind ':' and ',', the same from its beginning to its
 * end and no other white space; strings as gram_json_chars writes them. Each style is a grammar of its own, and a
 * schema the choice between both. */
#ifndef GRAM_SCHEMA_H
#define GRAM_SCHEMA_H

#include "gram.h"

enum { S_NULL = 1, S_BOOL = 2, S_INT = 4, S_REAL = 8, S_STRING = 16, S_ARRAY = 32, S_OBJECT = 64, S_ALL = 127 };
enum { GRAM_MAX_PARTS = 128, GRAM_MAX_ENUM = 100000 };

struct part {
    const json_t *s; /* an object */
    const char *at;  /* its JSON pointer; in the arena */
};

struct parts {
    struct part p[GRAM_MAX_PARTS];
    bool open[GRAM_MAX_PARTS]; /* while what it refers to is being gathered */
    size_t n;
    bool never; /* a part is `false` */
};

/* Keywords of our own, for schemas that are put together here. */
#define GRAM_AT "\001at"                   /* where it came from */
#define GRAM_FOR "\001for"                 /* beside `not`: the keyword that asks for it; "": another `not` */
#define GRAM_TYPES "\001types"             /* a set of S_…, not named by anybody */
#define GRAM_ABSENT "\001absent"           /* names of members that must not be */
#define GRAM_NOT_TEXTS "\001not texts"     /* strings that it is not */
#define GRAM_NOT_PATTERN "\001not pattern" /* an expression that it does not match */

struct schema {
    struct gram_nodes g;
    struct arena a; /* pointers, keys, expressions */
    const json_t *root;
    json_t *made;      /* an array that owns the schemas put together here */
    struct memo *memo; /* rules of schemas met, by their text */
    size_t n_memo, cap_memo;
    uint32_t any; /* rule of any value, + 1; 0: not yet made */
    int depth;
    size_t cases;         /* made of divided schemas so far */
    const char *left_out; /* where a case was that cannot be expressed; NULL: there was none */
    size_t gap;  /* spaces behind ':' and ',' in the style that is being made: 1 or 0 */
    bool styled; /* there are such places: the styles differ */
    struct err *e;
};

/* The rule of a schema as a node; 0 with s->e->code set after an error. */
uint32_t gram_schema_node(struct schema *s, const json_t *schema, const char *at);
uint32_t gram_schema_object(struct schema *s, const struct part *p, size_t n);
uint32_t gram_schema_array(struct schema *s, const struct part *p, size_t n);
uint32_t gram_schema_string(struct schema *s, const struct part *p, size_t n);
uint32_t gram_schema_number(struct schema *s, const struct part *p, size_t n, bool integer);
bool gram_schema_format(struct schema *s, const struct part *p); /* false: an error */
uint32_t gram_schema_any(struct schema *s); /* any JSON value */
/* Adds the schema and all that must hold with it: $ref and allOf, all the way down. */
bool gram_schema_gather(struct schema *s, const json_t *schema, const char *at, int depth, struct parts *out);
/* Are all its words known? Else an error. */
bool gram_schema_words(struct schema *s, const struct part *p);
bool gram_schema_is_note(const json_t *schema); /* says nothing about the value */
/* The types a part allows; 0 after an error. `named` becomes true if it names them. */
int gram_schema_types(struct schema *s, const struct part *p, bool *named);
/* The part's own keywords, without $ref and allOf and `drop`, and where it stands. The schema owns it. */
json_t *gram_schema_copy(struct schema *s, const struct part *p, const char *drop);
json_t *gram_schema_own(struct schema *s, json_t *made); /* NULL: no memory */
/* If a part has anyOf, oneOf, if, not, dependent…: the choice between the cases. False: none has. */
bool gram_schema_divide(struct schema *s, const struct parts *all, uint32_t *out);
/* The ways of not satisfying a schema, as schemas; `all` is what else holds. Some may be left out: those that no
 * grammar can say. False after an error. */
enum { GRAM_MAX_WAYS = 64 };
#define GRAM_LEFT_OUT "what it excludes cannot be expressed; where branches may overlap, anyOf can."
struct negation {
    const struct parts *all;
    const json_t *way[GRAM_MAX_WAYS];
    size_t n;
    bool left_out;
};
bool gram_schema_negate(struct schema *s, const json_t *schema, const char *at, int depth, struct negation *out);
/* The tightest of a count keyword over all parts: the largest minimum or smallest maximum. */
bool gram_schema_count(struct schema *s, const struct part *p, size_t n, const char *key, bool smallest,
                       uint32_t *out);
/* The node of several schemas that must all hold, or any value when there are none. */
uint32_t gram_schema_both(struct schema *s, const struct part *p, size_t n);
/* One schema of several that must all hold; pointers travel with it. NULL after an error. */
const json_t *gram_schema_all(struct schema *s, const struct part *p, size_t n);
const char *gram_schema_at(struct schema *s, const char *at, const char *key, const char *key2); /* at/key/key2 */
uint32_t gram_schema_fail(struct schema *s, int code, const char *at, const char *keyword, const char *why);
uint32_t gram_json_text(struct schema *s, const json_t *value,
                        bool key); /* the value, or the key with its colon */
/* ", " or "," */
uint32_t gram_schema_comma(struct schema *s);
/* The target of a local reference, or NULL. */
const json_t *gram_schema_resolve(const json_t *root, const char *ref);
/* A number as its shortest decimal: digits (no leading or trailing zeros) × 10^exp; false if not finite. */
struct decimal {
    bool negative;
    int n, exp; /* value = 0.d1d2…dn × 10^exp */
    char digit[20];
};
bool gram_decimal(const json_t *number, struct decimal *out);
/* Is x a multiple of m? In exact decimal arithmetic. */
bool gram_is_multiple(const json_t *x, const json_t *m);

/* A keyword: obeyed, a 400, or no keyword and thus a note. */
enum gram_word { GRAM_WORD_IGNORED, GRAM_WORD_OBEYED, GRAM_WORD_REFUSED };
enum gram_word gram_keyword(const char *key);
const char *gram_keyword_meant(const char *key); /* the keyword that an unknown word is nearly, or NULL */
bool gram_word_near(const char *word, const char *known);

const char *gram_format_regex(const char *format); /* "": it says nothing about strings */
bool gram_format_valid(const char *format, const char *text, size_t n);
const char *gram_format_meant(const char *format); /* the format that an unknown name is nearly, or NULL */
/* Integers of this name, for those that OpenAPI and others name by their bits. */
bool gram_format_range(const char *format, int64_t *lo, int64_t *hi);

/* Equal as JSON Schema has it: 1 and 1.0 are the same number, at any depth. */
bool gram_same(const json_t *a, const json_t *b);
/* Does a value satisfy a schema? FORMAT with the sentence why not. */
int gram_valid(const json_t *root, const json_t *schema, const json_t *value, struct err *e) ERR_CHECK;

#endif
