/* Request bodies field by field (fields.h). Runs on preparation threads; owns nothing. */
#include "fields.h"

static int bad_field(struct serve_job *job, const char *at, const char *name, const char *wanted)
{
    char param[96];
    snprintf(param, sizeof param, "%s%s", at, name);
    return serve_refuse(job, CROFT_E_USAGE, param, "'%s' must be %s.", param, wanted);
}

/* Is v what the JSON text in [p, p + n) says? */
static bool equals_text(json_t *v, const char *p, size_t n)
{
    json_t *fixed = json_loadb(p, n, JSON_DECODE_ANY, NULL);
    bool same = json_equal(v, fixed) ||
                (json_is_number(v) && json_is_number(fixed) && json_number_value(v) == json_number_value(fixed));
    json_decref(fixed);
    return same;
}

static bool is_one_of(json_t *v, const char *texts)
{
    for (const char *p = texts; p && *p;) {
        size_t n = strcspn(p, "|");
        if (equals_text(v, p, n)) return true;
        p += n + (p[n] == '|');
    }
    return false;
}

int serve_fields_check(struct serve_job *job, json_t *object, const char *at, const struct serve_field *table)
{
    const char *key;
    json_t *v;
    char param[96];
    json_object_foreach(object, key, v)
    {
        const struct serve_field *f = table;
        while (f->name && strcmp(f->name, key) != 0) f++;
        snprintf(param, sizeof param, "%s%.60s", at, key);
        if (!f->name)
            return serve_refuse(job, CROFT_E_USAGE, param, "Unrecognized request argument supplied: '%s'.", param);
        if (f->use != SERVE_FIXED || json_is_null(v) || is_one_of(v, f->fixed)) continue;
        return serve_refuse(job, CROFT_E_USAGE, param,
                            f->fixed ? "'%s' is not supported here except as %s." : "'%s' is not supported here.%s",
                            param, f->fixed ? f->fixed : "");
    }
    return 0;
}

static json_t *member(json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    return json_is_null(v) ? NULL : v;
}

int serve_field_number(struct serve_job *job, json_t *o, const char *at, const char *name, double min, double max,
                       double *out)
{
    json_t *v = member(o, name);
    char wanted[96];
    if (!v) return 0;
    if (!json_is_number(v)) return bad_field(job, at, name, "a number");
    double x = json_number_value(v);
    snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    if (!(x >= min && x <= max)) return bad_field(job, at, name, wanted);
    *out = x;
    return 0;
}

int serve_field_integer(struct serve_job *job, json_t *o, const char *at, const char *name, int64_t min, int64_t max,
                        int64_t *out)
{
    json_t *v = member(o, name);
    char wanted[96];
    if (!v) return 0;
    if (!json_is_integer(v)) return bad_field(job, at, name, "an integer");
    snprintf(wanted, sizeof wanted, "an integer from %lld to %lld", (long long)min, (long long)max);
    if (json_integer_value(v) < min || json_integer_value(v) > max) return bad_field(job, at, name, wanted);
    *out = json_integer_value(v);
    return 0;
}

int serve_field_bool(struct serve_job *job, json_t *o, const char *at, const char *name, bool *out)
{
    json_t *v = member(o, name);
    if (v && !json_is_boolean(v)) return bad_field(job, at, name, "true or false");
    if (v) *out = json_is_true(v);
    return 0;
}

int serve_field_string(struct serve_job *job, json_t *o, const char *at, const char *name, const char **out)
{
    json_t *v = member(o, name);
    if (v && !json_is_string(v)) return bad_field(job, at, name, "a string");
    if (v) *out = json_string_value(v);
    return 0;
}

int serve_field_value(struct serve_job *job, json_t *o, const char *at, const char *name, json_type type,
                      const char *article_type, json_t **out)
{
    json_t *v = member(o, name);
    if (v && json_typeof(v) != type) return bad_field(job, at, name, article_type);
    if (v) *out = v;
    return 0;
}

int serve_field_missing(struct serve_job *job, const char *at, const char *name)
{
    char param[96];
    snprintf(param, sizeof param, "%s%s", at, name);
    return serve_refuse(job, CROFT_E_USAGE, param, "Missing required parameter: '%s'.", param);
}

int serve_failed(const struct serve_job *job) { return job->fault.err.code ? job->fault.err.code : CROFT_E_NOMEM; }

int serve_body_parse(struct serve_job *job)
{
    json_error_t why;
    job->in = json_loadb(job->body.data ? job->body.data : "", job->body.len,
                         JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!job->in && json_error_code(&why) == json_error_out_of_memory)
        return serve_refuse(job, CROFT_E_NOMEM, "", "Out of memory.");
    if (!job->in) /* the parser's text may quote the body, which may not be text */
        return serve_refuse(job, CROFT_E_FORMAT, "", "The body is not valid JSON: line %d, column %d%s.", why.line,
                            why.column,
                            json_error_code(&why) == json_error_invalid_utf8       ? " is not UTF-8"
                            : json_error_code(&why) == json_error_duplicate_key    ? " repeats a key"
                            : json_error_code(&why) == json_error_stack_overflow   ? " is nested too deeply"
                            : json_error_code(&why) == json_error_numeric_overflow ? " has a number out of range"
                            : json_error_code(&why) == json_error_premature_end_of_input ? ", where it ends too early"
                                                                                         : "");
    if (!json_is_object(job->in)) return serve_refuse(job, CROFT_E_FORMAT, "", "The body must be a JSON object.");
    return 0;
}

int serve_body_model(struct serve_job *job)
{
    const char *name = NULL;
    int rc = serve_field_string(job, job->in, "", "model", &name);
    if (rc) return rc;
    if (!name) return serve_field_missing(job, "", "model");
    job->model = serve_models_find(job->serve->models, name);
    if (!job->model) {
        job->fault.code = "model_not_found";
        return serve_refuse(job, CROFT_E_NOT_FOUND, "model", "The model '%.64s' does not exist.", name);
    }
    if (job->key && !serve_key_may_model(job->key, name)) {
        job->fault.code = "model_not_allowed";
        return serve_refuse(job, CROFT_E_DENIED, "model", "This key may not use the model '%.64s'.", name);
    }
    return 0;
}

static int append(const char *text, size_t n, void *buf) { return buf_add(buf, text, n); }

int serve_json_dump(json_t *value, struct buf *out, size_t flags)
{
    return json_dump_callback(value, append, out, JSON_ENCODE_ANY | flags);
}

json_t *serve_json_text(const char *p, size_t n)
{
    if (utf8_valid(p, n)) return json_stringn(p, n);
    struct buf b;
    buf_init(&b, 3 * n + 8);
    for (const char *end = p + n; p < end;) {
        uint32_t cp;
        size_t k = utf8_decode(p, end, &cp);
        buf_utf8(&b, cp > 0x10FFFF ? 0xFFFD : cp);
        p += k;
    }
    json_t *s = json_stringn(b.data ? b.data : "", b.len);
    buf_done(&b);
    return s;
}
