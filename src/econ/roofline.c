/* Rates from limits (econ_roofline.h). Two formulas, in seconds per token. W_t, p_t: bytes and weights of type t; B:
 * bytes per second from memory; P_t: operations per second of the kind that multiplies type t (int8, or float for
 * float weights), P_f those of floats; L layers; A operations of attention between two positions; F elements of the
 * feed-forward networks; pos: positions that a token looks at.
 *
 *     decode = memory * (W + states + KV * pos) / B           nothing where all that fits half of the last cache
 *            + sum over t of row_t * 2 p_t / P_t              unpacking and multiplying a single row
 *            + row_attn * A * pos / P_f + L * (layer + [threads > 1] layer_wait)
 *
 *     prompt = sum over t of many_t * 2 p_t / P_t             without the output matrix
 *            + many_attn * A * pos / P_f
 *            + (ff * F + width * A / 4 + [encoder] ff_encoder * F) / P_f
 *            + ([threads > 1] many_wait * L + head * 2 p_head / P_int8) / tokens
 *
 * The words are constants that bench/roofline.py fits to measurements (roofline_fit.inc). They stand for what a
 * roofline leaves out; memory is near 1 because decoding reads at nearly the rate that a plain read reaches.
 *
 * Hardware that was not measured gets an interval instead: for CPUs the same formulas between a bad and a good share
 * of the data sheet's limits, for GPUs and NPUs shares of the limits alone. Pure functions. Read next: device.c. */
#include "econ_roofline.h"

#include <math.h>
#include <string.h>

struct type_row {
    const char *name;
    double row, many;
    int n_shapes; /* that it was measured in; 0: the constants are a mean of the others' */
};
static const struct type_row types[] = {
#define TYPE(name_, row_, many_, n_shapes_) {.name = name_, .row = row_, .many = many_, .n_shapes = n_shapes_},
#include "roofline_fit.inc"
};
enum { N_TYPES = sizeof types / sizeof types[0] };

#define CONSTANT(name, value) static const double name = value;
#include "roofline_fit.inc"

static const struct econ_errors errors = {
    .row =
        {
#define ERROR(of_, in_cache_, n_, median_, p90_, worst_)                                                             \
    {.of = of_, .in_cache = in_cache_, .n = n_, .median = median_, .p90 = p90_, .worst = worst_},
#include "roofline_fit.inc"
        },
#define MEASURED(machine_, date_) .machine = machine_, .date = date_, .source = "bench/roofline.csv",
#include "roofline_fit.inc"
};

const struct econ_errors *econ_errors_measured(void) { return &errors; }

/* ---- machines ---- */

void econ_machine_of(const struct econ_device *d, struct econ_machine *out)
{
    *out = (struct econ_machine){.kind = d->kind,
                                 .threads = d->cores,
                                 .read = 1e9 * d->bandwidth_gbs,
                                 .int8_ops = 1e12 * d->int8_tops,
                                 .float_ops = 1e12 * d->fp16_tflops,
                                 .memory_bytes = 1e9 * d->memory_gb};
    /* a CPU's float rate, where only int8 is given: a quarter, as its registers hold four times fewer */
    if (d->kind == ECON_CPU && out->float_ops <= 0) out->float_ops = out->int8_ops / 4;
}

/* ---- the model ---- */

static const struct type_row *type_find(const char *name)
{
    for (int i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

static bool is_float(const char *type)
{
    return strcmp(type, "F32") == 0 || strcmp(type, "F16") == 0 || strcmp(type, "BF16") == 0;
}

static bool is_number(double x) { return isfinite(x) && x >= 0; }

static int check(const struct econ_machine *m, const struct econ_model_shape *s, const struct econ_work *w,
                 struct err *e)
{
    double params = 0;
    bool good = is_number(s->n_layer) && is_number(s->ff_elements) && is_number(s->attn_ops) &&
                is_number(s->kv_bytes) && is_number(s->state_bytes) && s->file_bytes > 0 && is_number(s->file_bytes);
    for (int i = 0; i < s->n_weights; i++) {
        const struct econ_weights *x = &s->weights[i];
        if (!type_find(x->type))
            return ERR(
                e, UNSUPPORTED,
                "Nothing is known of weights of type '%.40s': a prediction needs one of GGUF's types that Croft "
                "runs (docs/QUALIFY.md).",
                x->type);
        good = good && is_number(x->layer_params) && is_number(x->head_params) && is_number(x->layer_bytes) &&
               is_number(x->head_bytes);
        params += x->layer_params;
    }
    if (!good || !(params > 0))
        return ERR(e, FORMAT, "The model's shape cannot be: no weights, or a number that is negative or not finite.");
    if (!is_number(w->prompt) || !is_number(w->cached) || !is_number(w->answer) || w->prompt < 1)
        return ERR(e, FORMAT, "An answer needs a prompt of at least 1 token, and no negative number of tokens.");
    if (!is_number(m->read) || !is_number(m->int8_ops) || !is_number(m->float_ops))
        return ERR(e, FORMAT, "A machine's bandwidth or operations are negative or not finite.");
    return 0;
}

static double step_bytes(const struct econ_model_shape *s, double pos)
{
    double n = s->state_bytes + s->kv_bytes * pos;
    for (int i = 0; i < s->n_weights; i++) n += s->weights[i].layer_bytes + s->weights[i].head_bytes;
    return n;
}

static double ops_of(const struct econ_machine *m, const struct econ_weights *x)
{
    return is_float(x->type) ? m->float_ops : m->int8_ops;
}

/* Seconds of one decoding step behind `pos` positions. */
static double decode_seconds(const struct econ_machine *m, const struct econ_model_shape *s, double pos)
{
    double bytes = step_bytes(s, pos), t = bytes < m->cache_bytes / 2 ? 0 : memory * bytes / m->read;
    for (int i = 0; i < s->n_weights; i++) {
        const struct econ_weights *x = &s->weights[i];
        t += type_find(x->type)->row * 2 * (x->layer_params + x->head_params) / ops_of(m, x);
    }
    t += row_attn * s->attn_ops * pos / m->float_ops;
    return t + s->n_layer * (layer + (m->threads > 1 ? layer_wait : 0));
}

/* Seconds of one token of a prompt of n tokens that look at `pos` positions on average. */
static double prompt_seconds(const struct econ_machine *m, const struct econ_model_shape *s, double n, double pos)
{
    double t = many_attn * s->attn_ops * pos / m->float_ops, once = m->threads > 1 ? many_wait * s->n_layer : 0;
    for (int i = 0; i < s->n_weights; i++) {
        const struct econ_weights *x = &s->weights[i];
        t += type_find(x->type)->many * 2 * x->layer_params / ops_of(m, x);
        once += head * 2 * x->head_params / ops_of(m, x);
    }
    t += (ff * s->ff_elements + width * s->attn_ops / 4) / m->float_ops;
    if (!s->decodes) t += ff_encoder * s->ff_elements / m->float_ops;
    return t + once / n;
}

/* ---- predictions ---- */

/* Of what a data sheet says, what is assumed to be reached where nothing was measured. */
struct share {
    double lo, at, hi;
};
static const struct share cpu_read = {0.5, 0.67, 0.9}, cpu_ops = {0.5, 0.75, 1}, gpu_read = {0.2, 0.5, 0.9},
                          gpu_ops = {0.05, 0.2, 0.6};

static const struct econ_error *error_of(const char *of, bool in_cache)
{
    for (int i = 0; i < 4; i++)
        if (errors.row[i].of && strcmp(errors.row[i].of, of) == 0 && errors.row[i].in_cache == in_cache)
            return &errors.row[i];
    return NULL;
}

static double or_nan(double rate) { return isfinite(rate) && rate > 0 ? rate : NAN; }

/* The limits alone. */
static void limits(const struct econ_machine *m, const struct econ_model_shape *s, double decode_pos,
                   double prompt_pos, struct econ_prediction *p)
{
    double t = 0, float_ops = m->float_ops > 0 ? m->float_ops : m->int8_ops;
    for (int i = 0; i < s->n_weights; i++) {
        double ops = m->kind == ECON_CPU ? ops_of(m, &s->weights[i]) : fmax(m->int8_ops, m->float_ops);
        t += 2 * s->weights[i].layer_params / ops;
    }
    t += s->attn_ops * prompt_pos / float_ops;
    p->prompt.limit = or_nan(1 / t);
    double bytes = step_bytes(s, decode_pos);
    bool cached = bytes < m->cache_bytes / 2;
    p->decode.limit = s->decodes && !cached ? or_nan(m->read / bytes) : NAN;
}

static struct econ_machine scaled(const struct econ_machine *m, double read, double ops)
{
    struct econ_machine x = *m;
    x.read *= read;
    x.int8_ops *= ops;
    x.float_ops *= ops;
    return x;
}

static void on_cpu(const struct econ_machine *m, const struct econ_model_shape *s, double n, double decode_pos,
                   double prompt_pos, struct econ_prediction *p)
{
    bool in_cache = step_bytes(s, decode_pos) < m->cache_bytes / 2;
    const struct econ_error *d = error_of("decode", in_cache), *q = error_of("prompt", in_cache);
    const struct share none = {1, 1, 1}, read = m->measured ? none : cpu_read, ops = m->measured ? none : cpu_ops;
    struct econ_machine lo = scaled(m, read.lo, ops.lo), at = scaled(m, read.at, ops.at),
                        hi = scaled(m, read.hi, ops.hi);
    double d90 = d ? d->p90 : NAN, q90 = q ? q->p90 : NAN;
    p->prompt.at = or_nan(1 / prompt_seconds(&at, s, n, prompt_pos));
    p->prompt.lo = or_nan(1 / prompt_seconds(&lo, s, n, prompt_pos)) / (1 + q90);
    p->prompt.hi = fmin(or_nan(1 / prompt_seconds(&hi, s, n, prompt_pos)) / (1 - q90), p->prompt.limit);
    p->basis = m->measured
                   ? "the interval is the error that nine of ten predictions kept, measured on one machine; this "
                     "machine's limits were measured now"
                   : "assumed: 50 to 90 % of the data sheet's bandwidth and 50 to 100 % of its operations are "
                     "reached; the formula's error was measured on one CPU with 1 and 2 threads, not on this one";
    if (!s->decodes) return;
    p->decode.at = or_nan(1 / decode_seconds(&at, s, decode_pos));
    p->decode.lo = or_nan(1 / decode_seconds(&lo, s, decode_pos)) / (1 + d90);
    p->decode.hi = or_nan(1 / decode_seconds(&hi, s, decode_pos)) / (1 - d90);
    if (p->decode.limit > 0) p->decode.hi = fmin(p->decode.hi, p->decode.limit);
}

static void on_accelerator(const struct econ_model_shape *s, struct econ_prediction *p)
{
    struct econ_rate *q = &p->prompt, *d = &p->decode;
    q->at = gpu_ops.at * q->limit, q->lo = gpu_ops.lo * q->limit, q->hi = gpu_ops.hi * q->limit;
    if (s->decodes) d->at = gpu_read.at * d->limit, d->lo = gpu_read.lo * d->limit, d->hi = gpu_read.hi * d->limit;
    p->basis =
        "not measured: assumed are 20 to 90 % of the bandwidth and 5 to 60 % of the operations of the data sheet, "
        "for a program that uses this device; Croft computes on CPUs, and its error is known for those alone";
}

static double seconds(const struct econ_work *w, bool decodes, double prompt, double decode)
{
    return w->prompt / prompt + (decodes && w->answer > 0 ? w->answer / decode : 0);
}

int econ_predict(const struct econ_machine *m, const struct econ_model_shape *s, const struct econ_work *w,
                 struct econ_prediction *out, struct err *e)
{
    struct econ_rate unknown = {NAN, NAN, NAN, NAN};
    struct econ_prediction p = {.prompt = unknown, .decode = unknown, .memory_factor = NAN};
    double decode_pos = w->cached + w->prompt + w->answer / 2,
           prompt_pos = s->decodes ? w->cached + w->prompt / 2 : w->prompt;
    int rc = check(m, s, w, e);
    if (rc) return rc;
    limits(m, s, decode_pos, prompt_pos, &p);
    if (m->kind == ECON_CPU)
        on_cpu(m, s, w->prompt, decode_pos, prompt_pos, &p);
    else
        on_accelerator(s, &p);
    for (int i = 0; i < s->n_weights && m->kind == ECON_CPU; i++)
        if (type_find(s->weights[i].type)->n_shapes == 0) p.untested = s->weights[i].type;
    if (m->memory_bytes > 0) p.memory_factor = m->memory_bytes / s->file_bytes;
    p.answer_s = seconds(w, s->decodes, p.prompt.at, p.decode.at);
    p.answer_lo_s = seconds(w, s->decodes, p.prompt.hi, p.decode.hi);
    p.answer_hi_s = seconds(w, s->decodes, p.prompt.lo, p.decode.lo);
    *out = p;
    return 0;
}
