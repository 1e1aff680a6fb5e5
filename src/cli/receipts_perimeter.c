/* croft receipts --perimeter: what left this device, where to and by which rule, and what stayed. A message that was
 * sent counts, whether or not an answer came; a retry counts again. Read next: docs/RECEIPTS.md. */
#include "receipts.h"

enum { HOST, TIER, PLACE, REASON, RULE, CLASS }; /* parts of a group's name */

struct report {
    uint64_t n, n_stayed, n_left, messages, bytes, unnamed;
    struct cli_groups left, stayed;
};

static uint64_t redactions(const json_t *r)
{
    const char *kind;
    json_t *v;
    uint64_t n = 0;
    json_object_foreach(json_object_get(r, "redacted"), kind, v) n += (uint64_t)json_integer_value(v);
    return n;
}

static bool add_message(struct report *p, const json_t *r, const json_t *m, uint64_t redacted)
{
    char name[320];
    uint64_t times = (uint64_t)json_integer_value(json_object_get(m, "times"));
    uint64_t bytes = times * (uint64_t)json_integer_value(json_object_get(m, "bytes"));
    snprintf(name, sizeof name, "%.127s\n%.63s\n%s\n%s\n%.40s\n%.40s", cli_receipts_text(m, "host"),
             cli_receipts_text(m, "tier"), cli_receipts_text(m, "place"), cli_receipts_text(r, "reason"),
             cli_receipts_text(r, "rule"), cli_receipts_text(r, "class"));
    struct cli_group *g = cli_group_get(&p->left, name);
    if (!g) return false;
    g->n += times;
    g->bytes += bytes;
    g->redacted += redacted;
    p->messages += times;
    p->bytes += bytes;
    return true;
}

static int each(void *arg, uint64_t seq, const char *body, size_t n, struct err *e)
{
    struct report *p = arg;
    json_t *r = NULL;
    char name[160];
    bool good = true;
    int rc = cli_receipts_parse(body, n, &r, e);
    if (rc) return rc;
    const json_t *left = json_object_get(r, "left");
    p->n++;
    p->unnamed += (uint64_t)json_integer_value(json_object_get(r, "left_more"));
    if (json_array_size(left)) {
        p->n_left++;
        for (size_t i = 0; i < json_array_size(left) && good; i++)
            good = add_message(p, r, json_array_get(left, i), i ? 0 : redactions(r));
    } else {
        p->n_stayed++;
        snprintf(name, sizeof name, "%s\n%.40s\n%.40s", cli_receipts_text(r, "reason"), cli_receipts_text(r, "rule"),
                 cli_receipts_text(r, "class"));
        struct cli_group *g = cli_group_get(&p->stayed, name);
        if (g) g->n++;
        good = g;
    }
    json_decref(r);
    return good ? 0 : err_nomem(e, 0);
}

static void part(struct cli_table *t, const struct cli_group *g, int at)
{
    char text[128];
    cli_group_part(g, at, text);
    if (text[0])
        cli_text(t, text);
    else
        cli_none(t);
}

static void left_table(struct cli_table *t, const struct report *p)
{
    static const struct cli_column cols[] = {{"host", "WHERE TO", CLI_TEXT},    {"tier", "TIER", CLI_TEXT},
                                             {"place", "PLACE", CLI_TEXT},      {"reason", "WHY", CLI_TEXT},
                                             {"rule", "RULE", CLI_TEXT},        {"class", "CLASS", CLI_TEXT},
                                             {"messages", "MESSAGES", CLI_INT}, {"bytes", "SIZE", CLI_BYTES},
                                             {"redacted", "REDACTED", CLI_INT}, {0}};
    cli_table_init(t, cols);
    for (size_t i = 0; i < p->left.n; i++) {
        for (int k = HOST; k <= CLASS; k++) part(t, &p->left.list[i], k);
        cli_int(t, (int64_t)p->left.list[i].n);
        cli_int(t, (int64_t)p->left.list[i].bytes);
        cli_int(t, (int64_t)p->left.list[i].redacted);
    }
}

static void stayed_table(struct cli_table *t, const struct report *p)
{
    static const struct cli_column cols[] = {{"reason", "WHY", CLI_TEXT},
                                             {"rule", "RULE", CLI_TEXT},
                                             {"class", "CLASS", CLI_TEXT},
                                             {"receipts", "RECEIPTS", CLI_INT},
                                             {0}};
    cli_table_init(t, cols);
    for (size_t i = 0; i < p->stayed.n; i++) {
        for (int k = 0; k < 3; k++) part(t, &p->stayed.list[i], k);
        cli_int(t, (int64_t)p->stayed.list[i].n);
    }
}

static int print(const struct report *p, bool json)
{
    struct cli_table left, stayed;
    left_table(&left, p);
    stayed_table(&stayed, p);
    if (json) {
        json_t *l = cli_table_take(&left), *s = cli_table_take(&stayed);
        json_t *o = json_pack("{s:I s:I s:I s:I s:I s:I s:o s:o}", "receipts", (json_int_t)p->n, "receipts_left",
                              (json_int_t)p->n_left, "receipts_stayed", (json_int_t)p->n_stayed, "messages",
                              (json_int_t)p->messages, "bytes", (json_int_t)p->bytes, "messages_unnamed",
                              (json_int_t)p->unnamed, "left", l, "stayed", s);
        return cli_json_done(o, "receipts");
    }
    printf("%llu receipts: of %llu something left this device (%llu messages, %llu bytes), %llu stayed whole.\n",
           (unsigned long long)p->n, (unsigned long long)p->n_left, (unsigned long long)p->messages,
           (unsigned long long)p->bytes, (unsigned long long)p->n_stayed);
    if (p->unnamed)
        printf("%llu further messages found no place in their receipts.\n", (unsigned long long)p->unnamed);
    if (p->left.n) {
        puts("\nLeft:");
        cli_table_print(&left, stdout, 2);
    }
    if (p->stayed.n) {
        puts("\nStayed:");
        cli_table_print(&stayed, stdout, 2);
    }
    json_decref(cli_table_take(&left));
    json_decref(cli_table_take(&stayed));
    return 0;
}

int cli_receipts_perimeter(const char *dir, const struct route_receipt_filter *f, bool json)
{
    struct err e = {0};
    struct report p = {.n = 0};
    int rc = route_receipts_each(dir, f, each, &p, &e);
    int code = rc ? cli_fail("receipts", &e) : print(&p, json);
    mem_free(p.left.list);
    mem_free(p.stayed.list);
    return code;
}
