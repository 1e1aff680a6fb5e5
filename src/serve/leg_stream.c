/* A tier's stream, handed on as it comes (routing.h): OpenAI's chunks, with placeholders turned back into values. A
 * placeholder may be cut anywhere, so each text of the stream (each choice's content, each call's arguments) has a
 * restorer of its own, which holds back an end that may still become one; what is held comes out with the choice's
 * finish. Once a chunk has gone out, the tier's end is the request's. The loop's thread. */
#include "routing.h"
#include "fields.h"

enum { MAX_TEXTS = 64, HELD = 1 << 20 };

struct serve_restores {
    struct text {
        int choice, call; /* call: -1: the choice's content */
        struct route_restore r;
    } text[MAX_TEXTS];
    int n;
    int content_depth;
};

static struct text *text_of(struct serve_leg *leg, int choice, int call)
{
    struct serve_restores *s = leg->restores;
    for (int i = 0; i < s->n; i++)
        if (s->text[i].choice == choice && s->text[i].call == call) return &s->text[i];
    if (s->n == MAX_TEXTS) return NULL;
    struct text *t = &s->text[s->n++];
    t->choice = choice;
    t->call = call;
    route_restore_init(&t->r, leg->conversation, call < 0 ? s->content_depth : 1);
    return t;
}

/* Member `name` of o, a piece of a text, restored in place; at the end also what was held. */
static int restore_member(struct text *t, json_t *o, const char *name, bool last, struct err *e)
{
    const json_t *v = json_object_get(o, name);
    struct buf b;
    int rc = 0;
    if (!t) return ERR(e, LIMIT, "The stream has more than %d texts at once.", MAX_TEXTS);
    buf_init(&b, HELD);
    if (json_is_string(v)) rc = route_restore_push(&t->r, json_string_value(v), json_string_length(v), &b, e);
    if (rc == 0 && last) rc = route_restore_end(&t->r, &b, e);
    if (rc == 0 && (json_is_string(v) || b.len))
        rc = json_object_set_new(o, name, serve_json_text(b.data ? b.data : "", b.len)) ? err_nomem(e, b.len) : 0;
    buf_done(&b);
    return rc;
}

static int restore_choice(struct serve_leg *leg, json_t *choice, struct err *e)
{
    json_t *delta = json_object_get(choice, "delta"), *call;
    int index = (int)json_integer_value(json_object_get(choice, "index"));
    bool last = json_is_string(json_object_get(choice, "finish_reason"));
    size_t i;
    int rc = 0;
    if (!delta) return 0;
    if (last || json_is_string(json_object_get(delta, "content")))
        rc = restore_member(text_of(leg, index, -1), delta, "content", last, e);
    json_array_foreach(json_object_get(delta, "tool_calls"), i, call)
    {
        int number = (int)json_integer_value(json_object_get(call, "index"));
        json_t *f = json_object_get(call, "function");
        if (rc == 0 && f) rc = restore_member(text_of(leg, index, number), f, "arguments", last, e);
    }
    return rc;
}

static int restore(struct serve_leg *leg, json_t *chunk, struct err *e)
{
    json_t *choice;
    size_t i;
    int rc = 0;
    if (!leg->conversation) return 0;
    if (!leg->restores) {
        leg->restores = mem_calloc(1, sizeof *leg->restores);
        if (!leg->restores) return err_nomem(e, sizeof *leg->restores);
        leg->restores->content_depth = serve_leg_content_depth(leg);
    }
    json_array_foreach(json_object_get(chunk, "choices"), i, choice) if (rc == 0) rc = restore_choice(leg, choice, e);
    return rc;
}

bool serve_leg_chunk(void *user, json_t *chunk)
{
    struct serve_leg *leg = user;
    struct serve_job *job = leg->job;
    struct err e;
    if (!job->x) return false;
    if (restore(leg, chunk, &e)) {
        leg->tier_err = e;
        return false;
    }
    leg->tier = leg->plan.tier[leg->at]; /* for the headers */
    leg->begun = true;
    serve_job_event(job, NULL, json_incref(chunk));
    return job->x != NULL;
}

void serve_leg_stream_end(struct serve_leg *leg, const struct route_result *r)
{
    struct serve_job *job = leg->job;
    if (!job->x) return;
    if (r->failure) {
        job->fault.err = leg->tier_err.code ? leg->tier_err : r->err;
        job->fault.status = 502;
        return; /* finish() sends it as the stream's last event */
    }
    serve_job_raw(job, "data: [DONE]\n\n");
    serve_job_end(job);
}

void serve_leg_stream_free(struct serve_leg *leg) { mem_free(leg->restores); }
