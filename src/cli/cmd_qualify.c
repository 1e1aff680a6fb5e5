/* croft qualify MODEL, or TASK -m MODEL: is hardware good enough for it? The model is fixed by its evaluation first;
 * then this machine is measured against what is required, or devices that are not at hand are predicted (--device),
 * or the life of bought hardware is planned (--plan). The verdict is the exit code: 0 qualified, 1 not, 2 open
 * (nothing fails, but something that is required could not be established).
 *
 * Numbers come from the files beside this one, judgements from src/econ. Read next: qualify.h, docs/QUALIFY.md. */
#include "kern_ops.h"
#include "plat_sensor.h"
#include "qualify.h"

#include <math.h>

static double or_nan(double x) { return x > 0 ? x : NAN; }

static int required_of(struct cli_qualify *q, struct err *e)
{
    const struct cli_qualify_settings *s = q->set;
    struct econ_required *r = &q->required;
    *r = (struct econ_required){.memory_factor = s->memory_factor,
                                .decode_rate = or_nan(s->decode_rate),
                                .prompt_rate = or_nan(s->prompt_rate),
                                .p99_ms = or_nan(s->p99_ms),
                                .sustained_share = or_nan(s->sustained_share),
                                .celsius = or_nan(s->celsius),
                                .joules = or_nan(s->joules),
                                .level_rank = -1,
                                .level = s->level,
                                .evaluated = !s->hardware_only};
    if (isnan(r->p99_ms) && q->task) r->p99_ms = or_nan(q->task->latency_ms);
    if (!q->shape.decodes && !isnan(r->decode_rate))
        return ERR(e, USAGE, "An encoder generates nothing: leave out --min-decode.");
    if (!s->level) return 0;
    const char *const *all = kern_levels();
    for (int i = 0; all[i]; i++)
        if (strcmp(all[i], s->level) == 0) r->level_rank = i;
    return r->level_rank >= 0
               ? 0
               : ERR(e, USAGE, "There is no kernel level '%.40s' on this architecture: 'croft doctor' lists them.",
                     s->level);
}

/* ---- devices that are not at hand ---- */

static int predict(struct cli_qualify *q, const char *name, struct cli_qualify_device *d, struct err *e)
{
    int rc;
    *d = (struct cli_qualify_device){0};
    q->found.load = NAN;
    if (strcmp(name, "here") == 0) { /* its limits are measured, and other work makes them less */
        struct plat_health health;
        plat_health_read(&health, "");
        q->found.load = health.load_per_cpu;
        rc = cli_qualify_limits(q->set, &d->machine, e);
    } else {
        rc = econ_device_find(&q->own, name, &d->device, e);
        if (rc == 0) econ_machine_of(d->device, &d->machine);
    }
    if (rc == 0) rc = econ_predict(&d->machine, &q->shape, &q->work, &d->p, e);
    if (rc == 0) econ_qualify_predicted(&q->required, &q->found, &d->p, d->machine.memory_bytes, &d->v);
    return rc;
}

/* The named ones; with --devices alone all of that file. */
static int run_devices(struct cli_qualify *q, int *out_exit, struct err *e)
{
    const struct conf_list *named = &q->set->device;
    size_t n = named->n ? (size_t)named->n : q->own.n;
    struct cli_qualify_device *d = mem_calloc(n, sizeof *d);
    int rc = d ? 0 : err_nomem(e, n * sizeof *d);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = predict(q, named->n ? named->item[i] : q->own.row[i].name, &d[i], e);
    if (rc == 0) *out_exit = cli_qualify_print_devices(q, d, (int)n);
    mem_free(d);
    return rc;
}

static int run_here(struct cli_qualify *q, int *out_exit, struct err *e)
{
    struct cli_qualify_here h;
    struct econ_verdict v;
    int rc = cli_qualify_measure(q, &h, e);
    if (rc) return rc;
    econ_qualify(&q->required, &q->found, &v);
    *out_exit = cli_qualify_print_here(q, &h, &v);
    return 0;
}

static int run(const struct cli_qualify_settings *set, const char *word, int *out_exit, struct err *e)
{
    struct cli_qualify q = {.set = set};
    int rc = set->devices ? econ_devices_read(set->devices, &q.own, e) : 0;
    if (rc == 0) rc = cli_qualify_open(&q, word, e);
    if (rc == 0) rc = required_of(&q, e);
    if (rc == 0) rc = set->device.n || set->devices ? run_devices(&q, out_exit, e) : run_here(&q, out_exit, e);
    cli_qualify_close(&q);
    return rc;
}

/* What makes no sense together. */
static int check(const struct cli_qualify_settings *set, const char *word, struct err *e)
{
    size_t n = word ? strlen(word) : 0;
    bool predicts = set->device.n || set->devices;
    if (set->list_devices) return 0;
    if (!word) return ERR(e, USAGE, "Say what to qualify: croft qualify MODEL, or croft qualify TASK -m MODEL.");
    if (set->plan) {
        if (!set->bought) return ERR(e, USAGE, "--plan needs the month of purchase: --bought 2026-11.");
        if (set->device.n > 1) return ERR(e, USAGE, "A plan is for one device: give --device once.");
        return 0;
    }
    if (!set->model && n > 5 && strcmp(word + n - 5, ".yaml") == 0)
        return ERR(e, USAGE, "'%.160s' is a task: say which model answers it with -m MODEL.", word);
    if (set->bought) return ERR(e, USAGE, "--bought belongs to --plan.");
    if (predicts && (set->sustained > 0 || set->level))
        return ERR(e, USAGE,
                   "--sustained and --level are measured on the machine itself: leave them out with --device "
                   "and --devices.");
    if (set->sustained_share > 0 && set->sustained <= 0 && !predicts)
        return ERR(e, USAGE, "--min-sustained needs a time to measure over: --sustained 60.");
    return 0;
}

#define FIELD(f) offsetof(struct cli_qualify_settings, f)
#define LIMIT(name, field, arg, help)                                                                                \
    {                                                                                                                \
        name, 0, CONF_F64, FIELD(field), arg, "0", NULL, NULL, 0, 1e12, help                                         \
    }
static const struct conf_row rows[] = {
    {"model", 'm', CONF_STR, FIELD(model), "MODEL", NULL, NULL, NULL, 0, 0, "the model, when a task is qualified"},
    {"eval", 0, CONF_STR, FIELD(eval), "REPORT", NULL, NULL, NULL, 0, 0,
     "its evaluation, as croft eval -o wrote it (otherwise MODEL.TASK.eval.json beside the model)"},
    {"hardware-only", 0, CONF_FLAG, FIELD(hardware_only), .help = "require no evaluation"},
    {"prompt", 'p', CONF_I64, FIELD(prompt), "N", "-1", NULL, NULL, -1, 1 << 20,
     "tokens of a prompt (-1: the task's, else 256)"},
    {"cached", 0, CONF_I64, FIELD(cached), "N", "-1", NULL, NULL, -1, 1 << 20,
     "tokens in the cache before it (-1: none)"},
    {"answer", 'n', CONF_I64, FIELD(answer), "N", "-1", NULL, NULL, -1, 1 << 20,
     "tokens of an answer (-1: the task's, else 64)"},
    {"memory-factor", 0, CONF_F64, FIELD(memory_factor), "X", "1.5", NULL, NULL, 1, 100,
     "free memory in multiples of the model's file"},
    {"level", 0, CONF_STR, FIELD(level), "LEVEL", NULL, NULL, NULL, 0, 0, "kernel level at least, such as avx2"},
    LIMIT("min-decode", decode_rate, "RATE", "generated tokens a second at least"),
    LIMIT("min-prompt", prompt_rate, "RATE", "prompt tokens a second at least"),
    LIMIT("max-p99", p99_ms, "MS", "99 of 100 answers within (0: the task's latency_ms)"),
    {"sustained", 's', CONF_F64, FIELD(sustained), "SECONDS", "0", NULL, NULL, 0, 86400,
     "answer for so long: P99, rate, heat and energy over time"},
    {"min-sustained", 0, CONF_F64, FIELD(sustained_share), "SHARE", "0", NULL, NULL, 0, 1,
     "rate of the last third of that time, as a share of the first third's"},
    LIMIT("max-celsius", celsius, "DEGREES", "hottest zone at most"),
    LIMIT("max-joules", joules, "J", "energy of an answer at most"),
    {"device", 'd', CONF_LIST, FIELD(device), "NAME", NULL, NULL, NULL, 0, 0,
     "predict a device instead of measuring; again for more; 'here': this machine"},
    {"devices", 0, CONF_STR, FIELD(devices), "FILE", NULL, NULL, NULL, 0, 0, "devices of your own, as YAML"},
    {"list-devices", 0, CONF_FLAG, FIELD(list_devices), .help = "the devices that are known, with their sources"},
    {"plan", 0, CONF_FLAG, FIELD(plan), .help = "instead: a checklist over the hardware's life"},
    {"bought", 0, CONF_STR, FIELD(bought), "YYYY-MM", NULL, NULL, NULL, 0, 0, "month of purchase"},
    {"life", 0, CONF_I64, FIELD(life), "MONTHS", "36", NULL, NULL, 0, 1000, "months until it is written off"},
    {"format", 0, CONF_CHOICE, FIELD(format), "FORM", "text", NULL, "text|markdown|ics", 0, 0, "of the plan"},
    CLI_ENGINE_ROWS(struct cli_qualify_settings),
    CLI_JSON_ROW(struct cli_qualify_settings),
    {.name = ""},
};

int cmd_qualify(int argc, char **argv)
{
    struct cli_qualify_settings set = {0};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("qualify", rows, &set, argc, argv, &words, 0, 1, &exit_code)) return exit_code;
    const char *word = words.n ? words.item[0] : NULL;
    int rc = check(&set, word, &e);
    if (rc == 0 && set.list_devices) return cli_qualify_list(&set);
    if (rc == 0)
        rc = set.plan ? cli_qualify_plan(&set, set.model ? set.model : word, &exit_code, &e)
                      : run(&set, word, &exit_code, &e);
    return rc ? cli_fail("qualify", &e) : exit_code;
}
