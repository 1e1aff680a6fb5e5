/* The automaton: where a text can stand in the nodes, found on demand.
 *
 *   frame   one thing left to match, and the frame of what follows it: a stack is a frame with all below. Frames are
 *           hash-consed, so equal stacks are one number.
 *             {SEQ n, next kid k} → …    {REP n, at least a, at most b more times} → …    {node n} → …   0: the end
 *   kernel  the stacks in which a text may stand, sorted: the identity of a state
 *   state   the kernel opened up (closure) until every stack has a class of bytes on top
 *
 * Byte b: of every stack whose top class has b, what is below is the next kernel. The last kid of a sequence leaves
 * no frame behind (a tail call), so that right recursion needs no depth, and counts without an upper bound stop at
 * their lower one: the states of a grammar without true nesting are finite.
 *
 * A node is entered only when its flattest text (need) still fits below GRAM_MAX_DEPTH: nesting is bounded, and a
 * state never lacks a way to its end. One thread at a time (the lock of infer_grammar). Next: gram_mask.c. */
#include "gram.h"

#include "base_mem.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

int gram_auto_error(int64_t code, struct err *e)
{
    if (code == CROFT_E_NOMEM) return err_nomem(e, sizeof(struct gram_state));
    return ERR(e, LIMIT, "The text can be read in too many ways at once: the grammar is too ambiguous.");
}

int gram_auto_init(struct gram_auto *a, const struct gram_nodes *g)
{
    *a = (struct gram_auto){.g = g, .n_frame = 1, .n_state = 1, .n_frame_slot = 64, .n_state_slot = 64};
    a->frame_slot = mem_calloc(a->n_frame_slot, sizeof *a->frame_slot);
    a->state_slot = mem_calloc(a->n_state_slot, sizeof *a->state_slot);
    int rc = a->frame_slot && a->state_slot ? 0 : CROFT_E_NOMEM;
    if (!rc) rc = gram_grow(&a->frame, &a->cap_frame, 1, sizeof *a->frame);
    if (!rc) rc = gram_grow(&a->state, &a->cap_state, 1, sizeof *a->state);
    if (rc) {
        gram_auto_done(a);
        return rc;
    }
    a->frame[0] = (struct gram_frame){0};
    a->state[0] = (struct gram_state){.forced = -1};
    return 0;
}

void gram_auto_done(struct gram_auto *a)
{
    for (size_t i = 0; a->state && i < a->n_state; i++) {
        mem_free(a->state[i].table);
        mem_free(a->state[i].mask);
        mem_free(a->state[i].rest);
    }
    mem_free(a->frame);
    mem_free(a->state);
    mem_free(a->pool);
    mem_free(a->stack);
    mem_free(a->loop);
    mem_free(a->frame_slot);
    mem_free(a->state_slot);
    mem_free(a->work);
    mem_free(a->kern);
    *a = (struct gram_auto){0};
}

size_t gram_auto_bytes(const struct gram_auto *a)
{
    return a->bytes + a->cap_frame * sizeof *a->frame + a->cap_state * sizeof *a->state +
           a->cap_pool * sizeof *a->pool + a->cap_stack * sizeof *a->stack + a->cap_loop * sizeof *a->loop +
           (a->n_frame_slot + a->n_state_slot) * sizeof(uint32_t);
}

/* ---- frames ---- */

static uint64_t frame_hash(const struct gram_frame *f)
{
    return mix(mix((uint64_t)f->node << 32 | f->next, f->a), f->b);
}

static int frames_rehash(struct gram_auto *a)
{
    size_t n = a->n_frame_slot * 2;
    uint32_t *slot = mem_calloc(n, sizeof *slot);
    if (!slot) return CROFT_E_NOMEM;
    for (size_t i = 1; i < a->n_frame; i++) {
        size_t k = frame_hash(&a->frame[i]) & (n - 1);
        a->frame[i].chain = slot[k];
        slot[k] = (uint32_t)i;
    }
    mem_free(a->frame_slot);
    a->frame_slot = slot;
    a->n_frame_slot = n;
    return 0;
}

static int64_t frame_get(struct gram_auto *a, uint32_t node, uint32_t x, uint32_t y, uint32_t next)
{
    struct gram_frame f = {.node = node, .a = x, .b = y, .next = next, .depth = (uint16_t)(a->frame[next].depth + 1)};
    size_t k = frame_hash(&f) & (a->n_frame_slot - 1);
    for (uint32_t i = a->frame_slot[k]; i; i = a->frame[i].chain) {
        const struct gram_frame *o = &a->frame[i];
        if (o->node == node && o->next == next && o->a == x && o->b == y) return i;
    }
    if (a->n_frame >= INT32_MAX) return CROFT_E_NOMEM;
    if (a->n_frame > a->n_frame_slot) {
        if (frames_rehash(a)) return CROFT_E_NOMEM;
        k = frame_hash(&f) & (a->n_frame_slot - 1);
    }
    if (gram_grow(&a->frame, &a->cap_frame, a->n_frame + 1, sizeof *a->frame)) return CROFT_E_NOMEM;
    f.chain = a->frame_slot[k];
    a->frame_slot[k] = (uint32_t)a->n_frame;
    a->frame[a->n_frame] = f;
    return (int64_t)a->n_frame++;
}

/* A node on top of `next`, as it is when nothing of it is matched. */
static int64_t frame_of(struct gram_auto *a, uint32_t node, uint32_t next)
{
    const struct gram_node *x = &a->g->node[node];
    if (x->op == GRAM_REP) return frame_get(a, node, a->g->node[x->a].nullable ? 0 : x->b, x->c, next);
    return frame_get(a, node, 0, 0, next);
}

/* ---- closure ---- */

struct closure {
    struct gram_auto *a;
    struct gram_state *s; /* filled in */
    size_t n_work;        /* a->work: frames to open */
    size_t first_stack, first_loop;
    uint32_t skip_chars, skip_next; /* gram_auto_exclusive: leave this set out */
    int code;
};

static void push(struct closure *c, int64_t frame)
{
    struct gram_auto *a = c->a;
    if (c->code) return;
    if (frame < 0) {
        c->code = (int)frame;
        return;
    }
    if (frame == 0) {
        c->s->accept = true;
        return;
    }
    if (a->frame[frame].mark == a->epoch) return;
    a->frame[frame].mark = a->epoch;
    if (c->n_work >= 64 * GRAM_MAX_STACKS)
        c->code = CROFT_E_LIMIT;
    else if (gram_grow(&a->work, &a->cap_work, c->n_work + 1, sizeof *a->work))
        c->code = CROFT_E_NOMEM;
    else
        a->work[c->n_work++] = (uint32_t)frame;
}

/* A node on top of next: classes are stacks of the state, the rest becomes frames to open. */
static void enter(struct closure *c, uint32_t node, uint32_t next)
{
    struct gram_auto *a = c->a;
    const struct gram_node *x = &a->g->node[node];
    if (c->code || a->frame[next].depth + x->need > GRAM_MAX_DEPTH) return; /* also: no text at all */
    if (x->op == GRAM_EMPTY) {
        push(c, next);
    } else if (x->op != GRAM_CLASS) {
        push(c, frame_of(a, node, next));
    } else if (a->n_stack - c->first_stack >= GRAM_MAX_STACKS) {
        c->code = CROFT_E_LIMIT;
    } else if (gram_grow(&a->stack, &a->cap_stack, a->n_stack + 1, sizeof *a->stack)) {
        c->code = CROFT_E_NOMEM;
    } else {
        a->stack[a->n_stack++] = (uint64_t)x->a << 32 | next;
        for (int i = 0; i < 4; i++) c->s->first[i] |= a->g->set[x->a][i];
    }
}

/* Is there a repetition that was opened here already and allows at least as much? */
static bool subsumed(const struct closure *c, const struct gram_frame *f)
{
    const struct gram_auto *a = c->a;
    for (size_t i = c->first_loop; i < a->n_loop; i++) {
        const struct gram_frame *o = &a->frame[a->loop[i].frame];
        if (o->node == f->node && o->next == f->next && o->a == 0 && o->b > f->b) return true;
    }
    return false;
}

/* The set of characters that a repetition repeats, alone or as one way of several; 0 if none. */
static uint32_t chars_of(const struct gram_nodes *g, uint32_t node)
{
    const struct gram_node *x = &g->node[node];
    if (x->op == GRAM_CHARS) return node;
    for (uint32_t i = 0; x->op == GRAM_ALT && i < x->b; i++)
        if (g->node[g->kid[x->a + i]].op == GRAM_CHARS) return g->kid[x->a + i];
    return 0;
}

static void open_rep(struct closure *c, uint32_t id)
{
    struct gram_auto *a = c->a;
    struct gram_frame f = a->frame[id];
    const struct gram_node *x = &a->g->node[f.node];
    if (f.a == 0 && subsumed(c, &f)) return;
    if (gram_grow(&a->loop, &a->cap_loop, a->n_loop + 1, sizeof *a->loop)) {
        c->code = CROFT_E_NOMEM;
        return;
    }
    a->loop[a->n_loop++] = (struct gram_loop){id, chars_of(a->g, x->a)};
    if (f.a == 0) push(c, f.next);
    if (f.b == 0) return;
    int64_t after = f.next;
    if (f.b > 1) after = frame_get(a, f.node, f.a ? f.a - 1 : 0, f.b == GRAM_INF ? GRAM_INF : f.b - 1, f.next);
    if (after < 0)
        c->code = (int)after;
    else
        enter(c, x->a, (uint32_t)after);
}

static void open_frame(struct closure *c, uint32_t id)
{
    struct gram_auto *a = c->a;
    struct gram_frame f = a->frame[id];
    const struct gram_node *x = &a->g->node[f.node];
    int64_t below = f.next;
    switch (x->op) {
    case GRAM_SEQ:
        if (f.a + 1 < x->b) below = frame_get(a, f.node, f.a + 1, 0, f.next);
        if (below < 0)
            c->code = (int)below;
        else
            enter(c, a->g->kid[x->a + f.a], (uint32_t)below);
        break;
    case GRAM_ALT:
        for (uint32_t i = 0; i < x->b; i++) enter(c, a->g->kid[x->a + i], f.next);
        break;
    case GRAM_CHARS:
        if (f.node != c->skip_chars || f.next != c->skip_next) enter(c, x->a, f.next);
        break;
    case GRAM_REP:
        open_rep(c, id);
        break;
    case GRAM_REF:
        enter(c, a->g->rule[x->a].body, f.next);
        break;
    default:
        break;
    }
}

static void closure(struct closure *c, const uint32_t *kernel, size_t n)
{
    struct gram_auto *a = c->a;
    c->first_stack = a->n_stack;
    c->first_loop = a->n_loop;
    if (++a->epoch == 0) {
        for (size_t i = 0; i < a->n_frame; i++) a->frame[i].mark = 0;
        a->epoch = 1;
    }
    /* Pushed last is opened first: of equal repetitions the one with more left, which was made earlier. */
    for (size_t i = n; i-- > 0;) push(c, kernel[i]);
    while (c->n_work && !c->code) {
        if (++a->spent > GRAM_MAX_WORK) c->code = CROFT_E_LIMIT;
        open_frame(c, a->work[--c->n_work]);
    }
}

/* ---- states ---- */

static uint64_t kernel_hash(const uint32_t *k, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) h = mix(h, k[i]);
    return h;
}

static int states_rehash(struct gram_auto *a)
{
    size_t n = a->n_state_slot * 2;
    uint32_t *slot = mem_calloc(n, sizeof *slot);
    if (!slot) return CROFT_E_NOMEM;
    for (size_t i = 1; i < a->n_state; i++) {
        struct gram_state *s = &a->state[i];
        size_t k = kernel_hash(a->pool + s->kernel, s->n_kernel) & (n - 1);
        s->chain = slot[k];
        slot[k] = (uint32_t)i;
    }
    mem_free(a->state_slot);
    a->state_slot = slot;
    a->n_state_slot = n;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int16_t only_byte(const struct gram_state *s)
{
    int n = 0, byte = -1;
    for (int i = 0; i < 4; i++) {
        n += __builtin_popcountll(s->first[i]);
        if (s->first[i]) byte = i * 64 + __builtin_ctzll(s->first[i]);
    }
    return (int16_t)(n == 1 && !s->accept ? byte : -1);
}

static int64_t state_new(struct gram_auto *a, const uint32_t *kernel, size_t n)
{
    if (a->n_state >= INT32_MAX) return CROFT_E_NOMEM;
    if (a->n_state > a->n_state_slot && states_rehash(a)) return CROFT_E_NOMEM;
    if (gram_grow(&a->state, &a->cap_state, a->n_state + 1, sizeof *a->state)) return CROFT_E_NOMEM;
    if (gram_grow(&a->pool, &a->cap_pool, a->n_pool + n, sizeof *a->pool)) return CROFT_E_NOMEM;
    struct gram_state s = {.kernel = (uint32_t)a->n_pool, .n_kernel = (uint32_t)n};
    struct closure c = {.a = a, .s = &s};
    memcpy(a->pool + a->n_pool, kernel, n * sizeof *kernel);
    closure(&c, a->pool + a->n_pool, n);
    if (c.code) {
        a->n_stack = c.first_stack;
        a->n_loop = c.first_loop;
        return c.code;
    }
    a->n_pool += n;
    s.stack = (uint32_t)c.first_stack;
    s.n_stack = (uint32_t)(a->n_stack - c.first_stack);
    s.loop = (uint32_t)c.first_loop;
    for (size_t i = c.first_loop; i < a->n_loop; i++) /* only loops over characters are of use later */
        if (a->loop[i].chars) a->loop[c.first_loop + s.n_loop++] = a->loop[i];
    a->n_loop = c.first_loop + s.n_loop;
    s.forced = only_byte(&s);
    size_t k = kernel_hash(kernel, n) & (a->n_state_slot - 1);
    s.chain = a->state_slot[k];
    a->state_slot[k] = (uint32_t)a->n_state;
    a->state[a->n_state] = s;
    return (int64_t)a->n_state++;
}

int64_t gram_auto_state(struct gram_auto *a, uint32_t *kernel, size_t n)
{
    size_t m = 0;
    if (n > 1) qsort(kernel, n, sizeof *kernel, by_id);
    for (size_t i = 0; i < n; i++)
        if (m == 0 || kernel[m - 1] != kernel[i]) kernel[m++] = kernel[i];
    size_t k = kernel_hash(kernel, m) & (a->n_state_slot - 1);
    for (uint32_t i = a->state_slot[k]; i; i = a->state[i].chain)
        if (a->state[i].n_kernel == m && !memcmp(a->pool + a->state[i].kernel, kernel, m * sizeof *kernel)) return i;
    return state_new(a, kernel, m);
}

int64_t gram_auto_start(struct gram_auto *a, uint32_t root)
{
    uint32_t kernel = 0; /* a grammar of the empty text alone has the end as its kernel */
    if (a->g->node[root].op != GRAM_EMPTY) {
        int64_t f = frame_of(a, root, 0);
        if (f < 0) return f;
        kernel = (uint32_t)f;
    }
    return gram_auto_state(a, &kernel, 1);
}

static int64_t step_new(struct gram_auto *a, uint32_t state, uint8_t byte)
{
    size_t n = 0;
    const struct gram_state *s = &a->state[state];
    a->spent += s->n_stack / 16; /* looking at one is so much quicker than opening one */
    if (a->spent > GRAM_MAX_WORK) return CROFT_E_LIMIT;
    if (gram_grow(&a->kern, &a->cap_kern, s->n_stack, sizeof *a->kern)) return CROFT_E_NOMEM;
    for (uint32_t i = 0; i < s->n_stack; i++) {
        uint64_t x = a->stack[s->stack + i];
        if (a->g->set[x >> 32][byte / 64] >> byte % 64 & 1) a->kern[n++] = (uint32_t)x;
    }
    int64_t next = gram_auto_state(a, a->kern, n);
    if (next < 0) return next;
    struct gram_state *t = &a->state[state];
    if (t->n_edge < 4) {
        t->edge[t->n_edge++] = (struct gram_edge){(uint32_t)next, byte};
        return next;
    }
    if (!t->table) {
        t->table = mem_calloc(256, sizeof *t->table);
        if (!t->table) return CROFT_E_NOMEM;
        a->bytes += 256 * sizeof *t->table;
        for (int i = 0; i < 4; i++) t->table[t->edge[i].byte] = t->edge[i].next;
    }
    t->table[byte] = (uint32_t)next;
    return next;
}

int64_t gram_auto_step(struct gram_auto *a, uint32_t state, uint8_t byte)
{
    const struct gram_state *s = &a->state[state];
    if (!(s->first[byte / 64] >> byte % 64 & 1)) return 0;
    if (s->table) {
        if (s->table[byte]) return s->table[byte];
    } else {
        for (int i = 0; i < s->n_edge; i++)
            if (s->edge[i].byte == byte) return s->edge[i].next;
    }
    return step_new(a, state, byte);
}

/* ---- copies ---- */

/* The stack of frame f with the counts of its repetitions cut to what `most` bytes can tell apart. */
static int64_t clamp_frame(struct gram_auto *a, uint32_t f, uint32_t most)
{
    if (f == 0) return 0;
    struct gram_frame x = a->frame[f];
    int64_t next = clamp_frame(a, x.next, most); /* at most GRAM_MAX_DEPTH deep, and some frames of one nesting */
    if (next < 0) return next;
    if (a->g->node[x.node].op == GRAM_REP) {
        if (x.a > most) x.a = most;
        if (x.b > most) x.b = GRAM_INF;
    }
    return frame_get(a, x.node, x.a, x.b, (uint32_t)next);
}

int64_t gram_auto_clamp(struct gram_auto *a, uint32_t state, uint32_t most)
{
    uint32_t n = a->state[state].n_kernel, *kernel = NULL;
    size_t cap = 0;
    int64_t r = 0;
    if (gram_grow(&kernel, &cap, n, sizeof *kernel)) return CROFT_E_NOMEM;
    for (uint32_t i = 0; i < n && r >= 0; i++) {
        r = clamp_frame(a, a->pool[a->state[state].kernel + i], most);
        kernel[i] = (uint32_t)r;
    }
    if (r >= 0) r = gram_auto_state(a, kernel, n);
    mem_free(kernel);
    return r;
}

int64_t gram_auto_import(struct gram_auto *a, const struct gram_auto *from, uint32_t f, uint32_t *map)
{
    if (f == 0) return 0;
    if (map[f]) return map[f];
    const struct gram_frame *x = &from->frame[f];
    int64_t next = gram_auto_import(a, from, x->next, map);
    if (next < 0) return next;
    next = frame_get(a, x->node, x->a, x->b, (uint32_t)next);
    if (next > 0) map[f] = (uint32_t)next;
    return next;
}

/* Bytes that may follow a kernel when the loop's own characters are left out. */
static int firsts(struct gram_auto *a, const uint32_t *kernel, size_t n, uint32_t chars, uint32_t next,
                  uint64_t out[4])
{
    struct gram_state s = {0};
    struct closure c = {.a = a, .s = &s, .skip_chars = chars, .skip_next = next};
    closure(&c, kernel, n);
    a->n_stack = c.first_stack;
    a->n_loop = c.first_loop;
    memcpy(out, s.first, sizeof s.first);
    return c.code;
}

int gram_auto_exclusive(struct gram_auto *a, uint32_t state, const struct gram_loop *l, const struct gram_range *r,
                        size_t n)
{
    struct gram_frame f = a->frame[l->frame];
    uint64_t here[4], behind[4];
    int64_t after = f.next;
    if (f.b > 1) after = frame_get(a, f.node, f.a ? f.a - 1 : 0, f.b == GRAM_INF ? GRAM_INF : f.b - 1, f.next);
    if (after < 0) return (int)after;
    uint32_t chars = l->chars, kernel = f.next;
    int rc = firsts(a, a->pool + a->state[state].kernel, a->state[state].n_kernel, chars, (uint32_t)after, here);
    if (!rc) rc = firsts(a, &kernel, 1, GRAM_INF, 0, behind);
    if (rc) return rc;
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < 256; b++) {
            if (!((here[b / 64] | behind[b / 64]) >> b % 64 & 1)) continue;
            uint32_t lo = b < 0x80   ? b
                          : b < 0xE0 ? 0x80
                          : b < 0xF0 ? 0x800
                                     : 0x10000; /* what such a byte can begin */
            uint32_t hi = b < 0x80 ? b : b < 0xE0 ? 0x7FF : b < 0xF0 ? 0xFFFF : GRAM_MAX_CP;
            if (r[i].lo <= hi && r[i].hi >= lo) return 0;
        }
    return 1;
}
