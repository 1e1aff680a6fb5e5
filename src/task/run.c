/* One answer at a time (task_run.h). Owns a scheduler, whose thread answers while the caller waits; it drives the
 * same path as the server does. Read next: model.c, eval.c. */
#include "task_run.h"
#include "base_clock.h"
#include "base_mem.h"
#include "task_model.h"

#include <pthread.h>

struct task_runner {
    struct tok *tok;
    struct infer_chat *chat; /* NULL: the model has no chat template */
    struct infer_scheduler *scheduler;
    struct task_model *model;
    double *probability;  /* [n_probability] of the last answer */
    unsigned n_probability;
    float *vector;        /* [n_embd] likewise; NULL unless it measures */
    unsigned n_embd;
    const char *group;
    pthread_mutex_t lock; /* of what follows, between the caller and the scheduler's thread */
    pthread_cond_t answered;
    bool done;
    struct err err;
    struct task_answer answer;
    struct buf *text;
};

static void on_done(void *user, const struct task_result *t)
{
    struct task_runner *r = user;
    pthread_mutex_lock(&r->lock);
    r->err = t->err;
    r->answer.label = t->probability ? t->label : -1;
    if (t->probability) memcpy(r->probability, t->probability, r->n_probability * sizeof *r->probability);
    r->answer.probability = t->probability ? r->probability : NULL;
    r->answer.judgement = t->judgement;
    r->answer.tokens = t->signals->tokens;
    r->answer.vector = r->vector && t->signals->vector ? r->vector : NULL;
    if (r->answer.vector) memcpy(r->vector, t->signals->vector, r->n_embd * sizeof *r->vector);
    r->answer.n_prompt = t->o.n_prompt;
    r->answer.n_evaluated = t->o.n_prompt - t->o.n_cached + t->o.n_nodes + t->o.n_generated;
    if (r->text && !t->err.code) buf_add(r->text, t->text, t->n);
    r->done = true;
    pthread_cond_signal(&r->answered);
    pthread_mutex_unlock(&r->lock);
}

static int room_for(struct task_runner *r, unsigned n, struct err *e)
{
    if (r->probability && r->n_probability == n) return 0;
    double *p = mem_realloc(r->probability, (n ? n : 1) * sizeof *p);
    if (!p) return err_nomem(e, n * sizeof *p);
    r->probability = p;
    r->n_probability = n;
    return 0;
}

int task_runner_answer(struct task_runner *r, const char *input, struct task_answer *out, struct buf *text,
                       struct err *e)
{
    return task_runner_choose(r, input, NULL, 0, out, text, e);
}

int task_runner_choose(struct task_runner *r, const char *input, const char *const *choices, unsigned n_choices,
                       struct task_answer *out, struct buf *text, struct err *e)
{
    struct task_call call = {
        .on_done = on_done, .user = r, .group = r->group, .choices = choices, .n_choices = n_choices};
    double start = clock_now_s();
    int room = room_for(r, choices ? n_choices : task_model_task(r->model)->n_labels, e);
    if (room) return room;
    r->done = false;
    r->text = text;
    int rc = task_model_ask(r->model, input, &call, NULL, e);
    if (rc) return rc;
    pthread_mutex_lock(&r->lock);
    while (!r->done) pthread_cond_wait(&r->answered, &r->lock);
    pthread_mutex_unlock(&r->lock);
    if (r->err.code) {
        *e = r->err;
        return e->code;
    }
    r->answer.seconds = clock_now_s() - start;
    *out = r->answer;
    return text ? buf_check(text, "answer", e) : 0;
}

static int start(struct task_runner *r, struct infer_engine *engine, const struct task *task, struct task_engine t,
                 uint32_t n_ctx, struct err *e)
{
    const struct gguf *file = infer_engine_gguf(engine);
    struct infer_scheduler_params p = {.n_ctx = n_ctx, .n_parallel = 1, .n_queue = 1};
    int rc = tok_new(file, &r->tok, e);
    if (!rc && gguf_find(file, "tokenizer.chat_template")) rc = infer_chat_new(file, r->tok, &r->chat, e);
    if (!rc) rc = infer_scheduler_new(engine, r->tok, &p, &r->scheduler, e);
    if (rc) return rc;
    r->n_embd = infer_engine_model(engine)->n_embd;
    r->vector = t.measure ? mem_calloc(r->n_embd, sizeof *r->vector) : NULL;
    if (t.measure && !r->vector) return err_nomem(e, r->n_embd * sizeof *r->vector);
    t.scheduler = r->scheduler;
    t.tok = r->tok;
    t.chat = r->chat;
    t.own_choices = true;
    return task_model_new(&t, task, &r->model, e);
}

static int make(struct infer_engine *engine, const struct task *task, struct task_engine t, uint32_t n_ctx,
                struct task_runner **out, struct err *e)
{
    struct task_runner *r = mem_calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->answered, NULL);
    int rc = start(r, engine, task, t, n_ctx, e);
    if (rc)
        task_runner_free(r);
    else
        *out = r;
    return rc;
}

int task_runner_new(struct infer_engine *engine, const struct task *task, const char *path, uint32_t n_ctx,
                    struct task_runner **out, struct err *e)
{
    return make(engine, task, (struct task_engine){.path = path}, n_ctx, out, e);
}

int task_runner_new_measuring(struct infer_engine *engine, const struct task *task, const char *path, uint32_t n_ctx,
                              bool vector, struct task_runner **out, struct err *e)
{
    struct task_engine t = {.path = path, .measure = true, .measure_vector = vector};
    return make(engine, task, t, n_ctx, out, e);
}

void task_runner_group(struct task_runner *r, const char *group) { r->group = group; }

unsigned task_runner_n_embd(const struct task_runner *r) { return r->n_embd; }

const struct task_model *task_runner_model(const struct task_runner *r) { return r->model; }

void task_runner_free(struct task_runner *r)
{
    if (!r) return;
    infer_scheduler_free(r->scheduler);
    task_model_free(r->model);
    infer_chat_free(r->chat);
    tok_free(r->tok);
    mem_free(r->probability);
    mem_free(r->vector);
    pthread_cond_destroy(&r->answered);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
