/* The wires: how a tier is spoken to. A wire turns OpenAI's request into its own, and its answer, whole or as events,
 * into OpenAI's. One table of functions a wire; no state but the reader's. */
#ifndef ROUTE_WIRE_H
#define ROUTE_WIRE_H

#include "base_buf.h"
#include "route_upstream.h"

enum { WIRE_BLOCKS = 256, WIRE_MAX_CALLS = 128 };

/* What is known while an answer is read: of one try. Zeroed before it, but for what the call sets. */
struct task_reader {
    const struct route_tier *tier;
    enum route_kind kind;
    bool usage_chunk;
    int (*emit)(struct task_reader *r, json_t *chunk); /* hands a chunk on, and takes it; nonzero: end here */
    void *user;

    struct route_usage usage;
    bool usage_seen;
    uint64_t n_text;            /* bytes of the answer so far, to estimate from */
    bool any, finished;         /* something of an answer came; all of it did */
    enum route_failure failure; /* what the provider said in the stream, or that it is none */
    char why[200];              /* its words */
    /* OpenAI's: the first 64 choices, which of them have begun and ended */
    uint64_t begun_choices, ended_choices;
    /* Anthropic's */
    char id[96], model[128];
    int64_t created;
    int n_calls;
    struct {
        char kind; /* 't' text, 'c' a call of a tool, 'x' passed over */
        int call;
    } block[WIRE_BLOCKS];
};

struct route_wire_ops {
    /* What is behind the tier's URL; NULL: this wire has no such thing. */
    const char *(*path)(enum route_kind kind);
    /* Headers beside Content-Type; returns how many were written. `secret`: room for a header's value. */
    int (*fields)(const char *key, const char *data_class, struct buf *secret, struct net_field *out);
    /* UNSUPPORTED: what cannot be said; err.where names the field. */
    int (*request)(const struct route_tier *t, const struct route_request *r, struct buf *out, struct err *e);
    /* A whole 2xx answer; takes `in`. NULL: it is none, see r->why. */
    json_t *(*answer)(struct task_reader *r, json_t *in);
    /* One event of a stream. Nonzero: end here, r->failure says why (NONE: the receiver). */
    int (*event)(struct task_reader *r, const char *event, json_t *data);
    /* The object with the provider's words in an answer that is an error, or NULL. */
    const char *(*complaint)(json_t *in);
};
extern const struct route_wire_ops route_wire_openai, route_wire_anthropic, route_wire_croft;
enum { WIRE_FIELDS = 4 };
/* Anthropic's way back (wire_anthropic_answer.c). */
json_t *route_anthropic_answer(struct task_reader *r, json_t *in);
int route_anthropic_event(struct task_reader *r, const char *event, json_t *data);
const char *route_anthropic_complaint(json_t *in);

int route_json_dump(const json_t *v, struct buf *out); /* compact, appended */
/* A copy whose members are the same values, or NULL. (json_copy leaves out those it finds no memory for.) */
json_t *route_json_copy(const json_t *object);
/* A token count of a provider: absent, negative or no number is 0. */
uint64_t route_json_count(const json_t *o, const char *name);
/* r->failure and r->why; returns nonzero, for the event functions. */
int route_reader_fail(struct task_reader *r, enum route_failure f, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum route_failure route_failure_of_status(int status); /* other than 2xx */

#endif
