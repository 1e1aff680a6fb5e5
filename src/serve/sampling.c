/* Sampling options of a request (generate.h). Defaults are greedy, as everywhere in Croft (docs/decisions/0001). */
#include "generate.h"

#include <math.h>
#include <openssl/rand.h>

static int read_stop(struct serve_job *job, struct serve_sampling *o)
{
    json_t *v = json_object_get(job->in, "stop"), *one;
    size_t i;
    if (!v || json_is_null(v)) return 0;
    if (!json_is_string(v) && !json_is_array(v))
        return serve_refuse(job, CROFT_E_USAGE, "stop", "'stop' must be a string or an array of strings.");
    size_t n = json_is_string(v) ? 1 : json_array_size(v);
    if (n > SERVE_STOPS_MAX)
        return serve_refuse(job, CROFT_E_USAGE, "stop", "'stop' has more than %d strings.", SERVE_STOPS_MAX);
    for (i = 0; i < n; i++) {
        one = json_is_string(v) ? v : json_array_get(v, i);
        if (!json_is_string(one) || !json_string_length(one) || json_string_length(one) > 250)
            return serve_refuse(job, CROFT_E_USAGE, "stop", "Each string of 'stop' must have 1 to 250 bytes.");
        o->stop[i] = json_string_value(one);
    }
    o->s.stop = o->stop;
    o->s.n_stop = n;
    return 0;
}

static int read_bias(struct serve_job *job, struct serve_sampling *o, struct err *e)
{
    json_t *v = NULL, *add;
    const char *key;
    int64_t id;
    int rc = serve_field_value(job, job->in, "", "logit_bias", JSON_OBJECT, "an object", &v);
    if (rc || !v || !json_object_size(v)) return rc;
    if (json_object_size(v) > 1024)
        return serve_refuse(job, CROFT_E_USAGE, "logit_bias", "'logit_bias' has more than 1024 tokens.");
    o->bias = mem_calloc(json_object_size(v), sizeof *o->bias);
    if (!o->bias) return err_nomem(e, 0);
    json_object_foreach(v, key, add)
    {
        double d = json_number_value(add);
        if (!str_to_i64(key, &id) || id < 0 || id >= job->model->n_vocab)
            return serve_refuse(job, CROFT_E_USAGE, "logit_bias",
                                "'logit_bias' names '%.40s', which is no token id below %u.", key,
                                job->model->n_vocab);
        if (!json_is_number(add) || d < -100 || d > 100)
            return serve_refuse(job, CROFT_E_USAGE, "logit_bias",
                                "The values of 'logit_bias' must be numbers from -100 to 100.");
        o->bias[o->s.n_bias++] = (struct croft_bias){(int32_t)id, d <= -100 ? -INFINITY : (float)d};
    }
    o->s.bias = o->bias;
    return 0;
}

static int read_stream(struct serve_job *job, struct serve_sampling *o)
{
    static const struct serve_field options[] = {
        {"include_usage", SERVE_USED, NULL}, {"include_obfuscation", SERVE_IGNORED, NULL}, {NULL, SERVE_USED, NULL}};
    json_t *v = NULL;
    int rc = serve_field_bool(job, job->in, "", "stream", &o->stream);
    if (rc == 0) rc = serve_field_value(job, job->in, "", "stream_options", JSON_OBJECT, "an object", &v);
    if (rc || !v) return rc;
    if (!o->stream)
        return serve_refuse(job, CROFT_E_USAGE, "stream_options",
                            "'stream_options' is only allowed when 'stream' is true.");
    if ((rc = serve_fields_check(job, v, "stream_options.", options))) return rc;
    return serve_field_bool(job, v, "stream_options.", "include_usage", &o->include_usage);
}

static int read_number(struct serve_job *job, const char *name, double min, double max, float *out)
{
    double d = *out;
    int rc = serve_field_number(job, job->in, "", name, min, max, &d);
    *out = (float)d;
    return rc;
}

/* Without a seed, sampling differs from request to request. */
static int read_seed(struct serve_job *job, struct serve_sampling *o)
{
    int64_t seed = 0;
    if (RAND_bytes((unsigned char *)&seed, sizeof seed) != 1) seed = (int64_t)clock_now_ns();
    int rc = serve_field_integer(job, job->in, "", "seed", INT64_MIN, INT64_MAX, &seed);
    o->s.seed = (uint64_t)seed;
    return rc;
}

int serve_sampling_read(struct serve_job *job, struct serve_sampling *o, struct err *e)
{
    json_t *in = job->in;
    int64_t max_tokens = -1, top_k = 0;
    bool ignore_eos = false;
    int rc;
    croft_sampling_init(&o->s);
    o->n = 1;
    if ((rc = read_number(job, "temperature", 0, 2, &o->s.temperature)) ||
        (rc = read_number(job, "top_p", 0, 1, &o->s.top_p)) || (rc = read_number(job, "min_p", 0, 1, &o->s.min_p)) ||
        (rc = read_number(job, "typical_p", 0, 1, &o->s.typical_p)) ||
        (rc = read_number(job, "repeat_penalty", 0.01, 10, &o->s.repeat_penalty)) ||
        (rc = read_number(job, "frequency_penalty", -2, 2, &o->s.frequency_penalty)) ||
        (rc = read_number(job, "presence_penalty", -2, 2, &o->s.presence_penalty)) ||
        (rc = serve_field_integer(job, in, "", "top_k", 0, 1 << 24, &top_k)) ||
        (rc = serve_field_integer(job, in, "", "n", 1, SERVE_CHOICES_MAX, &o->n)) ||
        (rc = serve_field_integer(job, in, "", "max_tokens", o->fewest, 1 << 24, &max_tokens)) ||
        (rc = serve_field_integer(job, in, "", "max_completion_tokens", 1, 1 << 24, &max_tokens)) ||
        (rc = serve_field_integer(job, in, "", "max_output_tokens", 1, 1 << 24, &max_tokens)) ||
        (rc = read_seed(job, o)) || (rc = read_stop(job, o)) || (rc = read_bias(job, o, e)) ||
        (rc = read_stream(job, o)) || (rc = serve_field_bool(job, in, "", "ignore_eos", &ignore_eos)))
        return rc;
    o->s.ignore_eos = ignore_eos;
    o->s.top_k = (int32_t)top_k;
    o->nothing = max_tokens == 0;
    if (max_tokens < 0) max_tokens = 0;
    o->s.max_tokens = (int32_t)max_tokens;
    const uint32_t ceiling = job->serve->p.max_tokens;
    if (ceiling && (max_tokens == 0 || max_tokens > ceiling)) o->s.max_tokens = (int32_t)ceiling;
    return 0;
}
