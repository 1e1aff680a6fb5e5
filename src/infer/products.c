/* Matrix products over threads. Activations of a product are quantised once and shared by all weights that
 * read them; output columns are split between threads in blocks of COLS, so the result does not depend on
 * their number. Prompt batches are cut into panels of weights and tiles of rows that stay in the second-level
 * cache.
 *
 * gate, up, the activation and the int8 form of its result are one step per tile: the wide vectors between the
 * two halves of a feed-forward never reach memory as floats. */
#include "internal.h"

enum {
    PANEL_COLS = 64,
    TILE_ROWS = 64,
    TILE = TILE_ROWS * PANEL_COLS,
    BF16_ROWS = 256, /* rows that share the unpacking of weights to bf16, and stay in the second-level cache */
    BF16_COLS = 256, /* outputs that share the reading of rows too wide for it */
    BF16_TILE = BF16_ROWS * PANEL_COLS,
    MANY = 8, /* rows from which on float products add up all alike */
};

bool infer_wants_q8(const struct model_weight *w) { return w->data && kern_type_wants_q8(w->type); }

void infer_share(uint64_t total, int i, int n, uint64_t *from, uint64_t *to)
{
    *from = total * i / n;
    *to = total * (i + 1) / n;
}

/* Do products of n_rows rows read the bf16 form? */
static bool reads_bf16(const struct infer_work *w, uint32_t n_rows)
{
    return w->k->bf16_rows && n_rows >= w->k->bf16_rows && !w->invariant;
}

/* x[n] is columns [from, from + n) of a row of n_in: into the int8 form, and bf16 if it will be read; both multiples
 * of 32. */
static void quantize(struct infer_work *w, const struct infer_act *act, const float *x, uint32_t row,
                     size_t n_in, size_t from, size_t n)
{
    w->k->act_quantize(x, n, act->q + row * n_in + from, act->d + (row * n_in + from) / 32,
                       act->sum16 + (row * n_in + from) / 16);
    if (reads_bf16(w, w->n_rows)) w->k->act_bf16(x, n, act->bf16 + kern_bf16_at(n_in, row, from));
}

/* Columns [from, from + n) of one row x[n_in]. */
void infer_quantize(struct infer_work *w, const struct infer_act *act, const float *x, uint32_t row,
                    size_t n_in, size_t from, size_t n)
{
    quantize(w, act, x + from, row, n_in, from, n);
}

/* Row `from` of the int8 and bf16 forms becomes row `to` too. */
void infer_act_copy(const struct infer_act *act, size_t n_in, uint32_t to, uint32_t from)
{
    memcpy(act->q + to * n_in, act->q + from * n_in, n_in);
    memcpy(act->d + to * n_in / 32, act->d + from * n_in / 32, n_in / 32 * sizeof *act->d);
    memcpy(act->sum16 + to * n_in / 16, act->sum16 + from * n_in / 16, n_in / 16 * sizeof *act->sum16);
    for (size_t k = 0; act->bf16 && k < n_in; k += 32)
        memcpy(act->bf16 + kern_bf16_at(n_in, to, k), act->bf16 + kern_bf16_at(n_in, from, k), 32 * sizeof *act->bf16);
}

static void finish(const struct infer_work *w, const struct model_weight *m, float *y, size_t from, size_t n)
{
    if (m->scale != 1.0f && !m->scale_last) w->k->scale(m->scale, y, n);
    if (m->bias) w->k->add(y, m->bias + from, y, n);
    if (m->scale != 1.0f && m->scale_last) w->k->scale(m->scale, y, n);
}

static float *output(const struct infer_product *p, uint32_t row)
{
    return p->rows ? p->rows[row] : p->y + row * p->ldy;
}

/* A panel: columns [c, c + n) of a weight, and their strips if it is one that is packed. */
struct panel {
    size_t c, n;
    const void *strips;
};

static bool is_packed(const struct model_weight *m)
{
    return m->strip_bytes && __atomic_load_n(&m->packed, __ATOMIC_ACQUIRE);
}

/* Strips that are not made yet are made, in the thread's scratch, which has a place for two panels. */
static struct panel panel_of(struct infer_work *w, int thread, int place, const struct model_weight *m,
                             size_t c, size_t n)
{
    if (!m->strip_bytes) return (struct panel){c, n, NULL};
    const char *packed = __atomic_load_n(&m->packed, __ATOMIC_ACQUIRE);
    if (packed) return (struct panel){c, n, packed + c / KERN_STRIP * m->strip_bytes};
    char *strips = w->strips + (2 * (size_t)thread + place) * w->strips_bytes;
    kern_pack(m->type, (const char *)m->data + c * m->row_bytes, m->row_bytes, n, m->n_in, strips);
    return (struct panel){c, n, strips};
}

/* Float products add up a few rows in another order than many. Here each row goes as many equal ones. */
static void rows_as_many(struct infer_work *w, const struct model_weight *m, const struct panel *p, uint32_t r,
                         uint32_t n_rows, float *y, size_t ldy)
{
    const char *rows = (const char *)m->data + p->c * m->row_bytes;
    float side[MANY * COLS];
    for (uint32_t i = 0; i < n_rows; i++)
        for (size_t c = 0; c < p->n; c += COLS) {
            size_t n = p->n - c < COLS ? p->n - c : COLS;
            struct kern_act x = {.n = w->mul.n_in, .n_rows = MANY, .f32 = w->mul.x + (r + i) * w->mul.ldx};
            w->k->gemm[m->type](rows + c * m->row_bytes, m->row_bytes, n, &x, side, COLS);
            memcpy(y + i * ldy + c, side, n * sizeof *side);
        }
}

/* A panel for rows [r, r + n_rows) of the input. */
static void multiply(struct infer_work *w, const struct model_weight *m, const struct panel *p, uint32_t r,
                     uint32_t n_rows, float *y, size_t ldy)
{
    const struct infer_act *a = w->mul.act;
    size_t n_in = w->mul.n_in;
    if (w->invariant && n_rows < MANY && !infer_wants_q8(m)) {
        rows_as_many(w, m, p, r, n_rows, y, ldy);
        return;
    }
    struct kern_act x = {n_in,
                         n_rows,
                         w->mul.x + r * w->mul.ldx,
                         w->mul.ldx,
                         a->q + r * n_in,
                         a->d + r * n_in / 32,
                         a->sum16 + r * n_in / 16,
                         reads_bf16(w, w->mul.n_rows) ? a->bf16 + kern_bf16_at(n_in, r, 0) : NULL};
    if (p->strips)
        w->k->gemm_packed[m->type](p->strips, m->strip_bytes, p->n, &x, y, ldy);
    else
        w->k->gemm[m->type]((const char *)m->data + p->c * m->row_bytes, m->row_bytes, p->n, &x, y, ldy);
}

/* The same into a product's output. Rows that lie apart are made side by side and copied. */
static void tile(struct infer_work *w, const struct infer_product *p, const struct panel *panel, uint32_t r,
                 uint32_t n_rows)
{
    if (!p->rows || n_rows == 1) {
        multiply(w, p->w, panel, r, n_rows, output(p, r) + panel->c, p->ldy);
        return;
    }
    float side[TILE];
    size_t n = panel->n;
    multiply(w, p->w, panel, r, n_rows, side, n);
    for (uint32_t i = 0; i < n_rows; i++) memcpy(p->rows[r + i] + panel->c, side + i * n, n * sizeof *side);
}

/* Output columns [from, to) of one product for all rows. */
static void columns(struct infer_work *w, int thread, const struct infer_product *p, size_t from, size_t to)
{
    const struct model_weight *m = p->w;
    bool panels =
        (m->strip_bytes && !is_packed(m)) || w->mul.n_rows > TILE_ROWS || (p->rows && w->mul.n_rows > 1);
    bool bf16 = reads_bf16(w, w->mul.n_rows) && !p->rows;
    size_t step = !panels ? to - from : bf16 && is_packed(m) ? BF16_COLS : PANEL_COLS;
    uint32_t rows = bf16 ? BF16_ROWS : TILE_ROWS;
    for (size_t c = from; c < to; c += step) {
        struct panel panel = panel_of(w, thread, 0, m, c, to - c < step ? to - c : step);
        for (uint32_t r = 0; r < w->mul.n_rows; r += rows)
            tile(w, p, &panel, r, w->mul.n_rows - r < rows ? w->mul.n_rows - r : rows);
    }
    for (uint32_t r = 0; r < w->mul.n_rows; r++) finish(w, m, output(p, r) + from, from, to - from);
}

/* Scratch of a thread for the strips of a panel. */
size_t infer_strips_bytes(const struct model_weight *w) { return PANEL_COLS / KERN_STRIP * w->strip_bytes; }

static size_t blocks(const struct model_weight *m) { return (m->n_out + COLS - 1) / COLS; }

/* The blocks of all products in one line, cut into n shares. */
static void products_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    uint64_t total = 0, from, to, first = 0;
    for (int p = 0; p < w->mul.n; p++) total += blocks(w->mul.p[p].w);
    infer_share(total, i, n, &from, &to);
    for (int p = 0; p < w->mul.n; p++) {
        const struct model_weight *m = w->mul.p[p].w;
        uint64_t end = first + blocks(m), b0 = from > first ? from : first, b1 = to < end ? to : end;
        if (b0 < b1) {
            size_t c0 = (b0 - first) * COLS, c1 = (b1 - first) * COLS;
            if (c1 > m->n_out) c1 = m->n_out;
            columns(w, i, &w->mul.p[p], c0, c1);
            if (w->mul.softcap != 0)
                for (uint32_t r = 0; r < w->mul.n_rows; r++)
                    w->k->softcap(output(&w->mul.p[p], r) + c0, c1 - c0, w->mul.softcap);
        }
        first = end;
    }
}

void infer_products(struct infer_work *w) { infer_run(w, products_share); }

/* ---- asks ---- */

/* The candidates of an ask, for wanted row i: a strip of the weight each, unless the last one had it too. */
static void ask_row(struct infer_work *w, int thread, const struct infer_tree *t, const struct infer_ask *a, uint32_t i)
{
    const struct model_weight *m = w->mul.p[0].w;
    float y[KERN_STRIP];
    size_t have = SIZE_MAX;
    for (uint32_t k = a->first; k < a->first + a->n; k++) {
        size_t c = (size_t)t->candidate[k] / KERN_STRIP * KERN_STRIP;
        size_t n = m->n_out - c < KERN_STRIP ? m->n_out - c : KERN_STRIP;
        if (c != have) {
            struct panel p = panel_of(w, thread, 0, m, c, n);
            multiply(w, m, &p, i, 1, y, n);
            finish(w, m, y, c, n);
            if (w->mul.softcap != 0) w->k->softcap(y, n, w->mul.softcap);
            have = c;
        }
        t->logit[k] = y[(size_t)t->candidate[k] - c];
    }
}

/* Wanted rows in turn; a row that answers asks is a node of a segment's tree, or the last one before it. */
static void asks_share(void *work, int thread, int n)
{
    struct infer_work *w = work;
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->n_wanted; i++) {
        const struct infer_segment *g = &w->segment[w->segment_of[w->wanted[i]]];
        if (!g->tree) continue;
        int32_t node = g->branches ? (int32_t)(g->node0 + w->wanted[i] - g->row0) : -1;
        for (const struct infer_ask *a = infer_tree_find(g->tree, node); a && a->node == node; a++) {
            if (count++ % n == (uint32_t)thread) ask_row(w, thread, g->tree, a, i);
            if (a + 1 == g->tree->ask + g->tree->n_asks) break;
        }
    }
}

void infer_asks(struct infer_work *w)
{
    bool any = false;
    for (uint32_t k = 0; k < w->n_segments; k++) any = any || w->segment[k].tree;
    if (any) infer_run(w, asks_share);
}

/* ---- feed-forward ---- */

/* y = gelu(gate) * up (up NULL: 1). The reference serves GELU from a table over half-precision numbers, and
 * embeddings are compared with ones made by it: so the argument and the result are rounded to half precision
 * here too. */
static void gelu_half(const struct kern_ops *k, const float *gate, const float *up, float *y, size_t n)
{
    enum { STEP = 256, FLAT = 10 }; /* beyond ±FLAT the function is x or 0 */
    uint16_t half[STEP];
    float g[STEP];
    for (size_t i = 0; i < n; i += STEP) {
        size_t m = n - i < STEP ? n - i : STEP;
        k->f32_to_f16(gate + i, half, m);
        k->f16_to_f32(half, g, m);
        k->gelu_mul(g, NULL, g, m);
        k->f32_to_f16(g, half, m);
        k->f16_to_f32(half, g, m);
        for (size_t j = 0; j < m; j++) {
            float x = gate[i + j];
            g[j] = x <= -FLAT ? 0 : x >= FLAT ? x : g[j];
        }
        if (up) k->mul(g, up + i, y + i, m);
        else memcpy(y + i, g, m * sizeof *g);
    }
}

/* y = act(gate) * up for rows of n, side by side; y may be either. Rows of whole blocks go in one. */
static void activate(const struct infer_work *w, const float *gate, const float *up, float *y, size_t n_rows,
                     size_t n)
{
    size_t step = n % COLS ? n : n_rows * n;
    for (size_t k = 0; k < n_rows * n; k += step) {
        const float *factor = up ? up + k : NULL;
        if (w->m->act == MODEL_GELU)
            gelu_half(w->k, gate + k, factor, y + k, step);
        else
            w->k->silu_mul(gate + k, factor, y + k, step);
    }
}

/* Rows [r, r + n_rows) of a panel of gate (if the layer has one) and up: to w->ffn or its int8 form. */
static void gate_up_tile(struct infer_work *w, const struct panel *gate, const struct panel *up, uint32_t r,
                         uint32_t n_rows)
{
    const struct model_layer *y = w->layer;
    float a[BF16_TILE], b[BF16_TILE], *out = gate ? a : b;
    size_t n = up->n, n_ff = y->up.n_out;
    if (gate) multiply(w, &y->gate, gate, r, n_rows, a, n);
    multiply(w, &y->up, up, r, n_rows, b, n);
    for (uint32_t i = 0; i < n_rows; i++) {
        if (gate) finish(w, &y->gate, a + i * n, gate->c, n);
        finish(w, &y->up, b + i * n, up->c, n);
    }
    activate(w, out, gate ? b : NULL, out, n_rows, n);
    for (uint32_t i = 0; i < n_rows; i++)
        if (infer_wants_q8(&y->down))
            quantize(w, &w->act[1], out + i * n, r + i, n_ff, up->c, n);
        else
            memcpy(w->ffn + (r + i) * n_ff + up->c, out + i * n, n * sizeof *out);
}

/* Each thread computes the same columns of gate and up, in panels as wide as a tile has room for. */
static void gate_up_share(void *work, int i, int n)
{
    struct infer_work *w = work;
    const struct model_layer *y = w->layer;
    const struct model_weight *g = y->gate.data ? &y->gate : NULL;
    bool many = reads_bf16(w, w->mul.n_rows);
    uint32_t most = many ? BF16_ROWS : TILE_ROWS, rows = w->mul.n_rows < most ? w->mul.n_rows : most;
    bool made = (g && g->strip_bytes && !is_packed(g)) || (y->up.strip_bytes && !is_packed(&y->up));
    size_t fit = (many ? BF16_TILE : TILE) / rows / COLS * COLS, step = made && fit > PANEL_COLS ? PANEL_COLS : fit;
    uint64_t from, to;
    infer_share(blocks(&y->up), i, n, &from, &to);
    size_t end = to * COLS < y->up.n_out ? to * COLS : y->up.n_out;
    for (size_t c = from * COLS; c < end; c += step) {
        size_t n_cols = end - c < step ? end - c : step;
        struct panel up = panel_of(w, i, 0, &y->up, c, n_cols), gate = {0};
        if (g) gate = panel_of(w, i, 1, g, c, n_cols);
        for (uint32_t r = 0; r < w->mul.n_rows; r += rows)
            gate_up_tile(w, g ? &gate : NULL, &up, r, w->mul.n_rows - r < rows ? w->mul.n_rows - r : rows);
    }
}

void infer_gate_up(struct infer_work *w) { infer_run(w, gate_up_share); }
