/* The sampler (infer_sample.h). Works on an array of candidates that many may share; probabilities are
 * computed in double with the C library's exp, so a seed gives the same tokens at every kernel level as long
 * as the logits agree.
 *
 * Random numbers: SplitMix64. state += 0x9E3779B97F4A7C15, then two xor-shift-multiply rounds; the top 53
 * bits make a number in [0, 1). A draw takes exactly one, greedy takes none.
 *
 * A vocabulary is large (150,000 tokens) and a sampler needs few of them. When only the k most likely count
 * (greedy: one), the k-th highest of the blocks' maxima is a bound: k tokens at least reach it, so whatever
 * lies below is out, and most blocks need no second look. Only what is needed gets sorted: candidates form a
 * max-heap, and popping gives them in order of likelihood. */
#include "infer_sample.h"
#include "base_mem.h"
#include "kern_ops.h"

#include <math.h>

enum { BLOCK = 64, LANES = 16 };

struct candidate {
    float logit;
    int32_t token;
    double p;
};

struct infer_sample_room {
    struct candidate *c; /* [n_vocab] */
    float *adjusted;     /* [n_vocab] logits after bias and penalties */
    float *peak;         /* [n_vocab / BLOCK + 1] the highest logit of each block */
};

struct infer_sampler {
    struct infer_sample_params p;
    struct croft_bias *bias;
    struct infer_sample_room *own; /* or NULL: p.room is the caller's */
    bool penalties;
    uint32_t *count; /* [n_vocab] occurrences among the recent tokens; NULL without penalties */
    int32_t *recent; /* ring [penalty_last_n] */
    size_t n_recent, next;
    uint32_t n_vocab;
    uint64_t state;
};

static double random_unit(struct infer_sampler *s)
{
    uint64_t z = s->state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int check(const struct infer_sample_params *p, uint32_t n_vocab, struct err *e)
{
    if (isnan(p->temperature) || p->temperature > 1000)
        return ERR(e, USAGE, "The temperature must be 0 to 1000.");
    if (isnan(p->top_p) || p->top_p < 0) return ERR(e, USAGE, "top_p must be 0 to 1.");
    if (isnan(p->typical_p) || p->typical_p < 0) return ERR(e, USAGE, "typical_p must be 0 to 1.");
    if (isnan(p->min_p) || p->min_p > 1) return ERR(e, USAGE, "min_p must be 0 to 1.");
    if (!(p->repeat_penalty > 0) || p->repeat_penalty > 1000)
        return ERR(e, USAGE, "The repetition penalty must be above 0.");
    if (!(fabsf(p->frequency_penalty) <= 1000) || !(fabsf(p->presence_penalty) <= 1000))
        return ERR(e, USAGE, "The frequency and presence penalties must be -1000 to 1000.");
    if (p->penalty_last_n < 0 || p->penalty_last_n > 1 << 24)
        return ERR(e, USAGE, "penalty_last_n is out of range.");
    for (size_t i = 0; i < p->n_bias; i++)
        if (p->bias[i].token < 0 || (uint32_t)p->bias[i].token >= n_vocab || isnan(p->bias[i].add))
            return ERR(e, USAGE, "The logit bias names token %d, which does not exist.", p->bias[i].token);
    return 0;
}

void infer_sample_room_free(struct infer_sample_room *r)
{
    if (!r) return;
    mem_free(r->c);
    mem_free(r->adjusted);
    mem_free(r->peak);
    mem_free(r);
}

int infer_sample_room_new(uint32_t n_vocab, struct infer_sample_room **out, struct err *e)
{
    struct infer_sample_room *r = mem_calloc(1, sizeof *r);
    if (!r) return err_nomem(e, sizeof *r);
    r->c = mem_calloc(n_vocab, sizeof *r->c);
    r->adjusted = mem_calloc(n_vocab, sizeof *r->adjusted);
    r->peak = mem_calloc(n_vocab / BLOCK + 1, sizeof *r->peak);
    if (!r->c || !r->adjusted || !r->peak) {
        infer_sample_room_free(r);
        return err_nomem(e, n_vocab * sizeof *r->c);
    }
    *out = r;
    return 0;
}

int infer_sampler_new(const struct infer_sample_params *p, uint32_t n_vocab, struct infer_sampler **out,
                      struct err *e)
{
    int rc = check(p, n_vocab, e);
    if (rc) return rc;
    struct infer_sampler *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->p = *p;
    s->n_vocab = n_vocab;
    s->penalties = p->repeat_penalty != 1 || p->frequency_penalty != 0 || p->presence_penalty != 0;
    s->bias = mem_calloc(p->n_bias, sizeof *s->bias);
    if (s->penalties) {
        s->count = mem_calloc(n_vocab, sizeof *s->count);
        s->recent = mem_calloc(p->penalty_last_n, sizeof *s->recent);
    }
    if (!s->bias || (s->penalties && (!s->count || !s->recent))) rc = err_nomem(e, n_vocab * sizeof *s->count);
    if (!rc && !p->room) rc = infer_sample_room_new(n_vocab, &s->own, e);
    if (rc) {
        infer_sampler_free(s);
        return rc;
    }
    if (s->own) s->p.room = s->own;
    if (p->n_bias) memcpy(s->bias, p->bias, p->n_bias * sizeof *s->bias);
    s->p.bias = s->bias;
    infer_sampler_reset(s);
    *out = s;
    return 0;
}

void infer_sampler_free(struct infer_sampler *s)
{
    if (!s) return;
    infer_sample_room_free(s->own);
    mem_free(s->bias);
    mem_free(s->count);
    mem_free(s->recent);
    mem_free(s);
}

void infer_sampler_reset(struct infer_sampler *s)
{
    if (s->count) memset(s->count, 0, s->n_vocab * sizeof *s->count);
    s->n_recent = s->next = 0;
    s->state = s->p.seed;
}

void infer_sampler_accept(struct infer_sampler *s, int32_t token)
{
    size_t n = s->p.penalty_last_n;
    if (!s->penalties || n == 0 || token < 0 || (uint32_t)token >= s->n_vocab) return;
    if (s->n_recent == n) s->count[s->recent[s->next]]--;
    else s->n_recent++;
    s->recent[s->next] = token;
    s->count[token]++;
    s->next = (s->next + 1) % n;
}

/* ---- candidates ---- */

/* More likely first; ties by id, so that the order is total. */
static bool before(const struct candidate *a, const struct candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->token < b->token);
}

static void swap(struct candidate *a, struct candidate *b)
{
    struct candidate t = *a;
    *a = *b;
    *b = t;
}

static void sift(struct candidate *c, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&c[child + 1], &c[child])) child++;
        if (!before(&c[child], &c[i])) return;
        swap(&c[i], &c[child]);
    }
}

static void heap(struct candidate *c, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) sift(c, i, n);
}

/* Moves the best of the heap c[0, n) to c[n - 1]. */
static void pop(struct candidate *c, size_t n)
{
    swap(&c[0], &c[n - 1]);
    sift(c, 0, n - 1);
}

/* c[from, n) holds the popped ones, best last: bring them to the front, best first. Returns their number. */
static size_t to_front(struct candidate *c, size_t from, size_t n)
{
    for (size_t i = from, j = n - 1; i < j; i++, j--) swap(&c[i], &c[j]);
    memmove(c, c + from, (n - from) * sizeof *c);
    return n - from;
}

static float largest(const struct candidate *c, size_t n)
{
    float max = c[0].logit;
    for (size_t i = 1; i < n; i++) max = c[i].logit > max ? c[i].logit : max;
    return max;
}

/* A bias may be so large that the largest logit is infinite: it must not meet itself in a difference. */
static void probabilities(struct candidate *c, size_t n)
{
    float max = largest(c, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += c[i].p = c[i].logit == max ? 1 : exp((double)c[i].logit - max);
    for (size_t i = 0; i < n; i++) c[i].p /= sum;
}

static size_t top_k(struct candidate *c, size_t n, size_t k)
{
    if (k >= n) return n;
    heap(c, n);
    for (size_t i = 0; i < k; i++) pop(c, n - i);
    return to_front(c, n - k, n);
}

static size_t top_p(struct candidate *c, size_t n, float p)
{
    double mass = 0;
    size_t i = 0;
    probabilities(c, n);
    heap(c, n);
    while (i < n && (i == 0 || mass < p)) {
        pop(c, n - i);
        mass += c[n - ++i].p;
    }
    return to_front(c, n - i, n);
}

/* Those whose surprise -ln p is nearest to the expected one (the entropy), until their mass exceeds p. */
static size_t typical(struct candidate *c, size_t n, float p)
{
    double entropy = 0, mass = 0;
    size_t i = 0;
    probabilities(c, n);
    for (size_t j = 0; j < n; j++)
        if (c[j].p > 0) entropy -= c[j].p * log(c[j].p);
    for (size_t j = 0; j < n; j++) { /* order by distance; the logit comes back from p below */
        double distance = c[j].p > 0 ? fabs(-log(c[j].p) - entropy) : INFINITY;
        c[j].logit = (float)-distance;
    }
    heap(c, n);
    while (i < n && (i == 0 || mass <= p)) {
        pop(c, n - i);
        mass += c[n - ++i].p;
    }
    n = to_front(c, n - i, n);
    for (size_t j = 0; j < n; j++) c[j].logit = (float)log(c[j].p);
    return n;
}

static size_t min_p(struct candidate *c, size_t n, float p)
{
    float least = largest(c, n) + logf(p);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].logit >= least) c[m++] = c[i];
    return m;
}

static float penalized(const struct infer_sample_params *p, float logit, uint32_t count)
{
    logit = logit <= 0 ? logit * p->repeat_penalty : logit / p->repeat_penalty;
    return logit - count * p->frequency_penalty - p->presence_penalty;
}

/* The highest of n numbers, in lanes that a compiler makes vectors of; what is no number does not count. */
static float highest(const float *x, size_t n)
{
    float m[LANES], max = -INFINITY;
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++) m[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) m[j] = x[i + j] > m[j] ? x[i + j] : m[j];
    for (; i < n; i++) m[0] = x[i] > m[0] ? x[i] : m[0];
    for (size_t j = 0; j < LANES; j++) max = m[j] > max ? m[j] : max;
    return max;
}

/* Logits after bias, penalties and mask. */
static const float *adjust(struct infer_sampler *s, const float *logits, const uint32_t *mask)
{
    const struct infer_sample_params *p = &s->p;
    if (p->n_bias == 0 && !s->penalties && !mask) return logits;
    float *x = p->room->adjusted;
    memcpy(x, logits, s->n_vocab * sizeof *x);
    for (size_t i = 0; i < p->n_bias; i++) x[s->bias[i].token] += s->bias[i].add;
    for (uint32_t i = 0; i < s->n_vocab && s->penalties; i++)
        if (s->count[i]) x[i] = penalized(p, x[i], s->count[i]);
    for (uint32_t i = 0; i < s->n_vocab && mask; i++)
        x[i] = mask[i / 32] >> i % 32 & 1 ? x[i] : -INFINITY;
    return x;
}

/* A bound that the k highest logits reach, from the blocks' maxima. */
static float bound(struct infer_sample_room *r, size_t n_blocks, size_t k)
{
    if (k == 0 || k > n_blocks) return -INFINITY;
    for (size_t i = 0; i < n_blocks; i++) r->c[i] = (struct candidate){r->peak[i], (int32_t)i, 0};
    heap(r->c, n_blocks);
    for (size_t i = 0; i + 1 < k; i++) pop(r->c, n_blocks - i);
    return r->c[0].logit;
}

/* Candidates in order of their ids: all, or (k > 0) the k highest and a few others. Those at -infinity (or
 * not a number) are left out. */
static size_t gather(struct infer_sampler *s, const float *logits, size_t k)
{
    struct infer_sample_room *r = s->p.room;
    size_t n_vocab = s->n_vocab, n_blocks = 0, n = 0;
    for (size_t i = 0; i < n_vocab; i += BLOCK)
        r->peak[n_blocks++] = highest(logits + i, n_vocab - i < BLOCK ? n_vocab - i : BLOCK);
    float least = bound(r, n_blocks, k);
    for (size_t b = 0; b < n_blocks; b++) {
        if (!(r->peak[b] >= least)) continue;
        for (size_t i = b * BLOCK; i < n_vocab && i < (b + 1) * BLOCK; i++)
            if (logits[i] >= least && logits[i] > -INFINITY) r->c[n++] = (struct candidate){logits[i], (int32_t)i, 0};
    }
    return n;
}

int32_t infer_sampler_draw(struct infer_sampler *s, const float *logits, const uint32_t *mask)
{
    const struct infer_sample_params *p = &s->p;
    struct candidate *c = p->room->c;
    bool greedy = p->temperature <= 0;
    size_t n = gather(s, adjust(s, logits, mask), greedy ? 1 : p->top_k > 0 ? p->top_k + (size_t)1 : 0);
    if (n == 0) return -1;
    if (greedy) return c[0].token; /* only the highest are left, by id */
    if (p->top_k > 0) n = top_k(c, n, p->top_k);
    if (p->typical_p < 1) n = typical(c, n, p->typical_p);
    if (p->top_p < 1) n = top_p(c, n, p->top_p);
    if (p->min_p > 0) n = min_p(c, n, p->min_p);
    float max = largest(c, n); /* taken off first: a tiny temperature must not make all of them infinite */
    for (size_t i = 0; i < n; i++) c[i].logit = c[i].logit == max ? 0 : (c[i].logit - max) / p->temperature;
    probabilities(c, n);
    double u = random_unit(s);
    for (size_t i = 0; i + 1 < n; i++)
        if ((u -= c[i].p) < 0) return c[i].token;
    return c[n - 1].token;
}

/* ---- log-probabilities ---- */

/* In blocks, each a softmax of its own: the highest of its probabilities is 1 / sum exp(x - max). */
double infer_log_sum(const struct kern_ops *k, const float *logits, uint32_t n)
{
    enum { STEP = 1024 };
    float p[STEP];
    double max = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < n; i += STEP) {
        size_t m = n - i < STEP ? n - i : STEP;
        float top = highest(logits + i, m);
        if (!(top > -INFINITY)) continue;
        memcpy(p, logits + i, m * sizeof *p);
        k->softmax(p, m);
        double part = 1.0 / highest(p, m);
        if (top > max)
            sum = sum * exp(max - top) + part, max = top;
        else
            sum += part * exp(top - max);
    }
    return max + log(sum);
}

double infer_logprob(const struct kern_ops *k, const float *logits, uint32_t n_vocab, int32_t token)
{
    return token < 0 || (uint32_t)token >= n_vocab ? -INFINITY
                                                   : logits[token] - infer_log_sum(k, logits, n_vocab);
}

size_t infer_top_logprobs(const struct kern_ops *k, const float *logits, uint32_t n_vocab, size_t n,
                          struct croft_logprob *out)
{
    size_t have = 0;
    double all = infer_log_sum(k, logits, n_vocab);
    for (uint32_t i = 0; i < n_vocab && n; i++) {
        if (have == n && !(logits[i] > out[n - 1].logprob)) continue;
        size_t at = have < n ? have++ : n - 1;
        for (; at > 0 && logits[i] > out[at - 1].logprob; at--) out[at] = out[at - 1];
        out[at] = (struct croft_logprob){(int32_t)i, logits[i]};
    }
    for (size_t i = 0; i < have; i++) out[i].logprob = (float)(out[i].logprob - all);
    return have;
}
