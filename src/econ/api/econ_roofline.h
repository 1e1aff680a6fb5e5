/* How fast a model would be on hardware that is not at hand: a roofline (what memory can deliver, what the arithmetic
 * units can do) with what Croft was measured to lose against it. Pure functions; formulas, constants and the measured
 * error are in docs/QUALIFY.md, the second opinion that they are tested against is bench/roofline.py. */
#ifndef ECON_ROOFLINE_H
#define ECON_ROOFLINE_H

#include "econ_device.h"

/* What a prediction needs to know of a model. */
enum { ECON_MAX_TYPES = 16 };
struct econ_weights {
    const char *type;                 /* "Q4_0", … as GGUF names them; borrowed */
    double layer_params, head_params; /* of matrix products: in the layers; in the output matrix */
    double layer_bytes, head_bytes;
};
struct econ_model_shape {
    struct econ_weights weights[ECON_MAX_TYPES];
    int n_weights;
    double n_layer;
    double ff_elements; /* width of the feed-forward networks, summed over the layers */
    double attn_ops;    /* of one query position with one other, summed over the layers: 4 * n_head * d_head each */
    double kv_bytes;    /* keys and values of one position, all layers */
    double state_bytes; /* recurrent states, which every generated token reads */
    double file_bytes;
    bool decodes; /* false: an encoder */
};

/* One answer, in tokens: evaluated, in the cache before them, generated. */
struct econ_work {
    double prompt, cached, answer;
};

/* The limits of a machine; 0: not known. */
struct econ_machine {
    int kind;                   /* enum econ_kind */
    int threads;                /* of a CPU */
    bool measured;              /* `read` and the operations were measured on it; else they are a data sheet's */
    double read;                /* bytes per second from memory */
    double int8_ops, float_ops; /* per second, a multiply-add is two */
    double cache_bytes;         /* of the last cache */
    double memory_bytes;
};
void econ_machine_of(const struct econ_device *d, struct econ_machine *out);

struct econ_rate {
    double at;     /* tokens per second; NAN: cannot be said */
    double lo, hi; /* where it is expected, see `basis` */
    double limit;  /* what bandwidth, or operations, allow without any loss: never more */
};
struct econ_prediction {
    struct econ_rate prompt, decode;           /* decode: in the middle of the answer; NAN for encoders */
    double answer_s, answer_lo_s, answer_hi_s; /* one answer; NAN where a rate is */
    double memory_factor;                      /* memory in multiples of the file; NAN: not known */
    const char *basis;                         /* a sentence: what the interval is, and what was never measured */
    const char *untested;                      /* a type of weights whose constants are those of others, or NULL */
};
/* UNSUPPORTED: a type of weights that is not known; FORMAT: numbers that cannot be (negative, not finite, no
 * weights). */
int econ_predict(const struct econ_machine *m, const struct econ_model_shape *s, const struct econ_work *w,
                 struct econ_prediction *out, struct err *e) ERR_CHECK;

/* The measured error, |predicted / measured - 1|, of models whose shape the fit had not seen (bench/roofline.py). */
struct econ_error {
    const char *of; /* "prompt", "decode" */
    bool in_cache;  /* of models whose weights fit the last cache; else of larger ones */
    int n;          /* measurements */
    double median, p90, worst;
};
struct econ_errors {
    struct econ_error row[4];
    const char *machine, *date, *source;
};
const struct econ_errors *econ_errors_measured(void);

#endif
