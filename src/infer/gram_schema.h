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
enum { GRAM_MAX_PARTS = 64, GRAM_MAX_ENUM = 100000 };

struct part {
    const json_t *s; /* an object */
    const char *at;  /* its JSON pointer; in the arena */
};

struct schema {
    struct gram_nodes g;
    struct arena a; /* pointers, keys, expressions */
    const json_t *root;
    json_t *made;      /* an array that owns the schemas put together here */
    struct memo *memo; /* rules of schemas met, by their text */
    size_t n_memo, cap_memo;
    uint32_t any; /* rule of any value, + 1; 0: not yet made */
    int depth;
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

/* Does a value satisfy a schema? FORMAT with the sentence why not. */
int gram_valid(const json_t *root, const json_t *schema, const json_t *value, struct err *e) ERR_CHECK;

#endif
