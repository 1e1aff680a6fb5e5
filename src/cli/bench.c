/* The measurements of croft bench (bench.h). A repetition begins where the one before began: sessions go back to a
 * snapshot, so that a long context is evaluated once. The first repetition warms up and is not counted. */
#include "bench.h"
#include "base_clock.h"
#include "model_tok.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct bench_stats stats_of(double *x, int n)
{
    struct bench_stats s = {0};
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (int i = 0; i < n; i++) s.mean += x[i] / n;
    for (int i = 0; i < n; i++) s.sd += (x[i] - s.mean) * (x[i] - s.mean);
    s.sd = n > 1 ? sqrt(s.sd / (n - 1)) : 0;
    s.median = n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
    return s;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int allocate(struct bench *b, struct err *e)
{
    const struct model *m = infer_engine_model(b->engine);
    size_t n = b->set->sequences;
    b->session = mem_calloc(n, sizeof *b->session);
    b->item = mem_calloc(n, sizeof *b->item);
    b->snapshot = mem_calloc(n, sizeof *b->snapshot);
    b->text = mem_calloc(n, sizeof *b->text);
    b->vectors = mem_calloc(n, m->n_embd * sizeof *b->vectors);
    b->token = mem_calloc(b->n_tokens, sizeof *b->token);
    if (!b->session || !b->item || !b->snapshot || !b->text || !b->vectors || !b->token)
        return err_nomem(e, n);
    for (size_t i = 0; i < b->n_tokens; i++) b->token[i] = (int32_t)((i * 2654435761u + 12345) % m->n_vocab);
    return 0;
}

int cli_bench_open(struct bench *b, struct infer_engine *engine, const struct bench_settings *set,
                   struct err *e)
{
    int64_t prompt = set->prompt + (set->prefix ? set->prefix : set->depth),
            decode = set->decode + set->depth;
    struct cli_engine_settings s = set->engine;
    if (s.ctx == 0) s.ctx = larger(prompt, decode);
    *b = (struct bench){.set = set, .engine = engine, .n_tokens = (size_t)larger(prompt, decode) + 1};
    bool encoder = !infer_engine_model(engine)->causal;
    int rc = allocate(b, e);
    for (int64_t i = 0; i < (encoder ? 1 : set->sequences) && rc == 0; i++)
        rc = cli_session_open(engine, &s, 1, &b->session[i], e);
    if (rc) cli_bench_close(b);
    return rc;
}

void cli_bench_close(struct bench *b)
{
    for (int64_t i = 0; i < b->set->sequences; i++) {
        if (b->snapshot) infer_snapshot_free(b->snapshot[i]);
        if (b->session) infer_session_free(b->session[i]);
    }
    mem_free(b->session);
    mem_free(b->item);
    mem_free(b->snapshot);
    mem_free(b->text);
    mem_free(b->vectors);
    mem_free(b->token);
}

/* ---- sequences ---- */

/* The first n_sessions sessions get `cached` tokens, and a snapshot of that. */
int cli_bench_fill(struct bench *b, int64_t n_sessions, int64_t cached, struct err *e)
{
    int rc = 0;
    for (int64_t i = 0; i < n_sessions && rc == 0; i++) {
        struct infer_session *s = b->session[i];
        infer_snapshot_free(b->snapshot[i]);
        b->snapshot[i] = NULL;
        rc = infer_session_truncate(s, 0, e);
        if (rc == 0 && cached) rc = infer_session_eval(s, b->token, (size_t)cached, INFER_LOGITS_NONE, e);
        if (rc == 0) rc = infer_session_snapshot(s, &b->snapshot[i], e);
    }
    return rc;
}

static int back(struct bench *b, int64_t n_sessions, struct err *e)
{
    int rc = 0;
    for (int64_t i = 0; i < n_sessions && rc == 0; i++)
        rc = infer_session_restore(b->session[i], b->snapshot[i], e);
    return rc;
}

int cli_bench_decode_once(struct bench *b, int64_t n, struct err *e)
{
    int64_t n_items = b->set->sequences;
    int rc = back(b, n_items, e);
    for (int64_t t = 0; t < n && rc == 0; t++) {
        for (int64_t i = 0; i < n_items; i++)
            b->item[i] =
                (struct infer_batch_item){.session = b->session[i],
                                          .tokens = &b->token[(t * n_items + i) % (int64_t)b->n_tokens],
                                          .n = 1,
                                          .want = INFER_LOGITS_LAST};
        if (infer_batch_eval(b->item, (size_t)n_items) == 0) continue;
        for (int64_t i = 0; i < n_items; i++)
            if (b->item[i].err.code && rc == 0) rc = b->item[i].err.code, *e = b->item[i].err;
    }
    return rc;
}

int cli_bench_answer(struct bench *b, int64_t prompt, int64_t n, struct err *e)
{
    struct infer_session *s = b->session[0];
    int rc = back(b, 1, e);
    if (rc == 0) rc = infer_session_eval(s, b->token + b->set->prefix, (size_t)prompt, INFER_LOGITS_LAST, e);
    for (int64_t t = 0; t < n && rc == 0; t++) rc = infer_session_eval(s, b->token + t, 1, INFER_LOGITS_LAST, e);
    return rc;
}

int cli_bench_prompt(struct bench *b, int64_t n, int64_t cached, struct bench_stats *out, struct err *e)
{
    double rate[BENCH_REPEAT_MAX];
    int rc = cli_bench_fill(b, 1, cached, e);
    for (int64_t r = -1; r < b->set->repeat && rc == 0; r++) {
        if ((rc = back(b, 1, e))) break;
        double start = clock_now_s();
        rc = infer_session_eval(b->session[0], b->token + cached, (size_t)n, INFER_LOGITS_LAST, e);
        if (r >= 0) rate[r] = (double)n / (clock_now_s() - start);
    }
    if (rc == 0) *out = stats_of(rate, (int)b->set->repeat);
    return rc;
}

int cli_bench_decode(struct bench *b, int64_t n, int64_t cached, struct bench_stats *out, struct err *e)
{
    enum { WARM_UP = 8 };
    double rate[BENCH_REPEAT_MAX];
    int64_t n_items = b->set->sequences;
    int rc = cli_bench_fill(b, n_items, cached, e);
    for (int64_t r = -1; r < b->set->repeat && rc == 0; r++) {
        double start = clock_now_s();
        rc = cli_bench_decode_once(b, r < 0 && n > WARM_UP ? WARM_UP : n, e);
        if (r >= 0) rate[r] = (double)(n * n_items) / (clock_now_s() - start);
    }
    if (rc == 0) *out = stats_of(rate, (int)b->set->repeat);
    return rc;
}

/* ---- texts ---- */

int cli_bench_encode(struct bench *b, int64_t n, bool batched, struct bench_stats *out, struct err *e)
{
    double rate[BENCH_REPEAT_MAX];
    size_t n_texts = b->set->sequences, step = batched ? n_texts : 1,
           d = infer_engine_model(b->engine)->n_embd;
    int rc = 0;
    for (size_t i = 0; i < n_texts; i++)
        b->text[i] = (struct infer_text){b->token, (size_t)n, b->vectors + i * d};
    for (int64_t r = -1; r < b->set->repeat && rc == 0; r++) {
        double start = clock_now_s();
        for (size_t i = 0; i < n_texts && rc == 0; i += step)
            rc = infer_session_embed_all(b->session[0], b->text + i, step, MODEL_POOL_MEAN, true, e);
        if (r >= 0) rate[r] = (double)n * n_texts / (clock_now_s() - start);
    }
    if (rc == 0) *out = stats_of(rate, (int)b->set->repeat);
    return rc;
}

/* ---- the start ---- */

/* Milliseconds from before the program is started to the first byte it writes. */
static int first_byte(char *const argv[], double *out_ms, struct err *e)
{
    posix_spawn_file_actions_t actions;
    int fd[2], status = 0;
    pid_t child;
    char c[64];
    if (pipe2(fd, O_CLOEXEC)) return err_errno(e, errno, "make", "a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[1], STDOUT_FILENO);
    double start = clock_now_s();
    int rc = posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ);
    close(fd[1]);
    posix_spawn_file_actions_destroy(&actions);
    if (rc == 0) {
        ssize_t got = read(fd[0], c, sizeof c);
        *out_ms = 1e3 * (clock_now_s() - start);
        while (got > 0) got = read(fd[0], c, sizeof c);
        waitpid(child, &status, 0);
    }
    close(fd[0]);
    if (rc) return err_errno(e, rc, "start", argv[1]);
    return status == 0 ? 0
                       : ERR(e, UNSUPPORTED, "croft run does not work with this model, so --start cannot.");
}

int cli_bench_start(const char *model, const struct infer_engine *g, const struct bench_settings *set, double *out_ms,
                    struct err *e)
{
    double ms[BENCH_REPEAT_MAX];
    char threads[24], *path = (char *)model;
    struct tok *tok = NULL;
    snprintf(threads, sizeof threads, "%d", infer_engine_threads(g));
    char *const text[] = {"croft", "run", "--raw", "-n", "1", "-t", threads, path, "Once upon a time", NULL};
    char *const ids[] = {"croft", "logits", "--tokens", "1",           "--kv", "f16",
                         "-t",    threads,  "-o",       "/dev/stdout", path,   NULL};
    bool has_text = tok_new(infer_engine_gguf(g), &tok, NULL) == 0;
    tok_free(tok);
    int rc = 0;
    for (int64_t r = 0; r < set->repeat && rc == 0; r++) rc = first_byte(has_text ? text : ids, &ms[r], e);
    if (rc == 0) *out_ms = stats_of(ms, (int)set->repeat).median;
    return rc;
}
