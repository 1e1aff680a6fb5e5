/* How fast a model would be on hardware that is not at hand: a roofline (what memory can deliver, what the arithmetic
 * units can do) with what Croft was measured to lose against it. Pure functions; formulas, constants and the measured
 * error are in docs/QUALIFY.md, the second opinion that they are tested against is bench/roofline.py. */
#ifndef ECON_ROOFLINE_H
#define ECON_ROOFLINE_H

#include "econ_device.h"

/* What a prediction needs to know of a model. */
enum { ECON_MAX_TYPES = 12 };
struct econ_weights {
    const char *type;                /* "Q4_0", … as GGUF names them; borrowed */
    double layer_params, head_params; /* of matrix products: in the layers; in the output matrix */
    double layer_bytes, head_bytes;
};
struct econ_shape {
    struct econ_weights weights[ECON_MAX_TYPES];
    int n_weights;
    int n_layer;
    double file_bytes; /* for memory */
    double kv_bytes;   /* keys and values of one position, all layers, 16 bit */
    double attn_ops;   /* of one query position with one cached position, all layers: 4 * n_head * d_head each */
    double state_bytes; /* recurrent states that each token reads */
    bool decodes;      /* false: an encoder */
};

/* One answer. */
struct econ_work {
    double prompt, cached, answer; /* tokens: to be evaluated, in the cache before them, to be generated */
};

/* The limits of a machine. */
struct econ_machine {
    int kind;       /* enum econ_kind */
    int threads;    /* of a CPU */
    bool measured;  /* `read` and the peaks were measured on it (croft doctor); else they are a data sheet's */
    double read;    /* bytes per second of memory; 0: not known */
    double int8_ops, float_ops; /* operations per second, a multiply-add is two; 0: not known */
    double cache_bytes; /* of the last cache; 0: not known */
    double memory_bytes;
};
void econ_machine_of(const struct econ_device *d, struct econ_machine *out);

struct econ_rate {
    double at;     /* tokens per second; NAN: cannot be said, a limit of the device is not known */
    double lo, hi; /* where it is expected (`error` on each side), or what was assumed where nothing was measured */
    double limit;  /* what the limit alone allows: bandwidth, or operations; never more */
};
struct econ_prediction {
    struct econ_rate prompt, decode; /* decode: in the middle of the answer; NAN for encoders */
    double answer_s, answer_lo_s, answer_hi_s; /* one answer; NAN where a rate is */
    double memory_needed;            /* 1.5 times the file */
    bool fits;                       /* in memory_bytes; true where that is not known */
    bool fitted;                     /* by constants measured on CPUs of one kind; else an assumed range */
    const char *untested;            /* a type whose constants are of others, or NULL */
    const char *basis;               /* a sentence: what the interval is */
};
/* UNSUPPORTED: a weight type without a row; FORMAT: numbers that cannot be (negative, not finite, no weights). */
int econ_predict(const struct econ_machine *m, const struct econ_shape *s, const struct econ_work *w,
                 struct econ_prediction *out, struct err *e) ERR_CHECK;

/* The measured error of prediction, leaving one shape out at a time (bench/roofline.py). */
struct econ_error {
    double median, p90, worst; /* of |predicted / measured - 1| */
    int n;
};
struct econ_errors {
    struct econ_error prompt, decode;
    const char *machine, *date, *source; /* "AMD EPYC (Zen 4), 1 and 2 threads"; "2026-11-21"; "bench/roofline.csv" */
};
const struct econ_errors *econ_errors_measured(void);

#endif
