/* Answering a task's inputs (task_run.h).
 *
 * Prompt: the model's chat template over [system, user] with {{input}} replaced, ending in the generation
 * prompt; a model without template gets "system\n\nuser\n". The token ids of the last prompt stay in the
 * session, and a new prompt evaluates only what follows their common prefix (recurrent models start over).
 *
 * Classification: labels are token sequences in a tree. A label's score is the probability of its tokens;
 * since every step multiplies by at most 1, a partial path bounds all labels below it. So the search expands
 * the best path first and stops when the best finished label beats every open path: exact, and mostly a
 * handful of one-token steps.
 *
 *     root ─ order ─ _status        open: paths by log-probability; take the best; finished → answer,
 *          ├ return ─ _item         else evaluate it behind the prompt and open its children
 *          └ …
 *
 * Where one label is the beginning of another, all labels end with the end-of-turn token, which tells them
 * apart. Read next: eval.c. */
#include "task_run.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "infer_chat.h"
#include "infer_generate.h"
#include "infer_sample.h"

enum { MAX_PROMPT_BYTES = 4 << 20, MAX_ANSWER_TOKENS = 512, MAX_LABEL_TOKENS = 64 };

struct label {
    int32_t *ids;
    size_t n;
};

struct task_runner {
    const struct task *task;
    struct infer_engine *engine;
    struct infer_session *session;
    struct tok *tok;
    struct infer_chat *chat; /* NULL: the model has no chat template */
    int32_t end;       /* what ends an answer */
    struct label *label; /* [n_labels] */
    struct path *open;   /* [sum of label lengths] */
    struct buf text;     /* the rendered prompt */
};

/* ---- prompt ---- */

static json_t *message(const char *role, const char *content)
{
    return json_pack("{s:s, s:s}", "role", role, "content", content);
}

/* The user message: the task's prompt with every {{input}} replaced. NULL without memory. */
static char *user_text(const struct task *t, const char *input)
{
    struct buf b;
    buf_init(&b, MAX_PROMPT_BYTES);
    const char *p = t->prompt ? t->prompt : "{{input}}", *hole;
    for (; (hole = strstr(p, "{{input}}")); p = hole + 9) {
        buf_add(&b, p, (size_t)(hole - p));
        buf_str(&b, input);
    }
    buf_str(&b, p);
    char *s = buf_take(&b);
    buf_done(&b);
    return s;
}

static int render(struct task_runner *r, const char *user, struct err *e)
{
    const struct task *t = r->task;
    buf_clear(&r->text);
    if (!r->chat) {
        if (t->system) buf_fmt(&r->text, "%s\n\n", t->system);
        buf_fmt(&r->text, "%s\n", user);
        return buf_check(&r->text, "prompt", e);
    }
    json_t *messages = json_array();
    if (t->system) json_array_append_new(messages, message("system", t->system));
    json_array_append_new(messages, message("user", user));
    json_t *vars = json_pack("{s:o}", "messages", messages);
    int rc = vars ? infer_chat_render(r->chat, vars, &r->text, e) : err_nomem(e, 0);
    json_decref(vars);
    return rc;
}

/* Evaluate the prompt for `input`; afterwards the session's logits are those of the answer's first token. */
static int eval_prompt(struct task_runner *r, const char *input, struct task_answer *a, struct err *e)
{
    if (!utf8_valid(input, strlen(input))) return ERR(e, FORMAT, "The input is not valid UTF-8 text.");
    char *user = user_text(r->task, input);
    int32_t *ids = NULL;
    size_t n = 0, reused = 0;
    int rc = user ? render(r, user, e) : err_nomem(e, strlen(input));
    unsigned flags = TOK_ADD_SPECIAL | (r->chat ? TOK_PARSE_SPECIAL : 0u);
    if (rc == 0) rc = tok_encode(r->tok, r->text.data, r->text.len, flags, MAX_PROMPT_BYTES, &ids, &n, e);
    if (rc == 0) rc = infer_session_prompt(r->session, ids, n, &reused, e);
    a->n_prompt = (uint32_t)n;
    a->n_evaluated = (uint32_t)(n - reused);
    mem_free(ids);
    mem_free(user);
    return rc;
}

/* ---- classify ---- */

/* The labels that start with the first `depth` tokens of label `label`. */
struct path {
    int label;
    uint32_t depth;
    double logprob;
};

static bool same_start(const struct label *a, const struct label *b, size_t n)
{
    return a->n >= n && b->n >= n && memcmp(a->ids, b->ids, n * sizeof *a->ids) == 0;
}

/* Bring the session from wherever the search left it to the prompt plus the path's tokens. */
static int walk_to(struct task_runner *r, const struct path *p, uint32_t n_prompt, const struct infer_snapshot *snap,
                   struct task_answer *a, struct err *e)
{
    int rc = snap ? infer_session_restore(r->session, snap, e) : infer_session_truncate(r->session, n_prompt, e);
    if (rc == 0) rc = infer_session_eval(r->session, r->label[p->label].ids, p->depth, INFER_LOGITS_LAST, e);
    a->n_evaluated += p->depth;
    return rc;
}

/* Open the children of `p` (one per distinct next token) from the logits at hand. */
static size_t expand(struct task_runner *r, struct path p, size_t n_open)
{
    const float *logits = infer_session_logits(r->session, 0);
    uint32_t n_vocab = infer_engine_model(r->engine)->n_vocab;
    double all = infer_log_sum(infer_engine_ops(r->engine), logits, n_vocab);
    for (unsigned i = 0; i < r->task->n_labels; i++) {
        const struct label *l = &r->label[i];
        bool seen = !same_start(l, &r->label[p.label], p.depth) || l->n <= p.depth;
        for (unsigned j = 0; j < i && !seen; j++) seen = same_start(l, &r->label[j], p.depth + 1);
        if (seen) continue;
        double step = logits[l->ids[p.depth]] - all;
        r->open[n_open++] = (struct path){(int)i, p.depth + 1, p.logprob + step};
    }
    return n_open;
}

static int classify(struct task_runner *r, struct task_answer *a, struct err *e)
{
    uint32_t n_prompt = infer_session_n_past(r->session);
    struct infer_snapshot *snap = NULL;
    int rc = 0;
    if (infer_session_is_recurrent(r->session) && (rc = infer_session_snapshot(r->session, &snap, e))) return rc;
    size_t n_open = expand(r, (struct path){0}, 0);
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < n_open; i++)
            if (r->open[i].logprob > r->open[best].logprob) best = i;
        struct path p = r->open[best];
        if (p.depth == r->label[p.label].n) {
            a->label = p.label;
            a->logprob = p.logprob;
            break;
        }
        r->open[best] = r->open[--n_open];
        if ((rc = walk_to(r, &p, n_prompt, snap, a, e))) break;
        n_open = expand(r, p, n_open);
    }
    if (rc == 0 && !snap) rc = infer_session_truncate(r->session, n_prompt, e);
    infer_snapshot_free(snap);
    return rc;
}

static int prepare_labels(struct task_runner *r, struct err *e)
{
    const struct task *t = r->task;
    size_t total = 0;
    bool ambiguous = false;
    r->label = mem_calloc(t->n_labels, sizeof *r->label);
    if (!r->label) return err_nomem(e, t->n_labels * sizeof *r->label);
    for (unsigned i = 0; i < t->n_labels; i++) {
        struct label *l = &r->label[i];
        int rc = tok_encode(r->tok, t->labels[i].name, strlen(t->labels[i].name), 0, MAX_LABEL_TOKENS,
                            &l->ids, &l->n, e);
        if (rc) return rc;
        if (l->n == 0)
            return ERR(e, FORMAT, "The label '%s' has no tokens in this model's vocabulary.",
                       t->labels[i].name);
        for (unsigned j = 0; j < i; j++) {
            size_t shorter = l->n < r->label[j].n ? l->n : r->label[j].n;
            if (!same_start(l, &r->label[j], shorter)) continue;
            ambiguous = true;
            if (l->n == r->label[j].n)
                return ERR(e, FORMAT, "The labels '%s' and '%s' have the same tokens in this model's vocabulary.",
                           t->labels[i].name, t->labels[j].name);
        }
        total += l->n + 1;
    }
    if (ambiguous && r->end < 0)
        return ERR(
            e, UNSUPPORTED,
            "One label is the beginning of another, and the model has no end token to tell them apart.");
    for (unsigned i = 0; ambiguous && i < t->n_labels; i++) {
        struct label *l = &r->label[i];
        int32_t *ids = mem_realloc(l->ids, (l->n + 1) * sizeof *ids);
        if (!ids) return err_nomem(e, (l->n + 1) * sizeof *ids);
        l->ids = ids;
        l->ids[l->n++] = r->end;
    }
    r->open = mem_calloc(total, sizeof *r->open);
    return r->open ? 0 : err_nomem(e, total * sizeof *r->open);
}

/* ---- extract, generate ---- */

static int generate(struct task_runner *r, struct task_answer *a, struct buf *text, struct err *e)
{
    uint32_t n_vocab = infer_engine_model(r->engine)->n_vocab;
    uint32_t room = infer_session_n_ctx(r->session) - infer_session_n_past(r->session);
    uint32_t max = room < MAX_ANSWER_TOKENS ? room : MAX_ANSWER_TOKENS;
    struct tok_stream stream;
    tok_stream_init(&stream, r->tok, false);
    int rc = 0;
    for (uint32_t i = 0; i < max && rc == 0; i++) {
        const float *logits = infer_session_logits(r->session, 0);
        struct croft_logprob top;
        if (infer_top_logprobs(infer_engine_ops(r->engine), logits, n_vocab, 1, &top) != 1)
            return ERR(e, INTERNAL, "The model computed no usable logits.");
        a->logprob += top.logprob;
        if (tok_is_end(r->tok, top.token)) break;
        tok_stream_push(&stream, top.token, text);
        if (i + 1 < max) rc = infer_session_eval(r->session, &top.token, 1, INFER_LOGITS_LAST, e);
        a->n_evaluated++;
    }
    if (rc == 0) tok_stream_flush(&stream, text);
    return rc ? rc : buf_check(text, "answer", e);
}

int task_runner_answer(struct task_runner *r, const char *input, struct task_answer *out, struct buf *text,
                       struct err *e)
{
    struct task_answer a = {.label = -1};
    double start = clock_now_s();
    int rc = eval_prompt(r, input, &a, e);
    if (rc == 0) rc = r->label ? classify(r, &a, e) : generate(r, &a, text, e);
    if (rc) return rc;
    a.seconds = clock_now_s() - start;
    if (r->label && text) rc = buf_str(text, r->task->labels[a.label].name);
    if (rc == 0) *out = a;
    return rc;
}

/* ---- life ---- */

int task_runner_new(struct infer_engine *engine, const struct task *task, uint32_t n_ctx, struct task_runner **out,
                    struct err *e)
{
    const struct gguf *g = infer_engine_gguf(engine);
    if (task->kind == TASK_EMBED)
        return ERR(e, UNSUPPORTED, "Tasks of kind 'embed' are not answered; use 'croft embed'.");
    if (!infer_engine_model(engine)->causal)
        return ERR(e, UNSUPPORTED, "The model is an encoder, which cannot answer a task of this kind.");
    struct task_runner *r = mem_calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r);
    r->task = task;
    r->engine = engine;
    buf_init(&r->text, MAX_PROMPT_BYTES);
    int rc = tok_new(g, &r->tok, e);
    if (rc == 0 && gguf_find(g, "tokenizer.chat_template")) rc = infer_chat_new(g, r->tok, &r->chat, e);
    if (rc == 0) rc = infer_session_new(engine, &(struct infer_session_params){.n_ctx = n_ctx}, &r->session, e);
    if (rc == 0) {
        r->end = tok_eos(r->tok);
        if (task->kind == TASK_CLASSIFY) rc = prepare_labels(r, e);
    }
    if (rc) task_runner_free(r);
    else *out = r;
    return rc;
}

void task_runner_free(struct task_runner *r)
{
    if (!r) return;
    for (unsigned i = 0; r->label && i < r->task->n_labels; i++) mem_free(r->label[i].ids);
    mem_free(r->label);
    mem_free(r->open);
    infer_session_free(r->session);
    infer_chat_free(r->chat);
    tok_free(r->tok);
    buf_done(&r->text);
    mem_free(r);
}
