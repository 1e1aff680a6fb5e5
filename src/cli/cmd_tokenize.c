/* croft tokenize MODEL: text to token ids and back, with the model's own tokenizer.
 *
 *     --text TEXT, FILE, or standard input   one text: one line of ids
 *     --lines FILE                           one line of ids per line of the file; any bytes, "\r" kept, and
 * a last line without "\n" counts
 *     --decode "1 2 3"                       ids to text
 *
 * Without --special the text is only text: no BOS/EOS is added and "<s>" is three characters. With it both
 * apply, as they do to a prompt that is sent to the model. Read next: src/model/api/model_tok.h. */
#include "bundle_store.h"
#include "cli.h"
#include "model_tok.h"


enum { MAX_TEXT_BYTES = 256 << 20, MAX_TOKENS = 64 << 20 };

struct tokenize {
    bool json, special;
    const char *text, *lines, *decode;
};

static void print_ids(const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) printf(i ? " %d" : "%d", ids[i]);
    putchar('\n');
}

/* {"ids": […], "pieces": […]}: pieces are the bytes of each token, U+FFFD where they are no whole character. */
static json_t *ids_json(const struct tok *t, const int32_t *ids, size_t n)
{
    json_t *object = json_object(), *numbers = json_array(), *pieces = json_array();
    struct buf b;
    bool ok = object && numbers && pieces;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < n && ok; i++) {
        buf_clear(&b);
        ok = tok_piece(t, ids[i], true, &b) == 0 && json_array_append_new(numbers, json_integer(ids[i])) == 0 &&
             json_array_append_new(pieces, cli_json_text(b.data ? b.data : "", b.len)) == 0;
    }
    buf_done(&b);
    ok = ok && json_object_set(object, "ids", numbers) == 0 && json_object_set(object, "pieces", pieces) == 0;
    json_decref(numbers);
    json_decref(pieces);
    if (ok) return object;
    json_decref(object);
    return NULL;
}

/* One text: its ids to standard output, or appended to the JSON array. */
static int one(const struct tok *t, const struct tokenize *set, const char *p, size_t n, json_t *array, struct err *e)
{
    int32_t *ids = NULL;
    size_t n_ids = 0;
    int rc = tok_encode(t, p, n, set->special ? TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL : 0, MAX_TOKENS, &ids, &n_ids, e);
    if (rc) return rc;
    if (!array) print_ids(ids, n_ids);
    else if (json_array_append_new(array, ids_json(t, ids, n_ids))) rc = err_nomem(e, 0);
    mem_free(ids);
    return rc;
}

static int each_line(const struct tok *t, const struct tokenize *set, const struct buf *text, json_t *array,
                     struct err *e)
{
    const char *p = text->data, *end = p + text->len;
    int rc = 0;
    while (rc == 0 && p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        rc = one(t, set, p, (size_t)((nl ? nl : end) - p), array, e);
        p = nl ? nl + 1 : end;
    }
    return rc;
}

/* "1 2 3" (spaces or commas) to ids that the vocabulary has. */
static int parse_ids(const struct tok *t, const char *s, int32_t **out, size_t *out_n, struct err *e)
{
    size_t n = 0, cap = strlen(s) / 2 + 1;
    int32_t *ids = mem_calloc(cap, sizeof *ids);
    if (!ids) return err_nomem(e, cap * sizeof *ids);
    while (*(s += strspn(s, " ,\t\r\n"))) {
        char word[24];
        int64_t id;
        size_t k = strcspn(s, " ,\t\r\n");
        snprintf(word, sizeof word, "%.*s", k < sizeof word ? (int)k : 0, s);
        if (!str_to_i64(word, &id) || id < 0 || (uint64_t)id >= tok_n_vocab(t)) {
            mem_free(ids);
            return ERR(e, USAGE, "'%.*s' in --decode is not a token id: give numbers from 0 to %zu.",
                       k < 40 ? (int)k : 40, s, tok_n_vocab(t) - 1);
        }
        ids[n++] = (int32_t)id;
        s += k;
    }
    *out = ids;
    *out_n = n;
    return 0;
}

static int decode(const struct tok *t, const struct tokenize *set, struct err *e)
{
    int32_t *ids = NULL;
    size_t n = 0;
    struct buf b;
    int rc = parse_ids(t, set->decode, &ids, &n, e);
    if (rc) return rc;
    buf_init(&b, MAX_TEXT_BYTES);
    tok_decode(t, ids, n, set->special, &b);
    rc = buf_check(&b, "text", e);
    if (rc == 0 && set->json) {
        json_t *v = json_pack("{s:o}", "text", cli_json_text(b.data ? b.data : "", b.len));
        if (!v) rc = err_nomem(e, 0);
        else cli_json_done(v, "tokenize");
    } else if (rc == 0) {
        fwrite(b.data ? b.data : "", 1, b.len, stdout);
        putchar('\n');
    }
    buf_done(&b);
    mem_free(ids);
    return rc;
}

static int encode(const struct tok *t, const struct tokenize *set, const char *file, struct err *e)
{
    struct buf text;
    json_t *array = set->json ? json_array() : NULL;
    int rc = 0;
    buf_init(&text, MAX_TEXT_BYTES);
    if (set->json && !array) rc = err_nomem(e, 0);
    else if (set->text) buf_str(&text, set->text);
    else rc = cli_read_all(set->lines ? set->lines : file, &text, e);
    if (rc == 0) rc = buf_check(&text, "text", e);
    if (rc == 0 && set->lines) rc = each_line(t, set, &text, array, e);
    else if (rc == 0) rc = one(t, set, text.data ? text.data : "", text.len, array, e);
    buf_done(&text);
    if (rc == 0 && array) {
        json_t *v = set->lines ? json_incref(array) : json_incref(json_array_get(array, 0));
        cli_json_done(v, "tokenize");
    }
    json_decref(array);
    return rc;
}

int cmd_tokenize(int argc, char **argv)
{
    struct tokenize set = {0};
    static const struct conf_row rows[] = {
        {"text", 't', CONF_STR, offsetof(struct tokenize, text), .arg = "TEXT", .help = "this text"},
        {"lines", 'l', CONF_STR, offsetof(struct tokenize, lines), .arg = "FILE",
         .help = "every line of a file (\"-\": standard input) on its own"},
        {"decode", 'd', CONF_STR, offsetof(struct tokenize, decode), .arg = "IDS", .help = "the text of these ids"},
        {"special", 's', CONF_FLAG, offsetof(struct tokenize, special),
         .help = "read text such as <s> as the special token, and add BOS/EOS as the model asks"},
        {"json", 0, CONF_FLAG, offsetof(struct tokenize, json), .help = "print JSON, with the text of each token"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e;
    struct gguf *g = NULL;
    struct tok *t = NULL;
    char *path = NULL;
    int exit_code;
    if (!cli_options("tokenize", rows, &set, argc, argv, &words, 1, 2, &exit_code)) return exit_code;
    if ((set.text != NULL) + (set.lines != NULL) + (set.decode != NULL) + (words.n > 1) > 1) {
        ERR(&e, USAGE, "Give one of FILE, --text, --lines and --decode.");
        return cli_fail("tokenize", &e);
    }
    int rc = bundle_store_resolve(words.item[0], &path, &e);
    if (rc == 0) rc = gguf_open(path, &g, &e);
    if (rc == 0) rc = tok_new(g, &t, &e);
    if (rc == 0) rc = set.decode ? decode(t, &set, &e) : encode(t, &set, words.n > 1 ? words.item[1] : "-", &e);
    tok_free(t);
    gguf_close(g);
    mem_free(path);
    return rc ? cli_fail("tokenize", &e) : 0;
}
