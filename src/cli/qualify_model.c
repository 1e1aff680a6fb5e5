/* What croft qualify is about (qualify.h): the model's shape from the header of its file, the tokens of an answer,
 * and the evaluation that fixed the model before any hardware is looked at. Weights stay untouched. */
#include "qualify.h"
#include "task_calib.h"
#include "task_check.h"
#include "task_report.h"

#include <math.h>
#include <unistd.h>

enum { USUAL_PROMPT = 256, USUAL_ANSWER = 64 };

/* ---- shape ---- */

struct shaping {
    struct econ_model_shape *s;
    const struct model *m;
    bool too_many;
};

static void add_weight(struct model_weight *w, void *ctx)
{
    struct shaping *x = ctx;
    const char *type = kern_type_get(w->type)->name;
    double params = (double)w->n_in * w->n_out, bytes = (double)w->row_bytes * w->n_out;
    int i = 0;
    while (i < x->s->n_weights && strcmp(x->s->weights[i].type, type) != 0) i++;
    if (i == ECON_MAX_TYPES) {
        x->too_many = true;
        return;
    }
    struct econ_weights *t = &x->s->weights[i];
    if (i == x->s->n_weights) x->s->n_weights++, t->type = type;
    if (w == &x->m->head)
        t->head_params += params, t->head_bytes += bytes;
    else
        t->layer_params += params, t->layer_bytes += bytes;
}

static int shape_of(struct model *m, const struct gguf *g, enum infer_kv kv, struct econ_model_shape *out,
                    struct err *e)
{
    double each = kv == INFER_KV_F32 ? 4 : kv == INFER_KV_Q8_0 ? 34.0 / 32 : 2;
    struct shaping x = {.s = out, .m = m};
    *out = (struct econ_model_shape){
        .n_layer = m->n_layer, .file_bytes = (double)gguf_file_bytes(g), .decodes = m->causal};
    model_each_product(m, add_weight, &x);
    if (x.too_many) return ERR(e, LIMIT, "The model's weights have more than %d types.", ECON_MAX_TYPES);
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *l = &m->layer[i];
        out->ff_elements += l->down.n_in;
        if (l->kind == MODEL_DELTA_NET) out->state_bytes += 4.0 * m->n_head_v * m->d_state * m->d_state;
        if (l->kind != MODEL_ATTENTION) continue;
        out->attn_ops += 2.0 * l->n_head * (m->d_head + m->d_head_v);
        if (m->causal) out->kv_bytes += each * l->n_head_kv * (m->d_head + m->d_head_v);
    }
    return 0;
}

/* ---- tokens of an answer ---- */

static int sizes_of(struct cli_qualify *q, const struct gguf *g, struct err *e)
{
    struct task_sizes sizes = {0};
    struct task_check c;
    struct tok *tok = NULL;
    struct infer_chat *chat = NULL;
    int rc = task_check_data(q->task, &c, e);
    if (rc) return rc;
    rc = tok_new(g, &tok, e);
    if (rc == 0 && gguf_find(g, "tokenizer.chat_template")) rc = infer_chat_new(g, tok, &chat, e);
    if (rc == 0) rc = task_check_model(q->task, &c, tok, chat, 1 << 24, &sizes, e);
    if (rc == 0 && sizes.n_prompts) {
        bool writes = q->task->kind == TASK_EXTRACT || q->task->kind == TASK_GENERATE;
        q->work.prompt = ceil(sizes.p95) + (writes ? 0 : (double)sizes.max_answer);
        q->work.answer = writes ? (double)sizes.max_answer : 0;
        q->work_from =
            "the task's examples: 95 % of the prompts are no longer, the longest answer; nothing in the cache";
    }
    infer_chat_free(chat);
    tok_free(tok);
    task_check_done(&c);
    return rc;
}

static int work_of(struct cli_qualify *q, const struct model *m, const struct gguf *g, struct err *e)
{
    const struct cli_qualify_settings *set = q->set;
    q->work = (struct econ_work){.prompt = USUAL_PROMPT, .answer = q->shape.decodes ? USUAL_ANSWER : 0};
    q->work_from = "assumed; give --prompt, --cached and --answer";
    int rc = q->task ? sizes_of(q, g, e) : 0;
    if (rc) return rc;
    if (set->prompt >= 0 || set->cached >= 0 || set->answer >= 0) q->work_from = "given";
    if (set->prompt >= 0) q->work.prompt = (double)set->prompt;
    if (set->cached >= 0) q->work.cached = (double)set->cached;
    if (set->answer >= 0) q->work.answer = (double)set->answer;
    if (!q->shape.decodes && (q->work.answer > 0 || q->work.cached > 0))
        return ERR(e, USAGE, "An encoder writes no answer and keeps no cache: leave out --answer and --cached.");
    double all = q->work.cached + q->work.prompt + q->work.answer;
    if (m->n_ctx_train && all > m->n_ctx_train)
        return ERR(e, NO_ROOM,
                   "An answer of %.0f tokens, prompt and cache included, does not fit the model's context of %u.",
                   all, m->n_ctx_train);
    return 0;
}

/* ---- evaluation ---- */

/* MODEL.TASK.eval.json beside MODEL.gguf, as fits and calibrations are. NULL without memory. */
static char *report_beside(const char *path, const char *task)
{
    size_t n = strlen(path), stem = n > 5 && strcmp(path + n - 5, ".gguf") == 0 ? n - 5 : n;
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_add(&b, path, stem);
    buf_fmt(&b, ".%s.eval.json", task);
    return buf_take(&b);
}

static double number(const json_t *o, const char *object, const char *key)
{
    const json_t *v = json_object_get(json_object_get(o, object), key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int read_evaluation(struct cli_qualify *q, const char *path, struct err *e)
{
    struct econ_found *f = &q->found;
    json_t *o = NULL;
    int rc = task_report_load(path, &o, e);
    if (rc == 0) rc = task_report_is_of(o, q->path, q->task, &f->same_model, &f->same_task, e);
    if (rc == 0 && !(q->evaluation = mem_strdup(path))) rc = err_nomem(e, 0);
    if (rc == 0) {
        const char *metric = json_string_value(json_object_get(json_object_get(o, "task"), "metric"));
        snprintf(q->metric, sizeof q->metric, "%s", metric ? metric : "score");
        f->evaluation = q->evaluation;
        f->metric = q->metric;
        f->score = number(o, "score", "value");
        f->floor = q->task ? (q->task->floor > 0 ? q->task->floor : NAN) : number(o, "gate", "floor");
        if (f->floor == 0) f->floor = NAN;
        if (isnan(f->score)) rc = ERR(e, FORMAT, "The report '%.160s' has no score.", path);
    }
    json_decref(o);
    return rc;
}

static int find_evaluation(struct cli_qualify *q, struct err *e)
{
    char *beside = NULL;
    int rc = 0;
    q->found.score = q->found.floor = NAN;
    if (q->set->eval) return read_evaluation(q, q->set->eval, e);
    if (!q->task) return 0;
    if (!(beside = report_beside(q->path, q->task->name))) return err_nomem(e, 0);
    if (access(beside, R_OK) == 0) rc = read_evaluation(q, beside, e);
    mem_free(beside);
    if (rc) return rc;
    if (!(beside = task_calibration_path(q->path, q->task->name))) return err_nomem(e, 0);
    if (access(beside, R_OK) == 0)
        q->calibration = beside;
    else
        mem_free(beside);
    return 0;
}

/* ---- all of it ---- */

static int load_examples(struct cli_qualify *q, struct err *e)
{
    static const enum task_split order[] = {TASK_TEST, TASK_VALIDATION, TASK_TRAIN};
    for (int i = 0; i < 3; i++)
        if (task_split_path(q->task, order[i])) return task_split_load(q->task, order[i], &q->x, e);
    return 0;
}

int cli_qualify_open(struct cli_qualify *q, const char *word, struct err *e)
{
    const struct cli_qualify_settings *set = q->set;
    struct gguf *g = NULL;
    struct model *m = NULL;
    int rc = 0;
    q->name = set->model ? set->model : word;
    if (set->model) rc = task_load(word, &q->task, e);
    if (rc == 0 && q->task) rc = load_examples(q, e);
    if (rc == 0) rc = cli_model_path(q->name, &q->path, e);
    if (rc == 0) rc = gguf_open(q->path, &g, e);
    if (rc == 0) rc = model_new(g, &m, e);
    if (rc == 0) rc = shape_of(m, g, cli_kv_of(set->engine.kv), &q->shape, e);
    if (rc == 0) rc = work_of(q, m, g, e);
    if (rc == 0) rc = find_evaluation(q, e);
    if (rc == 0) q->found.file_bytes = q->shape.file_bytes;
    model_free(m);
    gguf_close(g);
    return rc;
}

void cli_qualify_close(struct cli_qualify *q)
{
    task_examples_done(&q->x);
    task_free(q->task);
    econ_devices_done(&q->own);
    mem_free(q->path);
    mem_free(q->evaluation);
    mem_free(q->calibration);
}
