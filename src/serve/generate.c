/* Generating text for an endpoint (generate.h). Preparation thread: structured outputs, tokens, submitting. Loop:
 * pieces to text and events, the end. Read next: chat.c, tools.c, ep_chat.c. */
#include "generate.h"

#include <math.h>

enum { ANSWER_MAX = 16 << 20 };

struct serve_generation *serve_generation_new(struct serve_job *job, const struct serve_format *f)
{
    struct serve_generation *g = mem_calloc(1, sizeof *g);
    if (g) *g = (struct serve_generation){.format = f, .sampling.fewest = 1};
    job->data = g;
    return g;
}

void serve_generation_free(void *data)
{
    struct serve_generation *g = data;
    for (uint32_t i = 0; i < g->n_choices; i++) {
        struct serve_choice *c = &g->choice[i];
        for (size_t k = 0; k < c->n_calls; k++) {
            json_decref(c->calls[k].name);
            json_decref(c->calls[k].arguments);
        }
        mem_free(c->calls);
        json_decref(c->logprobs);
        buf_done(&c->text);
    }
    mem_free(g->choice);
    mem_free(g->sampling.bias);
    infer_grammar_unref(g->grammar);
    json_decref(g->extra);
    json_decref(g->tool_list);
    mem_free(g);
}

/* ---- preparation ---- */

int serve_needs_generator(struct serve_job *job)
{
    if (job->model->generates) return 0;
    return serve_refuse(job, CROFT_E_UNSUPPORTED, "model",
                        "The model '%.60s' is an encoder: it makes embeddings, not text.", job->model->name);
}

int serve_structured_read(struct serve_job *job, struct serve_generation *g, struct err *e)
{
    static const struct serve_field fields[] = {{"choice", SERVE_USED, NULL},
                                                {"regex", SERVE_USED, NULL},
                                                {"json", SERVE_USED, NULL},
                                                {"grammar", SERVE_USED, NULL},
                                                {NULL, SERVE_USED, NULL}};
    json_t *o = NULL, *v = NULL;
    const char *name = NULL;
    struct buf text;
    int rc = serve_field_value(job, job->in, "", "structured_outputs", JSON_OBJECT, "an object", &o);
    if (rc || !o) return rc;
    if ((rc = serve_fields_check(job, o, "structured_outputs.", fields))) return rc;
    if (json_object_size(o) != 1 || g->grammar)
        return serve_refuse(job, CROFT_E_USAGE, "structured_outputs",
                            "An answer can be constrained in one way at a time.");
    json_object_foreach(o, name, v) break;
    bool strings = strcmp(name, "regex") == 0 || strcmp(name, "grammar") == 0, choice = strcmp(name, "choice") == 0;
    bool fits = strings ? json_is_string(v) : choice ? json_is_array(v) && json_array_size(v) : json_is_object(v);
    for (size_t i = 0; choice && fits && i < json_array_size(v); i++) fits = json_is_string(json_array_get(v, i));
    if (!fits)
        return serve_refuse(job, CROFT_E_USAGE, "structured_outputs", "'structured_outputs.%s' must be %s.", name,
                            strings  ? "a string"
                            : choice ? "an array of strings"
                                     : "a schema");
    buf_init(&text, 4 << 20);
    if (strings)
        buf_add(&text, json_string_value(v), json_string_length(v));
    else
        serve_json_dump(v, &text, JSON_COMPACT);
    rc = buf_check(&text, "structured_outputs", e);
    const char *kind = strcmp(name, "regex") == 0     ? "regex"
                       : strcmp(name, "grammar") == 0 ? "gbnf"
                       : choice                       ? "choices"
                                                      : "schema";
    if (rc == 0) rc = serve_grammar_get(job->model, kind, text.data, text.len, &g->grammar, e);
    if (rc) snprintf(job->fault.param, sizeof job->fault.param, "structured_outputs.%s", name);
    buf_done(&text);
    return rc;
}

int serve_tokens_fit(const struct serve_job *job, int rc, struct err *e)
{
    if (rc == CROFT_E_LIMIT)
        return ERR(e, NO_ROOM,
                   "The prompt has more than the %u tokens that the context of '%.40s' holds here. Shorten it.",
                   job->model->n_ctx, job->model->name);
    return rc;
}

int serve_tokens(struct serve_job *job, const char *text, size_t n, unsigned flags, int32_t **ids, size_t *n_ids,
                 struct err *e)
{
    return serve_tokens_fit(job, tok_encode(job->model->tok, text, n, flags, job->model->n_ctx, ids, n_ids, e), e);
}

int serve_prompt_ids(struct serve_job *job, json_t *v, const char *param, unsigned flags, int32_t **ids,
                     size_t *n_ids, struct err *e)
{
    size_t i, n = json_array_size(v);
    json_t *id;
    if (json_is_string(v) && json_string_length(v) == 0)
        return serve_refuse(job, CROFT_E_USAGE, param, "'%s' must not be empty.", param);
    if (json_is_string(v))
        return serve_tokens(job, json_string_value(v), json_string_length(v), flags, ids, n_ids, e);
    if (!json_is_array(v) || n == 0)
        return serve_refuse(job, CROFT_E_USAGE, param, "'%s' must be a string or token ids.", param);
    int32_t *out = mem_calloc(n, sizeof *out);
    if (!out) return err_nomem(e, n * sizeof *out);
    json_array_foreach(v, i, id)
    {
        json_int_t t = json_integer_value(id);
        if (json_is_integer(id) && t >= 0 && t < job->model->n_vocab) {
            out[i] = (int32_t)t;
            continue;
        }
        mem_free(out);
        return serve_refuse(job, CROFT_E_USAGE, param, "'%s' holds something that is no token id below %u.", param,
                            job->model->n_vocab);
    }
    *ids = out;
    *n_ids = n;
    return 0;
}

int serve_generation_submit(struct serve_job *job, int32_t *const *prompt, const size_t *n, uint32_t n_prompts,
                            struct err *e)
{
    struct serve_generation *g = job->data;
    uint32_t per_prompt = (uint32_t)g->sampling.n, total = n_prompts * per_prompt;
    if (n_prompts > SERVE_CHOICES_MAX || total > SERVE_CHOICES_MAX)
        return serve_refuse(job, CROFT_E_USAGE, "n", "One request can have at most %d choices.", SERVE_CHOICES_MAX);
    g->choice = mem_calloc(total, sizeof *g->choice);
    if (!g->choice) return err_nomem(e, total * sizeof *g->choice);
    g->n_choices = total;
    int rc = serve_job_asks(job, total, e);
    for (uint32_t i = 0; rc == 0 && i < total; i++) {
        struct croft_sampling s = g->sampling.s;
        struct infer_request r = {.prompt = prompt[i / per_prompt],
                                  .n_prompt = n[i / per_prompt],
                                  .sampling = &s,
                                  .grammar = g->grammar,
                                  .echo = g->echo};
        if (g->tools) r.spelled = job->model->marker, r.n_spelled = job->model->n_markers;
        buf_init(&g->choice[i].text, ANSWER_MAX);
        if (g->logprobs) g->choice[i].logprobs = json_array();
        s.seed += i % per_prompt;
        rc = serve_job_submit(job, i, &r, e);
    }
    return rc;
}

/* ---- the loop ---- */

static json_t *token_json(const struct serve_model *m, int32_t token, double logprob, bool with_top)
{
    struct buf b;
    buf_init(&b, 4096);
    tok_piece(m->tok, token, true, &b);
    json_t *bytes = json_array(), *o;
    for (size_t i = 0; i < b.len; i++) json_array_append_new(bytes, json_integer((unsigned char)b.data[i]));
    if (!(logprob > -9999)) logprob = -9999; /* JSON has no infinity */
    o = json_pack("{s:o s:f s:o}", "token", serve_json_text(b.data ? b.data : "", b.len), "logprob", logprob, "bytes",
                  bytes);
    if (with_top) json_object_set_new(o, "top_logprobs", json_array());
    buf_done(&b);
    return o;
}

static void note_logprobs(struct serve_job *job, struct serve_choice *c, const struct serve_piece *p,
                          const struct croft_logprob *top)
{
    if (!c->logprobs || p->token < 0) return;
    json_t *o = token_json(job->model, p->token, p->logprob, true), *list = json_object_get(o, "top_logprobs");
    if (isnan(p->logprob)) json_object_set_new(o, "logprob", json_null()); /* nothing is before it */
    if (((struct serve_generation *)job->data)->format->offsets)
        json_object_set_new(o, "text_offset", json_integer((json_int_t)c->n_chars));
    for (uint32_t i = 0; i < p->n_top; i++)
        json_array_append_new(list, token_json(job->model, top[i].token, top[i].logprob, false));
    json_array_append_new(c->logprobs, o);
}

static void begin(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    if (g->begun) return;
    g->begun = true;
    if (g->format->begin) g->format->begin(job);
}

/* Stream what may be seen of a choice. */
static void show(struct serve_job *job, uint32_t i, size_t visible)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[i];
    json_t *logprobs = c->logprobs && json_array_size(c->logprobs) ? c->logprobs : NULL;
    if (visible <= c->shown && !(logprobs && g->tools == SERVE_TOOLS_NONE)) return;
    if (visible < c->shown) visible = c->shown;
    if (logprobs) c->logprobs = json_array();
    begin(job);
    g->format->delta(job, i, c->text.data + c->shown, visible - c->shown, logprobs);
    c->shown = visible;
}

void serve_generation_piece(struct serve_job *job, const struct serve_piece *p, const struct croft_logprob *top,
                            const char *text)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[p->choice];
    buf_add(&c->text, text, p->n);
    note_logprobs(job, c, p, top);
    for (size_t i = 0; i < p->n; i++) c->n_chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    if (!g->sampling.stream || g->forced_call) return;
    show(job, p->choice, serve_tools_visible(g->tools, c->text.data ? c->text.data : "", c->text.len));
}

static int close_choice(struct serve_job *job, uint32_t i, struct err *e)
{
    struct serve_generation *g = job->data;
    struct serve_choice *c = &g->choice[i];
    bool whole = job->ask[i].outcome.end == INFER_END_STOP;
    if (buf_char(&c->text, 0)) return buf_check(&c->text, "answer", e); /* so that `data` is never NULL */
    c->text.len--;
    c->n_content = c->text.len;
    if (g->grammar && whole) {
        int rc = infer_grammar_check(g->grammar, c->text.data, c->text.len, e);
        if (rc) return ERR(e, INTERNAL, "The answer does not keep to what was asked for. It was dropped.");
    }
    if (g->tools || g->forced_call) serve_tools_parse(g, c);
    c->finish = c->n_calls ? "tool_calls" : whole ? "stop" : "length";
    return 0;
}

void serve_generation_finish(struct serve_job *job)
{
    struct serve_generation *g = job->data;
    for (uint32_t i = 0; i < g->n_choices; i++) {
        if (close_choice(job, i, &job->fault.err) == 0) continue;
        serve_job_fail(job, &job->fault);
        return;
    }
    if (!g->sampling.stream) {
        serve_job_reply(job, 200, g->format->whole(job));
        return;
    }
    begin(job);
    for (uint32_t i = 0; i < g->n_choices; i++) {
        show(job, i, g->choice[i].n_content);
        g->format->done(job, i);
    }
    g->format->end(job);
    serve_job_end(job);
}

json_t *serve_usage(const struct serve_job *job)
{
    const struct serve_generation *g = job->data;
    json_int_t prompt = 0, cached = 0, answer = 0;
    for (uint32_t i = 0; i < job->n_ask; i++) {
        const struct infer_outcome *o = &job->ask[i].outcome;
        answer += o->n_generated;
        if (i % (uint32_t)g->sampling.n) continue; /* choices of one prompt: it counts once */
        prompt += o->n_prompt;
        cached += o->n_cached;
    }
    return json_pack("{s:I s:I s:I s:{s:I}}", "prompt_tokens", prompt, "completion_tokens", answer, "total_tokens",
                     prompt + answer, "prompt_tokens_details", "cached_tokens", cached);
}
