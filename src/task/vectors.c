/* Vectors of a data set's inputs (task_data.h): the text alone, without what a conversation puts around it, many in a
 * batch. Stateless. Read next: prompt.c. */
#include "base_mem.h"
#include "task_prompt.h"
#include "task_vectors.h"

int task_vectors(struct infer_session *s, const struct tok *tok, const struct task *t, const struct task_examples *x,
                 float *out, struct err *e)
{
    struct task plain = *t;
    plain.kind = TASK_EMBED;
    const struct model *m = infer_engine_model(infer_session_engine(s));
    struct infer_text *text = mem_calloc(x->n, sizeof *text);
    int rc = text ? 0 : err_nomem(e, x->n * sizeof *text);
    for (size_t i = 0; i < x->n && !rc; i++) {
        int32_t *ids;
        rc = task_prompt_tokens(&plain, NULL, tok, x->item[i].input, &ids, &text[i].n, e);
        if (!rc) text[i].tokens = ids;
        text[i].out = out + i * m->n_embd;
    }
    enum model_pool pool = m->pool == MODEL_POOL_NONE ? MODEL_POOL_MEAN : m->pool;
    if (!rc) rc = infer_session_embed_all(s, text, x->n, pool, true, e);
    for (size_t i = 0; text && i < x->n; i++) mem_free((void *)text[i].tokens);
    mem_free(text);
    return rc;
}
