/* Fuzz target: any bytes as a YAML file of settings; the first byte says which: 's' a scenario of costs, 'a' answers
 * for advice, anything else the sections of croft.yaml about routing. What a scenario is accepted with must compute:
 * sums of exact lines, and no number that is none. Seeds: corpus/settings. */
#include "base_mem.h"
#include "econ_advise.h"
#include "econ_tco.h"
#include "route_policy.h"
#include "task_yaml.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find_price(const char *model, money *in, money *out, money *cached, const char **date)
{
    *date = "2026-01-01";
    *in = *cached = 42000000;
    *out = (money)model[0] * MONEY_ONE;
    return model[0] >= 'a';
}

static void check_sums(const struct econ_tco *t)
{
    for (int o = 0; o < ECON_N_OPTIONS; o++) {
        econ_amount total = 0;
        for (int m = 0; m <= t->months; m++) {
            econ_amount month = 0;
            for (int l = 0; l < ECON_N_LINES; l++) month += t->option[o].line[m][l];
            if (month != t->option[o].month[m]) abort();
            total += month;
        }
        if (total != t->option[o].total) abort();
    }
}

static void scenario(const char *path)
{
    static const struct econ_prices prices = {find_price, "decider"};
    struct econ_scenario s;
    struct econ_interval interval = {0};
    struct econ_bar bar[ECON_N_PARAMS];
    struct econ_sweep sweep;
    struct econ_tco_verdict verdict;
    struct err e = {0};
    struct econ_tco *t = mem_calloc(1, sizeof *t);
    int n;
    econ_scenario_init(&s);
    if (t && econ_scenario_load(&s, path, &e) == 0 && econ_scenario_finish(&s, &prices, &e) == 0) {
        s.draws = s.draws > 3 ? 3 : s.draws;
        if (econ_tco(&s, t, &e) == 0) {
            check_sums(t);
            if (t->answers <= 0 || (t->option[ECON_CLOUD].there && !isfinite(econ_per_answer(t, ECON_CLOUD))))
                abort();
            if (econ_simulate(&s, &interval, &e) == 0 && interval.draws && !isfinite(interval.mean)) abort();
            (void)!econ_decide(&s, t, &interval, &verdict, &e);
            mem_free(interval.saving);
        }
        if (s.v[ECON_P_MONTHS] <= 12 * (int64_t)MONEY_ONE)
            (void)!(econ_tornado(&s, bar, &n, &e) || econ_utilisation(&s, &sweep, &e));
    }
    econ_scenario_done(&s);
    mem_free(t);
}

/* Accepted answers have a verdict, and it is written whole. */
static void answers(const char *path)
{
    static struct econ_advice advice;
    struct econ_advise_input in;
    struct err e = {0};
    struct buf text;
    econ_advise_input_init(&in);
    buf_init(&text, 1 << 20);
    if (econ_advise_read(&in, path, &e) == 0) {
        econ_advise(&in, &advice);
        if (advice.verdict > ECON_LEAN_CLOUD && advice.verdict != ECON_LEAN_UNDECIDED) abort();
        if (advice.verdict == ECON_LEAN_CLOUD && !advice.remains[ECON_CLOUD_PLACE]) abort();
        econ_advise_markdown(&in, &advice, &text);
        econ_advise_text(&advice, &text);
        json_decref(econ_advise_json(&in, &advice));
        if (text.failed) abort();
    }
    buf_done(&text);
    econ_advise_input_done(&in);
}

static void routing(const char *path)
{
    struct route_config *c = NULL;
    struct task_yaml_lines *lines = NULL;
    json_t *file = NULL;
    struct err e = {0};
    if (task_yaml_load_lines(path, &file, &lines, &e)) return;
    if (route_config_read(path, file, lines, &c, &e) == 0) route_config_free(c);
    task_yaml_lines_free(lines);
    json_decref(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = size > 1 ? memfd_create("settings", MFD_CLOEXEC) : -1;
    if (fd < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1))
        (data[0] == 's' ? scenario : data[0] == 'a' ? answers : routing)(path);
    close(fd);
    return 0;
}
