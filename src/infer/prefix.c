/* Prefixes that are kept on purpose (pages.h): pinned ones, and those at whose end there is a recurrent state. Owns
 * the list of them. Not locked: one thread, that of the pages.
 *
 *     tree      keys and values of every token that was left, by pages
 *     prefix    tokens [n]     pinned: its nodes, which stay            a recurrent family: the state after token n
 *
 * A recurrent state (qwen35, lfm2) cannot be cut: it is that after exactly n tokens. So a session of such a family
 * goes on from a prefix in the list or from nothing, and the scheduler stops a prompt where a state will be wanted
 * again: at the end of what is pinned, and where the prompt leaves what an earlier one had (step.c).
 *
 * States that are not pinned are dropped in the order of use when they take more bytes than the pages. The list is
 * short, and it is looked through once a request. Read next: pages_file.c, which brings them to disk and back. */
#include "pages.h"

static size_t state_bytes(const struct infer_session *s) { return s->recurrent_floats * sizeof(float); }

struct infer_prefix *infer_prefix_find(const struct infer_pages *p, const int32_t *tokens, uint32_t n)
{
    struct infer_prefix *x = p->prefixes;
    while (x && (x->n != n || memcmp(x->tokens, tokens, n * sizeof *tokens) != 0)) x = x->next;
    return x;
}

struct infer_prefix *infer_prefix_add(struct infer_pages *p, const int32_t *tokens, uint32_t n)
{
    struct infer_prefix *x = mem_alloc(sizeof *x + n * sizeof *tokens);
    if (!x) return NULL;
    *x = (struct infer_prefix){.next = p->prefixes, .n = n, .used = p->clock};
    memcpy(x->tokens, tokens, n * sizeof *tokens);
    return p->prefixes = x;
}

static void free_prefix(struct infer_prefix *x)
{
    mem_free(x->node);
    mem_free(x->state);
    mem_free(x);
}

static void drop(struct infer_pages *p, struct infer_prefix *x)
{
    struct infer_prefix **at = &p->prefixes;
    while (*at != x) at = &(*at)->next;
    *at = x->next;
    free_prefix(x);
}

void infer_prefixes_free(struct infer_pages *p)
{
    for (struct infer_prefix *x = p->prefixes, *next; x; x = next) {
        next = x->next;
        free_prefix(x);
    }
}

/* ---- states ---- */

struct infer_prefix *infer_prefix_best(struct infer_pages *p, const int32_t *tokens, uint32_t n)
{
    struct infer_prefix *longest = NULL;
    uint32_t known = infer_pages_known(p, tokens, n);
    for (struct infer_prefix *x = p->prefixes; x; x = x->next)
        if (x->state && x->n <= known && (!longest || x->n > longest->n) &&
            memcmp(x->tokens, tokens, x->n * sizeof *tokens) == 0)
            longest = x;
    return longest;
}

/* Room for the state of one more, if need be that of those nobody has asked for longest. */
static bool make_room(struct infer_pages *p, size_t bytes)
{
    size_t most = infer_pages_bytes(p);
    if (bytes > most) return false;
    while (p->states_bytes + bytes > most) {
        struct infer_prefix *oldest = NULL;
        for (struct infer_prefix *x = p->prefixes; x; x = x->next)
            if (x->state && !x->node && (!oldest || x->used < oldest->used)) oldest = x;
        drop(p, oldest);
        p->states_bytes -= bytes; /* all states of a model have the same size */
    }
    return true;
}

void infer_prefix_leave(struct infer_session *s)
{
    struct infer_pages *p = s->pages;
    size_t bytes = state_bytes(s);
    if (!bytes || s->spoiled || s->n_past == 0) return;
    struct infer_prefix *x = infer_prefix_find(p, s->tokens, s->n_past);
    if (x && x->state) {
        x->used = p->clock;
        return;
    }
    if (!make_room(p, bytes) || !(x = infer_prefix_add(p, s->tokens, s->n_past))) return;
    if (!(x->state = mem_alloc(bytes))) {
        drop(p, x);
        return;
    }
    memcpy(x->state, s->recurrent, bytes);
    p->states_bytes += bytes;
}

/* ---- pins ---- */

/* The nodes of a prefix, held from now on. */
static bool hold(struct infer_pages *p, struct infer_prefix *x)
{
    uint32_t blocks = infer_blocks(p, x->n), fresh = 0;
    struct node **node = mem_alloc(blocks * sizeof *node);
    bool ok = node && infer_pages_path(p, x->tokens, x->n, node);
    for (uint32_t i = 0; ok && i < blocks; i++) fresh += node[i]->pins == 0;
    if (!ok || p->n_pinned + fresh > p->n_pages / 2) {
        mem_free(node);
        return false;
    }
    for (uint32_t i = 0; i < blocks; i++) node[i]->pins++;
    p->n_pinned += fresh;
    x->node = node;
    return true;
}

void infer_session_pin(struct infer_session *s, uint32_t n)
{
    struct infer_pages *p = s->pages;
    size_t bytes = state_bytes(s);
    if (n == 0 || n > s->n_past) return;
    struct infer_prefix *x = infer_prefix_find(p, s->tokens, n);
    if (x && x->node) return;
    if (!x && (bytes || !(x = infer_prefix_add(p, s->tokens, n)))) return;
    if (!hold(p, x)) {
        if (!x->state && !x->unasked) drop(p, x);
        return;
    }
    p->states_bytes -= bytes;
    p->unsaved |= x->unasked == 0;
    x->unasked = 0;
}

void infer_pages_unpin(struct infer_pages *p, const int32_t *tokens, uint32_t n)
{
    struct infer_prefix *x = infer_prefix_find(p, tokens, n);
    if (!x || !x->node) return;
    for (uint32_t i = 0; i < infer_blocks(p, n); i++) p->n_pinned -= --x->node[i]->pins == 0;
    mem_free(x->node);
    x->node = NULL;
    drop(p, x);
}
