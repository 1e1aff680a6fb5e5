/* croft serve: an OpenAI-compatible server for one or several models (docs/SERVE.md).
 *
 * Settings come from flags, then `-c FILE` (YAML with the same names), then the environment. SIGTERM and SIGINT
 * drain: no new connections, answers under way go out, at most --drain-s long; a second one stops at once. SIGHUP
 * reloads keys, policy and models. Exit code 0 after a drain, otherwise that of the error.
 * Read next: src/serve/serve.c. */
#include "base_clock.h"
#include "base_log.h"
#include "bundle_run.h"
#include "engine.h"
#include "plat_notify.h"
#include "receipts.h"
#include "route_policy.h"
#include "serve.h"
#include "task_yaml.h"

#include <signal.h>

enum { MAX_MODELS = 64, MAX_FILE_SETTINGS = 256 };

struct settings {
    const char *config, *receipts, *host, *kv, *keys, *tls_cert, *tls_key, *new_key, *prefixes;
    struct conf_list models, tasks;
    int64_t threads, ctx, port, cache, parallel, queue, max_tokens, connections;
    uint64_t answers, max_body, max_header, max_output;
    double deadline_s, drain_s, header_s, body_s, idle_s, write_s;
    bool public_without_keys, batch_invariant, log_content, check;
};

#define SET(field) offsetof(struct settings, field)
static const struct conf_row rows[] = {
    {"config", 'c', CONF_STR, SET(config), "FILE", NULL, NULL, NULL, 0, 0,
     "settings from a YAML file with the names below"},
    {"model", 'm', CONF_LIST, SET(models), "[NAME=]MODEL", NULL, NULL, NULL, 0, 0,
     "a model to serve, as a MODEL word (may be repeated)"},
    {"task", 0, CONF_LIST, SET(tasks), "[MODEL=]FILE", NULL, NULL, NULL, 0, 0,
     "a task to answer at /v1/tasks/NAME, by the model of that name (may be repeated)"},
    {"check", 0, CONF_FLAG, SET(check), NULL, NULL, NULL, NULL, 0, 0,
     "look whether all that the settings name is there, and end"},
    {"receipts", 0, CONF_STR, SET(receipts), "DIR", NULL, "CROFT_RECEIPTS", NULL, 0, 0,
     "with tiers: folder of receipts, budgets and work that waits (receipts in $CROFT_HOME)"},
    {"host", 0, CONF_STR, SET(host), "ADDRESS", "127.0.0.1", "CROFT_HOST", NULL, 0, 0, "address to listen on"},
    {"port", 'p', CONF_I64, SET(port), "N", "8080", "CROFT_PORT", NULL, 0, 65535,
     "port to listen on (0: any free one)"},
    {"api-keys", 0, CONF_STR, SET(keys), "FILE", NULL, "CROFT_API_KEYS", NULL, 0, 0,
     "keys that may be used, hashed (docs/SERVE.md)"},
    {"new-key", 0, CONF_STR, SET(new_key), "NAME", NULL, NULL, NULL, 0, 0,
     "make a key, print it once and its entry for --api-keys, and end"},
    {"public-without-keys", 0, CONF_FLAG, SET(public_without_keys), NULL, NULL, NULL, NULL, 0, 0,
     "listen on an address that others can reach, without keys"},
    {"tls-cert", 0, CONF_STR, SET(tls_cert), "FILE", NULL, NULL, NULL, 0, 0, "TLS: certificate chain (PEM)"},
    {"tls-key", 0, CONF_STR, SET(tls_key), "FILE", NULL, NULL, NULL, 0, 0, "TLS: its private key (PEM)"},
    {"threads", 't', CONF_I64, SET(threads), "N", "0", "CROFT_THREADS", NULL, 0, 128, "threads (0: one per core)"},
    {"ctx", 0, CONF_I64, SET(ctx), "N", "0", "CROFT_CTX", NULL, 0, 1 << 24,
     "tokens of the longest request (0: the model's, at most 4096)"},
    {"kv", 0, CONF_CHOICE, SET(kv), "TYPE", "f16", NULL, "f16|f32|q8_0", 0, 0,
     "how cached keys and values are stored"},
    {"cache", 0, CONF_I64, SET(cache), "N", "0", NULL, NULL, 0, 1 << 28,
     "tokens the cache holds, of all requests and kept prefixes (0: 4 contexts)"},
    {"parallel", 0, CONF_I64, SET(parallel), "N", "0", NULL, NULL, 0, 64, "requests evaluated together (0: 16)"},
    {"queue", 0, CONF_I64, SET(queue), "N", "0", NULL, NULL, 0, 1 << 20,
     "requests that may wait beyond those (0: 256)"},
    {"batch-invariant", 0, CONF_FLAG, SET(batch_invariant), NULL, NULL, NULL, NULL, 0, 0,
     "answers do not depend, bit for bit, on what else is evaluated (slower)"},
    {"answers", 0, CONF_BYTES, SET(answers), "BYTES", "16M", NULL, NULL, 0, 1ll << 40,
     "decisions, embeddings and tasks' answers kept for the same request (0: none)"},
    {"prefixes", 0, CONF_STR, SET(prefixes), "DIR", NULL, NULL, NULL, 0, 0,
     "keep the prompts' beginnings of tasks here, evaluated, for the next start"},
    {"max-tokens", 0, CONF_I64, SET(max_tokens), "N", "0", NULL, NULL, 0, 1 << 24,
     "ceiling for the tokens of one answer (0: the context)"},
    {"deadline-s", 0, CONF_F64, SET(deadline_s), "S", "0", NULL, NULL, 0, 86400,
     "deadline of requests that name none (0: none)"},
    {"max-connections", 0, CONF_I64, SET(connections), "N", "4096", NULL, NULL, 1, 1 << 20,
     "open connections at a time"},
    {"max-header", 0, CONF_BYTES, SET(max_header), "BYTES", "32k", NULL, NULL, 1024, 1 << 20,
     "bytes of a request's headers"},
    {"max-body", 0, CONF_BYTES, SET(max_body), "BYTES", "8M", NULL, NULL, 1024, 1 << 30, "bytes of a request's body"},
    {"max-output", 0, CONF_BYTES, SET(max_output), "BYTES", "1M", NULL, NULL, 4096, 1 << 30,
     "unsent bytes of a stream before its reader is cut off"},
    {"header-s", 0, CONF_F64, SET(header_s), "S", "10", NULL, NULL, 0.01, 3600, "time for a request's headers"},
    {"body-s", 0, CONF_F64, SET(body_s), "S", "60", NULL, NULL, 0.01, 3600, "time for its body"},
    {"idle-s", 0, CONF_F64, SET(idle_s), "S", "120", NULL, NULL, 0.01, 86400,
     "time between two requests of a connection"},
    {"write-s", 0, CONF_F64, SET(write_s), "S", "30", NULL, NULL, 1, 3600, "time without a byte of an answer taken"},
    {"drain-s", 0, CONF_F64, SET(drain_s), "S", "30", NULL, NULL, 0, 86400, "time for answers under way at the end"},
    {"log-content", 0, CONF_FLAG, SET(log_content), NULL, NULL, NULL, NULL, 0, 0,
     "log the beginning of request bodies, too"},
    {.name = ""},
};

/* ---- settings from a file: as if they had been given as flags before the others ---- */

struct file_settings {
    json_t *file;
    struct route_config *routing; /* NULL: no tiers */
    struct buf text; /* the flags, NUL-terminated one after the other */
    char *argv[MAX_FILE_SETTINGS];
    int argc;
};

static int add_flag(struct file_settings *f, const struct conf_row *row, json_t *v, struct err *e)
{
    if (json_is_array(v) && row->type == CONF_LIST) {
        size_t i;
        json_t *one;
        json_array_foreach(v, i, one)
        {
            int rc = add_flag(f, row, one, e);
            if (rc) return rc;
        }
        return 0;
    }
    if (json_is_array(v) || json_is_object(v) || json_is_null(v) || (row->type == CONF_FLAG && !json_is_boolean(v)))
        return ERR(e, FORMAT, "The value of '%s' in the settings file has the wrong type: give %s.", row->name,
                   row->type == CONF_FLAG ? "true or false"
                   : row->type == CONF_LIST ? "a list" : "one value");
    if (json_is_boolean(v))
        buf_fmt(&f->text, "--%s%s", json_is_true(v) ? "" : "no-", row->name);
    else if (json_is_string(v))
        buf_fmt(&f->text, "--%s=%s", row->name, json_string_value(v));
    else if (json_is_integer(v))
        buf_fmt(&f->text, "--%s=%lld", row->name, (long long)json_integer_value(v));
    else
        buf_fmt(&f->text, "--%s=%.17g", row->name, json_real_value(v));
    buf_char(&f->text, 0);
    if (++f->argc >= MAX_FILE_SETTINGS) return ERR(e, LIMIT, "The settings file has too many values.");
    return buf_check(&f->text, "settings file", e);
}

static int read_file(struct file_settings *f, const char *path, struct err *e)
{
    const char *name;
    json_t *v;
    struct task_yaml_lines *lines = NULL;
    int rc = task_yaml_load_lines(path, &f->file, &lines, e);
    if (rc == 0) rc = route_config_read(path, f->file, lines, &f->routing, e);
    task_yaml_lines_free(lines);
    if (rc) return rc;
    json_object_foreach(f->file, name, v)
    {
        if (route_config_section(name)) continue;
        const struct conf_row *row = rows;
        while (row->name[0] && strcmp(row->name, name) != 0) row++;
        if (!row->name[0] || strcmp(name, "config") == 0 || strcmp(name, "new-key") == 0 || strcmp(name, "check") == 0)
            return ERR(e, FORMAT, "'%.120s': there is no setting '%.60s'. 'croft serve --help' lists them.", path,
                       name);
        if ((rc = add_flag(f, row, v, e))) return rc;
    }
    char *p = f->text.data;
    for (int i = 0; i < f->argc; i++, p += strlen(p) + 1) f->argv[i] = p;
    return 0;
}

/* ---- models ---- */

/* "NAME=MODEL", or MODEL, whose name is then its file's or the store's. */
static int name_model(const char *word, struct serve_model_source *out, struct buf *names, struct err *e)
{
    const char *eq = strchr(word, '='), *slash, *name = word;
    size_t n;
    if (eq && eq > word && !memchr(word, '/', (size_t)(eq - word))) {
        n = (size_t)(eq - word);
        out->model = eq + 1;
    } else {
        out->model = word;
        if (str_ends(word, ".gguf") && (slash = strrchr(word, '/'))) name = slash + 1;
        n = strlen(name) - (str_ends(name, ".gguf") ? 5 : 0);
    }
    if (n > 63 || n == 0)
        return ERR(e, USAGE, "A model's name has 1 to 63 characters: name it with NAME=MODEL ('%.80s').", word);
    out->name = names->data + names->len;
    buf_add(names, name, n);
    return buf_char(names, 0) ? err_nomem(e, n) : 0;
}

/* "MODEL=FILE" or FILE */
static void name_task(const char *word, struct serve_task_source *out, struct buf *names)
{
    const char *eq = strchr(word, '=');
    *out = (struct serve_task_source){.path = word};
    if (!eq || memchr(word, '/', (size_t)(eq - word))) return;
    *out = (struct serve_task_source){.model = names->data + names->len, .path = eq + 1};
    buf_add(names, word, (size_t)(eq - word));
    buf_char(names, 0);
}

static int resolve(void *user, const char *model, char **out_path, struct err *e)
{
    return cli_model_path(model, out_path, e);
}

/* ---- signals ---- */

static struct serve *volatile running;
static volatile sig_atomic_t drain_asked;
static double drain_s;

static void on_signal(int signo)
{
    if (!running) return;
    if (signo == SIGHUP) {
        serve_reload(running);
        return;
    }
    plat_notify("STOPPING=1");
    if (drain_asked++)
        serve_stop(running);
    else
        serve_drain(running, drain_s);
}

static void catch_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
}

/* ---- the command ---- */

static int make_key(const char *name)
{
    struct err e = {0};
    struct buf entry;
    char key[64];
    buf_init(&entry, 4096);
    int rc = serve_key_make(name, key, &entry, &e);
    if (rc == 0)
        printf("%s\n\nThe key is shown this once. Its entry for the keys file, under `keys:`\n\n%s", key, entry.data);
    buf_done(&entry);
    return rc ? cli_fail("serve", &e) : 0;
}

static void fill_params(const struct settings *set, struct serve_params *p)
{
    *p = (struct serve_params){.resolve = resolve,
                               .host = set->host,
                               .port = (int)set->port,
                               .tls_cert = set->tls_cert,
                               .tls_key = set->tls_key,
                               .keys_file = set->keys,
                               .public_without_keys = set->public_without_keys,
                               .n_threads = (int)set->threads,
                               .n_ctx = (uint32_t)set->ctx,
                               .n_cache = (uint32_t)set->cache,
                               .n_parallel = (uint32_t)set->parallel,
                               .n_queue = (uint32_t)set->queue,
                               .kv = cli_kv_of(set->kv),
                               .batch_invariant = set->batch_invariant,
                               .log_content = set->log_content,
                               .deadline_s = set->deadline_s,
                               .answers_bytes = set->answers,
                               .prefixes_dir = set->prefixes,
                               .max_tokens = (uint32_t)set->max_tokens,
                               .limits = {.header_bytes = set->max_header,
                                          .body_bytes = set->max_body,
                                          .output_bytes = set->max_output,
                                          .header_s = set->header_s,
                                          .body_s = set->body_s,
                                          .idle_s = set->idle_s,
                                          .write_s = set->write_s,
                                          .connections = set->connections}};
}

static int serve_models(const struct settings *set, struct serve_params *p, struct err *e)
{
    struct serve *s = NULL;
    struct bundle_run *registered[MAX_MODELS] = {NULL};
    if (!getenv("CROFT_LOG")) log_set_level(LOG_INFO);
    int rc = serve_new(p, &s, e);
    if (rc) return rc;
    drain_s = set->drain_s;
    running = s;
    catch_signals();
    for (size_t i = 0; i < p->n_models; i++)
        if (bundle_run_register("serve", p->models[i].name, p->models[i].model, serve_address(s), &registered[i],
                                NULL))
            registered[i] = NULL;
    fprintf(stderr, "Croft serves %zu model%s at %s://%s/v1\n", p->n_models, p->n_models == 1 ? "" : "s",
            set->tls_cert ? "https" : "http", serve_address(s));
    plat_notify("READY=1");
    rc = serve_run(s, e);
    running = NULL;
    for (size_t i = 0; i < p->n_models; i++) bundle_run_unregister(registered[i]);
    serve_free(s);
    return rc;
}

/* Settings of the file first, so that the command line's win. */
static bool read_settings(int argc, char **argv, struct file_settings *f, struct settings *set,
                          struct conf_list *words, int *exit_code)
{
    char *all[MAX_FILE_SETTINGS + 256];
    struct err e = {0};
    int n = 0;
    if (!cli_options("serve", rows, set, argc, argv, words, 0, MAX_MODELS, exit_code)) return false;
    if (!set->config) return true;
    if (read_file(f, set->config, &e)) {
        *exit_code = cli_fail("serve", &e);
        return false;
    }
    all[n++] = argv[0];
    for (int i = 0; i < f->argc; i++) all[n++] = f->argv[i];
    for (int i = 1; i < argc && n < MAX_FILE_SETTINGS + 255; i++) all[n++] = argv[i];
    all[n] = NULL;
    *set = (struct settings){0};
    *words = (struct conf_list){.n = 0};
    return cli_options("serve", rows, set, n, all, words, 0, MAX_MODELS, exit_code);
}

int cmd_serve(int argc, char **argv)
{
    struct settings set = {0};
    struct file_settings file = {0};
    struct conf_list words = {.n = 0};
    struct serve_model_source models[2 * MAX_MODELS];
    struct serve_task_source tasks[MAX_MODELS];
    struct serve_params p;
    struct err e = {0};
    struct buf names;
    char receipts[CLI_RECEIPTS_PATH];
    int exit_code = 0, rc = 0;
    buf_init(&file.text, 1 << 20);
    buf_init(&names, 1 << 16);
    if (!read_settings(argc, argv, &file, &set, &words, &exit_code)) goto out;
    if (set.new_key) {
        exit_code = make_key(set.new_key);
        goto out;
    }
    fill_params(&set, &p);
    p.models = models;
    p.routing = file.routing;
    p.settings = set.config;
    if (p.routing && !(rc = cli_receipts_dir(set.receipts, receipts, &e))) p.receipts = receipts;
    if (buf_reserve(&names, (1 << 16) - 1)) rc = err_nomem(&e, 0); /* so that names stay where they are */
    for (int i = 0; i < words.n && rc == 0; i++) rc = name_model(words.item[i], &models[p.n_models++], &names, &e);
    for (int i = 0; i < set.models.n && rc == 0; i++)
        rc = name_model(set.models.item[i], &models[p.n_models++], &names, &e);
    p.tasks = tasks;
    for (int i = 0; i < set.tasks.n && rc == 0; i++) name_task(set.tasks.item[i], &tasks[p.n_tasks++], &names);
    if (rc == 0) rc = buf_check(&names, "names", &e);
    if (rc == 0 && p.n_models == 0) rc = ERR(&e, USAGE, "Name at least one model. Usage: croft serve MODEL…");
    if (rc == 0 && p.n_models > MAX_MODELS) rc = ERR(&e, USAGE, "At most %d models can be served.", MAX_MODELS);
    if (rc == 0 && !set.tls_cert != !set.tls_key) rc = ERR(&e, USAGE, "TLS needs both --tls-cert and --tls-key.");
    if (rc == 0 && set.check && set.tls_cert) rc = net_tls_check(set.tls_cert, set.tls_key, &e);
    if (rc == 0 && set.check) rc = serve_check(&p, &e);
    else if (rc == 0) rc = serve_models(&set, &p, &e);
    if (rc) exit_code = cli_fail("serve", &e);
out:
    json_decref(file.file);
    route_config_free(file.routing);
    buf_done(&file.text);
    buf_done(&names);
    return exit_code;
}
