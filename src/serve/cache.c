/* Answers that were given before. A decision, an embedding and a task's answer depend on nothing but the request and
 * the model, so the same bytes for the same key need no second look: the loop answers them at once.
 *
 *     slot[hash % N_SLOTS] ─▶ entry ─▶ entry        chains of what shares a slot
 *     oldest ◀─▶ … ◀─▶ newest                       in the order of use; the oldest go when the bytes are used up
 *
 * An entry is found by endpoint, key and body, compared byte for byte. When a model changes, all are forgotten: the
 * generation is the models' counter of versions. The loop's thread only. */
#include "job.h"

enum { N_SLOTS = 4096, OVERHEAD = 128 };

struct entry {
    struct entry *chain, *older, *newer;
    const struct serve_endpoint *endpoint;
    const struct serve_key *key;
    char tail[64];
    uint64_t hash;
    size_t n_body, n_answer;
    char bytes[]; /* body, answer */
};
struct serve_cache {
    uint64_t max, used, generation;
    struct entry *slot[N_SLOTS], *oldest, *newest;
};

struct serve_cache *serve_cache_new(uint64_t max_bytes)
{
    struct serve_cache *c = mem_calloc(1, sizeof *c);
    if (c) c->max = max_bytes;
    return c;
}

static size_t size_of(const struct entry *x) { return sizeof *x + OVERHEAD + x->n_body + x->n_answer; }

static void unlink_use(struct serve_cache *c, struct entry *x)
{
    *(x->older ? &x->older->newer : &c->oldest) = x->newer;
    *(x->newer ? &x->newer->older : &c->newest) = x->older;
}

static void link_use(struct serve_cache *c, struct entry *x)
{
    x->newer = NULL;
    x->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = x;
    c->newest = x;
}

static void drop(struct serve_cache *c, struct entry *x)
{
    struct entry **p = &c->slot[x->hash % N_SLOTS];
    while (*p != x) p = &(*p)->chain;
    *p = x->chain;
    unlink_use(c, x);
    c->used -= size_of(x);
    mem_free(x);
}

void serve_cache_clear(struct serve_cache *c)
{
    while (c && c->oldest) drop(c, c->oldest);
}

void serve_cache_free(struct serve_cache *c)
{
    serve_cache_clear(c);
    mem_free(c);
}

static struct entry *find(struct serve_cache *c, const struct serve_question *q, uint64_t hash)
{
    for (struct entry *x = c->slot[hash % N_SLOTS]; x; x = x->chain)
        if (x->hash == hash && x->endpoint == q->endpoint && x->key == q->key && x->n_body == q->body.n &&
            strcmp(x->tail, q->tail) == 0 && memcmp(x->bytes, q->body.p, q->body.n) == 0)
            return x;
    return NULL;
}

static void renew(struct serve_cache *c, uint64_t generation)
{
    if (c->generation == generation) return;
    serve_cache_clear(c);
    c->generation = generation;
}

struct str serve_cache_find(struct serve_cache *c, const struct serve_question *q, uint64_t generation)
{
    renew(c, generation);
    struct entry *x = find(c, q, str_hash(q->body.p, q->body.n));
    if (!x) return (struct str){NULL, 0};
    unlink_use(c, x);
    link_use(c, x);
    return (struct str){x->bytes + x->n_body, x->n_answer};
}

void serve_cache_keep(struct serve_cache *c, const struct serve_question *q, uint64_t generation, struct str answer)
{
    const size_t size = sizeof(struct entry) + OVERHEAD + q->body.n + answer.n;
    uint64_t hash = str_hash(q->body.p, q->body.n);
    renew(c, generation);
    if (size > c->max / 16 || find(c, q, hash)) return;
    struct entry *x = mem_alloc(sizeof *x + q->body.n + answer.n);
    if (!x) return;
    *x = (struct entry){
        .endpoint = q->endpoint, .key = q->key, .hash = hash, .n_body = q->body.n, .n_answer = answer.n};
    snprintf(x->tail, sizeof x->tail, "%s", q->tail);
    memcpy(x->bytes, q->body.p, q->body.n);
    memcpy(x->bytes + q->body.n, answer.p, answer.n);
    x->chain = c->slot[hash % N_SLOTS];
    c->slot[hash % N_SLOTS] = x;
    link_use(c, x);
    c->used += size;
    while (c->used > c->max) drop(c, c->oldest);
}
