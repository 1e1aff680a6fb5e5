/* Pages of keys and values, and the radix tree of prefixes over them (infer_pages.h). Owns the slab of pages and the
 * tree's nodes. Not locked: one thread.
 *
 * A page holds INFER_PAGE_TOKENS positions of all layers (kern_ops.h draws what lies in it). refs counts the sessions
 * that hold it, and one for the tree. A node of the tree is a page and the tokens in it; only full pages have
 * children, and `claimed` says how many positions of a page the tree answers for: a session may go on writing behind
 * them.
 *
 * Finding and making room look at all nodes. Their number is that of pages, a few thousand, and it happens once a
 * request or once every INFER_PAGE_TOKENS tokens. Read next: prefix.c, what stays and where states are. */
#include "pages.h"

#include <stdlib.h>

/* ---- pages ---- */

/* Where the keys and values of each layer lie in a page; an encoder's layers take turns. */
static int place_layers(struct infer_pages *p, struct err *e)
{
    const struct model *m = p->engine->model;
    p->layer = mem_calloc(m->n_layer, sizeof *p->layer);
    if (!p->layer) return err_nomem(e, m->n_layer * sizeof *p->layer);
    size_t end = 0;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        const struct model_layer *y = &m->layer[i];
        if (y->kind != MODEL_ATTENTION) continue;
        size_t at = m->causal ? end : 0, k = infer_align64((size_t)y->n_head_kv * p->n_tokens * p->k_row);
        p->layer[i].k = at;
        p->layer[i].v = at + k;
        at += k + infer_align64((size_t)y->n_head_kv * p->n_tokens * p->v_row);
        end = at > end ? at : end;
    }
    p->page_bytes = end;
    return 0;
}

int infer_pages_make(struct infer_engine *g, uint32_t n_pages, uint32_t page_tokens, enum kern_kv kv,
                     struct infer_pages **out, struct err *e)
{
    struct infer_pages *p = mem_calloc(1, sizeof *p);
    if (!p) return err_nomem(e, sizeof *p);
    p->engine = g;
    p->kv = kv;
    p->n_tokens = page_tokens;
    p->n_pages = n_pages;
    p->k_row = kern_kv_row_bytes(kv, g->model->d_head);
    p->v_row = kern_kv_row_bytes(kv, g->model->d_head_v);
    int rc = place_layers(p, e);
    if (!rc) {
        p->slab = mem_pages(p->page_bytes * n_pages);
        p->refs = mem_calloc(n_pages, sizeof *p->refs);
        p->claimed = mem_calloc(n_pages, sizeof *p->claimed);
        p->free = mem_calloc(n_pages, sizeof *p->free);
        p->node_of = mem_calloc(n_pages, sizeof *p->node_of);
        if (!p->slab || !p->refs || !p->claimed || !p->free || !p->node_of)
            rc = err_nomem(e, p->page_bytes * n_pages);
    }
    if (rc) {
        infer_pages_free(p);
        return rc;
    }
    for (uint32_t i = n_pages; i-- > 0;) p->free[p->n_free++] = i; /* the first page is taken first */
    *out = p;
    return 0;
}

int infer_pages_new(struct infer_engine *g, uint32_t n_tokens, enum infer_kv kv, struct infer_pages **out,
                    struct err *e)
{
    if (!g->model->causal) return ERR(e, USAGE, "An encoder keeps no prefixes.");
    enum kern_kv form;
    int rc = infer_kv_form(g->model, kv, &form, e);
    uint32_t n = (n_tokens + INFER_PAGE_TOKENS - 1) / INFER_PAGE_TOKENS;
    return rc ? rc : infer_pages_make(g, n ? n : 1, INFER_PAGE_TOKENS, form, out, e);
}

static void free_nodes(struct node *n)
{
    while (n) {
        struct node *next = n->next;
        free_nodes(n->child);
        mem_free(n);
        n = next;
    }
}

void infer_pages_free(struct infer_pages *p)
{
    if (!p) return;
    infer_prefixes_free(p);
    free_nodes(p->root);
    mem_pages_free(p->slab, p->page_bytes * p->n_pages);
    mem_free(p->layer);
    mem_free(p->refs);
    mem_free(p->claimed);
    mem_free(p->free);
    mem_free(p->node_of);
    mem_free(p);
}

size_t infer_pages_bytes(const struct infer_pages *p) { return p->page_bytes * p->n_pages; }

void infer_pages_count(const struct infer_pages *p, uint32_t *out_all, uint32_t *out_used, uint32_t *out_kept)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->n_pages; i++) kept += p->node_of[i] && p->refs[i] == 1;
    *out_all = p->n_pages;
    *out_used = p->n_pages - p->n_free - kept;
    *out_kept = kept;
}

void infer_pages_release(struct infer_pages *p, uint32_t page)
{
    if (--p->refs[page] == 0) p->free[p->n_free++] = page;
}

/* ---- the tree ---- */

static struct node **siblings(struct infer_pages *p, struct node *parent)
{
    return parent ? &parent->child : &p->root;
}

static uint32_t common(const struct node *n, const int32_t *tokens, uint32_t m)
{
    uint32_t i = 0;
    while (i < n->n && i < m && n->tokens[i] == tokens[i]) i++;
    return i;
}

/* The child of `parent` that agrees longest with tokens [m]. */
static struct node *best(struct infer_pages *p, struct node *parent, const int32_t *tokens, uint32_t m,
                         uint32_t *out_n)
{
    struct node *found = NULL;
    *out_n = 0;
    for (struct node *c = *siblings(p, parent); c; c = c->next) {
        uint32_t n = common(c, tokens, m);
        if (n > *out_n) found = c, *out_n = n;
    }
    return found;
}

uint32_t infer_pages_known(struct infer_pages *p, const int32_t *tokens, uint32_t n)
{
    uint32_t at = 0, m = p->n_tokens;
    for (struct node *node = NULL; at < n && m == p->n_tokens; at += m)
        if (!(node = best(p, node, tokens + at, n - at, &m))) break;
    return at;
}

bool infer_pages_path(struct infer_pages *p, const int32_t *tokens, uint32_t n, struct node **node)
{
    struct node *parent = NULL;
    for (uint32_t at = 0, m; at < n; at += p->n_tokens, parent = *node++) {
        uint32_t left = n - at < p->n_tokens ? n - at : p->n_tokens;
        *node = best(p, parent, tokens + at, left, &m);
        if (!*node || m < left) return false;
    }
    return true;
}

/* A leaf leaves the tree, and its page with it unless a session holds it. */
static void evict(struct infer_pages *p, struct node *n)
{
    struct node **at = siblings(p, n->parent);
    while (*at != n) at = &(*at)->next;
    *at = n->next;
    p->node_of[n->page] = NULL;
    p->claimed[n->page] = 0;
    infer_pages_release(p, n->page);
    mem_free(n);
}

/* A free page, if need be one that only the tree holds and nobody has asked for longest. False: there is none. */
static bool take(struct infer_pages *p, uint32_t *out)
{
    while (p->n_free == 0) {
        struct node *oldest = NULL;
        for (uint32_t i = 0; i < p->n_pages; i++) {
            struct node *n = p->node_of[i];
            if (n && !n->child && !n->pins && p->refs[i] == 1 && (!oldest || n->used < oldest->used)) oldest = n;
        }
        if (!oldest) return false;
        evict(p, oldest);
    }
    *out = p->free[--p->n_free];
    p->refs[*out] = 1;
    return true;
}

/* Positions [0, n) of a page, to another: keys by whole strips, values by rows. */
static void copy(const struct infer_pages *p, uint32_t to, uint32_t from, uint32_t n)
{
    const struct model *m = p->engine->model;
    size_t strips = (n + KERN_KV_STRIP - 1) / KERN_KV_STRIP;
    for (uint32_t i = 0; i < m->n_layer; i++) {
        if (m->layer[i].kind != MODEL_ATTENTION) continue;
        for (uint32_t h = 0; h < m->layer[i].n_head_kv; h++) {
            size_t k = p->layer[i].k + (size_t)h * p->n_tokens * p->k_row;
            size_t v = p->layer[i].v + (size_t)h * p->n_tokens * p->v_row;
            memcpy(infer_page_at(p, to) + k, infer_page_at(p, from) + k, strips * KERN_KV_STRIP * p->k_row);
            memcpy(infer_page_at(p, to) + v, infer_page_at(p, from) + v, n * p->v_row);
        }
    }
}

/* ---- sessions ---- */

static void bind(struct infer_session *s, uint32_t page)
{
    s->page[s->n_pages] = page;
    s->block[s->n_pages++] = infer_page_at(s->pages, page);
}

/* Hold all pages there are. */
void infer_session_bind_all(struct infer_session *s)
{
    uint32_t page;
    while (take(s->pages, &page)) bind(s, page);
}

/* Hold no more pages than n tokens need. */
void infer_session_unbind(struct infer_session *s, uint32_t n)
{
    uint32_t keep = (n + s->pages->n_tokens - 1) / s->pages->n_tokens;
    while (s->n_pages > keep) infer_pages_release(s->pages, s->page[--s->n_pages]);
}

/* Take the first n tokens, as many as there is room for. */
static void share(struct infer_session *s, const int32_t *tokens, uint32_t n)
{
    struct infer_pages *p = s->pages;
    struct node *node = NULL;
    for (uint32_t m = p->n_tokens; s->n_past < n && m == p->n_tokens;) {
        uint32_t page;
        struct node *c = best(p, node, tokens + s->n_past, n - s->n_past, &m);
        if (!c) break;
        c->used = p->clock;
        p->refs[c->page]++; /* making room must not take it */
        if (m == p->n_tokens) {
            bind(s, c->page);
        } else {
            bool room = take(p, &page);
            if (room) copy(p, page, c->page, m), bind(s, page);
            infer_pages_release(p, c->page);
            if (!room) break;
        }
        memcpy(s->tokens + s->n_past, tokens + s->n_past, m * sizeof *tokens);
        s->n_past += m;
        node = c;
    }
}

uint32_t infer_session_adopt(struct infer_session *s, const int32_t *tokens, uint32_t n)
{
    struct infer_pages *p = s->pages;
    struct err never;
    if (s->n_past || s->n_pages || n < 2) return 0;
    n = (n < s->n_ctx ? n : s->n_ctx) - 1;
    p->clock++;
    if (!infer_session_is_recurrent(s)) {
        share(s, tokens, n);
        return s->n_past;
    }
    struct infer_prefix *x = infer_prefix_best(p, tokens, n);
    if (!x) return 0;
    x->used = p->clock;
    memcpy(s->recurrent, x->state, s->recurrent_floats * sizeof *s->recurrent);
    share(s, tokens, x->n);
    if (s->n_past != x->n && infer_session_truncate(s, 0, &never)) return 0; /* a state fits its own length alone */
    return s->n_past;
}

/* The page that the next token goes to must be the session's alone where it will write. */
static bool own_last(struct infer_session *s)
{
    struct infer_pages *p = s->pages;
    uint32_t b = s->n_past / p->n_tokens, n = s->n_past % p->n_tokens, page, old;
    if (b >= s->n_pages || n >= p->claimed[s->page[b]]) return true;
    old = s->page[b];
    if (!take(p, &page)) return false;
    copy(p, page, old, n);
    infer_pages_release(p, old);
    s->page[b] = page;
    s->block[b] = infer_page_at(p, page);
    return true;
}

int infer_session_grow(struct infer_session *s, uint32_t n, struct err *e)
{
    struct infer_pages *p = s->pages;
    uint32_t page, need = s->n_past + n;
    if (n > s->n_ctx - s->n_past)
        return ERR(e, NO_ROOM, "%u tokens do not fit: the context of %u has room for %u.", n, s->n_ctx,
                   s->n_ctx - s->n_past);
    bool ok = own_last(s);
    while (ok && (uint64_t)s->n_pages * p->n_tokens < need)
        if ((ok = take(p, &page))) bind(s, page);
    return ok ? 0 : ERR(e, NO_ROOM, "All %u pages of the cache are in use.", p->n_pages);
}

/* Tokens [m] at block b of a session become a node, or more of one, or are known already. NULL: no memory. */
static struct node *insert(struct infer_session *s, struct node *parent, uint32_t b, uint32_t m)
{
    struct infer_pages *p = s->pages;
    const int32_t *tokens = s->tokens + (size_t)b * p->n_tokens;
    uint32_t same, page = s->page[b];
    struct node *n = best(p, parent, tokens, m, &same);
    if (n && same == m) return n;
    if (p->node_of[page])
        n = p->node_of[page]; /* left earlier, with fewer tokens */
    else if (!n || same < n->n) {
        n = mem_alloc(sizeof *n + p->n_tokens * sizeof *tokens);
        if (!n) return NULL;
        *n = (struct node){.parent = parent, .next = *siblings(p, parent), .page = page};
        *siblings(p, parent) = n;
        p->refs[page]++;
    } else { /* n is the beginning of this */
        p->node_of[n->page] = NULL;
        p->claimed[n->page] = 0;
        infer_pages_release(p, n->page);
        n->page = page;
        p->refs[page]++;
    }
    memcpy(n->tokens, tokens, m * sizeof *tokens);
    n->n = p->claimed[page] = m;
    p->node_of[page] = n;
    return n;
}

void infer_pages_leave(struct infer_session *s)
{
    struct infer_pages *p = s->pages;
    struct node *n = NULL;
    p->clock++;
    for (uint32_t b = 0, at = 0; at < s->n_past; b++, at += p->n_tokens) {
        uint32_t m = s->n_past - at < p->n_tokens ? s->n_past - at : p->n_tokens;
        if (!(n = insert(s, n, b, m))) return;
        n->used = p->clock;
    }
}

void infer_session_leave(struct infer_session *s)
{
    infer_pages_leave(s);
    infer_prefix_leave(s);
}
