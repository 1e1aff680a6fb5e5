/* croft pull SOURCE: get a model into the store (bundle_pull.h), with a progress bar.
 *
 * Ctrl-C stops cleanly: the part that is here stays and the same command continues. SIGXFSZ (ulimit -f) is
 * ignored, so that a write beyond the limit is an error with a sentence. Read next: progress.c,
 * src/bundle/pull.c. */
#include "bundle_pull.h"
#include "cli.h"
#include "progress.h"

#include <signal.h>

struct pull {
    const char *name, *sha256;
    uint64_t max_size;
    int64_t timeout_s;
    bool link, insecure_http, quiet, json, no_wait;
};

static const struct conf_row rows[] = {
    {"name", 'n', CONF_STR, offsetof(struct pull, name), .arg = "NAME",
     .help = "call the model NAME or NAME:TAG in the store"},
    {"sha256", 0, CONF_STR, offsetof(struct pull, sha256), .arg = "HEX",
     .help = "the file's SHA-256; anything else is refused"},
    {"link", 0, CONF_FLAG, offsetof(struct pull, link), .help = "do not copy a local file, link to it"},
    {"max-size", 0, CONF_BYTES, offsetof(struct pull, max_size), .arg = "BYTES",
     .help = "refuse larger files (8G where the server announces no size)"},
    {"timeout", 0, CONF_I64, offsetof(struct pull, timeout_s), .arg = "SECONDS", .fallback = "30", .min = 1,
     .max = 3600, .help = "no data for so long counts as a broken connection"},
    {"no-wait", 0, CONF_FLAG, offsetof(struct pull, no_wait),
     .help = "fail when another croft is pulling the same file"},
    {"insecure-http", 0, CONF_FLAG, offsetof(struct pull, insecure_http),
     .help = "allow plain http to other machines (never with a token)"},
    {"quiet", 'q', CONF_FLAG, offsetof(struct pull, quiet), .help = "no progress"},
    CLI_JSON_ROW(struct pull),
    {.name = ""}};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int sig) { interrupted = 1; }

static int on_progress(void *arg, const struct bundle_progress *b)
{
    struct cli_progress *bar = arg;
    char label[96];
    const char *file = b->file ? b->file : "";
    if (b->note) cli_progress_say(bar, b->note);
    if (b->n_files > 1) snprintf(label, sizeof label, "%.60s (%d/%d)", file, b->index, b->n_files);
    else snprintf(label, sizeof label, "%.70s", file);
    switch (b->phase) {
    case BUNDLE_ASK: break;
    case BUNDLE_WAIT: cli_progress_say(bar, "Another croft is pulling this file; waiting for it."); break;
    case BUNDLE_CHECK:
        memmove(label + 6, label, sizeof label - 7);
        memcpy(label, "check ", 6);
        label[sizeof label - 1] = 0;
        cli_progress_move(bar, label, b->done, b->total);
        break;
    case BUNDLE_FETCH:
    case BUNDLE_COPY:
        if (b->done > 0 && !b->note) cli_progress_move(bar, label, b->done, b->total);
        break;
    }
    return interrupted;
}

static int report(const struct bundle_pull_result *r, bool json, bool quiet)
{
    static const char *const words[] = {"pulled", "updated", "present"};
    static const struct cli_column cols[] = {{"name", "name", CLI_TEXT},
                                             {"outcome", "outcome", CLI_TEXT},
                                             {"bytes", "size", CLI_BYTES},
                                             {"fetched_bytes", "fetched", CLI_BYTES},
                                             {"source", "source", CLI_TEXT},
                                             {"revision", "revision", CLI_TEXT},
                                             {"sha256", "SHA-256", CLI_TEXT},
                                             {"note", "note", CLI_TEXT},
                                             {0}};
    const struct bundle_model *m = &r->model;
    if (!json) {
        char size[16];
        if (r->note[0] && !quiet) fprintf(stderr, "%s\n", r->note);
        if (r->outcome == BUNDLE_PRESENT)
            printf("%s is already here and up to date (%s).\n", m->name,
                   m->revision[0] ? m->revision : bundle_human_bytes(m->size, size));
        else
            printf("%s %s: %s, SHA-256 checked.\n", r->outcome == BUNDLE_UPDATED ? "Updated" : "Pulled",
                   m->name, bundle_human_bytes(m->size, size));
        return 0;
    }
    struct cli_table t;
    cli_table_init(&t, cols);
    cli_text(&t, m->name);
    cli_text(&t, words[r->outcome]);
    cli_int(&t, m->size);
    cli_int(&t, r->fetched_bytes);
    cli_text(&t, m->source);
    cli_text(&t, m->revision);
    cli_text(&t, m->file[0].sha256);
    cli_text(&t, r->note);
    return cli_record_done(&t, "pull", true);
}

int cmd_pull(int argc, char **argv)
{
    struct pull o = {0};
    struct conf_list words = {.n = 0};
    struct cli_progress bar;
    struct bundle_store *s;
    struct bundle_pull_result r;
    struct err e = {0};
    int code;
    if (!cli_options("pull", rows, &o, argc, argv, &words, 1, 1, &code)) return code;
    struct sigaction sa = {.sa_handler = on_interrupt,
                           .sa_flags = SA_RESETHAND}; /* a second Ctrl-C ends at once */
    sigaction(SIGINT, &sa, NULL);
    signal(SIGXFSZ, SIG_IGN);
    cli_progress_init(&bar, o.quiet);
    if (bundle_store_open(NULL, true, &s, &e)) return cli_fail("pull", &e);
    struct bundle_pull_request q = {
        .source = words.item[0], .name = o.name, .sha256 = o.sha256, .link = o.link, .no_wait = o.no_wait,
        .insecure_http = o.insecure_http, .stall_s = (int)o.timeout_s, .arg = &bar, .progress = on_progress,
        .max_bytes = o.max_size > INT64_MAX ? INT64_MAX : (int64_t)o.max_size,
    };
    int rc = bundle_pull(s, &q, &r, &e);
    cli_progress_end(&bar);
    if (rc) {
        code = cli_fail("pull", &e);
    } else {
        code = report(&r, o.json, o.quiet);
        bundle_model_done(&r.model);
    }
    bundle_store_close(s);
    return code;
}
