/* The conversation of croft run: the model, the messages as JSON, and the slash commands (run.h). */
#include "run.h"

#include <math.h>

static const double MAX_BIAS = 1e9;

static int parse_bias(struct run *r, struct err *e)
{
    struct croft_model_info info;
    croft_model_get_info(r->model, &info);
    for (int i = 0; i < r->set.bias.n; i++) {
        char id[32];
        const char *text = r->set.bias.item[i], *eq = strchr(text, '=');
        int64_t token = -1;
        double add = 0;
        bool ok = eq && (size_t)(eq - text) < sizeof id;
        if (ok) {
            snprintf(id, sizeof id, "%.*s", (int)(eq - text), text);
            bool ban = strcmp(eq + 1, "-inf") == 0;
            ok = str_to_i64(id, &token) && token >= 0 && token < info.n_vocab &&
                 (ban || (str_to_f64(eq + 1, &add) && fabs(add) <= MAX_BIAS));
            if (ban) add = -INFINITY;
        }
        if (!ok)
            return ERR(e, USAGE,
                       "--logit-bias '%.60s' is not ID=NUMBER with a token id below %d and a number up to 1e9.", text,
                       info.n_vocab);
        r->bias[i] = (struct croft_bias){(int32_t)token, (float)add};
    }
    return 0;
}

static void set_sampling(struct run *r)
{
    struct croft_sampling *s = &r->sampling;
    const struct run_settings *set = &r->set;
    croft_sampling_init(s);
    s->max_tokens = (int32_t)set->max_tokens;
    s->temperature = (float)set->temp;
    s->top_k = (int32_t)set->top_k;
    s->top_p = (float)set->top_p;
    s->min_p = (float)set->min_p;
    s->typical_p = (float)set->typical;
    s->repeat_penalty = (float)set->repeat_penalty;
    s->frequency_penalty = (float)set->frequency_penalty;
    s->presence_penalty = (float)set->presence_penalty;
    s->penalty_last_n = (int32_t)set->penalty_last_n;
    s->seed = (uint64_t)set->seed;
    s->stop = set->stop.item;
    s->n_stop = (size_t)set->stop.n;
    s->bias = r->bias;
    s->n_bias = (size_t)set->bias.n;
    s->context_shift = set->shift;
    s->n_keep = (int32_t)set->keep;
    s->logprobs = set->logprobs > 0;
    s->n_top = (int32_t)set->logprobs;
}

int cli_chat_open(struct run *r, const char *path, struct err *e)
{
    struct croft_model_info info;
    struct croft_session_options o = {.n_ctx = (int32_t)r->set.engine.ctx, .n_batch = (int32_t)r->set.engine.batch,
                                      .cache = (enum croft_cache)cli_kv_of(r->set.engine.kv)};
    int rc = croft_model_open(path, (int)r->set.engine.threads, &r->model, e);
    if (rc) return rc;
    croft_model_get_info(r->model, &info);
    if (!info.generates)
        return ERR(e, UNSUPPORTED,
                   "'%s' is an encoder: it makes vectors, it does not answer. Use 'croft embed'.", path);
    if (!info.has_tokenizer) return ERR(e, NOT_FOUND, "'%s' has no tokenizer, so it cannot be asked in words.", path);
    if ((rc = parse_bias(r, e)) || (rc = croft_session_new(r->model, &o, &r->session, e))) return rc;
    r->chat = info.has_chat_template && !r->set.raw;
    if (!r->chat && r->set.system)
        return ERR(e, USAGE, "--system needs a chat template%s.",
                   r->set.raw ? ", which --raw turns off" : "; this model has none");
    r->messages = json_array();
    if (!r->messages) return err_nomem(e, 0);
    set_sampling(r);
    return r->set.system ? cli_chat_remember(r, "system", r->set.system, e) : 0;
}

void cli_chat_close(struct run *r)
{
    json_decref(r->messages);
    croft_session_free(r->session);
    croft_model_close(r->model);
}

int cli_chat_remember(struct run *r, const char *role, const char *text, struct err *e)
{
    if (!utf8_valid(text, strlen(text))) return ERR(e, FORMAT, "The message is not valid UTF-8 text.");
    json_t *m = json_pack("{s:s s:s}", "role", role, "content", text);
    return !m || json_array_append_new(r->messages, m) ? err_nomem(e, strlen(text)) : 0;
}

void cli_chat_forget_last(struct run *r)
{
    size_t n = json_array_size(r->messages);
    if (n) json_array_remove(r->messages, n - 1);
}

int cli_chat_render(struct run *r, char **out, struct err *e)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    int rc = cli_json_add(r->messages, JSON_COMPACT, &b, e);
    struct croft_chat chat = {.messages = b.data};
    if (strcmp(r->set.think, "auto") != 0)
        chat.variables =
            strcmp(r->set.think, "on") == 0 ? "{\"enable_thinking\": true}" : "{\"enable_thinking\": false}";
    if (rc == 0) rc = croft_chat_render(r->model, &chat, out, e);
    buf_done(&b);
    return rc;
}

int cli_chat_tokenize(struct run *r, const char *text, size_t n, int32_t **ids, size_t *n_ids, struct err *e)
{
    unsigned flags = CROFT_ADD_SPECIAL | (r->chat ? CROFT_PARSE_SPECIAL : 0u);
    return croft_tokenize(r->model, text, n, flags, ids, n_ids, e);
}

static void list_settings(const struct run *r)
{
    fprintf(stderr, "temp %g, top-k %d, top-p %g, min-p %g, seed %llu, context %d of %d tokens\n",
            r->sampling.temperature, r->sampling.top_k, r->sampling.top_p, r->sampling.min_p,
            (unsigned long long)r->sampling.seed, croft_session_n_past(r->session),
            croft_session_n_ctx(r->session));
}

int cli_chat_slash(struct run *r, const char *line, struct err *e)
{
    if (strcmp(line, "/bye") == 0 || strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0) return RUN_QUIT;
    if (strcmp(line, "/clear") == 0) {
        json_array_clear(r->messages);
        fputs("The conversation starts anew.\n", stderr);
        return r->set.system && r->chat ? cli_chat_remember(r, "system", r->set.system, e) : 0;
    }
    if (strcmp(line, "/stats") == 0) {
        r->set.stats = !r->set.stats;
        return 0;
    }
    if (strcmp(line, "/show") == 0) {
        list_settings(r);
        return 0;
    }
    if (strncmp(line, "/system ", 8) == 0) {
        if (!r->chat) return ERR(e, USAGE, "This model has no chat template, so it takes no system message.");
        json_array_clear(r->messages);
        return cli_chat_remember(r, "system", line + 8, e);
    }
    if (strcmp(line, "/help") == 0) {
        fputs("/clear         forget the conversation\n/system TEXT   forget it and set the system message\n"
              "/stats         rates after each answer, on or off\n/show          settings and room left\n"
              "/bye           end (so does Ctrl-D)\n\"\"\"            opens and closes a message of several "
              "lines\n",
              stderr);
        return 0;
    }
    return ERR(e, USAGE, "There is no command '%.40s'. /help lists them.", line);
}
