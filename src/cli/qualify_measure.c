/* This machine, measured for croft qualify (qualify.h): the rates of prompt and generation as croft bench measures
 * them, then answers, one after the other, for the time that was asked for: their latencies, the rate in the first
 * and the last third of the time, heat, throttling and energy meanwhile. With a task its own examples are answered;
 * without one a prompt of so many tokens and as many generated ones. Memory is looked at before the model is loaded.
 *
 * One thread of its own; owns what it opens until it returns. Read next: bench.c, src/econ/qualify.c. */
#include "base_clock.h"
#include "bench.h"
#include "kern_ops.h"
#include "kern_probe.h"
#include "plat_cpu.h"
#include "plat_mem.h"
#include "plat_sensor.h"
#include "qualify.h"
#include "task_meter.h"
#include "task_metrics.h"
#include "task_run.h"

#include <math.h>

enum {
    MIN_ANSWERS = 3,
    P99_ANSWERS = 100,
    P99_SECONDS = 60,
    MAX_ANSWERS = 1 << 20,
    RATE_TOKENS = 32,
    RATE_REPEAT = 3
};

/* ---- limits ---- */

int cli_qualify_limits(const struct cli_qualify_settings *set, struct econ_machine *out, struct err *e)
{
    const struct plat_cpu *c = plat_cpu_get();
    int n = set->engine.threads ? (int)set->engine.threads : plat_cpu_threads();
    *out = (struct econ_machine){.kind = ECON_CPU,
                                 .threads = n,
                                 .measured = true,
                                 .cache_bytes = c->l3_bytes > 0 ? (double)c->l3_bytes : 0,
                                 .memory_bytes = (double)plat_mem_available()};
    int rc = kern_probe_read_bandwidth(n, &out->read, e);
    if (rc == 0) rc = kern_probe_peak(KERN_Q8_0, n, &out->int8_ops, e);
    return rc ? rc : kern_probe_peak(KERN_F32, n, &out->float_ops, e);
}

/* ---- rates ---- */

static struct cli_engine_settings room_for(const struct cli_qualify *q, int64_t answer)
{
    struct cli_engine_settings s = q->set->engine;
    if (s.ctx == 0) s.ctx = (int64_t)(q->work.cached + q->work.prompt) + answer;
    return s;
}

static int rates(struct cli_qualify *q, struct infer_engine *g, struct err *e)
{
    int64_t answer = q->work.answer > 0 && q->work.answer < RATE_TOKENS ? (int64_t)q->work.answer : RATE_TOKENS;
    struct bench_settings set = {.engine = room_for(q, answer),
                                 .prompt = (int64_t)q->work.prompt,
                                 .decode = q->shape.decodes ? answer : 0,
                                 .depth = q->shape.decodes ? (int64_t)q->work.cached + (int64_t)q->work.prompt : 0,
                                 .sequences = 1,
                                 .repeat = RATE_REPEAT};
    struct bench_stats prompt = {0}, decode = {0};
    struct bench b;
    int rc = cli_bench_open(&b, g, &set, e);
    if (rc) return rc;
    if (!q->shape.decodes)
        rc = cli_bench_encode(&b, set.prompt, false, &prompt, e);
    else
        rc = cli_bench_prompt(&b, set.prompt, (int64_t)q->work.cached, &prompt, e);
    if (rc == 0 && q->shape.decodes) rc = cli_bench_decode(&b, set.decode, set.depth, &decode, e);
    cli_bench_close(&b);
    if (rc) return rc;
    q->found.prompt_rate = prompt.median;
    q->found.decode_rate = q->shape.decodes ? decode.median : NAN;
    return 0;
}

/* ---- answers ---- */

/* Where answers come from. */
struct answers {
    struct cli_qualify *q;
    struct task_runner *runner; /* a task's; else */
    struct bench bench;         /* tokens of the right number */
    struct bench_settings set;
    size_t next;
};

static int one_answer(struct answers *a, struct err *e)
{
    const struct cli_qualify *q = a->q;
    struct task_answer out;
    if (a->runner) {
        const struct task_example *x = &q->x.item[a->next++ % q->x.n];
        return x->choices && !q->task->n_labels
                   ? task_runner_choose(a->runner, x->input, x->choices, x->n_choices, &out, NULL, e)
                   : task_runner_answer(a->runner, x->input, &out, NULL, e);
    }
    struct bench_stats ignored;
    if (!q->shape.decodes) return cli_bench_encode(&a->bench, a->set.prompt, false, &ignored, e);
    return cli_bench_answer(&a->bench, a->set.prompt, (int64_t)q->work.answer, e);
}

static int open_answers(struct answers *a, struct cli_qualify *q, struct infer_engine *g, struct err *e)
{
    *a = (struct answers){.q = q};
    if (q->x.n) return task_runner_new(g, q->task, q->path, (uint32_t)q->set->engine.ctx, &a->runner, e);
    a->set = (struct bench_settings){.engine = room_for(q, (int64_t)q->work.answer),
                                     .prompt = (int64_t)q->work.prompt,
                                     .prefix = (int64_t)q->work.cached,
                                     .sequences = 1,
                                     .repeat = 1};
    int rc = cli_bench_open(&a->bench, g, &a->set, e);
    if (rc == 0 && q->shape.decodes) rc = cli_bench_fill(&a->bench, 1, a->set.prefix, e);
    return rc;
}

static void close_answers(struct answers *a)
{
    if (!a->runner && a->bench.set) cli_bench_close(&a->bench);
    task_runner_free(a->runner);
}

/* Answers a second between two times, counted where they end. */
static double rate_between(const double *end, int n, double from, double to)
{
    int in = 0;
    for (int i = 0; i < n; i++) in += end[i] > from && end[i] <= to;
    return in / (to - from);
}

/* For so many seconds, and until there are `at_least` answers or a minute is over. end, ms: [MAX_ANSWERS] when each
 * answer ended, since the start, and what it took. */
static int answer_for(struct answers *a, double seconds, int at_least, double *end, double *ms, struct econ_found *f,
                      struct err *e)
{
    struct task_meter meter;
    int n = 0, rc = one_answer(a, e); /* the first is not counted: it fills caches */
    double start = clock_now_s(), now = start;
    task_meter_start(&meter);
    while (rc == 0 && n < MAX_ANSWERS &&
           (n < MIN_ANSWERS || now - start < seconds || (n < at_least && now - start < P99_SECONDS))) {
        double before = now;
        if ((rc = one_answer(a, e))) break;
        task_meter_tick(&meter);
        now = clock_now_s();
        ms[n] = 1e3 * (now - before);
        end[n++] = now - start;
    }
    double joules = task_meter_stop(&meter), all = now - start;
    if (rc) return rc;
    f->n_answers = n;
    f->seconds = all;
    f->joules = joules / n;
    f->celsius = meter.hottest > -1000 ? meter.hottest : NAN;
    f->throttled = (int)meter.throttled;
    f->first_rate = f->last_rate = NAN;
    if (seconds > 0 && n >= 3 * MIN_ANSWERS) {
        f->first_rate = rate_between(end, n, 0, all / 3);
        f->last_rate = rate_between(end, n, all - all / 3, all);
    }
    f->p50_ms = task_quantile(ms, (size_t)n, 0.50);
    f->p95_ms = task_quantile(ms, (size_t)n, 0.95);
    f->p99_ms = task_quantile(ms, (size_t)n, 0.99);
    return 0;
}

static int answers(struct cli_qualify *q, struct infer_engine *g, struct err *e)
{
    struct answers a;
    double *end = mem_calloc(MAX_ANSWERS, sizeof *end), *ms = mem_calloc(MAX_ANSWERS, sizeof *ms);
    int rc = end && ms ? open_answers(&a, q, g, e) : err_nomem(e, MAX_ANSWERS * sizeof *end);
    if (rc == 0) {
        rc = answer_for(&a, q->set->sustained, isnan(q->required.p99_ms) ? MIN_ANSWERS : P99_ANSWERS, end, ms,
                        &q->found, e);
        close_answers(&a);
    }
    mem_free(end);
    mem_free(ms);
    return rc;
}

static int level_rank(const char *level)
{
    const char *const *all = kern_levels();
    for (int i = 0; all[i]; i++)
        if (strcmp(all[i], level) == 0) return i;
    return -1;
}

int cli_qualify_measure(struct cli_qualify *q, struct cli_qualify_here *out, struct err *e)
{
    struct cli_qualify_here h = {0};
    struct infer_engine *g = NULL;
    struct plat_health health;
    int64_t available = plat_mem_available();
    plat_health_read(&health, "");
    q->found.load = health.load_per_cpu;
    q->found.available_bytes = available >= 0 ? (double)available : NAN;
    int rc = cli_qualify_limits(q->set, &h.limits, e);
    if (rc == 0) rc = econ_predict(&h.limits, &q->shape, &q->work, &h.predicted, e);
    if (rc == 0) rc = cli_engine_open(q->path, &q->set->engine, &g, e);
    if (rc) return rc;
    infer_engine_warm(g);
    h.threads = infer_engine_threads(g);
    snprintf(h.level, sizeof h.level, "%s", infer_engine_ops(g)->level);
    snprintf(h.machine, sizeof h.machine, "%s",
             *plat_cpu_get()->brand ? plat_cpu_get()->brand : plat_cpu_get()->arch);
    q->found.level_rank = level_rank(h.level);
    rc = rates(q, g, e);
    if (rc == 0) rc = answers(q, g, e);
    infer_engine_close(g);
    if (rc) return rc;
    *out = h;
    q->found.level = out->level;
    return 0;
}
