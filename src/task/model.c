/* A task bound to a model (task_model.h).
 *
 * What the prompts of two different inputs have in common at their beginning is pinned in the cache: every later
 * input evaluates only what follows.
 *
 * classify   the labels' branching nodes behind the prompt, in one pass (infer_choice.h), corrected by a prior if
 *            there is one; or a head over the text's vector (task_fit.h)
 * extract    greedy text constrained to the schema; checked against it again before it leaves
 * generate   greedy text
 * embed      one vector
 *
 * A call's memory is one struct job, freed after its callback. Read next: prompt.c, run.c. */
#include "task_model.h"
#include "base_mem.h"
#include "infer_choice.h"
#include "task_fit.h"
#include "task_prompt.h"

#include <math.h>

enum { MAX_PROMPT_BYTES = 4 << 20, MAX_ANSWER_TOKENS = 512 };

struct task_model {
    const struct task *task;
    struct task_engine g;
    struct infer_choice *choice;   /* classify */
    struct infer_grammar *grammar; /* extract with a schema */
    struct infer_vocab *vocab;     /* its own, if it had to make one */
    struct task_fit fit;           /* a head or a prior; n_labels 0: nothing */
    struct task_calibration *calibration;
    struct err uncalibrated;       /* why there is none */
    bool want_tokens, want_vector; /* gather these signals */
    int32_t *pin;                  /* [n_pin] tokens that prompts begin with; of some input the first may differ */
    uint32_t n_pin;
};

struct job {
    struct task_model *m;
    struct task_call call;
    struct infer_choice *own;          /* of the call's choices, or NULL */
    const struct infer_choice *choice; /* it, or the labels'; NULL: no choice is made */
    struct infer_tree tree;
    uint32_t first;
    double *probability;
    struct buf text;
    struct infer_text embed;
    int32_t *ids, *input_ids; /* of the prompt; of the input alone, for a vector before the answer */
    char *group;
    struct task_token_signals tokens; /* sums and least so far */
    struct croft_sampling sampling;
    struct infer_request answer; /* what is asked once the vector is there */
    bool unanswered;
};

/* Is it answered from a vector of the text, not by going on with a prompt? */
static bool by_vector(const struct task_model *m) { return m->task->kind == TASK_EMBED || m->fit.n_embd; }

static int prompt_of(const struct task_model *m, const char *input, bool vector, int32_t **out, size_t *out_n,
                     struct err *e)
{
    struct task t = *m->task;
    if (vector) t.kind = TASK_EMBED;
    return task_prompt_tokens(&t, m->g.chat, m->g.tok, input, out, out_n, e);
}

/* ---- life ---- */

static int find_pin(struct task_model *m, struct err *e)
{
    int32_t *a = NULL, *b = NULL;
    size_t n_a, n_b = 0, n = 0;
    int rc = prompt_of(m, "a", false, &a, &n_a, e);
    if (!rc) rc = prompt_of(m, "Z 9", false, &b, &n_b, e);
    while (!rc && n < n_a && n < n_b && a[n] == b[n]) n++;
    m->n_pin = (uint32_t)n;
    m->pin = a;
    mem_free(b);
    return rc;
}

static int find_fit(struct task_model *m, struct err *e)
{
    if (!m->g.path || m->task->kind != TASK_CLASSIFY) return 0;
    char *file = task_fit_path(m->g.path, m->task->name);
    int rc = file ? task_fit_load(m->task, m->g.path, file, &m->fit, e) : err_nomem(e, 0);
    mem_free(file);
    return rc == CROFT_E_NOT_FOUND ? 0 : rc;
}

/* A calibration that is refused leaves a model that answers, and whose answers nothing vouches for. */
static int find_calibration(struct task_model *m, unsigned n_embd, struct err *e)
{
    bool written = m->task->kind == TASK_EXTRACT || m->task->kind == TASK_GENERATE;
    if (m->g.measure) {
        m->want_tokens = written;
        m->want_vector = m->g.measure_vector;
    } else if (m->g.path && m->task->kind != TASK_EMBED) {
        int rc = task_calibration_load(m->task, m->g.path, &m->calibration, &m->uncalibrated);
        if (rc == CROFT_E_NOMEM) return *e = m->uncalibrated, rc;
        m->want_tokens = m->calibration && task_calibration_wants_tokens(m->calibration);
        m->want_vector = m->calibration && task_calibration_wants_vector(m->calibration);
        if (m->want_vector && task_calibration_wants_vector(m->calibration) != n_embd)
            return ERR(e, FORMAT, "The calibration takes vectors of %u; the model's have %u.",
                       task_calibration_wants_vector(m->calibration), n_embd);
    }
    if (!m->calibration && !m->uncalibrated.code)
        ERR(&m->uncalibrated, NOT_FOUND, "No calibration was looked for.");
    return 0;
}

const struct task_calibration *task_model_calibration(const struct task_model *m, struct err *why)
{
    if (why && !m->calibration) *why = m->uncalibrated;
    return m->calibration;
}

static int prepare(struct task_model *m, struct err *e)
{
    const struct task *t = m->task;
    const struct model *model = infer_engine_model(infer_scheduler_engine(m->g.scheduler));
    if (t->kind == TASK_CLASSIFY && t->n_labels == 0 && !m->g.own_choices)
        return ERR(e, UNSUPPORTED,
                   "The choices of task '%s' are those of its examples, so a plain input has none to be answered from.",
                   t->name);
    int rc = find_fit(m, e);
    if (!rc) rc = find_calibration(m, model->n_embd, e);
    if (rc) return rc;
    if (m->fit.n_embd && m->fit.n_embd != model->n_embd)
        return ERR(e, FORMAT, "The fitted head takes vectors of %u; the model's have %u.", m->fit.n_embd,
                   model->n_embd);
    if (by_vector(m)) return 0;
    if (!model->causal && t->kind == TASK_CLASSIFY)
        return ERR(e, UNSUPPORTED,
                   "The model is an encoder, which classifies through a head: 'croft task fit' makes one.");
    if (!model->causal)
        return ERR(e, UNSUPPORTED, "The model is an encoder, which cannot answer a task of this kind.");
    rc = find_pin(m, e);
    if (!rc && t->n_labels) {
        const char **names = mem_calloc(t->n_labels, sizeof *names);
        if (!names) return err_nomem(e, t->n_labels * sizeof *names);
        for (unsigned i = 0; i < t->n_labels; i++) names[i] = t->labels[i].name;
        rc = infer_choice_new(m->g.tok, names, t->n_labels, &m->choice, e);
        mem_free(names);
    }
    if (!rc && t->kind == TASK_EXTRACT && t->schema) {
        if (!m->g.vocab) rc = infer_vocab_new(m->g.tok, &m->vocab, e);
        if (!rc)
            rc = infer_grammar_of_schema(m->vocab ? m->vocab : m->g.vocab, t->schema, strlen(t->schema), &m->grammar,
                                         e);
    }
    return rc;
}

int task_model_new(const struct task_engine *g, const struct task *task, struct task_model **out, struct err *e)
{
    struct task_model *m = mem_calloc(1, sizeof *m);
    if (!m) return err_nomem(e, sizeof *m);
    m->task = task;
    m->g = *g;
    int rc = prepare(m, e);
    if (rc)
        task_model_free(m);
    else
        *out = m;
    return rc;
}

void task_model_free(struct task_model *m)
{
    if (!m) return;
    infer_choice_free(m->choice);
    infer_grammar_unref(m->grammar);
    infer_vocab_free(m->vocab);
    mem_free(m->pin);
    task_fit_done(&m->fit);
    task_calibration_free(m->calibration);
    mem_free(m);
}

const struct task *task_model_task(const struct task_model *m) { return m->task; }

int task_model_check(struct task_model *m, const char *text, size_t n, struct err *e)
{
    return m->grammar ? infer_grammar_check(m->grammar, text, n, e) : 0;
}

/* ---- a call ---- */

static void job_free(struct job *j)
{
    infer_choice_free(j->own);
    infer_tree_done(&j->tree);
    mem_free(j->probability);
    buf_done(&j->text);
    mem_free(j->embed.out);
    mem_free(j->ids);
    mem_free(j->input_ids);
    mem_free(j->group);
    mem_free(j);
}

/* Behind the answer's end comes a piece without a token; where the model has but one candidate, there is no margin. */
static void note_token(struct task_token_signals *t, const struct croft_piece *p)
{
    if (p->token < 0 || p->n_top < 2) return;
    double logprob = (double)p->logprob, margin = logprob - (double)p->top[p->token == p->top[0].token].logprob;
    if (!t->n || logprob < t->logprob_min) t->logprob_min = logprob;
    if (!t->n || margin < t->margin_min) t->margin_min = margin;
    t->n++;
    t->logprob_mean += (logprob - t->logprob_mean) / t->n;
    t->margin_mean += (margin - t->margin_mean) / t->n;
}

static int on_piece(void *user, const struct croft_piece *p)
{
    struct job *j = user;
    note_token(&j->tokens, p);
    return buf_add(&j->text, p->text, p->n);
}

static unsigned n_options(const struct job *j) { return j->own ? j->call.n_choices : j->m->task->n_labels; }

static void classified(struct job *j, struct task_result *r)
{
    const struct task_fit *fit = &j->m->fit;
    unsigned n = n_options(j);
    if (j->choice) {
        infer_choice_logprobs(j->choice, &j->tree, j->first, j->probability);
        for (unsigned i = 0; i < n; i++) j->probability[i] = exp(j->probability[i]);
        if (fit->n_labels && !j->own) task_fit_correct(fit, j->probability);
    } else {
        task_fit_classify(fit, j->embed.out, j->probability);
    }
    for (unsigned i = 0; i < n; i++)
        if (j->probability[i] > j->probability[r->label]) r->label = (int)i;
    r->probability = j->probability;
    r->text = j->own ? j->call.choices[r->label] : j->m->task->labels[r->label].name;
    r->n = strlen(r->text);
}

/* What leaves has been checked: an answer that was cut off is no JSON of the schema. */
static void extracted(struct job *j, struct task_result *r)
{
    int rc = infer_grammar_check(j->m->grammar, r->text, r->n, &r->err);
    if (rc && r->o.end == INFER_END_LENGTH)
        rc = ERR(&r->err, LIMIT, "The answer was not complete after %u tokens.", r->o.n_generated);
    if (rc) r->text = "", r->n = 0;
}

static void set_vector(struct job *j, struct infer_request *r)
{
    const struct model *model = infer_engine_model(infer_scheduler_engine(j->m->g.scheduler));
    r->texts = &j->embed;
    r->n_texts = 1;
    r->pool = model->pool == MODEL_POOL_NONE ? MODEL_POOL_MEAN : model->pool;
    r->normalize = true;
}

static void finish(struct job *j, const struct infer_outcome *o)
{
    struct task_result r = {.err = o->err,
                            .text = j->text.data ? j->text.data : "",
                            .n = j->text.len,
                            .judgement = {TASK_UNCALIBRATED, NAN, NAN},
                            .o = *o};
    if (!r.err.code && j->text.failed) {
        int rc = buf_check(&j->text, "answer", &r.err);
        (void)rc; /* it is in r.err */
    }
    if (j->unanswered)
        r.unanswered = true;
    else if (!r.err.code && j->probability)
        classified(j, &r);
    else if (!r.err.code && j->m->grammar)
        extracted(j, &r);
    r.vector = j->m->task->kind == TASK_EMBED ? j->embed.out : NULL;
    struct task_signals s = {r.probability, r.label, j->tokens, j->embed.out, j->group};
    r.signals = &s;
    if (j->unanswered)
        r.judgement = (struct task_judgement){TASK_OUT_OF_SCOPE, NAN,
                                              task_calibration_novelty(j->m->calibration, j->embed.out)};
    else if (!r.err.code && j->m->calibration && !j->own)
        r.judgement = task_calibration_judge(j->m->calibration, &s);
    j->call.on_done(j->call.user, &r);
    job_free(j);
}

static void on_done(void *user, const struct infer_outcome *o) { finish(user, o); }

/* The vector comes first: an input that is unlike all others need not be answered. Without one the answer is given,
 * uncalibrated. */
static void on_vector(void *user, const struct infer_outcome *o)
{
    struct job *j = user;
    struct infer_outcome failed = {0};
    if (o->err.code == CROFT_E_CANCELLED || o->err.code == CROFT_E_DEADLINE) {
        finish(j, o);
        return;
    }
    if (o->err.code) {
        mem_free(j->embed.out);
        j->embed.out = NULL;
    }
    const struct task_calibration *c = j->m->calibration;
    if (j->call.scope_first && c && j->embed.out && task_calibration_novelty(c, j->embed.out) > 1) {
        j->unanswered = true;
        finish(j, o);
        return;
    }
    j->answer.after = o->ticket;
    if (infer_schedule(j->m->g.scheduler, &j->answer, NULL, &failed.err)) finish(j, &failed);
}

/* What is asked behind the prompt when labels or choices are. */
static int fill_choice(struct job *j, struct infer_request *r, struct err *e)
{
    const struct task_model *m = j->m;
    const struct task_call *call = &j->call;
    if (call->choices && by_vector(m))
        return ERR(e, UNSUPPORTED, "A fitted head knows the task's labels alone; it cannot choose among others.");
    if (call->choices) {
        int rc = infer_choice_new(m->g.tok, call->choices, call->n_choices, &j->own, e);
        if (rc) return rc;
    }
    if (n_options(j) == 0)
        return ERR(e, UNSUPPORTED, "The task '%s' has no labels, and the input comes without choices.", m->task->name);
    j->choice = j->own ? j->own : m->choice;
    j->probability = mem_calloc(n_options(j), sizeof *j->probability);
    if (!j->probability) return err_nomem(e, n_options(j) * sizeof *j->probability);
    if (!j->choice) return 0;
    r->tree = &j->tree;
    return infer_choice_plant(j->choice, &j->tree, -1, &j->first, e);
}

static int fill(struct job *j, struct infer_request *r, struct err *e)
{
    struct task_model *m = j->m;
    const struct model *model = infer_engine_model(infer_scheduler_engine(m->g.scheduler));
    if (m->task->kind == TASK_CLASSIFY) {
        int rc = fill_choice(j, r, e);
        if (rc || j->choice) return rc;
    }
    r->grammar = m->grammar;
    if (!by_vector(m)) return 0;
    j->embed = (struct infer_text){j->ids, r->n_prompt, mem_calloc(model->n_embd, sizeof(float))};
    set_vector(j, r);
    return j->embed.out ? 0 : err_nomem(e, model->n_embd * sizeof(float));
}

/* The vector is asked for in r, and the answer kept for later. */
static int vector_first(struct job *j, const char *input, struct infer_request *r, struct err *e)
{
    const struct model *model = infer_engine_model(infer_scheduler_engine(j->m->g.scheduler));
    int rc = prompt_of(j->m, input, true, &j->input_ids, &j->embed.n, e);
    if (rc) return rc;
    j->embed.tokens = j->input_ids;
    j->embed.out = mem_calloc(model->n_embd, sizeof *j->embed.out);
    if (!j->embed.out) return err_nomem(e, model->n_embd * sizeof *j->embed.out);
    j->answer = *r;
    *r = (struct infer_request){.owner = r->owner, .deadline_s = r->deadline_s, .on_done = on_vector, .user = j};
    set_vector(j, r);
    return 0;
}

int task_model_ask(struct task_model *m, const char *input, const struct task_call *call, struct infer_ticket **out,
                   struct err *e)
{
    struct job *j = mem_calloc(1, sizeof *j);
    if (!j) return err_nomem(e, sizeof *j);
    j->m = m;
    j->call = *call;
    infer_tree_init(&j->tree);
    buf_init(&j->text, MAX_PROMPT_BYTES);
    croft_sampling_init(&j->sampling);
    j->sampling.max_tokens = MAX_ANSWER_TOKENS;
    j->sampling.logprobs = m->want_tokens;
    j->sampling.n_top = m->want_tokens ? 2 : 0;
    struct infer_request r = {.sampling = &j->sampling,
                              .owner = call->owner,
                              .deadline_s = call->deadline_s,
                              .on_piece = on_piece,
                              .on_done = on_done,
                              .user = j};
    int rc = prompt_of(m, input, by_vector(m), &j->ids, &r.n_prompt, e);
    r.prompt = j->ids;
    if (r.n_prompt >= m->n_pin && m->n_pin && memcmp(j->ids, m->pin, m->n_pin * sizeof *m->pin) == 0)
        r.pin = m->n_pin;
    if (!rc) rc = fill(j, &r, e);
    if (!rc && m->want_vector && !by_vector(m)) rc = vector_first(j, input, &r, e);
    if (!rc && call->group && !(j->group = mem_strdup(call->group))) rc = err_nomem(e, strlen(call->group));
    if (!rc) rc = infer_schedule(m->g.scheduler, &r, out, e);
    if (rc) job_free(j);
    return rc;
}
