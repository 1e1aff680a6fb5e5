/* From `tokenizer.ggml.*` metadata to struct tok. Nothing in the file is believed: counts are compared with each other,
 * ids with the number of tokens, sizes with the limits of tok.h; tokens are copied, so the file may be closed.
 *
 *   text   the cat sat …           all tokens one after another
 *   off    0 3 7 …                 where each begins; off[n_vocab] is the end
 *   slot   hash of the texts       id, or -1 for a free slot; at most half full
 *
 * Which tokens end an answer, and which are control tokens, the file often does not say: known names decide.
 * Next: tok.c. */
#include "tok.h"

#include "base_mem.h"

#include <math.h>

#define KEY "tokenizer.ggml."

static int damaged(struct err *e, const char *key, const char *what)
{
    return err_set(e, CROFT_E_FORMAT, "tokenizer metadata", -1,
                   "The tokenizer's %s %s. The file is damaged; get it again.", key, what);
}

/* A list with one element for each token, or NULL if absent. */
static int get_list(const struct tok *t, const struct gguf *g, const char *key, const struct gguf_kv **out,
                    struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    *out = kv;
    if (!kv) return 0;
    if (kv->type != GGUF_ARRAY || kv->elem == GGUF_STRING) return damaged(e, key, "is not a list of numbers");
    if (kv->n < t->n_vocab) return damaged(e, key, "is shorter than the list of tokens");
    return 0;
}

/* ---- tokens ---- */

static int insert_token(struct tok *t, int32_t id, struct err *e)
{
    struct str s = tok_key(t, id);
    uint32_t i = (uint32_t)str_hash(s.p, s.n) & t->slot_mask;
    for (; t->slot[i] >= 0; i = (i + 1) & t->slot_mask)
        if (str_eq(tok_key(t, t->slot[i]), s))
            return ERR(e, FORMAT, "Tokens %d and %d of the tokenizer are the same. The file is damaged; get it again.",
                       t->slot[i], id);
    t->slot[i] = id;
    return 0;
}

static int load_tokens(struct tok *t, const struct gguf *g, struct err *e)
{
    const struct gguf_kv *kv = gguf_find(g, KEY "tokens");
    if (!kv) return ERR(e, NOT_FOUND, "The file has no tokenizer (" KEY "tokens is missing).");
    if (kv->type != GGUF_ARRAY || kv->elem != GGUF_STRING) return damaged(e, KEY "tokens", "is not a list of strings");
    if (kv->n == 0) return damaged(e, KEY "tokens", "is empty");
    if (kv->n > TOK_MAX_VOCAB)
        return ERR(e, LIMIT, "The tokenizer has %llu tokens; at most %d are supported.", (unsigned long long)kv->n,
                   TOK_MAX_VOCAB);
    t->n_vocab = (uint32_t)kv->n;
    size_t total = 0;
    const unsigned char *cursor = NULL;
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        size_t n = gguf_kv_next_str(kv, &cursor).n;
        if (n > TOK_MAX_PIECE_BYTES || (total += n) > TOK_MAX_TEXT_BYTES)
            return ERR(e, LIMIT, "Token %u of the tokenizer has %zu bytes, more than a token may have.", i, n);
    }
    uint32_t slots = 16;
    while (slots < t->n_vocab * 2) slots *= 2;
    t->slot_mask = slots - 1;
    t->text = mem_alloc(total);
    t->off = mem_alloc((t->n_vocab + 1) * sizeof *t->off);
    t->slot = mem_alloc(slots * sizeof *t->slot);
    if (!t->text || !t->off || !t->slot) return err_nomem(e, total + slots * sizeof *t->slot);
    memset(t->slot, 0xFF, slots * sizeof *t->slot);
    cursor = NULL;
    t->off[0] = 0;
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        struct str s = gguf_kv_next_str(kv, &cursor);
        if (s.n) memcpy(t->text + t->off[i], s.p, s.n);
        t->off[i + 1] = t->off[i] + (uint32_t)s.n;
        if (s.n > t->max_piece_bytes) t->max_piece_bytes = (uint32_t)s.n;
        if (s.n && insert_token(t, (int32_t)i, e)) return e->code; /* an empty token matches nothing */
    }
    return 0;
}

static int load_types(struct tok *t, const struct gguf *g, struct err *e)
{
    static const uint8_t bit[] = {TA_NORMAL, TA_NORMAL, TA_UNKNOWN, TA_CONTROL, TA_USER, TA_UNUSED, TA_BYTE};
    const struct gguf_kv *kv;
    if (get_list(t, g, KEY "token_type", &kv, e)) return e->code;
    t->attr = mem_alloc(t->n_vocab);
    if (!t->attr) return err_nomem(e, t->n_vocab);
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        int64_t type = kv ? gguf_kv_i64(kv, i) : TOK_NORMAL;
        if (type < 0 || type > TOK_BYTE) return damaged(e, KEY "token_type", "holds a type that does not exist");
        t->attr[i] = bit[type];
    }
    return 0;
}

static int load_scores(struct tok *t, const struct gguf *g, struct err *e)
{
    const struct gguf_kv *kv;
    if (t->model != TOK_LLAMA && t->model != TOK_UNIGRAM) return 0;
    if (get_list(t, g, KEY "scores", &kv, e)) return e->code;
    if (!kv) return damaged(e, KEY "scores", "list is missing");
    t->score = mem_alloc(t->n_vocab * sizeof *t->score);
    if (!t->score) return err_nomem(e, t->n_vocab * sizeof *t->score);
    for (uint32_t i = 0; i < t->n_vocab; i++) {
        double s = kv->elem == GGUF_F32 || kv->elem == GGUF_F64 ? gguf_kv_f64(kv, i) : (double)gguf_kv_i64(kv, i);
        if (isnan(s)) return damaged(e, KEY "scores", "list holds a value that is not a number");
        t->score[i] = (float)s;
    }
    return 0;
}

/* Byte tokens <0xXX>, and whether words can be encoded one by one (see tok_spm.c). */
static void note_pieces(struct tok *t)
{
    t->words_apart = true;
    for (uint32_t i = 0; i < t->n_vocab && t->words_apart; i++) {
        struct str s = tok_key(t, (int32_t)i);
        for (size_t k = 1; k + 3 <= s.n && t->words_apart; k++)
            if (!memcmp(s.p + k, TOK_SPACE, 3) && !(k >= 3 && !memcmp(s.p + k - 3, TOK_SPACE, 3)))
                t->words_apart = false;
    }
    for (unsigned b = 0; b < 256; b++) {
        char s[8], c = (char)b;
        t->byte_id[b] = tok_find(t, s, (size_t)snprintf(s, sizeof s, "<0x%02X>", b));
        if (t->byte_id[b] < 0) t->byte_id[b] = tok_find(t, &c, 1);
    }
}

/* ---- special tokens ---- */

/* An id from the metadata. 0xFFFFFFFF means "none". Out of range: an error if the id matters, else as if absent. */
static int get_id(const struct tok *t, const struct gguf *g, const char *key, bool matters, int32_t *io, struct err *e)
{
    uint32_t id;
    if (*io >= (int32_t)t->n_vocab) *io = -1;
    if (!gguf_get_u32(g, key, &id)) return 0;
    if (id < t->n_vocab) *io = (int32_t)id;
    else if (id == UINT32_MAX) *io = -1;
    else if (matters) return ERR(e, FORMAT, "%s is %u, but the tokenizer has %u tokens.", key, id, t->n_vocab);
    return 0;
}

static void add_end(struct tok *t, int32_t id)
{
    if (id >= 0 && !tok_is_end(t, id) && t->n_end < TOK_MAX_ENDS) t->end[t->n_end++] = id;
}

static void drop_end(struct tok *t, int32_t id)
{
    for (unsigned i = 0; i < t->n_end; i++)
        if (t->end[i] == id) t->end[i--] = t->end[--t->n_end];
}

/* The first of `names` (NULL-terminated) that is a token becomes a control token. */
static int32_t control_by_name(struct tok *t, const char *const *names)
{
    for (; *names; names++) {
        int32_t id = tok_find(t, *names, strlen(*names));
        if (id < 0) continue;
        t->attr[id] |= TA_CONTROL;
        return id;
    }
    return -1;
}

/* Tokens that end an answer, and others that are control tokens whatever the file calls them. */
static const char *const end_names[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
    "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
    "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
    ("<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"), "[e~["};
static const char *const fim_names[][10] = { /* fill-in-the-middle markers; reaching one of the ending kinds ends */
    {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"},
    {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"},
    {"<|file_sep|>"},
    {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<\xEF\xBD\x9C" "fim\xE2\x96\x81" "begin\xEF\xBD\x9C>", "<PRE>",
     TOK_SPACE "<PRE>", "<|code_prefix|>", "<|prefix|>"},
    {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<\xEF\xBD\x9C" "fim\xE2\x96\x81hole\xEF\xBD\x9C>", "<SUF>",
     TOK_SPACE "<SUF>", "<|code_suffix|>", "<|suffix|>"},
    {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<\xEF\xBD\x9C" "fim\xE2\x96\x81" "end\xEF\xBD\x9C>", "<MID>",
     TOK_SPACE "<MID>", "<|code_middle|>", "<|middle|>"}};
static const struct {
    const char *key, *old_key;
    bool ends;
} fim_keys[] = {{KEY "fim_pad_token_id", NULL, true}, {KEY "fim_rep_token_id", NULL, true},
                {KEY "fim_sep_token_id", NULL, true}, {KEY "fim_pre_token_id", KEY "prefix_token_id", false},
                {KEY "fim_suf_token_id", KEY "suffix_token_id", false},
                {KEY "fim_mid_token_id", KEY "middle_token_id", false}};

static int32_t find_z(const struct tok *t, const char *z) { return tok_find(t, z, strlen(z)); }

/* Two families give well-known names another meaning. */
static void fix_families(struct tok *t)
{
    static const char *const shown[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        int32_t id = find_z(t, shown[i]);
        if (id >= 0) t->attr[id] = TA_USER; /* part of the answer's text */
    }
    int32_t end = find_z(t, "<|end|>"), call = find_z(t, "<|call|>");
    bool calls = call >= 0 || find_z(t, "<|calls|>") >= 0;
    if (end >= 0 && calls && (find_z(t, "<|return|>") >= 0 || find_z(t, "<|flush|>") >= 0)) {
        drop_end(t, end); /* ends a part, not the answer */
        t->attr[end] = TA_USER;
    }
    int32_t s = find_z(t, "</s>");
    if (s >= 0 && find_z(t, "<|tool_response>") >= 0) {
        drop_end(t, s);
        t->attr[s] = TA_NORMAL;
    }
}

static int load_ends(struct tok *t, const struct gguf *g, struct err *e)
{
    int32_t eot = -1, eom = -1;
    for (size_t i = 0; i < sizeof fim_keys / sizeof *fim_keys; i++) {
        int32_t id = -1;
        if (get_id(t, g, fim_keys[i].key, false, &id, e)) return e->code;
        if (fim_keys[i].old_key && get_id(t, g, fim_keys[i].old_key, false, &id, e)) return e->code;
        if (id < 0) id = control_by_name(t, fim_names[i]);
        if (fim_keys[i].ends) add_end(t, id);
    }
    for (size_t i = 0; i < sizeof end_names / sizeof *end_names; i++) {
        const char *one[] = {end_names[i], NULL};
        add_end(t, control_by_name(t, one));
    }
    if (get_id(t, g, KEY "eot_token_id", false, &eot, e) || get_id(t, g, KEY "eom_token_id", false, &eom, e))
        return e->code;
    fix_families(t);
    add_end(t, t->eos);
    add_end(t, eot);
    add_end(t, eom);
    return 0;
}

static bool has_word(const struct gguf *g, const char *key, const char *word)
{
    struct str s = {0};
    if (!gguf_get_str(g, key, &s)) return false;
    for (size_t n = strlen(word), i = 0; i + n <= s.n; i++)
        if (!strncasecmp(s.p + i, word, n)) return true;
    return false;
}

static void set_attr(struct tok *t, const char *name, unsigned bit, bool on)
{
    int32_t id = find_z(t, name);
    if (id >= 0) t->attr[id] = (uint8_t)(on ? t->attr[id] | bit : t->attr[id] & ~bit);
}

/* Files do not say which special tokens swallow the white space around them; the families are known. */
static void load_strips(struct tok *t, const struct gguf *g)
{
    if (has_word(g, KEY "pre", "jina-v2-") || has_word(g, "general.architecture", "nomic-bert-moe")
        || has_word(g, "general.architecture", "jina-bert-v3")) {
        set_attr(t, "<mask>", TA_LSTRIP, true);
    } else if (has_word(g, "general.name", "phi-3") || has_word(g, "general.name", "phi3")) {
        for (uint32_t i = 0; i < t->n_special; i++) t->attr[t->special[i]] |= TA_RSTRIP;
        set_attr(t, "</s>", TA_RSTRIP, true);
        set_attr(t, "<unk>", TA_RSTRIP, false);
        set_attr(t, "<s>", TA_RSTRIP, false);
        set_attr(t, "<|endoftext|>", TA_RSTRIP, false);
    } else if (has_word(g, "general.name", "modern-bert")) {
        set_attr(t, "[MASK]", TA_LSTRIP, true);
    }
}

struct by_length {
    uint32_t len;
    int32_t id;
};

static int longer_first(const void *a, const void *b)
{
    const struct by_length *x = a, *y = b;
    if (x->len != y->len) return x->len > y->len ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Special tokens by length, and the byte pairs they start with (for a one-byte token: every pair with it). */
static int index_special(struct tok *t, struct err *e)
{
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_vocab; i++) n += (t->attr[i] & TA_SPECIAL) && t->off[i + 1] > t->off[i];
    struct by_length *list = mem_alloc(n * sizeof *list);
    t->special = mem_alloc(n * sizeof *t->special);
    t->pair_set = mem_calloc(2, sizeof *t->pair_set);
    if (!list || !t->special || !t->pair_set) {
        mem_free(list);
        return err_nomem(e, n * sizeof *list + 2 * sizeof *t->pair_set);
    }
    for (uint32_t i = 0; i < t->n_vocab; i++)
        if ((t->attr[i] & TA_SPECIAL) && t->off[i + 1] > t->off[i])
            list[t->n_special++] = (struct by_length){t->off[i + 1] - t->off[i], (int32_t)i};
    qsort(list, n, sizeof *list, longer_first);
    for (size_t i = 0; i < n; i++) {
        struct str s = tok_key(t, t->special[i] = list[i].id);
        unsigned first = (unsigned char)s.p[0] * 256u, from = s.n > 1 ? (unsigned char)s.p[1] : 0;
        unsigned to = s.n > 1 ? from : 255;
        for (unsigned k = first + from; k <= first + to; k++) {
            t->pair_set[1][k / 64] |= 1ull << k % 64;
            if (!(t->attr[list[i].id] & TA_HIDDEN)) t->pair_set[0][k / 64] |= 1ull << k % 64;
        }
    }
    mem_free(list);
    return 0;
}

/* ---- models ---- */

static int choose_model(struct tok *t, const struct gguf *g, struct err *e)
{
    static const struct {
        const char *name;
        enum tok_model model;
        const char *pre; /* fixed, whatever tokenizer.ggml.pre says */
        int bos, eos, unk, sep;
        bool add_bos, add_eos, add_sep, space_prefix;
    } models[] = {
        {"llama", TOK_LLAMA, "default", 1, 2, 0, -1, true, false, false, true},
        {"gpt2", TOK_GPT2, NULL, -1, -1, -1, -1, false, false, false, false},
        {"gemma4", TOK_GPT2, "gemma4", -1, -1, -1, -1, false, false, false, false},
        {"whitespace", TOK_GPT2, NULL, -1, -1, -1, -1, false, false, false, false},
        {"bert", TOK_BERT, "default", 101, -1, 100, 102, true, false, true, false},
        {"t5", TOK_UNIGRAM, "default", -1, 1, 2, -1, false, true, false, false},
    };
    struct str model = {0}, pre = STR("default");
    if (!gguf_get_str(g, KEY "model", &model) || str_eqz(model, "none") || str_eqz(model, "no_vocab"))
        return ERR(e, NOT_FOUND, "The file has no tokenizer (" KEY "model is missing).");
    size_t i = 0, n = sizeof models / sizeof *models;
    while (i < n && !str_eqz(model, models[i].name)) i++;
    if (i == n)
        return ERR(e, UNSUPPORTED, "The tokenizer model \"%.*s\" is not supported; llama, gpt2, bert and t5 are.",
                   (int)(model.n < 60 ? model.n : 60), model.p);
    gguf_get_str(g, KEY "pre", &pre);
    if (models[i].pre) pre = str_of(models[i].pre);
    else if (pre.n == 0) pre = STR("default");
    t->pre = tok_pre_find(pre);
    if (!t->pre)
        return ERR(e, UNSUPPORTED, "The pre-tokenizer \"%.*s\" is not known. A newer version may know it.",
                   (int)(pre.n < 60 ? pre.n : 60), pre.p);
    t->model = models[i].model;
    snprintf(t->model_name, sizeof t->model_name, "%s", models[i].name);
    snprintf(t->pre_name, sizeof t->pre_name, "%s", t->pre->name);
    t->bos = models[i].bos, t->eos = models[i].eos, t->unk = models[i].unk, t->sep = models[i].sep;
    t->add_bos = models[i].add_bos || t->pre->flags & TP_ADD_BOS;
    t->add_eos = models[i].add_eos;
    t->add_sep = models[i].add_sep || t->pre->flags & TP_ADD_SEP;
    t->space_prefix = models[i].space_prefix;
    t->lowercase = strcmp(models[i].name, "whitespace") != 0;
    return 0;
}

static int load_settings(struct tok *t, const struct gguf *g, struct err *e)
{
    if (get_id(t, g, KEY "cls_token_id", false, &t->bos, e) || get_id(t, g, KEY "bos_token_id", true, &t->bos, e)
        || get_id(t, g, KEY "eos_token_id", true, &t->eos, e) || get_id(t, g, KEY "unknown_token_id", false, &t->unk, e)
        || get_id(t, g, KEY "seperator_token_id", false, &t->sep, e))
        return e->code;
    gguf_get_bool(g, KEY "add_bos_token", &t->add_bos);
    gguf_get_bool(g, KEY "add_eos_token", &t->add_eos);
    gguf_get_bool(g, KEY "add_sep_token", &t->add_sep);
    gguf_get_bool(g, KEY "add_space_prefix", &t->space_prefix);
    gguf_get_bool(g, KEY "remove_extra_whitespaces", &t->merge_spaces);
    gguf_get_bool(g, KEY "normalizer.lowercase", &t->lowercase);
    t->strip_accents = t->lowercase;
    gguf_get_bool(g, KEY "normalizer.strip_accents", &t->strip_accents);
    if (t->pre->flags & TP_FORCE_BOS) t->add_bos = true;
    return 0;
}

static int load(struct tok *t, const struct gguf *g, struct err *e)
{
    if (choose_model(t, g, e) || load_tokens(t, g, e) || load_types(t, g, e) || load_scores(t, g, e)
        || load_settings(t, g, e) || load_ends(t, g, e) || index_special(t, e))
        return e->code;
    load_strips(t, g);
    note_pieces(t);
    if (t->model == TOK_GPT2) return tok_bpe_load(t, g, e);
    if (t->model == TOK_UNIGRAM) return tok_ugm_load(t, g, e);
    return 0;
}

int tok_new(const struct gguf *g, struct tok **out, struct err *e)
{
    struct err local;
    if (!e) e = &local;
    struct tok *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    int rc = load(t, g, e);
    if (rc) tok_free(t);
    else *out = t;
    return rc;
}

void tok_free(struct tok *t)
{
    if (!t) return;
    for (unsigned i = 0; i < TOK_PRE_STAGES; i++) tok_re_free(t->stage[i]);
    mem_free(t->text);
    mem_free(t->off);
    mem_free(t->attr);
    mem_free(t->score);
    mem_free(t->slot);
    mem_free(t->merge);
    mem_free(t->charsmap);
    mem_free(t->prefix_set);
    mem_free(t->special);
    mem_free(t->pair_set);
    mem_free(t);
}
