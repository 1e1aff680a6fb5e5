/* croft receipts show ID: one receipt, every member it has, and the receipts that belong to it. */
#include "receipts.h"

struct settings {
    const char *dir;
    bool json;
};
struct found {
    json_t *receipt, *children; /* an object; an array of objects */
};

static int keep(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    return cli_receipts_parse(body, n, arg, e);
}

static int keep_child(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    json_t *r = NULL;
    int rc = cli_receipts_parse(body, n, &r, e);
    if (rc == 0 && json_array_append_new(arg, r)) rc = err_nomem(e, n);
    return rc;
}

/* One line a member; lists have a line for each of theirs. */
static void print_value(const char *name, const json_t *v)
{
    char number[64];
    const char *key;
    json_t *x;
    size_t i;
    if (json_is_array(v) && json_is_object(json_array_get(v, 0))) {
        json_array_foreach(v, i, x)
            printf("%-16s%lld times %lld bytes to %s (%s, %s)\n                SHA-256 %s\n", i ? "" : name,
                   (long long)json_integer_value(json_object_get(x, "times")),
                   (long long)json_integer_value(json_object_get(x, "bytes")), cli_receipts_text(x, "host"),
                   cli_receipts_text(x, "tier"), cli_receipts_text(x, "place"), cli_receipts_text(x, "sha256"));
        return;
    }
    printf("%-16s", name);
    if (json_is_string(v))
        cli_print_safe(stdout, json_string_value(v), json_string_length(v));
    else if (json_is_integer(v))
        printf("%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        fputs((snprintf(number, sizeof number, "%.6g", json_real_value(v)), number), stdout);
    else if (json_is_true(v))
        fputs("yes", stdout);
    else if (json_is_array(v))
        json_array_foreach(v, i, x) printf("%s%s", i ? ", " : "", json_string_value(x) ? json_string_value(x) : "?");
    else if (json_is_object(v))
        json_object_foreach((json_t *)v, key, x) printf("%s %lld  ", key, (long long)json_integer_value(x));
    putchar('\n');
}

static void print(const struct found *f)
{
    static const char *const order[] = {
        "id",       "time",       "seq",    "parent",    "request",  "task",          "endpoint",      "key",
        "subject",  "class",      "tier",   "place",     "model",    "model_digest",  "confidence",    "reason",
        "steps",    "rule",       "left",   "left_more", "redacted", "prompt_tokens", "answer_tokens", "cost",
        "currency", "latency_ms", "status", "degraded",  "deferred", "shadow",        "lost"};
    json_t *child;
    size_t i;
    for (i = 0; i < sizeof order / sizeof order[0]; i++) {
        const json_t *v = json_object_get(f->receipt, order[i]);
        if (v) print_value(order[i], v);
    }
    int reason = route_reason_find(cli_receipts_text(f->receipt, "reason"));
    if (reason >= 0) printf("\n%s\n", route_reason_text((enum route_reason)reason));
    if (!json_array_size(json_object_get(f->receipt, "left"))) puts("Nothing left this device.");
    json_array_foreach(f->children, i, child)
        printf("%sReceipt %s belongs to it: %s, %s.\n", i ? "" : "\n", cli_receipts_text(child, "id"),
               cli_receipts_text(child, "tier"), cli_receipts_text(child, "reason"));
}

static int show(const struct settings *set, const char *id, struct err *e)
{
    char dir[CLI_RECEIPTS_PATH];
    struct found f = {.children = json_array()};
    struct route_receipt_filter by_id = {.id = id}, by_parent = {.parent = id};
    int rc = f.children ? cli_receipts_dir(set->dir, dir, e) : err_nomem(e, 0);
    if (rc == 0) rc = route_receipts_each(dir, &by_id, keep, &f.receipt, e);
    if (rc == 0 && !f.receipt)
        rc = ERR(e, NOT_FOUND, "There is no receipt '%.40s' in '%.200s': it was pruned, or is of another log.", id,
                 dir);
    if (rc == 0) rc = route_receipts_each(dir, &by_parent, keep_child, f.children, e);
    if (rc == 0 && set->json)
        cli_json_done(json_incref(f.receipt), "receipts show");
    else if (rc == 0)
        print(&f);
    json_decref(f.receipt);
    json_decref(f.children);
    return rc;
}

int cli_receipts_show_command(int argc, char **argv)
{
    struct settings set = {0};
    static const struct conf_row rows[] = {
        CLI_RECEIPTS_DIR_ROW(struct settings), CLI_JSON_ROW(struct settings), {.name = ""}};
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("receipts show", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    return show(&set, words.item[0], &e) ? cli_fail("receipts show", &e) : 0;
}
