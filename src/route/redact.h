/* What the files of redaction share: the conversation's values and the grammar of placeholders. Read first: redact.c.
 */
#ifndef ROUTE_REDACT_PRIVATE_H
#define ROUTE_REDACT_PRIVATE_H

#include "ac.h"
#include "detect.h"
#include "route_redact.h"

/* Marks of placeholders: a word for each kind, and one more for text that looks like a placeholder. */
enum { ROUTE_MARK_TEXT = ROUTE_N_PII, ROUTE_N_MARKS };
enum { ROUTE_MARK_DIGITS = 5, ROUTE_MARK_BACKSLASHES = 4 };

struct route_value {
    char *p; /* owned, wiped before it is freed */
    uint32_t n, number;
    uint32_t mark;
};

struct route_conversation {
    const struct route_detectors *d;
    const struct route_redact_policy *policy;
    uint32_t kinds, blocked; /* that are not kept; of these, that may not be sent at all */
    struct route_value *v;
    uint32_t n, cap;
    uint32_t *order;             /* [n] of v, sorted by bytes */
    uint32_t *of[ROUTE_N_MARKS]; /* number − 1 → index in v */
    uint32_t count[ROUTE_N_MARKS];
    struct route_ac *known;   /* of all values that were noted; NULL until needed */
    struct route_spans found; /* of the text at hand */
};

bool route_mark_restores(const struct route_conversation *c, uint32_t mark);

/* Is a placeholder that restore would take at p? WHOLE: its mark, number and length. PART: [p, p + n) could become
 * one. `ours`: only those that have a value. */
enum route_mark_is { ROUTE_MARK_NONE, ROUTE_MARK_PART, ROUTE_MARK_WHOLE };
enum route_mark_is route_mark_parse(const struct route_conversation *c, bool ours, const char *p, size_t n,
                                    uint32_t *mark, uint32_t *number, size_t *len);

/* route_redact_note and route_redact_text with a hint (route_find). In an identifier placeholders have no brackets.
 */
int route_redact_note_as(struct route_conversation *c, const char *text, size_t n, const char *hint,
                         struct err *e) ERR_CHECK;
int route_redact_text_as(struct route_conversation *c, const char *text, size_t n, const char *hint, bool identifier,
                         struct buf *out, bool *changed, struct err *e) ERR_CHECK;

/* A text that is a JSON document: its strings and long whole numbers. `out` NULL: note. Not JSON: as any text. */
int route_redact_json(struct route_conversation *c, const char *text, size_t n, struct buf *out, bool *changed,
                      struct err *e) ERR_CHECK;

/* The inside of a JSON string. */
int route_json_escape(struct buf *out, const char *p, size_t n, int times);

#endif
