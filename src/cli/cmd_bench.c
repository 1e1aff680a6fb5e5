/* croft bench: prompt and generation rates of a model on this machine, in the words of llama-bench (pp:
 * prompt processing, tg: token generation), beside what the machine could give: generation as a share of the
 * measured read bandwidth (a step reads all weights once, and each sequence's cached keys and values), prompts as a
 * share of the rate of multiply-adds in registers. --sustained repeats generation for a time and prints rate
 * and heat as they change, because a burst is not what a device delivers. The members of --json are listed in
 * docs/BENCH.md. Read next: bench.c, src/kern/probe.c, bench/bench.py. */
#include "bench.h"
#include "base_clock.h"
#include "kern_ops.h"
#include "kern_probe.h"
#include "plat_sensor.h"

#include <math.h>
#include <sys/resource.h>

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

/* Bytes of keys and values, or of recurrent states, that generating at position `pos` reads. */
static double cache_bytes(const struct model *m, double pos, enum infer_kv kv)
{
    double each = kv == INFER_KV_F32 ? 4 : kv == INFER_KV_Q8_0 ? 34.0 / 32 : 2, sum = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *l = &m->layer[i];
        if (l->kind == MODEL_DELTA_NET) sum += 4.0 * m->n_head_v * m->d_state * m->d_state;
        if (l->kind != MODEL_ATTENTION) continue;
        double seen = l->window && l->window < pos ? l->window : pos;
        sum += seen * l->n_head_kv * (m->d_head + m->d_head_v) * each;
    }
    return sum;
}

/* Generate for a time; one row of the table per interval. */
static int sustained(struct bench *b, const struct bench_settings *set, int *out_exit, struct err *e)
{
    static const struct cli_column cols[] = {
        {"seconds", "seconds", CLI_REAL}, {"decode_tokens_per_s", "tokens/s", CLI_REAL},
        {"celsius", "hottest °C", CLI_REAL}, {"cpu_hz", "CPU Hz", CLI_INT}, {"throttled", "throttled", CLI_INT}, {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    struct plat_sensors now;
    double start = clock_now_s(), interval = fmax(1, set->sustained / 60), at = start;
    int rc = cli_bench_fill(b, set->sequences, 0, e);
    plat_sensors_read(&now, "");
    int64_t throttled0 = now.throttle_count;
    while (rc == 0 && clock_now_s() - start < set->sustained) {
        int64_t n = 0;
        while (rc == 0 && clock_now_s() - at < interval) {
            rc = cli_bench_decode_once(b, 8, e);
            n += 8 * set->sequences;
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

struct results {
    struct bench_stats prompt, decode; /* of an encoder: texts one by one, and in batches */
    double start_ms;
    double read, peak; /* the ceilings: bytes and operations per second; 0: not measured */
    size_t session_bytes, resident_bytes; /* of one session; of this process at most, before the ceilings */
};

/* A line of the report: a test and what it gave. */
struct line {
    char test[64];
    const struct bench_stats *stats; /* NULL: there is only a time */
    double ms, texts_per_s;          /* of the whole prompt, of one step of all sequences, of one text or batch */
    double share;                    /* of the ceiling; NAN: unknown */
    char limit[64];
};

static double step_ms(const struct bench_stats *s, int64_t tokens)
{
    return s->median > 0 ? 1e3 * (double)tokens / s->median : NAN;
}

static void name_test(struct line *l, const char *kind, int64_t tokens, int64_t sequences, const char *behind,
                      int64_t cached)
{
    int n = snprintf(l->test, sizeof l->test, "%s%lld", kind, (long long)tokens);
    if (sequences > 1) n += snprintf(l->test + n, sizeof l->test - n, " x %lld", (long long)sequences);
    if (cached) snprintf(l->test + n, sizeof l->test - n, " @ %s%lld", behind, (long long)cached);
}

/* Bytes that a decoded token reads: its share of the weights, which a step reads once, and its own cache. */
static double bytes_per_token(const struct model *m, const struct bench_settings *set)
{
    double middle = (double)set->depth + (double)set->decode / 2;
    return cost_of(m).bytes / (double)set->sequences + cache_bytes(m, middle, cli_kv_of(set->engine.kv));
}

static int lines_of(const struct infer_engine *g, const struct bench_settings *set, const struct results *r,
                    struct line *out)
{
    const struct model *m = infer_engine_model(g);
    struct cost c = cost_of(m);
    bool encoder = !m->causal;
    int n = 0;
    if (set->prompt) {
        struct line *l = &out[n++];
        *l = (struct line){.stats = &r->prompt, .ms = step_ms(&r->prompt, set->prompt), .share = NAN};
        name_test(l, "pp", set->prompt, 1, set->prefix ? "prefix " : "d", set->prefix ? set->prefix : set->depth);
        l->texts_per_s = r->prompt.median / (double)set->prompt;
        if (r->peak > 0) l->share = r->prompt.median * c.ops / r->peak;
        snprintf(l->limit, sizeof l->limit, "%s %.0f GOP/s", kern_type_get(c.main_type)->name, r->peak / 1e9);
    }
    if (encoder && set->sequences > 1) {
        struct line *l = &out[n++];
        *l = out[0];
        l->stats = &r->decode;
        l->ms = step_ms(&r->decode, set->prompt * set->sequences);
        name_test(l, "pp", set->prompt, set->sequences, "", 0);
        l->texts_per_s = r->decode.median / (double)set->prompt;
        if (r->peak > 0) l->share = r->decode.median * c.ops / r->peak;
    }
    if (!encoder && set->decode) {
        struct line *l = &out[n++];
        *l = (struct line){.stats = &r->decode, .ms = step_ms(&r->decode, set->sequences), .share = NAN};
        name_test(l, "tg", set->decode, set->sequences, "d", set->depth);
        if (r->read > 0) l->share = r->decode.median * bytes_per_token(m, set) / r->read;
        snprintf(l->limit, sizeof l->limit, "read %.1f GB/s", r->read / 1e9);
    }
    if (set->start) out[n++] = (struct line){.test = "start", .ms = r->start_ms, .share = NAN};
    return n;
}

static int report_json(const struct infer_engine *g, const char *name, const struct bench_settings *set,
                       const struct results *r)
{
    const struct model *m = infer_engine_model(g);
    bool encoder = !m->causal, batch = encoder && set->sequences > 1;
    const struct bench_stats none = {0}, *pp = &r->prompt, *tg = encoder ? &none : &r->decode;
    double bytes = bytes_per_token(m, set), texts = encoder ? 1.0 / (double)set->prompt : NAN;
    json_t *o = json_pack("{s:s s:s s:s}", "model", name, "architecture", m->arch, "level", infer_engine_ops(g)->level);
    const struct { const char *key; int64_t v; } whole[] = {
        {"size_bytes", (int64_t)gguf_file_bytes(infer_engine_gguf(g))}, {"params", (int64_t)m->n_params},
        {"threads", infer_engine_threads(g)}, {"n_prompt", set->prompt}, {"n_decode", set->decode},
        {"depth", set->depth}, {"prefix", set->prefix}, {"sequences", set->sequences}, {"repeat", set->repeat},
        {"session_bytes", (int64_t)r->session_bytes}, {"resident_bytes", (int64_t)r->resident_bytes}};
    const struct { const char *key; double v; bool known;
    } real[] = {{"weight_bytes", cost_of(m).bytes, true},
                {"ops_per_token", cost_of(m).ops, true},
                {"bytes_per_token", bytes, true},
                {"prompt_tokens_per_s", pp->median, set->prompt},
                {"prompt_mean", pp->mean, set->prompt},
                {"prompt_sd", pp->sd, set->prompt},
                {"prompt_ms", step_ms(pp, set->prompt), set->prompt},
                {"decode_tokens_per_s", tg->median, set->decode},
                {"decode_mean", tg->mean, set->decode},
                {"decode_sd", tg->sd, set->decode},
                {"decode_step_ms", step_ms(tg, set->sequences), set->decode},
                {"texts_per_s", pp->median * texts, encoder},
                {"batch_texts_per_s", r->decode.median * texts, batch},
                {"start_ms", r->start_ms, set->start},
                {"read_bytes_per_s", r->read, r->read > 0},
                {"peak_ops_per_s", r->peak, r->peak > 0},
                {"bandwidth_share", tg->median * bytes / r->read, r->read > 0 && set->decode},
                {"peak_share", pp->median * cost_of(m).ops / r->peak, r->peak > 0 && set->prompt}};
    for (size_t i = 0; o && i < sizeof whole / sizeof whole[0]; i++)
        json_object_set_new(o, whole[i].key, json_integer(whole[i].v));
    for (size_t i = 0; o && i < sizeof real / sizeof real[0]; i++)
        json_object_set_new(o, real[i].key, real[i].known ? json_real(real[i].v) : json_null());
    return cli_json_done(o, "bench");
}

static int report(const struct infer_engine *g, const char *name, const struct bench_settings *set,
                  const struct results *r)
{
    static const struct cli_column cols[] = {
        {"model", "model", CLI_TEXT}, {"size", "size", CLI_BYTES}, {"params", "params", CLI_INT},
        {"threads", "threads", CLI_INT}, {"level", "level", CLI_TEXT}, {"test", "test", CLI_TEXT},
        {"tokens_per_s", "t/s", CLI_REAL}, {"sd", "±", CLI_REAL}, {"ms", "ms", CLI_REAL},
        {"limit_percent", "% of limit", CLI_REAL}, {"limit", "limit", CLI_TEXT}, {"texts_per_s", "texts/s", CLI_REAL},
        {0}};
    struct cli_column shown[sizeof cols / sizeof cols[0]];
    struct line line[4];
    struct cli_table t;
    const struct model *m = infer_engine_model(g);
    memcpy(shown, cols, sizeof cols);
    if (m->causal) shown[sizeof cols / sizeof cols[0] - 2].key = NULL; /* texts: of encoders alone */
    int n = lines_of(g, set, r, line);
    cli_table_init(&t, shown);
    for (const struct line *l = line; l < line + n; l++) {
        cli_text(&t, name);
        cli_int(&t, (int64_t)gguf_file_bytes(infer_engine_gguf(g)));
        cli_int(&t, (int64_t)m->n_params);
        cli_int(&t, infer_engine_threads(g));
        cli_text(&t, infer_engine_ops(g)->level);
        cli_text(&t, l->test);
        cli_real(&t, l->stats ? l->stats->median : NAN);
        cli_real(&t, l->stats ? l->stats->sd : NAN);
        cli_real(&t, l->ms);
        cli_real(&t, 100 * l->share);
        cli_text(&t, isnan(l->share) ? "-" : l->limit);
        if (!m->causal) cli_real(&t, l->stats ? l->texts_per_s : NAN);
    }
    return cli_table_done(&t, "bench", false);
}

/* What makes no sense for this model. */
static int check(struct bench_settings *set, const struct infer_engine *g, struct err *e)
{
    bool encoder = !infer_engine_model(g)->causal;
    if (encoder) set->decode = set->depth = 0; /* an encoder only reads */
    if (encoder && set->sustained > 0)
        return ERR(e, UNSUPPORTED, "--sustained generates, which an encoder does not do.");
    if (encoder && (set->prefix || set->start))
        return ERR(e, UNSUPPORTED, "--prefix and --start are for models that generate, which an encoder does not do.");
    if (set->prefix && !set->prompt) return ERR(e, USAGE, "--prefix needs -p: the new tokens behind it.");
    if (set->sustained > 0 && set->decode < 8) set->decode = 8;
    if (!set->prompt && !set->decode && !set->start)
        return ERR(e, USAGE, "There is nothing to measure: give -p%s above 0.", encoder ? "" : " or -n");
    return 0;
}

static int ceilings(const struct infer_engine *g, struct results *r, struct err *e)
{
    int rc = kern_probe_read_bandwidth(infer_engine_threads(g), &r->read, e);
    return rc ? rc
              : kern_probe_peak(cost_of(infer_engine_model(g)).main_type, infer_engine_threads(g), &r->peak, e);
}

static int measure(struct bench *b, const struct bench_settings *set, struct results *r, struct err *e)
{
    bool encoder = !infer_engine_model(b->engine)->causal;
    struct rusage use = {0};
    int rc = 0;
    if (encoder) {
        rc = cli_bench_encode(b, set->prompt, false, &r->prompt, e);
        if (rc == 0 && set->sequences > 1) rc = cli_bench_encode(b, set->prompt, true, &r->decode, e);
    } else {
        if (set->prompt)
            rc = cli_bench_prompt(b, set->prompt, set->prefix ? set->prefix : set->depth, &r->prompt, e);
        if (rc == 0 && set->decode) rc = cli_bench_decode(b, set->decode, set->depth, &r->decode, e);
    }
    getrusage(RUSAGE_SELF, &use);
    r->session_bytes = infer_session_bytes(b->session[0]);
    r->resident_bytes = (size_t)use.ru_maxrss * 1024;
    return rc == 0 && set->ceilings ? ceilings(b->engine, r, e) : rc;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_settings set = {0};
#define FIELD(f) offsetof(struct bench_settings, f)
    static const struct conf_row rows[] = {
        {"n-prompt", 'p', CONF_I64, FIELD(prompt), "N", "512", NULL, NULL, 0, 1 << 20, "prompt tokens (0: leave out)"},
        {"n-gen", 'n', CONF_I64, FIELD(decode), "N", "128", NULL, NULL, 0, 1 << 20,
         "tokens to generate (0: leave out)"},
        {"depth", 'd', CONF_I64, FIELD(depth), "N", "0", NULL, NULL, 0, 1 << 20,
         "tokens in the context before the test"},
        {"prefix", 0, CONF_I64, FIELD(prefix), "N", "0", NULL, NULL, 0, 1 << 20,
         "tokens cached before the prompt test (instead of --depth): the shape of a classification"},
        {"sequences", 0, CONF_I64, FIELD(sequences), "N", "1", NULL, NULL, 1, 1024,
         "sequences that generate in one batch; of an encoder: texts of -p tokens, also in batches"},
        {"repetitions", 'r', CONF_I64, FIELD(repeat), "N", "5", NULL, NULL, 1, BENCH_REPEAT_MAX,
         "runs of each test; the median is reported"},
        {"start", 0, CONF_FLAG, FIELD(start), NULL, NULL, NULL, NULL, 0, 0,
         "measure a new process too, from its start to the first token"},
        {"sustained", 0, CONF_F64, FIELD(sustained), "SECONDS", "0", NULL, NULL, 0, 86400,
         "instead: generate for this long, print rate and temperature over time"},
        {"ceilings", 0, CONF_FLAG, FIELD(ceilings), NULL, "1", NULL, NULL, 0, 0,
         "measure the machine's limits too (--no-ceilings: do not)"},
        CLI_ENGINE_ROWS(struct bench_settings),
        CLI_JSON_ROW(struct bench_settings),
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("bench", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;

    struct infer_engine *g = NULL;
    struct bench b;
    struct results r = {0};
    int rc = cli_engine_open(words.item[0], &set.engine, &g, &e);
    if (rc == 0) rc = check(&set, g, &e);
    if (rc == 0 && set.start) rc = cli_bench_start(words.item[0], g, &set, &r.start_ms, &e);
    if (rc == 0) infer_engine_warm(g);
    if (rc == 0 && (rc = cli_bench_open(&b, g, &set, &e)) == 0) {
        rc = set.sustained > 0 ? sustained(&b, &set, &exit_code, &e) : measure(&b, &set, &r, &e);
        cli_bench_close(&b);
    }
    if (rc == 0 && set.sustained == 0)
        exit_code = set.json ? report_json(g, words.item[0], &set, &r) : report(g, words.item[0], &set, &r);
    infer_engine_close(g);
    return rc ? cli_fail("bench", &e) : exit_code;
}
