/* croft bench: prompt and generation rates of a model on this machine, in the words of llama-bench (pp:
 * prompt processing, tg: token generation), beside what the machine could give: generation as a share of the
 * measured read bandwidth (each token reads all weights and the cached keys and values once), prompts as a
 * share of the rate of multiply-adds in registers. --sustained repeats generation for a time and prints rate
 * and heat as they change, because a burst is not what a device delivers. Read next: src/kern/probe.c,
 * bench/run.sh. */
#include "engine.h"
#include "base_clock.h"
#include "kern_ops.h"
#include "kern_probe.h"
#include "plat_sensor.h"

#include <math.h>

struct settings {
    struct cli_engine_settings engine;
    int64_t prompt, decode, repeat, depth;
    double sustained;
    bool json, ceilings;
};

/* What one token costs. */
struct cost {
    double bytes;  /* read for a generated token, without cache */
    double ops;    /* of a prompt token: 2 per multiply-add of a weight, without the head */
    int main_type; /* the type that holds most of those weights */
};

static struct cost cost_of(const struct model *m)
{
    struct cost c = {.bytes = (double)m->weight_bytes, .main_type = KERN_F32};
    double by_type[KERN_TYPE_COUNT] = {0};
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *l = &m->layer[i];
        const struct model_weight *const w[] = {&l->q, &l->k, &l->v, &l->qkv, &l->z, &l->beta, &l->alpha,
                                                &l->out, &l->gate, &l->up, &l->down};
        for (size_t j = 0; j < sizeof w / sizeof w[0]; j++)
            if (w[j]->data) by_type[w[j]->type] += (double)w[j]->n_in * w[j]->n_out;
    }
    for (int t = 0; t < KERN_TYPE_COUNT; t++) {
        c.ops += 2 * by_type[t];
        if (by_type[t] > by_type[c.main_type]) c.main_type = t;
    }
    return c;
}

/* Bytes of keys and values that generating at position `pos` reads. */
static double cache_bytes(const struct model *m, double pos, enum infer_kv kv)
{
    double each = kv == INFER_KV_F32 ? 4 : kv == INFER_KV_Q8_0 ? 34.0 / 32 : 2, sum = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *l = &m->layer[i];
        if (l->kind != MODEL_ATTENTION) continue;
        double seen = l->window && l->window < pos ? l->window : pos;
        sum += seen * l->n_head_kv * (m->d_head + m->d_head_v) * each;
    }
    return sum;
}

struct stats {
    double mean, sd, median;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct stats stats_of(double *x, int n)
{
    struct stats s = {0};
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (int i = 0; i < n; i++) s.mean += x[i] / n;
    for (int i = 0; i < n; i++) s.sd += (x[i] - s.mean) * (x[i] - s.mean);
    s.sd = n > 1 ? sqrt(s.sd / (n - 1)) : 0;
    s.median = n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
    return s;
}

/* Token ids spread over the vocabulary; the rate does not depend on which. */
static int32_t some_token(uint32_t n_vocab, uint64_t i) { return (int32_t)((i * 2654435761u + 12345) % n_vocab); }

static int eval_some(struct infer_session *s, int64_t n, bool one_by_one, struct err *e)
{
    uint32_t n_vocab = infer_engine_model(infer_session_engine(s))->n_vocab;
    int32_t token[512];
    int rc = 0;
    for (int64_t i = 0; i < n && rc == 0;) {
        int64_t m = one_by_one ? 1 : n - i < 512 ? n - i : 512;
        for (int64_t k = 0; k < m; k++) token[k] = some_token(n_vocab, (uint64_t)(i + k));
        rc = infer_session_eval(s, token, (size_t)m,
                                i + m == n || one_by_one ? INFER_LOGITS_LAST : INFER_LOGITS_NONE, e);
        i += m;
    }
    return rc;
}

/* An encoder has no context to grow: the whole prompt is embedded at once. */
static int embed_some(struct infer_session *s, int64_t n, float *out, struct err *e)
{
    const struct model *m = infer_engine_model(infer_session_engine(s));
    int32_t *ids = mem_calloc((size_t)n, sizeof *ids);
    if (!ids) return err_nomem(e, (size_t)n * sizeof *ids);
    for (int64_t i = 0; i < n; i++) ids[i] = some_token(m->n_vocab, (uint64_t)i);
    int rc = infer_session_embed(s, ids, (size_t)n, MODEL_POOL_MEAN, true, out, e);
    mem_free(ids);
    return rc;
}

static int measure_encoder(struct infer_session *s, const struct settings *set, struct stats *out, struct err *e)
{
    double rate[100];
    uint32_t n_embd = infer_engine_model(infer_session_engine(s))->n_embd;
    float *vector = mem_calloc(n_embd, sizeof *vector);
    int rc = vector ? 0 : err_nomem(e, n_embd * sizeof *vector);
    for (int64_t r = -1; r < set->repeat && rc == 0; r++) {
        double start = clock_now_s();
        rc = embed_some(s, set->prompt, vector, e);
        if (r >= 0) rate[r] = (double)set->prompt / (clock_now_s() - start);
    }
    mem_free(vector);
    if (rc == 0) *out = stats_of(rate, (int)set->repeat);
    return rc;
}

/* Median, mean and deviation of `repeat` runs of n tokens behind `depth` others, after one run that does not count. */
static int measure(struct infer_session *s, const struct settings *set, int64_t n, bool decode, struct stats *out,
                   struct err *e)
{
    double rate[100];
    int rc = 0;
    for (int64_t r = -1; r < set->repeat && rc == 0; r++) {
        if ((rc = infer_session_truncate(s, 0, e))) break;
        if (set->depth && (rc = eval_some(s, set->depth, false, e))) break;
        double start = clock_now_s();
        rc = eval_some(s, r < 0 && decode && n > 8 ? 8 : n, decode, e);
        if (r >= 0) rate[r] = (double)n / (clock_now_s() - start);
    }
    if (rc == 0) *out = stats_of(rate, (int)set->repeat);
    return rc;
}

/* Generate for a time; one row of the table per interval. */
static int sustained(struct infer_session *s, const struct settings *set, int *out_exit, struct err *e)
{
    static const struct cli_column cols[] = {
        {"seconds", "seconds", CLI_REAL}, {"decode_tokens_per_s", "tokens/s", CLI_REAL},
        {"celsius", "hottest °C", CLI_REAL}, {"cpu_hz", "CPU Hz", CLI_INT}, {"throttled", "throttled", CLI_INT}, {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    struct plat_sensors now;
    double start = clock_now_s(), interval = fmax(1, set->sustained / 60), at = start;
    int rc = 0;
    plat_sensors_read(&now, "");
    int64_t throttled0 = now.throttle_count;
    while (rc == 0 && clock_now_s() - start < set->sustained) {
        int64_t n = 0;
        while (rc == 0 && clock_now_s() - at < interval) {
            if ((rc = infer_session_truncate(s, 0, e)) == 0) rc = eval_some(s, 8, true, e);
            n += 8;
        }
        double t1 = clock_now_s();
        plat_sensors_read(&now, "");
        cli_real(&t, t1 - start);
        cli_real(&t, (double)n / (t1 - at));
        if (now.n_zones) cli_real(&t, plat_sensors_hottest(&now));
        else cli_none(&t);
        if (now.cpu_hz >= 0) cli_int(&t, now.cpu_hz);
        else cli_none(&t);
        if (now.throttle_count >= 0) cli_int(&t, now.throttle_count - throttled0);
        else cli_none(&t);
        at = t1;
    }
    if (rc) json_decref(cli_table_take(&t));
    else *out_exit = cli_table_done(&t, "bench", set->json);
    return rc;
}

struct ceilings {
    double read, peak; /* bytes and operations per second; 0: not measured */
};

static void test_name(char *out, size_t n, const char *kind, int64_t tokens, int64_t depth)
{
    if (depth) snprintf(out, n, "%s%lld @ d%lld", kind, (long long)tokens, (long long)depth);
    else snprintf(out, n, "%s%lld", kind, (long long)tokens);
}

static int report(const struct infer_engine *g, const char *name, const struct settings *set, const struct stats *pp,
                  const struct stats *tg, const struct ceilings *top)
{
    static const struct cli_column cols[] = {
        {"model", "model", CLI_TEXT}, {"size", "size", CLI_BYTES}, {"params", "params", CLI_INT},
        {"threads", "threads", CLI_INT}, {"level", "level", CLI_TEXT}, {"test", "test", CLI_TEXT},
        {"tokens_per_s", "t/s", CLI_REAL}, {"sd", "±", CLI_REAL}, {"limit_percent", "% of limit", CLI_REAL},
        {"limit", "limit", CLI_TEXT}, {0}};
    const struct model *m = infer_engine_model(g);
    struct cost c = cost_of(m);
    double bytes = c.bytes + cache_bytes(m, (double)set->depth + (double)set->decode / 2, cli_kv_of(set->engine.kv));
    double read_share = top->read > 0 && set->decode ? tg->median * bytes / top->read : NAN;
    double peak_share = top->peak > 0 && set->prompt ? pp->median * c.ops / top->peak : NAN;
    if (set->json) {
        json_t *o = json_pack("{s:s s:s s:I s:I s:i s:s s:I s:I s:I s:I s:f}", "model", name, "architecture", m->arch,
                              "size_bytes", (json_int_t)gguf_file_bytes(infer_engine_gguf(g)), "params",
                              (json_int_t)m->n_params, "threads", infer_engine_threads(g), "level",
                              infer_engine_ops(g)->level, "n_prompt", (json_int_t)set->prompt, "n_decode",
                              (json_int_t)set->decode, "depth", (json_int_t)set->depth, "repeat",
                              (json_int_t)set->repeat, "bytes_per_token", bytes);
        const struct { const char *key; double v; bool known; } more[] = {
            {"prompt_tokens_per_s", pp->median, set->prompt}, {"prompt_mean", pp->mean, set->prompt},
            {"prompt_sd", pp->sd, set->prompt}, {"decode_tokens_per_s", tg->median, set->decode},
            {"decode_mean", tg->mean, set->decode}, {"decode_sd", tg->sd, set->decode},
            {"read_bytes_per_s", top->read, top->read > 0}, {"peak_ops_per_s", top->peak, top->peak > 0},
            {"bandwidth_share", read_share, !isnan(read_share)}, {"peak_share", peak_share, !isnan(peak_share)}};
        for (size_t i = 0; o && i < sizeof more / sizeof more[0]; i++)
            json_object_set_new(o, more[i].key, more[i].known ? json_real(more[i].v) : json_null());
        return cli_json_done(o, "bench");
    }
    struct cli_table t;
    cli_table_init(&t, cols);
    for (int decode = 0; decode < 2; decode++) {
        const struct stats *s = decode ? tg : pp;
        double share = decode ? read_share : peak_share;
        char test[64];
        if (!(decode ? set->decode : set->prompt)) continue;
        test_name(test, sizeof test, decode ? "tg" : "pp", decode ? set->decode : set->prompt, set->depth);
        cli_text(&t, name);
        cli_int(&t, (int64_t)gguf_file_bytes(infer_engine_gguf(g)));
        cli_int(&t, (int64_t)m->n_params);
        cli_int(&t, infer_engine_threads(g));
        cli_text(&t, infer_engine_ops(g)->level);
        cli_text(&t, test);
        cli_real(&t, s->median);
        cli_real(&t, s->sd);
        cli_real(&t, 100 * share);
        char limit[64];
        if (decode) snprintf(limit, sizeof limit, "read %.1f GB/s", top->read / 1e9);
        else snprintf(limit, sizeof limit, "%s %.0f GOP/s", kern_type_get(c.main_type)->name, top->peak / 1e9);
        cli_text(&t, isnan(share) ? "-" : limit);
    }
    return cli_table_done(&t, "bench", false);
}

int cmd_bench(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        {"n-prompt", 'p', CONF_I64, offsetof(struct settings, prompt), "N", "512", NULL, NULL, 0, 1 << 20,
         "prompt tokens (0: leave out)"},
        {"n-gen", 'n', CONF_I64, offsetof(struct settings, decode), "N", "128", NULL, NULL, 0, 1 << 20,
         "tokens to generate (0: leave out)"},
        {"depth", 'd', CONF_I64, offsetof(struct settings, depth), "N", "0", NULL, NULL, 0, 1 << 20,
         "tokens in the context before the test"},
        {"repetitions", 'r', CONF_I64, offsetof(struct settings, repeat), "N", "5", NULL, NULL, 1, 100,
         "runs of each test; the median is reported"},
        {"sustained", 0, CONF_F64, offsetof(struct settings, sustained), "SECONDS", "0", NULL, NULL, 0, 86400,
         "instead: generate for this long, print rate and temperature over time"},
        {"ceilings", 0, CONF_FLAG, offsetof(struct settings, ceilings), NULL, "1", NULL, NULL, 0, 0,
         "measure the machine's limits too (--no-ceilings: do not)"},
        CLI_ENGINE_ROWS(struct settings),
        CLI_JSON_ROW(struct settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("bench", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;

    struct infer_engine *g = NULL;
    struct infer_session *s = NULL;
    struct stats pp = {0}, tg = {0};
    struct ceilings top = {0};
    int rc = cli_engine_open(words.item[0], &set.engine, &g, &e);
    bool encoder = rc == 0 && !infer_engine_model(g)->causal;
    if (encoder) {
        set.decode = set.depth = 0; /* an encoder only reads */
        if (set.sustained > 0) rc = ERR(&e, UNSUPPORTED, "--sustained generates, which an encoder does not do.");
    }
    int64_t longest = set.prompt > set.decode ? set.prompt : set.decode;
    if (set.sustained > 0 && longest < 16) longest = 16;
    if (set.engine.ctx == 0) set.engine.ctx = set.depth + longest;
    if (rc == 0 && longest == 0)
        rc = ERR(&e, USAGE, "There is nothing to measure: give -p%s above 0.", encoder ? "" : " or -n");
    if (rc == 0) rc = cli_session_open(g, &set.engine, 1, &s, &e);
    if (rc) goto out;
    if (set.sustained > 0) {
        rc = sustained(s, &set, &exit_code, &e);
        goto out;
    }
    if (set.ceilings) {
        rc = kern_probe_read_bandwidth(infer_engine_threads(g), &top.read, &e);
        if (rc == 0)
            rc = kern_probe_peak(cost_of(infer_engine_model(g)).main_type, infer_engine_threads(g), &top.peak, &e);
    }
    if (rc == 0 && set.prompt)
        rc = encoder ? measure_encoder(s, &set, &pp, &e) : measure(s, &set, set.prompt, false, &pp, &e);
    if (rc == 0 && set.decode) rc = measure(s, &set, set.decode, true, &tg, &e);
    if (rc == 0) exit_code = report(g, words.item[0], &set, &pp, &tg, &top);
out:
    infer_session_free(s);
    infer_engine_close(g);
    return rc ? cli_fail("bench", &e) : exit_code;
}
