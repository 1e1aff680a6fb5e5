/* croft list [PREFIX]: the models in the store. No network. Read next: src/bundle/store.c. */
#include "bundle_store.h"
#include "cli.h"

struct list {
    bool json;
};
static const struct conf_row rows[] = {CLI_JSON_ROW(struct list), {.name = ""}};

static const struct cli_column cols[] = {
    {"name", "NAME", CLI_TEXT}, {"quant", "QUANT", CLI_TEXT}, {"bytes", "SIZE", CLI_BYTES},
    {"pulled_at", "PULLED", CLI_TEXT}, {"source", "SOURCE", CLI_TEXT}, {0}};
/* JSON has the whole record. */
static const struct cli_column all_cols[] = {
    {"name", "NAME", CLI_TEXT}, {"quant", "QUANT", CLI_TEXT}, {"bytes", "SIZE", CLI_BYTES},
    {"pulled_at", "PULLED", CLI_TEXT}, {"source", "SOURCE", CLI_TEXT}, {"revision", "REVISION", CLI_TEXT},
    {"family", "FAMILY", CLI_TEXT}, {"n_files", "FILES", CLI_INT}, {"sha256", "SHA-256", CLI_TEXT},
    {"linked", "LINKED", CLI_TEXT}, {"damaged", "DAMAGED", CLI_YESNO}, {0}};

static void text_or_none(struct cli_table *t, const char *s)
{
    if (s && *s) cli_text(t, s);
    else cli_none(t);
}

static void add(struct cli_table *t, const struct bundle_model *m, bool json)
{
    cli_text(t, m->name);
    text_or_none(t, m->quant);
    if (m->broken) cli_none(t);
    else cli_int(t, m->size);
    if (json) text_or_none(t, m->pulled_at);
    else if (m->broken) cli_text(t, "damaged record");
    else cli_textn(t, m->pulled_at, strlen(m->pulled_at) < 10 ? strlen(m->pulled_at) : 10); /* the day */
    text_or_none(t, m->source);
    if (!json) return;
    text_or_none(t, m->revision);
    text_or_none(t, m->family);
    cli_int(t, m->n_files);
    text_or_none(t, m->n_files ? m->file[0].sha256 : NULL);
    text_or_none(t, m->n_files ? m->file[0].linked : NULL);
    cli_yesno(t, m->broken);
}

int cmd_list(int argc, char **argv)
{
    struct list o = {0};
    struct conf_list words = {.n = 0};
    struct bundle_store *s = NULL;
    struct bundle_list l = {0};
    struct cli_table t;
    struct err e = {0};
    int code;
    if (!cli_options("list", rows, &o, argc, argv, &words, 0, 1, &code)) return code;
    int rc = bundle_store_open(NULL, false, &s, &e);
    if (rc == 0) rc = bundle_store_list(s, &l, &e);
    if (rc && rc != CROFT_E_NOT_FOUND) { /* no store yet: no models */
        bundle_store_close(s);
        return cli_fail("list", &e);
    }
    const char *prefix = words.n ? words.item[0] : "";
    int shown = 0;
    cli_table_init(&t, o.json ? all_cols : cols);
    for (int i = 0; i < l.n; i++) {
        if (strncasecmp(l.model[i].name, prefix, strlen(prefix))) continue;
        add(&t, &l.model[i], o.json);
        shown++;
    }
    code = cli_table_done(&t, "list", o.json);
    if (!shown && !o.json) fputs("No models here. Get one: croft pull hf:OWNER/REPO:QUANT\n", stderr);
    bundle_list_done(&l);
    if (s) bundle_store_close(s);
    return code;
}
