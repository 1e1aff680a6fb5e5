/* Does a task fit a model (task_check.h)? Counts the tokens of every example's prompt, and of the longest answer; asks
 * the model's tokenizer for the labels' tree, and for the schema's grammar, as answering would. No weights are read.
 * Read next: prompt.c. */
#include "base_mem.h"
#include "check.h"
#include "infer_choice.h"
#include "infer_grammar.h"
#include "task_metrics.h"
#include "task_prompt.h"

enum { MAX_ANSWER_TOKENS = 1 << 20 };

struct measure {
    const struct task *task;
    struct task_check *check;
    const struct tok *tok;
    const struct infer_chat *chat;
    struct task_sizes sizes;
    double *prompt; /* [n_prompts] tokens */
    long long first_too_long;
    enum task_split first_split;
};

/* Can the model choose among these? If it cannot, that is a finding. */
static int try_choice(struct measure *m, const char *const *text, size_t n, const char *where, bool *out_ok,
                      struct err *e)
{
    struct infer_choice *choice = NULL;
    struct err why = {0};
    int rc = infer_choice_new(m->tok, text, n, &choice, &why);
    infer_choice_free(choice);
    *out_ok = rc == 0;
    if (rc == CROFT_E_NOMEM) return err_nomem(e, 0);
    return rc ? task_check_add(m->check, true, e, "%s: %.400s", where, why.msg) : 0;
}

static int try_labels(struct measure *m, struct err *e)
{
    const struct task *t = m->task;
    bool ok;
    if (t->n_labels == 0) return 0;
    const char **names = mem_calloc(t->n_labels, sizeof *names);
    if (!names) return err_nomem(e, t->n_labels * sizeof *names);
    for (unsigned i = 0; i < t->n_labels; i++) names[i] = t->labels[i].name;
    int rc = try_choice(m, names, t->n_labels, "labels", &ok, e);
    mem_free(names);
    return rc;
}

static int try_schema(struct measure *m, struct err *e)
{
    struct infer_vocab *vocab = NULL;
    struct infer_grammar *grammar = NULL;
    struct err why = {0};
    int rc = infer_vocab_new(m->tok, &vocab, e);
    if (rc) return rc;
    rc = infer_grammar_of_schema(vocab, m->task->schema, strlen(m->task->schema), &grammar, &why);
    infer_grammar_unref(grammar);
    infer_vocab_free(vocab);
    if (rc == CROFT_E_NOMEM) return err_nomem(e, 0);
    return rc ? task_check_add(m->check, true, e, "schema: %.400s", why.msg) : 0;
}

/* Tokens of a text that a model would answer; the longest is kept. */
static int answer(struct measure *m, const char *text, size_t *out_n, struct err *e)
{
    int32_t *ids = NULL;
    size_t n = 0;
    int rc = tok_encode(m->tok, text, strlen(text), 0, MAX_ANSWER_TOKENS, &ids, &n, e);
    mem_free(ids);
    if (rc) return rc;
    if (n > m->sizes.max_answer) m->sizes.max_answer = n, m->sizes.longest_answer = text;
    if (n > *out_n) *out_n = n;
    return 0;
}

/* The longest answer that this example may get. */
static int answers_of(struct measure *m, const struct task_example *x, size_t n_labels, size_t *out_n, struct err *e)
{
    int rc = 0;
    *out_n = n_labels;
    for (unsigned i = 0; i < x->n_choices && rc == 0; i++) rc = answer(m, x->choices[i], out_n, e);
    if (rc == 0 && x->output) rc = answer(m, x->output, out_n, e);
    return rc;
}

static int measure_split(struct measure *m, enum task_split s, size_t n_labels, struct err *e)
{
    const struct task_examples *all = &m->check->examples[s];
    bool ok = true;
    for (size_t i = 0; i < all->n; i++) {
        const struct task_example *x = &all->item[i];
        int32_t *ids = NULL;
        size_t n = 0, n_answer;
        int rc = answers_of(m, x, n_labels, &n_answer, e);
        if (rc == 0) rc = task_prompt_tokens(m->task, m->chat, m->tok, x->input, &ids, &n, e);
        mem_free(ids);
        if (rc == 0 && ok && x->choices) {
            char where[64];
            snprintf(where, sizeof where, "%s, line %lld", task_split_name(s), x->line);
            rc = try_choice(m, x->choices, x->n_choices, where, &ok, e);
        }
        if (rc) return rc;
        m->prompt[m->sizes.n_prompts++] = (double)n;
        if (n > m->sizes.max_prompt) m->sizes.max_prompt = n;
        if (n + n_answer <= m->sizes.n_ctx) continue;
        if (m->sizes.n_too_long++ == 0) m->first_too_long = x->line, m->first_split = s;
    }
    return 0;
}

static int measure_all(struct measure *m, struct err *e)
{
    const struct task *t = m->task;
    size_t n = 0, n_labels = 0;
    int rc = 0;
    for (int s = 0; s < TASK_N_SPLITS; s++) n += m->check->examples[s].n;
    if (!(m->prompt = mem_calloc(n ? n : 1, sizeof *m->prompt))) return err_nomem(e, n * sizeof *m->prompt);
    for (unsigned i = 0; i < t->n_labels && rc == 0; i++) rc = answer(m, t->labels[i].name, &n_labels, e);
    for (int s = 0; s < TASK_N_SPLITS && rc == 0; s++) rc = measure_split(m, (enum task_split)s, n_labels, e);
    if (rc == 0 && n) {
        m->sizes.p50 = task_quantile(m->prompt, n, 0.50);
        m->sizes.p95 = task_quantile(m->prompt, n, 0.95);
    }
    if (rc == 0 && m->sizes.n_too_long)
        rc = task_check_add(m->check, true, e,
                            "%zu examples do not fit a context of %zu tokens with their answer, first %s, line %lld. "
                            "The longest prompt has %zu tokens.",
                            m->sizes.n_too_long, m->sizes.n_ctx, task_split_name(m->first_split), m->first_too_long,
                            m->sizes.max_prompt);
    mem_free(m->prompt);
    return rc;
}

int task_check_model(const struct task *t, struct task_check *c, const struct tok *tok, const struct infer_chat *chat,
                   size_t n_ctx, struct task_sizes *out, struct err *e)
{
    struct measure m = {.task = t, .check = c, .tok = tok, .chat = chat, .sizes = {.n_ctx = n_ctx}};
    int rc = 0;
    if (t->kind == TASK_CLASSIFY) rc = try_labels(&m, e);
    if (rc == 0 && t->kind == TASK_EXTRACT) rc = try_schema(&m, e);
    if (rc == 0) rc = measure_all(&m, e);
    if (rc == 0) *out = m.sizes;
    return rc;
}
