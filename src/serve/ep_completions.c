/* POST /v1/completions: a text, or several, continued as they are. A prompt may be a string, an array of strings, an
 * array of token ids, or an array of such arrays. With `echo` the answer begins with it, and `logprobs` say how
 * probable each of its tokens was: programs that evaluate models by likelihood ask so, with few or no new tokens. */
#include "generate.h"

static const struct serve_field fields[] = {SERVE_SAMPLING_FIELDS,           {"prompt", SERVE_USED, NULL},
                                            {"logprobs", SERVE_USED, NULL},  {"echo", SERVE_USED, NULL},
                                            {"suffix", SERVE_FIXED, "\"\""}, {"best_of", SERVE_USED, NULL},
                                            {NULL, SERVE_USED, NULL}};

/* ---- the wire ---- */

static json_t *head(const struct serve_job *job)
{
    char id[64];
    snprintf(id, sizeof id, "cmpl-%s", job->id);
    return json_pack("{s:s s:s s:I s:s}", "id", id, "object", "text_completion", "created", (json_int_t)job->created,
                     "model", job->model->name);
}

/* This endpoint has an older shape of log-probabilities: four parallel arrays. Takes `list`. */
static json_t *logprobs_json(json_t *list)
{
    if (!list) return json_null();
    json_t *tokens = json_array(), *values = json_array(), *tops = json_array(), *offsets = json_array(), *o, *t;
    size_t i, k;
    json_array_foreach(list, i, o)
    {
        bool known = json_is_number(json_object_get(o, "logprob"));
        json_t *top = known ? json_object() : json_null();
        json_array_foreach(json_object_get(o, "top_logprobs"), k, t)
            json_object_set(top, json_string_value(json_object_get(t, "token")), json_object_get(t, "logprob"));
        json_array_append(tokens, json_object_get(o, "token"));
        json_array_append(values, json_object_get(o, "logprob"));
        json_array_append_new(tops, top);
        json_array_append(offsets, json_object_get(o, "text_offset"));
    }
    json_decref(list);
    return json_pack("{s:o s:o s:o s:o}", "tokens", tokens, "token_logprobs", values, "top_logprobs", tops,
                     "text_offset", offsets);
}

static json_t *choice_json(uint32_t i, const char *text, size_t n, json_t *logprobs, const char *finish)
{
    return json_pack("{s:i s:o s:o s:o}", "index", (int)i, "text", serve_json_text(text, n), "logprobs",
                     logprobs_json(logprobs), "finish_reason", finish ? json_string(finish) : json_null());
}

static void send(struct serve_job *job, json_t *choices, json_t *usage)
{
    struct serve_generation *g = job->data;
    json_t *o = head(job);
    json_object_set_new(o, "choices", choices);
    if (g->sampling.include_usage) json_object_set_new(o, "usage", usage ? usage : json_null());
    serve_job_event(job, NULL, o);
}

static void delta(struct serve_job *job, uint32_t i, const char *text, size_t n, json_t *logprobs)
{
    send(job, json_pack("[o]", choice_json(i, text, n, logprobs, NULL)), NULL);
}

static void done(struct serve_job *job, uint32_t i)
{
    struct serve_generation *g = job->data;
    send(job, json_pack("[o]", choice_json(i, "", 0, NULL, g->choice[i].finish)), NULL);
}

static void end(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    if (g->sampling.include_usage) send(job, json_array(), serve_usage(job));
    serve_job_raw(job, "data: [DONE]\n\n");
}

static json_t *whole(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    json_t *o = head(job), *choices = json_array();
    for (uint32_t i = 0; i < g->n_choices; i++) {
        struct serve_choice *c = &g->choice[i];
        json_array_append_new(choices,
                              choice_json(i, c->text.data, c->text.len, json_incref(c->logprobs), c->finish));
    }
    json_object_set_new(o, "choices", choices);
    json_object_set_new(o, "usage", serve_usage(job));
    return o;
}

static const struct serve_format format = {NULL, delta, done, end, whole, .offsets = true};

/* ---- preparation ---- */

static int read_options(struct serve_job *job, struct serve_generation *g, struct err *e)
{
    int64_t top = -1, best_of = 0;
    bool echo = false;
    int rc = serve_field_bool(job, job->in, "", "echo", &echo);
    if (rc) return rc;
    if (echo) g->sampling.fewest = 0; /* for who wants to know how probable a text is */
    if ((rc = serve_sampling_read(job, &g->sampling, e)) || (rc = serve_structured_read(job, g, e)) ||
        (rc = serve_field_integer(job, job->in, "", "logprobs", 0, SERVE_TOP_MAX, &top)) ||
        (rc = serve_field_integer(job, job->in, "", "best_of", 1, SERVE_CHOICES_MAX, &best_of)))
        return rc;
    if (echo && g->grammar)
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "echo", "'echo' and structured_outputs exclude each other.");
    if (best_of && best_of != g->sampling.n)
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "best_of",
                            "'best_of' is not supported here except as the value of 'n'.");
    g->echo = !echo ? INFER_ECHO_NONE : g->sampling.nothing ? INFER_ECHO_ONLY : INFER_ECHO_FIRST;
    g->logprobs = top >= 0;
    g->sampling.s.logprobs = g->logprobs;
    g->sampling.s.n_top = top > 0 ? (int32_t)top : 0;
    if (!g->sampling.s.max_tokens && !g->sampling.nothing)
        g->sampling.s.max_tokens = 16; /* OpenAI's default of this endpoint */
    return 0;
}

struct prompts {
    int32_t *ids[SERVE_CHOICES_MAX];
    size_t n_ids[SERVE_CHOICES_MAX];
    uint32_t n;
};

static int read_prompts(struct serve_job *job, struct prompts *p, struct err *e)
{
    json_t *v = json_object_get(job->in, "prompt");
    if (!v || json_is_null(v)) return serve_field_missing(job, "", "prompt");
    bool several = json_is_array(v) && json_array_size(v) && !json_is_integer(json_array_get(v, 0));
    size_t n = several ? json_array_size(v) : 1;
    if (n > SERVE_CHOICES_MAX)
        return serve_refuse(job, CROFT_E_USAGE, "prompt", "'prompt' has more than %d prompts.", SERVE_CHOICES_MAX);
    for (; p->n < n; p->n++) {
        int rc = serve_prompt_ids(job, several ? json_array_get(v, p->n) : v, "prompt", TOK_ADD_SPECIAL,
                                  &p->ids[p->n], &p->n_ids[p->n], e);
        if (rc) return rc;
    }
    return 0;
}

static int prepare(struct serve_job *job, struct err *e)
{
    struct prompts p = {.n = 0};
    int rc;
    struct serve_generation *g = serve_generation_new(job, &format);
    if (!g) return err_nomem(e, sizeof *g);
    if ((rc = serve_fields_check(job, job->in, "", fields)) || (rc = serve_body_model(job)) ||
        (rc = serve_needs_generator(job)) || (rc = read_options(job, g, e)))
        return rc;
    rc = read_prompts(job, &p, e);
    if (rc == 0) rc = serve_generation_submit(job, p.ids, p.n_ids, p.n, e);
    for (uint32_t i = 0; i < p.n; i++) mem_free(p.ids[i]);
    return rc;
}

const struct serve_endpoint serve_ep_completions = {.method = "POST",
                                                    .path = "/v1/completions",
                                                    .name = "completions",
                                                    .prepare = prepare,
                                                    .piece = serve_generation_piece,
                                                    .finish = serve_generation_finish,
                                                    .free_data = serve_generation_free};
