/* Attention over a KV cache for any vector width: ref/attn.c says what it computes, kern_ops.h how the cache lies.
 * Included after a simd header.
 *
 * One pass: positions are taken in tiles of KERN_KEYS, and for each group of at most ATTN_Q queries a tile goes through
 *
 *   scores    S = scale Q K    ATTN_Q x ATTN_STRIPS strips of scores in registers; a vector of keys meets all queries
 *   weights   P = exp(S - max), where max is the largest so far; if it grew, sum and out shrink by exp(old - new)
 *   mix       out += P V       ATTN_Q x ATTN_V vectors of out in registers; a vector of values meets all queries
 *
 * so scores never leave the first-level cache, and keys and values come from memory once: while a tile is worked on,
 * the next is fetched into the second-level cache. Strips that no query of a group sees are left out. What a query
 * gets does not depend on which others share its pass. */
#ifndef KERN_BODY_ATTN_H
#define KERN_BODY_ATTN_H

#include "body/math.h"
#include "kern_ops.h"
#include "levels.h"

#include <math.h>

enum { KERN_KEYS = 128, STRIP_VECTORS = KERN_KV_STRIP / VF };

/* Positions [first, first + n) of a cache: keys in strips, first a multiple of KERN_KV_STRIP, and rows of values. */
struct tile {
    size_t first, n;
    const uint8_t *k, *v;
    size_t k_row, v_row; /* bytes of a position; a strip has KERN_KV_STRIP times k_row */
    ptrdiff_t k_ahead, v_ahead; /* bytes from here to what comes next, to be fetched; 0: nothing */
};

INLINE size_t element_bytes(const int kind) { return kind == KERN_KV_F32 ? 4 : kind == KERN_KV_F16 ? 2 : 1; }

/* VF elements as they lie in the cache; int8 without its scale. */
INLINE vf load_elements(const int kind, const void *p)
{
    return kind == KERN_KV_F32 ? vf_load(p) : kind == KERN_KV_F16 ? vf_load_f16(p) : vf_load_i8(p);
}

/* s[i][KERN_KEYS]: scores of nq queries with ns strips. Int8: scales change every 32 elements. */
INLINE void scores(const int kind, const int nq, const int ns, const struct kern_attn *a, const float *q,
                   const uint8_t *strip, size_t k_row, ptrdiff_t ahead, float *s)
{
    const size_t strip_bytes = KERN_KV_STRIP * k_row;
    const int nk = ns * STRIP_VECTORS;
    const size_t step = kind == KERN_KV_Q8_0 ? 32 : a->d, size = element_bytes(kind);
    vf acc[ATTN_Q][ATTN_STRIPS * STRIP_VECTORS], scale[ATTN_STRIPS * STRIP_VECTORS], k[ATTN_STRIPS * STRIP_VECTORS];
    for (int i = 0; i < nq; i++)
        for (int c = 0; c < nk; c++) acc[i][c] = vf_set(0);
    for (size_t first = 0; first < a->d; first += step) {
        const uint8_t *p = strip + (kind == KERN_KV_Q8_0 ? first / 32 * 34 * KERN_KV_STRIP : 0);
        if (kind == KERN_KV_Q8_0) {
            for (int c = 0; c < nk; c++)
                scale[c] = vf_load_f16(p + c / STRIP_VECTORS * strip_bytes + 2 * VF * (c % STRIP_VECTORS));
            p += 2 * KERN_KV_STRIP;
        }
        for (size_t e = first; e < first + step; e++, p += KERN_KV_STRIP * size) {
            for (int c = 0; c < nk; c++) {
                k[c] = load_elements(kind, p + c / STRIP_VECTORS * strip_bytes + VF * size * (c % STRIP_VECTORS));
                if (kind == KERN_KV_Q8_0) k[c] = vf_mul(k[c], scale[c]);
            }
            for (int c = 0; c < ns; c++) vf_prefetch_l2(p + c * strip_bytes + ahead);
            for (int i = 0; i < nq; i++) {
                vf x = vf_set(q[i * a->d + e]);
                for (int c = 0; c < nk; c++) acc[i][c] = vf_fma(x, k[c], acc[i][c]);
            }
        }
    }
    for (int i = 0; i < nq; i++)
        for (int c = 0; c < nk; c++) vf_store(s + i * KERN_KEYS + c * VF, vf_mul(vf_set(a->scale), acc[i][c]));
}

/* Scores of query i with the positions [first, first + n), whole strips, become weights; those out of its sight become
 * 0. */
INLINE void weights(const struct kern_attn *a, size_t i, size_t first, size_t n, float *s, size_t d_v)
{
    size_t from = a->from[i] > first ? a->from[i] - first : 0, to = a->to[i] > first ? a->to[i] - first : 0;
    vf top = vf_set(-INFINITY), sum = vf_set(0);
    if (a->softcap != 0)
        for (size_t j = 0; j < n; j += VF)
            vf_store(s + j, vf_mul(vf_set(a->softcap), vf_tanh(vf_div(vf_load(s + j), vf_set(a->softcap)))));
    for (size_t j = 0; j < from && j < n; j++) s[j] = -INFINITY;
    for (size_t j = to; j < n; j++) s[j] = -INFINITY;
    for (size_t j = 0; j < n; j += VF) top = vf_max(top, vf_load(s + j));
    float max = vf_hmax(top);
    if (max > a->max[i]) {
        vf shrink = vf_set(expf(a->max[i] - max));
        float *out = a->out + i * d_v;
        for (size_t e = 0; e < d_v; e += VF) vf_store(out + e, vf_mul(shrink, vf_load(out + e)));
        a->sum[i] *= expf(a->max[i] - max);
        a->max[i] = max;
    }
    const vf m = vf_set(a->max[i]), least = vf_set(-87.3f);
    for (size_t j = 0; j < n; j += VF) {
        vf x = vf_sub(vf_load(s + j), m);
        x = vf_if_gt(x, least, vf_exp(x), vf_set(0));
        vf_store(s + j, x);
        sum = vf_add(sum, x);
    }
    a->sum[i] += vf_sum(sum);
}

/* nv vectors of nq rows of out, from element e on, += the rows of values weighted by p[i][KERN_KEYS]. */
INLINE void mix(const int kind, const int nq, const int nv, const float *p, const uint8_t *v, size_t v_row, size_t n,
                ptrdiff_t ahead, size_t e, float *out, size_t d_v)
{
    const size_t size = element_bytes(kind);
    vf acc[ATTN_Q][ATTN_V], x[ATTN_V];
    for (int i = 0; i < nq; i++)
        for (int c = 0; c < nv; c++) acc[i][c] = vf_load(out + i * d_v + e + c * VF);
    for (size_t j = 0; j < n; j++, v += v_row) {
        for (int c = 0; c < nv; c++) {
            size_t at = e + c * VF;
            const uint8_t *block = v + at / 32 * 34;
            if (kind == KERN_KV_Q8_0) x[c] = vf_mul(vf_half(block), vf_load_i8(block + 2 + at % 32));
            else x[c] = load_elements(kind, v + at * size);
        }
        for (size_t c = 0; c < nv * VF * size; c += 64) vf_prefetch_l2(v + e * size + c + ahead);
        for (int i = 0; i < nq; i++) {
            vf w = vf_set(p[i * KERN_KEYS + j]);
            for (int c = 0; c < nv; c++) acc[i][c] = vf_fma(w, x[c], acc[i][c]);
        }
    }
    for (int i = 0; i < nq; i++)
        for (int c = 0; c < nv; c++) vf_store(out + i * d_v + e + c * VF, acc[i][c]);
}

/* The positions of a tile that any of the queries [i, i + nq) sees. */
INLINE void seen(const struct kern_attn *a, size_t i, const int nq, const struct tile *t, size_t *from, size_t *to)
{
    *from = t->first + t->n;
    *to = t->first;
    for (int k = 0; k < nq; k++) {
        if (a->from[i + k] < *from) *from = a->from[i + k];
        if (a->to[i + k] > *to) *to = a->to[i + k];
    }
    if (*from < t->first) *from = t->first;
    if (*to > t->first + t->n) *to = t->first + t->n;
}

/* Queries [i, i + nq) through a tile. Few queries take strip after strip, in the order of memory; more need several
 * at once to hide the latency of their additions. */
INLINE void group(const int kind, const int nq, const struct kern_attn *a, size_t i, const struct tile *t)
{
    enum { FEW = 2 };
    _Alignas(64) float s[ATTN_Q * KERN_KEYS];
    const int most = nq <= FEW ? 1 : ATTN_STRIPS;
    const size_t d_v = kern_kv_padded(a->d_v);
    size_t from, to;
    seen(a, i, nq, t, &from, &to);
    if (from >= to) return;
    size_t first = from / KERN_KV_STRIP * KERN_KV_STRIP, n = (to - first + KERN_KV_STRIP - 1) / KERN_KV_STRIP;
    const uint8_t *strip = t->k + (first - t->first) * t->k_row;
    const float *q = a->q + i * a->d;
    for (size_t c = 0; c < n;) {
        const int ns = n - c >= (size_t)most ? most : 1;
        float *to_s = s + c * KERN_KV_STRIP;
        if (ns == most) scores(kind, nq, most, a, q, strip, t->k_row, t->k_ahead, to_s);
        else scores(kind, nq, 1, a, q, strip, t->k_row, t->k_ahead, to_s);
        strip += ns * KERN_KV_STRIP * t->k_row;
        c += ns;
    }
    for (int k = 0; k < nq; k++) weights(a, i + k, first, n * KERN_KV_STRIP, s + k * KERN_KEYS, d_v);
    const float *p = s + (from - first);
    const uint8_t *v = t->v + (from - t->first) * t->v_row;
    float *out = a->out + i * d_v;
    for (size_t e = 0; e < d_v;) {
        const int nv = d_v - e >= ATTN_V * VF ? ATTN_V : 1;
        if (nv == ATTN_V) mix(kind, nq, ATTN_V, p, v, t->v_row, to - from, t->v_ahead, e, out, d_v);
        else mix(kind, nq, 1, p, v, t->v_row, to - from, t->v_ahead, e, out, d_v);
        e += nv * VF;
    }
}

/* All queries, in groups as equal as can be. */
INLINE void groups(const int kind, const struct kern_attn *a, const struct tile *t)
{
    size_t n = (a->n_q + ATTN_Q - 1) / ATTN_Q;
    for (size_t g = 0; g < n; g++) {
        size_t i = a->n_q * g / n;
        switch (a->n_q * (g + 1) / n - i) {
        case 1: group(kind, 1, a, i, t); break;
        case 2: group(kind, 2, a, i, t); break;
        case 3: group(kind, 3, a, i, t); break;
        case 4: group(kind, 4, a, i, t); break;
        case 5: group(kind, 5, a, i, t); break;
        case 6: group(kind, 6, a, i, t); break;
        }
    }
}

INLINE void attend(const int kind, const struct kern_attn *a)
{
    size_t from = SIZE_MAX, to = 0, k_row = kern_kv_row_bytes(kind, a->d), v_row = kern_kv_row_bytes(kind, a->d_v);
    for (size_t i = 0; i < a->n_q; i++) {
        if (a->from[i] < from) from = a->from[i];
        if (a->to[i] > to) to = a->to[i];
    }
    for (size_t first = from / KERN_KV_STRIP * KERN_KV_STRIP; first < to; first += KERN_KEYS) {
        const uint8_t *k = (const uint8_t *)a->k + first * k_row, *v = (const uint8_t *)a->v + first * v_row;
        struct tile t = {first, to - first, k, v, k_row, v_row, 0, 0};
        if (t.n > KERN_KEYS) {
            t.n = KERN_KEYS;
            t.k_ahead = KERN_KEYS * k_row;
            t.v_ahead = KERN_KEYS * v_row;
        } else if (a->next_k) {
            t.k_ahead = (const uint8_t *)a->next_k - k;
            t.v_ahead = (const uint8_t *)a->next_v - v;
        }
        groups(kind, a, &t);
    }
}

#define X(K) \
    static void attend_##K(const struct kern_attn *a) { attend(KERN_KV_##K, a); }
KERN_KV_KINDS(X)
#undef X

INLINE void attn_fill(struct kern_ops *ops)
{
#define X(K) ops->attend[KERN_KV_##K] = attend_##K;
    KERN_KV_KINDS(X)
#undef X
}

#endif
