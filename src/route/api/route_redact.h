/* Redaction with restore. A conversation replaces what the detectors find by placeholders, `[EMAIL_1]`, before text
 * leaves, and puts the values back into the answer. The values stay in the conversation: nothing here hands them out
 * but restore.
 *
 * Placeholders are numbered by kind in the order in which values are first found. A later request that carries the
 * whole history therefore gets the same placeholders from a new conversation: nothing is stored between requests. The
 * same bytes are the same value; a value found anywhere is replaced wherever it stands in this request, also where it
 * would not be found by itself.
 *
 * Text that looks like a restorable placeholder is itself a value (`[TEXT_1]`), so that whatever looks like one in
 * what was sent is ours, and restoring what was sent gives back the original, byte for byte. */
#ifndef ROUTE_REDACT_H
#define ROUTE_REDACT_H

#include "base_buf.h"
#include "route_detect.h"

struct json_t; /* jansson */

/* MASK leaves the placeholder in the answer; BLOCK refuses to send. */
enum route_redact_action { ROUTE_KEEP, ROUTE_MASK, ROUTE_RESTORE, ROUTE_BLOCK, ROUTE_N_ACTIONS };
const char *route_redact_action_name(enum route_redact_action a); /* "keep" … */
int route_redact_action_find(const char *name);                   /* or -1 */

struct route_redact_policy {
    uint8_t action[ROUTE_N_PII]; /* enum route_redact_action */
};

/* One request and its answer; one thread at a time. Detectors and policy are borrowed. */
struct route_conversation;
int route_conversation_new(const struct route_detectors *d, const struct route_redact_policy *policy,
                           struct route_conversation **out, struct err *e) ERR_CHECK;
void route_conversation_free(struct route_conversation *c); /* wipes the values; NULL is fine */
/* Different values replaced so far, by kind: for the receipt. */
void route_conversation_counts(const struct route_conversation *c, uint32_t counts[ROUTE_N_PII]);

enum { ROUTE_VALUES_MAX = 16384 }; /* different values in one conversation; more: LIMIT */

/* All three: DENIED means that the policy forbids sending: a blocked kind occurs, or something that cannot be
 * looked into (image, audio, file), as the message says (ROUTE_R_UNREDACTABLE). After any error nothing may be sent.
 *
 * One text. First note every text of the request in order, then replace in each: numbers do not depend on what is
 * replaced first. Noting is what finds; replacing appends to `out`. */
int route_redact_note(struct route_conversation *c, const char *text, size_t n, struct err *e) ERR_CHECK;
int route_redact_text(struct route_conversation *c, const char *text, size_t n, struct buf *out,
                      struct err *e) ERR_CHECK;
/* A request to a chat API (OpenAI chat completions and responses, Anthropic messages), in place: every string but
 * those of the protocol, text parts, tool definitions, tool-call arguments (JSON inside a string), tool results,
 * `user`, metadata. `name` and ids, which APIs restrict to letters and digits, get placeholders without brackets.
 * After an error the request may be half replaced: throw it away. */
int route_redact_chat(struct route_conversation *c, struct json_t *request, struct err *e) ERR_CHECK;

/* ---- the answer ---- */

/* A placeholder is restored when it is one of this conversation's, of a kind whose action is RESTORE: in any case,
 * also with a backslash before the '_' (Markdown), and with both brackets. Everything else is copied byte for byte.
 *
 * `json_depth`: how many JSON strings the placeholder stands in, seen from `text`: 0 for plain text; 1 in tool-call
 * arguments, in content that is a JSON document, or in a raw response body; 2 for arguments in a raw body. Values are
 * escaped so often. */
enum { ROUTE_JSON_DEPTH_MAX = 2 };
int route_restore_text(const struct route_conversation *c, const char *text, size_t n, int json_depth,
                       struct buf *out, struct err *e) ERR_CHECK;
/* A parsed answer or streamed event that is complete in itself, in place: `arguments` and `partial_json` strings at
 * depth 1, the texts of the answer (`content`, `text`) at `content_depth`, all other strings at depth 0. */
int route_restore_chat(const struct route_conversation *c, struct json_t *answer, int content_depth,
                       struct err *e) ERR_CHECK;

/* Text that comes in pieces, cut anywhere: one of these for each text (each choice's content, each tool call's
 * arguments). Holds back only an end that can still become one of this conversation's placeholders. */
enum { ROUTE_HELD_MAX = 32 };
struct route_restore {
    const struct route_conversation *c;
    int json_depth;
    unsigned n_held;
    char held[ROUTE_HELD_MAX];
};
void route_restore_init(struct route_restore *r, const struct route_conversation *c, int json_depth);
int route_restore_push(struct route_restore *r, const char *piece, size_t n, struct buf *out,
                       struct err *e) ERR_CHECK;
int route_restore_end(struct route_restore *r, struct buf *out, struct err *e) ERR_CHECK; /* what was held */

#endif
