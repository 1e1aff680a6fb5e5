/* Pinned prefixes in a file. All numbers are little-endian, as every machine here has them; nothing is aligned.
 *
 *     off  size
 *       0     8  "CROFTPRE"
 *       8     4  version: 2
 *      12     4  n_prefixes
 *      16     8  size of the file
 *      24    64  the weights: their fingerprint (model_gguf.h), in hexadecimal
 *      88    64  the form: SHA-256 of what `form_of` writes about cache, kernels and program, in hexadecimal
 *     152        n_prefixes times:  u32 n_tokens
 *                                   u32 unasked         (struct infer_prefix)
 *                                   i32 token[n_tokens]
 *                                   f32 state[]         of recurrent families: after the last token
 *                                   blocks: INFER_PAGE_TOKENS tokens each, the last one what is left: m
 *                block: of each attention layer, of each head of keys and values:
 *                                   keys   ceil(m/16) strips; the places of tokens from m on are zero
 *                                   values m rows       (kern_ops.h draws strips and rows)
 *     size-64 64  SHA-256 of everything before, in hexadecimal
 *
 * A page of the cache goes on behind a prefix with what others have asked; that never gets here: of the last strip,
 * keys are copied place by place. The checksum is against damage, not against an enemy, who could write a new one:
 * whoever can write this file can change answers, as whoever can write the weights can.
 *
 * Writing holds the pages it reads, so it may happen on a thread of its own while the scheduler goes on: what is
 * pinned is never written to again. Reading checks everything before it takes anything. Next to read:
 * schedule_keep.c. */
#include "pages.h"
#include "base_sha256.h"
#include "plat_file.h"

#include <errno.h>

enum { VERSION = 2, HEX = 64, HEAD = 152, UNASKED_MAX = 8 };
static const char magic[] = "CROFTPRE";

/* ---- the form ---- */

/* What two programs must have in common so that one can go on from what the other computed, bit for bit. */
static int form_of(const struct infer_pages *p, char out[HEX + 1], struct err *e)
{
    const struct infer_engine *g = p->engine;
    struct sha256 *s = sha256_new();
    char text[256];
    if (!s) return err_nomem(e, 0);
    int n =
        snprintf(text, sizeof text, "croft %s level %s invariant %d kv %d rows %zu %zu page %u strip %d",
                 CROFT_VERSION, g->ops->level, g->invariant, p->kv, p->k_row, p->v_row, p->n_tokens, KERN_KV_STRIP);
    sha256_add(s, text, (size_t)n);
    for (uint32_t i = 0; i < g->model->n_layer; i++) {
        const struct model_layer *y = &g->model->layer[i];
        n = snprintf(text, sizeof text, " layer %d %u", y->kind, y->n_head_kv);
        sha256_add(s, text, (size_t)n);
    }
    sha256_hex(s, out);
    return 0;
}

static uint32_t strips(uint32_t n) { return (n + KERN_KV_STRIP - 1) / KERN_KV_STRIP; }

static uint32_t heads_of(const struct infer_pages *p, uint32_t layer)
{
    const struct model_layer *y = &p->engine->model->layer[layer];
    return y->kind == MODEL_ATTENTION ? y->n_head_kv : 0;
}

/* Tokens of a prefix of n in the block that begins at token `at`. */
static uint32_t tokens_of(const struct infer_pages *p, uint32_t n, uint32_t at)
{
    return n - at < p->n_tokens ? n - at : p->n_tokens;
}

/* Bytes in the file: of a block of m tokens; of a prefix. */
static uint64_t block_bytes(const struct infer_pages *p, uint32_t m)
{
    uint64_t heads = 0;
    for (uint32_t i = 0; i < p->engine->model->n_layer; i++) heads += heads_of(p, i);
    return heads * ((uint64_t)strips(m) * KERN_KV_STRIP * p->k_row + m * p->v_row);
}

static uint64_t record_bytes(const struct infer_pages *p, uint32_t n)
{
    uint64_t bytes = 8 + (uint64_t)n * sizeof(int32_t) + infer_state_bytes(p->engine->model);
    return bytes + n / p->n_tokens * block_bytes(p, p->n_tokens) + block_bytes(p, n % p->n_tokens);
}

/* ---- what is written ---- */

struct item {
    uint32_t n, unasked;
    int32_t *tokens;
    uint32_t *page; /* [infer_blocks(n)], held */
    float *state;
};
struct infer_image {
    struct infer_pages *pages; /* of which writing reads only what never changes, and held pages */
    size_t state_bytes;
    uint32_t n;
    struct item item[];
};

static void *copy_of(const void *from, size_t bytes)
{
    void *to = mem_alloc(bytes);
    if (to) memcpy(to, from, bytes);
    return to;
}

/* Is it to be written, and if so, where does it lie? */
static bool locate(struct infer_pages *p, const struct infer_prefix *x, struct node **node)
{
    if (x->node) memcpy(node, x->node, infer_blocks(p, x->n) * sizeof(struct node *));
    return x->node || (x->unasked && x->unasked < UNASKED_MAX && infer_pages_path(p, x->tokens, x->n, node));
}

static int take(struct infer_image *m, const struct infer_prefix *x, struct node **node, struct err *e)
{
    struct infer_pages *p = m->pages;
    struct item *it = &m->item[m->n++];
    uint32_t blocks = infer_blocks(p, x->n);
    *it = (struct item){.n = x->n, .unasked = x->unasked};
    it->tokens = copy_of(x->tokens, x->n * sizeof *x->tokens);
    if (m->state_bytes) it->state = copy_of(x->state, m->state_bytes);
    it->page = mem_alloc(blocks * sizeof *it->page);
    if (!it->tokens || (m->state_bytes && !it->state) || !it->page) {
        mem_free(it->page);
        it->page = NULL;
        return err_nomem(e, m->state_bytes);
    }
    for (uint32_t i = 0; i < blocks; i++) p->refs[it->page[i] = node[i]->page]++;
    return 0;
}

int infer_image_new(struct infer_pages *p, struct infer_image **out, struct err *e)
{
    uint32_t n = 0;
    for (struct infer_prefix *x = p->prefixes; x; x = x->next) n++;
    struct infer_image *m = mem_calloc(1, sizeof *m + n * sizeof *m->item);
    struct node **node = mem_alloc(p->n_pages * sizeof *node);
    int rc = m && node ? 0 : err_nomem(e, sizeof *m + n * sizeof *m->item);
    if (m) {
        m->pages = p;
        m->state_bytes = infer_state_bytes(p->engine->model);
    }
    for (struct infer_prefix *x = p->prefixes; x && !rc; x = x->next)
        if (locate(p, x, node)) rc = take(m, x, node, e);
    mem_free(node);
    if (rc)
        infer_image_free(m);
    else
        *out = m;
    return rc;
}

void infer_image_free(struct infer_image *m)
{
    for (uint32_t k = 0; m && k < m->n; k++) {
        struct item *it = &m->item[k];
        for (uint32_t i = 0; it->page && i < infer_blocks(m->pages, it->n); i++)
            infer_pages_release(m->pages, it->page[i]);
        mem_free(it->tokens);
        mem_free(it->page);
        mem_free(it->state);
    }
    mem_free(m);
}

/* ---- writing ---- */

struct out {
    struct plat_new file;
    struct sha256 *sha;
    char *strip;
    int rc; /* of the first failure, after which nothing more is written */
};

static void add(struct out *o, const void *data, size_t n)
{
    if (o->rc) return;
    sha256_add(o->sha, data, n);
    o->rc = plat_new_add(&o->file, data, n);
}
static void add_u32(struct out *o, uint32_t v) { add(o, &v, sizeof v); }

/* Places [0, n) of `groups` times KERN_KV_STRIP elements of `size` bytes; the others become zero. */
static void places(char **to, const char **from, size_t groups, size_t size, uint32_t n)
{
    for (size_t i = 0; i < groups; i++, *to += KERN_KV_STRIP * size, *from += KERN_KV_STRIP * size) {
        memcpy(*to, *from, n * size);
        memset(*to + n * size, 0, (KERN_KV_STRIP - n) * size);
    }
}

/* A strip of which only the first n places are known. */
static void part_of_strip(const struct infer_pages *p, char *to, const char *from, uint32_t n)
{
    if (p->kv != KERN_KV_Q8_0) {
        size_t size = p->kv == KERN_KV_F16 ? 2 : 4;
        places(&to, &from, p->k_row / size, size, n);
        return;
    }
    for (uint32_t d = 0; d < p->engine->model->d_head; d += 32) {
        places(&to, &from, 1, 2, n);
        places(&to, &from, 32, 1, n);
    }
}

static void add_block(struct out *o, const struct infer_pages *p, const char *page, uint32_t n)
{
    size_t strip = KERN_KV_STRIP * p->k_row, whole = n / KERN_KV_STRIP;
    for (uint32_t i = 0; i < p->engine->model->n_layer; i++)
        for (uint32_t h = 0; h < heads_of(p, i); h++) {
            const char *k = page + p->layer[i].k + (size_t)h * p->n_tokens * p->k_row;
            add(o, k, whole * strip);
            if (n % KERN_KV_STRIP) {
                part_of_strip(p, o->strip, k + whole * strip, n % KERN_KV_STRIP);
                add(o, o->strip, strip);
            }
            add(o, page + p->layer[i].v + (size_t)h * p->n_tokens * p->v_row, n * p->v_row);
        }
}

static void add_item(struct out *o, const struct infer_image *m, const struct item *it)
{
    const struct infer_pages *p = m->pages;
    add_u32(o, it->n);
    add_u32(o, it->unasked);
    add(o, it->tokens, it->n * sizeof *it->tokens);
    if (it->state) add(o, it->state, m->state_bytes);
    for (uint32_t at = 0, b = 0; at < it->n; at += p->n_tokens, b++)
        add_block(o, p, infer_page_at(p, it->page[b]), tokens_of(p, it->n, at));
}

static void add_all(struct out *o, const struct infer_image *m, const char *weights, const char *form)
{
    uint64_t size = HEAD + HEX;
    for (uint32_t i = 0; i < m->n; i++) size += record_bytes(m->pages, m->item[i].n);
    add(o, magic, 8);
    add_u32(o, VERSION);
    add_u32(o, m->n);
    add(o, &size, sizeof size);
    add(o, weights, HEX);
    add(o, form, HEX);
    for (uint32_t i = 0; i < m->n; i++) add_item(o, m, &m->item[i]);
}

int infer_image_write(const struct infer_image *m, const char *path, struct err *e)
{
    const struct infer_pages *p = m->pages;
    char weights[HEX + 1], form[HEX + 1], sum[HEX + 1];
    int rc = gguf_fingerprint(p->engine->gguf, weights, e);
    if (!rc) rc = form_of(p, form, e);
    if (rc) return rc;
    struct out o = {.strip = mem_alloc(KERN_KV_STRIP * p->k_row), .sha = sha256_new()};
    if (!o.strip || !o.sha) {
        mem_free(o.strip);
        sha256_free(o.sha);
        return err_nomem(e, KERN_KV_STRIP * p->k_row);
    }
    if ((rc = plat_new_begin(&o.file, path, 0600)) == 0) {
        add_all(&o, m, weights, form);
        sha256_hex(o.sha, sum);
        o.sha = NULL;
        rc = o.rc ? o.rc : plat_new_add(&o.file, sum, HEX);
        if (rc)
            plat_new_abort(&o.file);
        else
            rc = plat_new_end(&o.file);
    }
    mem_free(o.strip);
    sha256_free(o.sha);
    return rc ? err_errno(e, -rc, "write", path) : 0;
}

int infer_pages_save(struct infer_pages *p, const char *path, struct err *e)
{
    struct infer_image *m = NULL;
    int rc = infer_image_new(p, &m, e);
    if (!rc) rc = infer_image_write(m, path, e);
    infer_image_free(m);
    if (!rc) p->unsaved = false;
    return rc;
}

/* ---- reading ---- */

struct record {
    uint32_t n, unasked;
    const char *tokens, *state, *blocks;
};

static uint32_t u32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint64_t u64_at(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static int damaged(struct err *e, const char *how) { return ERR(e, FORMAT, "It is damaged: %s.", how); }

/* Is it a whole file of this kind, for these weights and this form? */
static int check_frame(const struct infer_pages *p, const char *data, size_t size, struct err *e)
{
    char weights[HEX + 1], form[HEX + 1], sum[HEX + 1];
    if (size < HEAD + HEX || memcmp(data, magic, 8) != 0 || u32_at(data + 8) != VERSION)
        return ERR(e, FORMAT, "It is no file of prefixes of this version.");
    if (u64_at(data + 16) != size) return damaged(e, "its size is another than it says");
    int rc = gguf_fingerprint(p->engine->gguf, weights, e);
    if (!rc) rc = form_of(p, form, e);
    if (rc) return rc;
    if (memcmp(data + 24, weights, HEX) != 0) return ERR(e, DIGEST, "It was made by another model.");
    if (memcmp(data + 24 + HEX, form, HEX) != 0)
        return ERR(e, DIGEST, "It was made with another cache type or kernel level, or by another version of Croft.");
    struct sha256 *s = sha256_new();
    if (!s) return err_nomem(e, 0);
    sha256_add(s, data, size - HEX);
    sha256_hex(s, sum);
    return memcmp(data + size - HEX, sum, HEX) == 0 ? 0 : damaged(e, "its checksum is wrong");
}

/* The record at *at, which must lie before `end`; *at is then behind it. */
static int read_record(const struct infer_pages *p, const char **at, const char *end, struct record *out,
                       struct err *e)
{
    size_t left = (size_t)(end - *at), state_bytes = infer_state_bytes(p->engine->model);
    if (left < 8) return damaged(e, "it ends too early");
    struct record r = {.n = u32_at(*at), .unasked = u32_at(*at + 4)};
    if (r.n == 0 || r.n > left / sizeof(int32_t) || record_bytes(p, r.n) > left)
        return damaged(e, "a prefix is longer than the file");
    r.tokens = *at + 8;
    r.state = r.tokens + r.n * sizeof(int32_t);
    r.blocks = r.state + state_bytes;
    for (uint32_t i = 0; i < r.n; i++)
        if (u32_at(r.tokens + i * sizeof(int32_t)) >= p->engine->model->n_vocab)
            return damaged(e, "it has tokens that are not in the vocabulary");
    *at += record_bytes(p, r.n);
    *out = r;
    return 0;
}

/* Keys and values of n positions from `from` to a page; returns where they end. */
static const char *fill_page(const struct infer_pages *p, char *page, const char *from, uint32_t n)
{
    for (uint32_t i = 0; i < p->engine->model->n_layer; i++)
        for (uint32_t h = 0; h < heads_of(p, i); h++) {
            size_t k = strips(n) * KERN_KV_STRIP * p->k_row, v = n * p->v_row;
            memcpy(page + p->layer[i].k + (size_t)h * p->n_tokens * p->k_row, from, k);
            memcpy(page + p->layer[i].v + (size_t)h * p->n_tokens * p->v_row, from + k, v);
            from += k + v;
        }
    return from;
}

/* A record becomes what a session would have left that had evaluated it. */
static int put(struct infer_session *s, const struct record *r, struct err *e)
{
    struct infer_pages *p = s->pages;
    int32_t *tokens = mem_alloc(r->n * sizeof *tokens);
    if (!tokens) return err_nomem(e, r->n * sizeof *tokens);
    memcpy(tokens, r->tokens, r->n * sizeof *tokens);
    uint32_t had = infer_session_adopt(s, tokens, r->n);
    int rc = infer_session_grow(s, r->n - had, e);
    const char *from = r->blocks;
    for (uint32_t b = 0, at = 0; !rc && at < r->n; b++, at += p->n_tokens) {
        uint32_t m = tokens_of(p, r->n, at);
        if (at + m > had)
            from = fill_page(p, s->block[b], from, m);
        else
            from += block_bytes(p, m);
    }
    if (!rc) {
        memcpy(s->tokens, tokens, r->n * sizeof *tokens);
        if (s->recurrent_floats) memcpy(s->recurrent, r->state, s->recurrent_floats * sizeof(float));
        s->n_past = r->n;
        infer_session_leave(s);
        struct infer_prefix *x = infer_prefix_find(p, tokens, r->n);
        if (!x && !s->recurrent_floats) x = infer_prefix_add(p, tokens, r->n);
        if (x) x->unasked = r->unasked < UNASKED_MAX ? r->unasked + 1 : UNASKED_MAX;
    }
    mem_free(tokens);
    int back = infer_session_truncate(s, 0, rc ? NULL : e);
    return rc ? rc : back;
}

/* All records are looked at before the first is taken. Those that are too long for the context, or for the half of
 * the pages that may be pinned, are left out. */
static int read_all(struct infer_session *s, const char *data, size_t size, bool only_check, uint32_t *out_tokens,
                    struct err *e)
{
    struct infer_pages *p = s->pages;
    const char *at = data + HEAD, *end = data + size - HEX;
    uint32_t room = p->n_pages / 2;
    for (uint32_t i = 0; i < u32_at(data + 12); i++) {
        struct record r;
        int rc = read_record(p, &at, end, &r, e);
        if (rc) return rc;
        if (only_check || r.n > s->n_ctx || infer_blocks(p, r.n) > room) continue;
        if ((rc = put(s, &r, e))) return rc;
        room -= infer_blocks(p, r.n);
        *out_tokens += r.n;
    }
    return at == end ? 0 : damaged(e, "something follows its last prefix");
}

int infer_pages_load_bytes(struct infer_pages *p, const void *data, size_t size, uint32_t n_ctx, uint32_t *out_tokens,
                           struct err *e)
{
    struct infer_session_params sp = {.n_ctx = n_ctx, .pages = p};
    struct infer_session *s = NULL;
    uint32_t n = 0;
    int rc = check_frame(p, data, size, e);
    if (!rc) rc = infer_session_new(p->engine, &sp, &s, e);
    if (!rc) rc = read_all(s, data, size, true, &n, e);
    if (!rc) rc = read_all(s, data, size, false, &n, e);
    infer_session_free(s);
    if (!rc) *out_tokens = n;
    return rc;
}

int infer_pages_load(struct infer_pages *p, const char *path, uint32_t n_ctx, uint32_t *out_tokens, struct err *e)
{
    struct plat_map map;
    int rc = plat_map_open(&map, path);
    if (rc == -ENOENT) return ERR(e, NOT_FOUND, "There is no file of prefixes '%s'.", path);
    if (rc) return err_errno(e, -rc, "read", path);
    rc = infer_pages_load_bytes(p, map.data, map.size, n_ctx, out_tokens, e);
    plat_map_close(&map);
    return rc;
}
