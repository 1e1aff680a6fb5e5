/* GET /v1/deferred/RECEIPT: what became of work that was put off (background.c).
 *
 *     {"status": "waiting" | "failed", "receipt", "attempts", "why"}      or      {"status": "done", "answer": {…}}
 *
 * An answer is for the key that asked, and for nobody else. */
#include "fields.h"
#include "routing.h"

struct found {
    struct route_deferred_info info;
};

static void free_data(void *data)
{
    struct found *f = data;
    buf_done(&f->info.text);
    mem_free(f);
}

static int prepare(struct serve_job *job, struct err *e)
{
    const char *key = job->key ? serve_key_name(job->key) : "";
    struct found *f = mem_calloc(1, sizeof *f);
    job->data = f;
    if (!f) return err_nomem(e, sizeof *f);
    if (!job->serve->routing)
        return serve_refuse(job, CROFT_E_NOT_FOUND, "", "This server has no tiers: nothing waits for one.");
    int rc = route_deferred_get(job->serve->routing->store, job->tail, &f->info, e);
    if (rc == 0 && strcmp(f->info.key, key) != 0) rc = CROFT_E_NOT_FOUND;
    return rc == CROFT_E_NOT_FOUND
               ? serve_refuse(job, CROFT_E_NOT_FOUND, "", "No work waits, or was done, under '%.40s'.", job->tail)
               : rc;
}

static void finish(struct serve_job *job)
{
    static const char *const words[] = {"waiting", "waiting", "done", "failed"};
    const struct found *f = job->data;
    const struct buf *text = &f->info.text;
    json_t *o = json_pack("{s:s s:s s:i}", "status", words[f->info.state], "receipt", job->tail, "attempts",
                          (int)f->info.attempts);
    json_t *answer = f->info.state == ROUTE_D_DONE && text->len ? json_loadb(text->data, text->len, 0, NULL) : NULL;
    if (answer)
        json_object_set_new(o, "answer", answer);
    else if (text->len)
        json_object_set_new(o, "why", serve_json_text(text->data, text->len));
    serve_job_reply(job, 200, o);
}

const struct serve_endpoint serve_ep_deferred = {.method = "GET",
                                                 .path = "/v1/deferred/",
                                                 .name = "deferred",
                                                 .prepare = prepare,
                                                 .finish = finish,
                                                 .free_data = free_data};
