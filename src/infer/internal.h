/* What the files of src/infer share. A *batch* is a list of rows (tokens); consecutive rows of one sequence
 * form a segment. Everything but attention and recurrence treats rows alike and does not know sessions. Only
 * *wanted* rows go beyond the mixer of the last layer.
 *
 * Barriers: infer_run() runs a function once per thread and waits for all. A step that touches one row only,
 * or that works on the columns its thread has just computed, needs no barrier and is fused with its
 * neighbour. */
#ifndef INTERNAL_H
#define INTERNAL_H

#include "base_mem.h"
#include "infer.h"
#include "infer_pages.h"
#include "infer_tree.h"
#include "kern_ops.h"
#include "plat_pool.h"

#include <stdatomic.h>

enum {
    COLS = 32,   /* output columns are split between threads at multiples of it (a block of the int8 form) */
    INFER_TASKS = 64, /* pieces of work that attention is cut into at least, where it is long enough */
    CHANNELS = 16, /* channels that a convolution takes through time together */
    MAX_PRODUCTS = 4,
};

struct infer_engine {
    struct gguf *gguf;
    struct model *model;
    const struct kern_ops *ops;
    struct plat_pool *pool;
    struct {            /* the packed weights and the thread that makes them (pack.c) */
        void *slab;     /* strips of all weights that are packed, [bytes] */
        size_t bytes;
        pthread_t thread;
        bool started, running; /* under `lock` */
        atomic_int stop;
    } pack;
    bool invariant;          /* see infer_engine_batch_invariant */
    pthread_mutex_t lock;    /* of the pool and the scratch: one chunk at a time */
    struct infer_work *work; /* scratch of all sessions, as large as the largest of them needs */
};

/* Pages of keys and values (infer_pages.h). A page has, of each attention layer at `layer`, the keys and the values of
 * n_tokens positions, each [n_head_kv, n_tokens] as kern_ops.h draws them. An encoder keeps none beyond a layer: all
 * layers use the same memory. */
struct node;
struct infer_prefix;
struct infer_pages {
    struct infer_engine *engine;
    enum kern_kv kv;
    size_t k_row, v_row, page_bytes; /* of a position of a head; of a page with all layers */
    uint32_t n_tokens, n_pages, n_free;
    char *slab;              /* [n_pages, page_bytes] */
    struct {
        size_t k, v;         /* bytes from a page's start */
    } *layer;                /* [n_layer] */
    uint32_t *refs, *claimed, *free; /* [n_pages] */
    struct node **node_of;   /* [n_pages] or NULL */
    struct node *root;       /* first of the nodes at position 0 */
    struct infer_prefix *prefixes;
    uint32_t n_pinned;   /* pages that stay, at most half of them */
    size_t states_bytes; /* of recurrent states that are not pinned, at most as many as the slab has */
    bool unsaved;        /* a prefix is pinned that no file has */
    uint64_t clock;
};
int infer_kv_form(const struct model *m, enum infer_kv kv, enum kern_kv *out, struct err *e);
int infer_pages_make(struct infer_engine *g, uint32_t n_pages, uint32_t page_tokens, enum kern_kv kv,
                     struct infer_pages **out, struct err *e);
void infer_session_bind_all(struct infer_session *s);
void infer_session_unbind(struct infer_session *s, uint32_t n);

/* Of a recurrent layer: the last d_conv - 1 inputs of the convolution [d_conv - 1, channels] and the state
 * [n_head_v, d_state, d_state]. */
struct infer_state {
    float *conv, *state;
};
size_t infer_state_bytes(const struct model *m); /* of all layers; 0: no recurrent family */

struct infer_session {
    struct infer_engine *engine;
    struct infer_pages *pages; /* of its own, or shared */
    bool owns_pages;
    uint32_t *page;            /* [n_pages] the pages it holds, in the order of positions */
    char **block;              /* [n_pages] where they lie */
    uint32_t n_pages;
    struct infer_state *state; /* [n_layer] */
    float *recurrent;          /* conv and state of all layers, contiguous */
    size_t recurrent_floats;
    int32_t *tokens; /* [n_ctx] */
    uint32_t n_ctx, n_batch, n_past;
    uint32_t n_cells; /* positions of a head's cache: n_ctx, or n_batch in an encoder; whole strips */
    bool spoiled;     /* cancelled inside a chunk: recurrent state is half-updated */
    bool listed;      /* in the list of the batch in progress */
    float *logits;                    /* [n_logits, n_vocab] */
    uint32_t n_logits, n_rows_logits; /* capacity, rows valid after the last eval */
    atomic_int cancel;
};

/* Rows [row0, row0 + n) of a batch are positions [pos0, pos0 + n) of one sequence in a session's caches; or with
 * `branches` they are nodes [node0, node0 + n) of a tree behind position pos0: node i has position pos0 + depth[i] and
 * lies in the caches where position pos0 + i would. */
struct infer_segment {
    struct infer_session *s;
    uint32_t row0, n, pos0;
    uint32_t member; /* whose: an index into the list being evaluated */
    uint32_t cell0;  /* the sequence's position 0 in the caches: 0, or that of a text among several */
    const struct infer_tree *tree; /* NULL, or whose asks the rows may answer */
    uint32_t node0;
    bool branches;
};

/* The int8 form of activations, and for a level that reads it bf16, beside the f32 they were made from. */
struct infer_act {
    int8_t *q;
    float *d;
    int16_t *sum16;
    uint16_t *bf16; /* or NULL */
};

struct infer_product {
    const struct model_weight *w;
    float *y; /* [n_rows, ldy] */
    size_t ldy;
    float *const *rows; /* NULL, or instead of y: [n_rows] where each row goes */
};

/* Scratch of a batch, sized for max_rows rows. Float buffers are [max_rows, width]. */
struct infer_work {
    const struct model *m;
    const struct kern_ops *k;
    struct plat_pool *pool;
    char *slab;
    size_t slab_bytes;
    uint32_t max_rows;
    bool invariant;
    /* the batch */
    int32_t *token;                /* [max_rows] */
    uint32_t *pos, *cell, *segment_of; /* [max_rows] position in its sequence; place in the caches */
    struct infer_segment *segment; /* [max_rows] */
    uint32_t *wanted; /* [max_rows] rows whose result is read, ascending; after the head, those with all logits */
    float **logits;                /* [max_rows] where all logits of each wanted row go, or NULL */
    bool *finite;                  /* [max_rows] whether they are numbers; after the head, rows with all logits only */
    uint32_t n_rows, n_segments, n_wanted;
    /* buffers */
    float *x, *h, *y; /* residual stream, normed input, output of a product: [n_embd] wide */
    float *in[MAX_PRODUCTS]; /* outputs of the mixer's input products: q, k, v | qkv, z, beta, alpha */
    uint32_t in_width[MAX_PRODUCTS];
    float *mixed; /* output of the mixer before its out product */
    uint32_t mixed_width, ffn_width;
    float *ffn;       /* [n_ff_max] act(gate) * up, where `down` reads floats */
    float *turn[2];   /* cosines and sines of the rotary pairs: [max_rows, 2, n_rot/2] for each model.rope */
    struct {
        float *scratch; /* [infer_attention_floats] */
        uint32_t n_units, n_chunks;
        atomic_uint next, left[INFER_TASKS]; /* the next task; chunks of a unit that are not done */
    } attn;
    float *local; /* [local_floats] for each thread */
    size_t local_floats;
    char *strips; /* of panels whose weight is not packed yet: two of [strips_bytes] for each thread */
    size_t strips_bytes;
    struct infer_act act[2]; /* of h (input side) and of mixed and of what `down` reads (middle) */
    /* the step in progress: arguments of the function that infer_run calls */
    const struct model_layer *layer;
    unsigned layer_i;
    struct {
        float *add; /* to x, may be NULL */
        const struct model_norm *post, *out, *next;
        bool quantize;
    } norm;
    struct {
        struct infer_product p[MAX_PRODUCTS];
        int n;
        const float *x;
        size_t n_in, ldx;
        uint32_t n_rows;
        const struct infer_act *act;
        float softcap;
    } mul;
};

static inline size_t infer_align64(size_t n) { return (n + 63) & ~(size_t)63; }

void infer_run(struct infer_work *w, void (*fn)(void *work, int i, int n));
/* Rows or units [from, to) of thread i of n. */
void infer_share(uint64_t total, int i, int n, uint64_t *from, uint64_t *to);

/* tree.c */
void infer_tree_sort(struct infer_tree *t); /* the asks by node */
const struct infer_ask *infer_tree_find(const struct infer_tree *t, int32_t node); /* the first of a node, or NULL */

/* batch.c: the asks of a tree one after the other, path by path, for a recurrent state cannot branch. The session is
 * behind the prompt; row: the logits [n_vocab] there, overwritten. */
int infer_tree_by_paths(struct infer_session *s, struct infer_tree *t, float *row, struct err *e);

/* pack.c */
void infer_pack_plan(struct infer_engine *g);  /* decides which weights are packed: sets their strip_bytes */
void infer_pack_start(struct infer_engine *g); /* after an evaluation; does nothing the second time */
void infer_pack_stop(struct infer_engine *g);

/* products.c */
size_t infer_strips_bytes(const struct model_weight *w);
bool infer_wants_q8(const struct model_weight *w);
void infer_quantize(struct infer_work *w, const struct infer_act *act, const float *x, uint32_t row,
                    size_t n_in, size_t from, size_t n);
void infer_act_copy(const struct infer_act *act, size_t n_in, uint32_t to, uint32_t from);
void infer_products(struct infer_work *w); /* w->mul: all products of one input, columns over threads */
void infer_gate_up(struct infer_work *w);  /* gate, up, activation and the int8 form, fused */
void infer_asks(struct infer_work *w);     /* w->mul.p[0], for the asks of the wanted rows */

/* rope.c */
void infer_turns(struct infer_work *w, uint32_t row); /* fills w->turn of a row */
void infer_rotate(const struct model_rope *r, const float *restrict turn, float *restrict x);

/* attention.c, recurrent.c: the mixers: w->in[] to w->mixed, with its int8 form when `out` wants it */
void infer_attention(struct infer_work *w);
size_t infer_attention_floats(const struct model *m, int n_threads);
void infer_recurrent(struct infer_work *w);
size_t infer_recurrent_channels(const struct model *m, const struct model_layer *y);

/* forward.c */
/* Lets the engine's scratch hold max_rows rows; it never shrinks. */
int infer_work_reserve(struct infer_engine *g, uint32_t max_rows, struct err *e);
void infer_work_free(struct infer_work *w);
/* A batch is made and used under the engine's lock: clear, add segments (row0 is filled in, tokens are
 * copied), want rows, forward. */
void infer_batch_clear(struct infer_work *w);
void infer_batch_add(struct infer_work *w, struct infer_segment g, const int32_t *tokens);
void infer_batch_want(struct infer_work *w, uint32_t row, float *logits); /* ascending; logits may be NULL */
bool infer_is_finite(const float *x, size_t n);
/* All layers. Then h [n_wanted, n_embd] holds the hidden states of the wanted rows, and their logits are
 * where they should be (`head` says whether to compute any). False if all sessions asked to stop. */
bool infer_forward(struct infer_work *w, bool head);

#endif
