/* croft doctor: what this machine is, what it can do, and what Croft would choose here, with the reason.
 *
 * The report is a list of sections; each is a table (cli.h), so text and JSON come from the same cells. Measuring takes
 * about a second and can be left out. Nothing is changed on the machine.
 * Read next: src/plat/sensor.c, src/kern/probe.c. */
#include "cli.h"
#include "kern_ops.h"
#include "kern_probe.h"
#include "plat_cpu.h"
#include "plat_mem.h"
#include "plat_sensor.h"

/* Memory a model needs, as a multiple of its file: weights, KV cache, working memory, and room for the rest. */
static const double memory_rule = 1.5;

struct facts {
    const struct plat_cpu *cpu;
    const struct kern_ops *ops; /* NULL: CROFT_CPU is wrong, see ops_error */
    struct err ops_error;
    struct plat_sensors sensors;
    int64_t available;
    int n_threads;
    double read_1, read_n, peak_n; /* bytes and operations per second; 0: not measured */
};

struct report {
    json_t *json; /* object of sections; NULL: printing text */
    bool failed;
};

/* End a section: a record or a table, printed under its heading or added to the JSON object. */
static void section(struct report *r, const char *key, const char *title, struct cli_table *t, bool record)
{
    if (r->json) {
        json_t *v = record ? cli_record_take(t) : cli_table_take(t);
        if (!v || json_object_set_new(r->json, key, v)) r->failed = true;
        return;
    }
    r->failed |= t->failed;
    printf("%s%s\n", strcmp(key, "machine") ? "\n" : "", title);
    if (record) cli_record_print(t, stdout, 2);
    else cli_table_print(t, stdout, 2);
    json_decref(cli_table_take(t));
}

static void int_or_none(struct cli_table *t, int64_t v)
{
    if (v < 0) cli_none(t);
    else cli_int(t, v);
}

static void real_or_none(struct cli_table *t, double v, bool known)
{
    if (known) cli_real(t, v);
    else cli_none(t);
}

static void text_or_none(struct cli_table *t, const char *s)
{
    if (*s) cli_text(t, s);
    else cli_none(t);
}

/* The features we look for, as "avx2+fma+f16c avx512 …". */
static void feature_list(const struct plat_cpu *c, char *out, size_t n)
{
    const struct { const char *name; bool have; } all[] = {
        {"avx2+fma+f16c", c->avx2_fma_f16c}, {"avx512", c->avx512}, {"avx512-vnni", c->avx512_vnni},
        {"avx512-bf16", c->avx512_bf16}, {"avx-vnni", c->avx_vnni}, {"amx-tile", c->amx_tile},
        {"amx-int8", c->amx_int8}, {"amx-bf16", c->amx_bf16}, {"neon", c->neon}, {"dotprod", c->dotprod},
        {"i8mm", c->i8mm}, {"fp16", c->fp16}, {"bf16", c->bf16}, {"sve", c->sve},
    };
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].have && at < n) at += (size_t)snprintf(out + at, n - at, "%s%s", at ? " " : "", all[i].name);
}

static void machine(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {
        {"cpu", "CPU", CLI_TEXT}, {"arch", "architecture", CLI_TEXT}, {"features", "usable features", CLI_TEXT},
        {"os_saves", "registers the OS saves", CLI_TEXT}, {"n_cpus", "CPUs for this process", CLI_INT},
        {"n_cores", "physical cores", CLI_INT}, {"n_quota", "CPU quota", CLI_INT},
        {"l1d_bytes", "L1 data cache", CLI_BYTES}, {"l2_bytes", "L2 cache", CLI_BYTES},
        {"l3_bytes", "L3 cache", CLI_BYTES}, {0}};
    char features[256];
    const struct plat_cpu *c = f->cpu;
    struct cli_table t;
    cli_table_init(&t, cols);
    feature_list(c, features, sizeof features);
    text_or_none(&t, c->brand);
    cli_text(&t, c->arch);
    text_or_none(&t, features);
    text_or_none(&t, c->os_amx && c->os_avx512 ? "AVX, AVX-512, AMX" : c->os_avx512 ? "AVX, AVX-512"
                     : c->os_avx ? "AVX" : "");
    cli_int(&t, c->n_logical);
    cli_int(&t, c->n_cores);
    int_or_none(&t, c->n_quota ? c->n_quota : -1);
    int_or_none(&t, c->l1d_bytes > 0 ? c->l1d_bytes : -1);
    int_or_none(&t, c->l2_bytes > 0 ? c->l2_bytes : -1);
    int_or_none(&t, c->l3_bytes > 0 ? c->l3_bytes : -1);
    section(r, "machine", "Machine", &t, true);
}

/* One row per kernel level: can it run here, is it the one in use, and which tensor types it multiplies. */
static void kernels(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {
        {"level", "level", CLI_TEXT}, {"usable", "usable", CLI_YESNO}, {"chosen", "chosen", CLI_YESNO},
        {"types", "matrix products of these types come from it", CLI_TEXT}, {0}};
    struct cli_table t;
    cli_table_init(&t, cols);
    for (const char *const *level = kern_levels(); *level; level++) {
        char types[256] = "";
        size_t at = 0;
        for (int k = 0; f->ops && k < KERN_TYPE_COUNT; k++) {
            const struct kern_type_info *info = kern_type_get(k);
            if (!info || !info->name || !f->ops->gemm_level[k] || strcmp(f->ops->gemm_level[k], *level) != 0) continue;
            if (at < sizeof types)
                at += (size_t)snprintf(types + at, sizeof types - at, "%s%s", at ? " " : "", info->name);
        }
        cli_text(&t, *level);
        cli_yesno(&t, kern_level_get(*level) != NULL);
        cli_yesno(&t, f->ops && strcmp(f->ops->level, *level) == 0);
        text_or_none(&t, types);
    }
    section(r, "kernels", "Kernels", &t, false);
}

static void memory(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {
        {"total_bytes", "memory", CLI_BYTES}, {"available_bytes", "available now", CLI_BYTES},
        {"pressure_some_percent", "pressure, some tasks wait (%)", CLI_REAL},
        {"pressure_full_percent", "pressure, all tasks wait (%)", CLI_REAL},
        {"huge_page_mode", "transparent huge pages", CLI_TEXT}, {"huge_page_bytes", "huge page size", CLI_BYTES},
        {"n_huge_pages", "reserved huge pages", CLI_INT}, {"n_huge_pages_free", "of them free", CLI_INT},
        {"read_1_thread_bytes_per_s", "read per second, 1 thread", CLI_BYTES},
        {"read_all_threads_bytes_per_s", "read per second, all threads", CLI_BYTES}, {0}};
    const struct plat_sensors *s = &f->sensors;
    struct cli_table t;
    cli_table_init(&t, cols);
    int_or_none(&t, plat_mem_total());
    int_or_none(&t, f->available);
    real_or_none(&t, s->psi_some_10s, s->psi_some_10s >= 0);
    real_or_none(&t, s->psi_full_10s, s->psi_full_10s >= 0);
    text_or_none(&t, s->huge_mode);
    int_or_none(&t, s->huge_page_bytes);
    int_or_none(&t, s->n_huge);
    int_or_none(&t, s->n_huge_free);
    int_or_none(&t, f->read_1 > 0 ? (int64_t)f->read_1 : -1);
    int_or_none(&t, f->read_n > 0 ? (int64_t)f->read_n : -1);
    section(r, "memory", "Memory", &t, true);
}

static void heat(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {
        {"hottest_celsius", "hottest zone (°C)", CLI_REAL}, {"throttle_count", "slowed by heat since boot", CLI_INT},
        {"governor", "clock governor", CLI_TEXT}, {"cpu_hz", "CPU clock now (Hz)", CLI_INT},
        {"cpu_max_hz", "highest CPU clock (Hz)", CLI_INT}, {"energy_uj", "energy counter (µJ)", CLI_INT},
        {"missing", "not shown by this machine", CLI_TEXT}, {0}};
    static const struct cli_column zone_cols[] = {{"zone", "zone", CLI_TEXT}, {"celsius", "°C", CLI_REAL}, {0}};
    const struct plat_sensors *s = &f->sensors;
    char missing[160];
    struct cli_table t;
    snprintf(missing, sizeof missing, "%s%s%s%s", s->n_zones ? "" : "temperatures, ",
             s->throttle_count < 0 ? "throttle counters, " : "", s->governor[0] ? "" : "clock governor, ",
             s->energy_uj < 0 ? "energy counters, " : "");
    if (missing[0]) missing[strlen(missing) - 2] = 0;
    cli_table_init(&t, cols);
    real_or_none(&t, plat_sensors_hottest(s), s->n_zones > 0);
    int_or_none(&t, s->throttle_count);
    text_or_none(&t, s->governor);
    int_or_none(&t, s->cpu_hz);
    int_or_none(&t, s->cpu_max_hz);
    int_or_none(&t, s->energy_uj);
    text_or_none(&t, missing);
    section(r, "heat_and_power", "Heat and power", &t, true);
    if (s->n_zones == 0 && !r->json) return;
    cli_table_init(&t, zone_cols);
    for (int i = 0; i < s->n_zones; i++) {
        cli_text(&t, s->zone[i].name);
        cli_real(&t, s->zone[i].celsius);
    }
    section(r, "thermal_zones", "Thermal zones", &t, false);
}

static void why_threads(const struct facts *f, char *out, size_t n)
{
    const struct plat_cpu *c = f->cpu;
    if (c->n_quota && c->n_quota < c->n_cores)
        snprintf(out, n, "the container's quota is %d CPUs, although %d cores are visible", c->n_quota, c->n_cores);
    else if (c->n_cores < c->n_logical)
        snprintf(out, n, "one per physical core; hyper-threads share the vector units");
    else
        snprintf(out, n, "one per core that this process may use");
}

static void why_level(const struct facts *f, char *out, size_t n)
{
    const char *forced = getenv("CROFT_CPU");
    if (!f->ops) snprintf(out, n, "%s", f->ops_error.msg);
    else if (forced && *forced) snprintf(out, n, "forced by CROFT_CPU=%.32s", forced);
    else snprintf(out, n, "the highest that CPU and operating system both support");
}

static void choice(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {{"setting", "setting", CLI_TEXT}, {"value", "value", CLI_TEXT},
                                             {"why", "why", CLI_TEXT}, {0}};
    char value[64], why[400];
    const double gib = 1024.0 * 1024 * 1024;
    struct cli_table t;
    cli_table_init(&t, cols);
    snprintf(value, sizeof value, "%d", f->n_threads);
    why_threads(f, why, sizeof why);
    cli_text(&t, "threads");
    cli_text(&t, value);
    cli_text(&t, why);

    why_level(f, why, sizeof why);
    cli_text(&t, "kernel level");
    cli_text(&t, f->ops ? f->ops->level : "none");
    cli_text(&t, why);

    if (f->available >= 0) {
        snprintf(value, sizeof value, "%.1f GiB", (double)f->available / memory_rule / gib);
        snprintf(why, sizeof why, "%.1f times the file must fit in the %.1f GiB available: weights, KV cache, "
                 "working memory", memory_rule, (double)f->available / gib);
        cli_text(&t, "largest model");
        cli_text(&t, value);
        cli_text(&t, why);
    }
    if (f->read_n > 0) {
        snprintf(value, sizeof value, "%.0f tokens/s", f->read_n / gib);
        snprintf(why, sizeof why, "for a model of 1 GiB: each token reads all weights once, at %.1f GiB/s",
                 f->read_n / gib);
        cli_text(&t, "decoding, at most");
        cli_text(&t, value);
        cli_text(&t, why);
    }
    if (f->peak_n > 0) {
        snprintf(value, sizeof value, "%.0f GOP/s", f->peak_n / 1e9);
        cli_text(&t, "prompts, at most");
        cli_text(&t, value);
        cli_text(&t, "multiply-adds of int8 in registers, all threads; a token of a model with n weights takes 2n");
    }
    section(r, "choice", "What Croft would choose here", &t, false);
}

/* Things a person could change, as sentences. */
static void advice(struct report *r, const struct facts *f)
{
    static const struct cli_column cols[] = {{"advice", "Advice", CLI_TEXT}, {0}};
    const struct plat_sensors *s = &f->sensors;
    struct cli_table t;
    cli_table_init(&t, cols);
    if (!f->ops) cli_text(&t, f->ops_error.msg);
    if (f->cpu->amx_refused[0]) {
        char text[160];
        snprintf(text, sizeof text, "This CPU has AMX, which cannot be used: %s.", f->cpu->amx_refused);
        cli_text(&t, text);
    }
    if (strcmp(s->governor, "powersave") == 0)
        cli_text(&t, "The clock governor is 'powersave': set it to 'performance' or 'schedutil' for steady rates.");
    if (s->throttle_count > 0)
        cli_text(&t, "Heat has slowed this CPU since boot: measure with 'croft bench --sustained'.");
    if (s->psi_some_10s > 5) cli_text(&t, "Tasks are waiting for memory: free some before loading a model.");
    if (strcmp(s->huge_mode, "never") == 0)
        cli_text(&t, "Transparent huge pages are off: 'madvise' lets Croft use them.");
    if (json_array_size(t.rows) == 0 && !r->json) json_decref(cli_table_take(&t));
    else section(r, "advice", "Advice", &t, false);
}

static int measure(struct facts *f, struct err *e)
{
    int rc = kern_probe_read_bandwidth(1, &f->read_1, e);
    f->read_n = f->read_1;
    if (rc == 0 && f->n_threads > 1) rc = kern_probe_read_bandwidth(f->n_threads, &f->read_n, e);
    if (rc == 0 && f->ops) rc = kern_probe_peak(KERN_Q8_0, f->n_threads, &f->peak_n, e);
    return rc;
}

int cmd_doctor(int argc, char **argv)
{
    struct settings {
        bool json, measure;
    } set = {0};
    static const struct conf_row rows[] = {
        CLI_JSON_ROW(struct settings),
        {"measure", 0, CONF_FLAG, offsetof(struct settings, measure), .fallback = "1",
         .help = "measure memory and compute, about two seconds (on; --no-measure leaves it out)"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e;
    int exit_code;
    if (!cli_options("doctor", rows, &set, argc, argv, &words, 0, 0, &exit_code)) return exit_code;

    struct facts f = {.cpu = plat_cpu_get(), .n_threads = plat_cpu_threads(), .available = plat_mem_available()};
    struct report r = {.json = set.json ? json_object() : NULL};
    f.ops = kern_get(&f.ops_error);
    plat_sensors_read(&f.sensors, "");
    if (set.measure && measure(&f, &e)) {
        json_decref(r.json);
        return cli_fail("doctor", &e);
    }
    r.failed = set.json && !r.json;
    machine(&r, &f);
    kernels(&r, &f);
    memory(&r, &f);
    heat(&r, &f);
    choice(&r, &f);
    advice(&r, &f);
    if (!r.failed) return set.json ? cli_json_done(r.json, "doctor") : 0;
    json_decref(r.json);
    err_nomem(&e, 0);
    return cli_fail("doctor", &e);
}
