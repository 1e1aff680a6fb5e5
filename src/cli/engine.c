/* Opening a model for a command (engine.h). Read next: cmd_bench.c. */
#include "engine.h"
#include "task_vectors.h"
#include "bundle_store.h"

int cli_model_path(const char *model, char **out, struct err *e) { return bundle_store_resolve(model, out, e); }

int cli_engine_open(const char *model, const struct cli_engine_settings *set, struct infer_engine **out, struct err *e)
{
    char *path = NULL;
    int rc = cli_model_path(model, &path, e);
    if (rc == 0) rc = infer_engine_open(path, &(struct infer_engine_params){.n_threads = (int)set->threads}, out, e);
    mem_free(path);
    return rc;
}

enum infer_kv cli_kv_of(const char *name)
{
    return strcmp(name, "f32") == 0 ? INFER_KV_F32 : strcmp(name, "q8_0") == 0 ? INFER_KV_Q8_0 : INFER_KV_F16;
}

int cli_session_open(struct infer_engine *g, const struct cli_engine_settings *set, uint32_t n_logits,
                     struct infer_session **out, struct err *e)
{
    struct infer_session_params p = {.n_ctx = (uint32_t)set->ctx, .n_batch = (uint32_t)set->batch,
                                     .n_logits = n_logits, .kv = cli_kv_of(set->kv)};
    return infer_session_new(g, &p, out, e);
}

int cli_vectors(struct infer_engine *g, const struct cli_engine_settings *set, const struct task *t,
                const struct task_examples *x, float *out, struct err *e)
{
    struct infer_session *s = NULL;
    struct tok *tok = NULL;
    int rc = tok_new(infer_engine_gguf(g), &tok, e);
    if (!rc) rc = cli_session_open(g, set, 1, &s, e);
    if (!rc) rc = task_vectors(s, tok, t, x, out, e);
    infer_session_free(s);
    tok_free(tok);
    return rc;
}
