/* POST /v1/embeddings: texts (or token ids) to vectors of length 1, as numbers or as base64 of little-endian floats.
 */
#include "generate.h"

#include <openssl/evp.h>

enum { INPUTS_MAX = 2048 };

struct embeddings {
    struct infer_text *texts; /* [n] */
    size_t n;
    float *vectors; /* [n, n_embd] */
    uint32_t n_embd;
    bool base64;
};

static const struct serve_field fields[] = {{"model", SERVE_USED, NULL},           {"input", SERVE_USED, NULL},
                                            {"encoding_format", SERVE_USED, NULL}, {"dimensions", SERVE_USED, NULL},
                                            {"user", SERVE_IGNORED, NULL},         {NULL, SERVE_USED, NULL}};

static void free_data(void *data)
{
    struct embeddings *m = data;
    for (size_t i = 0; i < m->n; i++) mem_free((void *)m->texts[i].tokens);
    mem_free(m->texts);
    mem_free(m->vectors);
    mem_free(m);
}

static int read_inputs(struct serve_job *job, struct embeddings *m, struct err *e)
{
    json_t *v = json_object_get(job->in, "input");
    if (!v || json_is_null(v)) return serve_field_missing(job, "", "input");
    bool several = json_is_array(v) && json_array_size(v) && !json_is_integer(json_array_get(v, 0));
    size_t n = several ? json_array_size(v) : 1;
    if (n > INPUTS_MAX)
        return serve_refuse(job, CROFT_E_USAGE, "input", "'input' has more than %d texts.", INPUTS_MAX);
    m->texts = mem_calloc(n, sizeof *m->texts);
    m->vectors = mem_calloc(n * m->n_embd, sizeof *m->vectors);
    if (!m->texts || !m->vectors) return err_nomem(e, n * m->n_embd * sizeof *m->vectors);
    for (size_t i = 0; i < n; i++) {
        int32_t *ids = NULL;
        size_t n_ids = 0;
        int rc = serve_prompt_ids(job, several ? json_array_get(v, i) : v, "input", TOK_ADD_SPECIAL, &ids, &n_ids, e);
        if (rc == 0 && n_ids > job->model->n_ctx)
            rc = ERR(e, NO_ROOM, "An input has %zu tokens; the context holds %u.", n_ids, job->model->n_ctx);
        if (rc) {
            mem_free(ids);
            return rc;
        }
        m->texts[m->n++] = (struct infer_text){ids, n_ids, m->vectors + i * m->n_embd};
        job->prompt_tokens += (uint32_t)n_ids;
    }
    return 0;
}

static int prepare(struct serve_job *job, struct err *e)
{
    const char *format = "float";
    int64_t dimensions = 0;
    int rc;
    struct embeddings *m = mem_calloc(1, sizeof *m);
    if (!m) return err_nomem(e, sizeof *m);
    job->data = m;
    if ((rc = serve_fields_check(job, job->in, "", fields)) || (rc = serve_body_model(job)) ||
        (rc = serve_field_string(job, job->in, "", "encoding_format", &format)) ||
        (rc = serve_field_integer(job, job->in, "", "dimensions", 1, 1 << 24, &dimensions)))
        return rc;
    m->base64 = strcmp(format, "base64") == 0;
    if (!m->base64 && strcmp(format, "float") != 0)
        return serve_refuse(job, CROFT_E_USAGE, "encoding_format", "'encoding_format' must be one of float, base64.");
    m->n_embd = infer_engine_model(job->model->engine)->n_embd;
    if (dimensions && dimensions != m->n_embd)
        return serve_refuse(job, CROFT_E_UNSUPPORTED, "dimensions",
                            "'dimensions' is not supported here except as %u.", m->n_embd);
    if ((rc = read_inputs(job, m, e)) || (rc = serve_job_asks(job, 1, e))) return rc;
    enum model_pool pool = infer_engine_model(job->model->engine)->pool;
    struct infer_request r = {.texts = m->texts,
                              .n_texts = m->n,
                              .normalize = true,
                              .pool = pool == MODEL_POOL_NONE ? MODEL_POOL_MEAN : pool};
    return serve_job_submit(job, 0, &r, e);
}

/* Bytes in the order of the machine, which is little-endian on all that Croft runs on. */
static json_t *base64_of(const float *x, uint32_t n)
{
    size_t bytes = n * sizeof *x;
    char *text = mem_alloc(4 * ((bytes + 2) / 3) + 1);
    if (!text) return NULL;
    int k = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)x, (int)bytes);
    json_t *s = json_stringn_nocheck(text, (size_t)k);
    mem_free(text);
    return s;
}

static json_t *numbers_of(const float *x, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++) json_array_append_new(list, json_real(x[i]));
    return list;
}

static void finish(struct serve_job *job)
{
    struct embeddings *m = job->data;
    json_t *data = json_array();
    for (size_t i = 0; i < m->n; i++) {
        const float *v = m->vectors + i * m->n_embd;
        json_array_append_new(data,
                              json_pack("{s:s s:I s:o}", "object", "embedding", "index", (json_int_t)i, "embedding",
                                        m->base64 ? base64_of(v, m->n_embd) : numbers_of(v, m->n_embd)));
    }
    serve_job_reply(job, 200,
                    json_pack("{s:s s:o s:s s:{s:I s:I}}", "object", "list", "data", data, "model", job->model->name,
                              "usage", "prompt_tokens", (json_int_t)job->prompt_tokens, "total_tokens",
                              (json_int_t)job->prompt_tokens));
}

const struct serve_endpoint serve_ep_embeddings = {.method = "POST",
                                                   .path = "/v1/embeddings",
                                                   .name = "embeddings",
                                                   .repeats = true,
                                                   .prepare = prepare,
                                                   .finish = finish,
                                                   .free_data = free_data};
