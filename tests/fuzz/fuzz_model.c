/* Fuzz target: a whole model. What opens must also run: a session, three tokens, an embedding. Bounds come from
 * the file's size, so a run is short. Its corpus is the golden models of tests/golden/logits. */
#include "infer.h"
#include "base_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct infer_engine *g = NULL;
    struct infer_session *s = NULL;
    struct infer_engine_params ep = {.n_threads = 1};
    struct infer_session_params sp = {.n_ctx = 8};
    struct err e = {0};
    int32_t tokens[3] = {0, 1, 2};
    if (infer_engine_open_memory(data, size, &ep, &g, &e)) return 0;
    const struct model *m = infer_engine_model(g);
    if (infer_session_new(g, &sp, &s, &e)) goto out;
    float *hidden = mem_calloc(3, m->n_embd * sizeof *hidden);
    if (hidden && infer_session_embed(s, tokens, 3, MODEL_POOL_NONE, true, hidden, &e)) goto out_hidden;
    if (m->head.data && infer_session_eval(s, tokens, 3, INFER_LOGITS_LAST, &e)) goto out_hidden;
out_hidden:
    mem_free(hidden);
out:
    infer_session_free(s);
    infer_engine_close(g);
    return 0;
}
