/* croft show MODEL: what a GGUF file holds, read from its header alone (no weights are touched).
 *
 * Everything printed comes from a file that may be hostile: text passes cli_textn / cli_print_safe, sums are checked by
 * gguf_open, long values are cut. Read next: src/model/api/model_gguf.h. */
#include "bundle_store.h"
#include "cli.h"
#include "model_gguf.h"

enum { MAX_TEXT = 72, MAX_ITEMS = 8 };

struct show {
    bool json, tensors, metadata;
};

/* "ARCH.name" as a number; -1 if absent. */
static int64_t arch_int(const struct gguf *g, struct str arch, const char *name)
{
    char key[160];
    uint32_t v;
    snprintf(key, sizeof key, "%.*s.%s", arch.n < 64 ? (int)arch.n : 64, arch.p, name);
    return gguf_get_u32(g, key, &v) ? (int64_t)v : -1;
}

static void int_or_none(struct cli_table *t, int64_t v)
{
    if (v < 0) cli_none(t);
    else cli_int(t, v);
}

static void str_or_none(struct cli_table *t, const struct gguf *g, const char *key)
{
    struct str s;
    if (gguf_get_str(g, key, &s)) cli_textn(t, s.p, s.n < 200 ? s.n : 200);
    else cli_none(t);
}

static uint64_t n_elements(const struct gguf_tensor *t)
{
    return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]; /* fits: gguf_open checked it against the file's size */
}

static int64_t vocabulary(const struct gguf *g)
{
    const struct gguf_kv *kv = gguf_find(g, "tokenizer.ggml.tokens");
    return kv && kv->type == GGUF_ARRAY ? (int64_t)kv->n : -1;
}

static void summary(struct cli_table *t, const struct gguf *g, const char *path)
{
    static const struct cli_column cols[] = {
        {"file", "file", CLI_TEXT}, {"bytes", "size", CLI_BYTES}, {"gguf_version", "GGUF version", CLI_INT},
        {"architecture", "architecture", CLI_TEXT}, {"name", "name", CLI_TEXT}, {"license", "license", CLI_TEXT},
        {"n_parameters", "parameters", CLI_INT}, {"n_tensors", "tensors", CLI_INT}, {"n_metadata", "metadata", CLI_INT},
        {"n_layers", "layers", CLI_INT}, {"n_embd", "embedding size", CLI_INT}, {"n_heads", "heads", CLI_INT},
        {"n_heads_kv", "key/value heads", CLI_INT}, {"n_ff", "feed-forward size", CLI_INT},
        {"n_context_tokens", "context (tokens)", CLI_INT}, {"n_vocabulary", "vocabulary", CLI_INT},
        {"tokenizer", "tokenizer", CLI_TEXT}, {"pre_tokenizer", "pre-tokenizer", CLI_TEXT},
        {"chat_template", "chat template", CLI_YESNO}, {0}};
    static const char *const sizes[] = {"block_count", "embedding_length", "attention.head_count",
                                        "attention.head_count_kv", "feed_forward_length", "context_length"};
    struct str arch = STR("");
    uint64_t n_parameters = 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) n_parameters += n_elements(gguf_tensor_at(g, i));
    gguf_get_str(g, "general.architecture", &arch);
    cli_table_init(t, cols);
    cli_text(t, path);
    cli_int(t, (int64_t)gguf_file_bytes(g));
    cli_int(t, gguf_version(g));
    str_or_none(t, g, "general.architecture");
    str_or_none(t, g, "general.name");
    str_or_none(t, g, "general.license");
    cli_int(t, (int64_t)n_parameters);
    cli_int(t, (int64_t)gguf_n_tensors(g));
    cli_int(t, (int64_t)gguf_n_kv(g));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) int_or_none(t, arch_int(g, arch, sizes[i]));
    int_or_none(t, vocabulary(g));
    str_or_none(t, g, "tokenizer.ggml.model");
    str_or_none(t, g, "tokenizer.ggml.pre");
    cli_yesno(t, gguf_find(g, "tokenizer.chat_template") != NULL);
}

/* How many tensors of each type, and their share of the weights' bytes. */
static void types(struct cli_table *t, const struct gguf *g)
{
    static const struct cli_column cols[] = {{"type", "type", CLI_TEXT}, {"n_tensors", "tensors", CLI_INT},
                                             {"n_parameters", "parameters", CLI_INT}, {"bytes", "size", CLI_BYTES},
                                             {"percent", "% of bytes", CLI_REAL}, {0}};
    struct { uint64_t n, elements, bytes; } by[KERN_TYPE_COUNT] = {0};
    uint64_t total = 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *x = gguf_tensor_at(g, i);
        by[x->type].n++;
        by[x->type].elements += n_elements(x);
        by[x->type].bytes += x->bytes;
        total += x->bytes;
    }
    cli_table_init(t, cols);
    for (int k = 0; k < KERN_TYPE_COUNT; k++) {
        if (!by[k].n) continue;
        cli_text(t, kern_type_get(k)->name);
        cli_int(t, (int64_t)by[k].n);
        cli_int(t, (int64_t)by[k].elements);
        cli_int(t, (int64_t)by[k].bytes);
        cli_real(t, total ? 100.0 * (double)by[k].bytes / (double)total : 0);
    }
}

static void tensors(struct cli_table *t, const struct gguf *g)
{
    static const struct cli_column cols[] = {{"name", "tensor", CLI_TEXT}, {"type", "type", CLI_TEXT},
                                             {"shape", "shape", CLI_TEXT}, {"bytes", "size", CLI_BYTES}, {0}};
    cli_table_init(t, cols);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *x = gguf_tensor_at(g, i);
        char shape[96];
        size_t n = 0;
        shape[0] = 0;
        for (unsigned d = 0; d < x->n_dims; d++)
            n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%llu", d ? " × " : "", (unsigned long long)x->ne[d]);
        cli_textn(t, x->name.p, x->name.n);
        cli_text(t, kern_type_get(x->type)->name);
        cli_text(t, shape);
        cli_int(t, (int64_t)x->bytes);
    }
}

/* One scalar, or one element of an array, as a short text. */
static void scalar_text(const struct gguf_kv *kv, uint64_t i, enum gguf_type type, struct buf *out)
{
    if (type == GGUF_BOOL) buf_str(out, gguf_kv_i64(kv, i) ? "true" : "false");
    else if (type == GGUF_F32 || type == GGUF_F64) buf_fmt(out, "%g", gguf_kv_f64(kv, i));
    else if (type == GGUF_U64) buf_fmt(out, "%llu", (unsigned long long)gguf_kv_i64(kv, i));
    else buf_fmt(out, "%lld", (long long)gguf_kv_i64(kv, i));
}

/* A value as text: strings cut at `max` bytes, arrays at MAX_ITEMS elements. */
static void value_text(const struct gguf_kv *kv, size_t max, struct buf *out)
{
    if (kv->type == GGUF_STRING) {
        struct str s = gguf_kv_str(kv, 0);
        size_t n = s.n <= max ? s.n : utf8_complete(s.p, max);
        buf_add(out, s.p, n);
        if (n < s.n) buf_str(out, "…");
    } else if (kv->type != GGUF_ARRAY) {
        scalar_text(kv, 0, kv->type, out);
    } else {
        const unsigned char *cursor = NULL;
        buf_char(out, '[');
        for (uint64_t i = 0; i < kv->n && i < MAX_ITEMS; i++) {
            if (i) buf_str(out, ", ");
            if (kv->elem != GGUF_STRING) {
                scalar_text(kv, i, kv->elem, out);
                continue;
            }
            struct str s = gguf_kv_next_str(kv, &cursor);
            buf_char(out, '"');
            buf_add(out, s.p, s.n < 24 ? s.n : utf8_complete(s.p, 24));
            buf_char(out, '"');
        }
        buf_str(out, kv->n > MAX_ITEMS ? ", …]" : "]");
    }
}

/* Values are text in both outputs: numbers beyond 2^53 survive, and one column has one type. JSON has whole strings. */
static int metadata(struct cli_table *t, const struct gguf *g, bool json, struct err *e)
{
    static const struct cli_column cols[] = {{"key", "key", CLI_TEXT}, {"type", "type", CLI_TEXT}, {"n", "n", CLI_INT},
                                             {"value", "value", CLI_TEXT}, {0}};
    struct buf b;
    int rc = 0;
    buf_init(&b, (size_t)16 << 20);
    cli_table_init(t, cols);
    for (size_t i = 0; i < gguf_n_kv(g) && rc == 0; i++) {
        const struct gguf_kv *kv = gguf_kv_at(g, i);
        char type[32];
        bool array = kv->type == GGUF_ARRAY;
        snprintf(type, sizeof type, "%s%s", gguf_type_name(array ? kv->elem : kv->type), array ? "[]" : "");
        buf_clear(&b);
        value_text(kv, json ? b.max : MAX_TEXT, &b);
        if ((rc = buf_check(&b, "metadata value", e))) break;
        cli_textn(t, kv->key.p, kv->key.n);
        cli_text(t, type);
        cli_int(t, (int64_t)kv->n);
        cli_textn(t, b.data ? b.data : "", b.len);
    }
    buf_done(&b);
    return rc;
}

/* Add a table to the object, or print it under an empty line. */
static bool emit(json_t *object, const char *key, struct cli_table *t)
{
    bool ok = !t->failed;
    if (object) {
        json_t *v = cli_table_take(t);
        return v && json_object_set_new(object, key, v) == 0;
    }
    putchar('\n');
    cli_table_print(t, stdout, 0);
    json_decref(cli_table_take(t));
    return ok;
}

static int show(const struct show *set, const struct gguf *g, const char *path, struct err *e)
{
    struct cli_table t;
    json_t *object = NULL;
    bool ok = true;
    summary(&t, g, path);
    if (set->json) ok = (object = cli_record_take(&t)) != NULL;
    else {
        ok = !t.failed;
        cli_record_print(&t, stdout, 0);
        json_decref(cli_table_take(&t));
    }
    int rc = ok ? 0 : err_nomem(e, 0);
    if (rc == 0) {
        types(&t, g);
        ok = emit(object, "types", &t);
    }
    if (rc == 0 && ok && set->tensors) {
        tensors(&t, g);
        ok = emit(object, "tensors", &t);
    }
    if (rc == 0 && ok && set->metadata) {
        rc = metadata(&t, g, set->json, e);
        if (rc == 0) ok = emit(object, "metadata", &t);
        else json_decref(cli_table_take(&t));
    }
    if (rc == 0 && !ok) rc = err_nomem(e, 0);
    if (rc == 0 && set->json) return cli_json_done(object, "show");
    json_decref(object);
    return rc ? cli_fail("show", e) : 0;
}

int cmd_show(int argc, char **argv)
{
    struct show set = {0};
    static const struct conf_row rows[] = {
        CLI_JSON_ROW(struct show),
        {"tensors", 't', CONF_FLAG, offsetof(struct show, tensors), .help = "list every tensor"},
        {"metadata", 'm', CONF_FLAG, offsetof(struct show, metadata), .help = "list every metadata value"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e;
    struct gguf *g = NULL;
    char *path = NULL;
    int exit_code;
    if (!cli_options("show", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc = bundle_store_resolve(words.item[0], &path, &e);
    if (rc == 0) rc = gguf_open(path, &g, &e);
    exit_code = rc ? cli_fail("show", &e) : show(&set, g, path, &e);
    gguf_close(g);
    mem_free(path);
    return exit_code;
}
