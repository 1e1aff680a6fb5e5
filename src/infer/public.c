/* The public API (include/croft/croft.h): thin wrappers around the engine, the tokenizer and the chat
 * template. A croft_session is an infer_session with its model; struct croft_err is struct err. */
#include <croft/croft.h>

#include "base_mem.h"
#include "infer_chat.h"
#include "infer_generate.h"
#include "kern_ops.h"

enum { TOKENS_MAX = 1 << 26, TEXT_MAX = 1 << 28 };

struct croft_model {
    struct infer_engine *engine;
    struct tok *tok;              /* NULL: the file has none, or one of no known kind … */
    struct croft_err why_not;     /* … as this says */
    struct croft_err why_no_chat; /* why chat is NULL: no template, or a damaged one */
    struct infer_chat *chat;      /* likewise */
};
struct croft_session {
    struct croft_model *model;
    struct infer_session *s;
};

const char *croft_version(void) { return CROFT_VERSION; }
void croft_free(void *p) { mem_free(p); }

int croft_model_open(const char *path, int n_threads, struct croft_model **out, struct croft_err *e)
{
    struct croft_err local;
    struct infer_engine_params p = {.n_threads = n_threads};
    struct croft_model *m = mem_calloc(1, sizeof *m);
    if (!e) e = &local;
    if (!m) return err_nomem(e, sizeof *m);
    int rc = infer_engine_open(path, &p, &m->engine, e);
    if (!rc && (rc = tok_new(infer_engine_gguf(m->engine), &m->tok, e))) {
        m->why_not = *e; /* it still takes token ids */
        if (rc == CROFT_E_NOT_FOUND || rc == CROFT_E_UNSUPPORTED) e->code = rc = 0;
    }
    if (!rc && m->tok && (rc = infer_chat_new(infer_engine_gguf(m->engine), m->tok, &m->chat, e))) {
        m->why_no_chat = *e; /* it still continues text */
        if (rc != CROFT_E_NOMEM) e->code = rc = 0;
    }
    if (rc) croft_model_close(m);
    else *out = m;
    return rc;
}

void croft_model_close(struct croft_model *m)
{
    if (!m) return;
    infer_chat_free(m->chat);
    tok_free(m->tok);
    infer_engine_close(m->engine);
    mem_free(m);
}

void croft_model_get_info(const struct croft_model *m, struct croft_model_info *out)
{
    const struct model *p = infer_engine_model(m->engine);
    *out = (struct croft_model_info){.architecture = p->arch,
                                     .cpu_level = infer_engine_ops(m->engine)->level,
                                     .n_vocab = (int32_t)p->n_vocab,
                                     .n_embd = (int32_t)p->n_embd,
                                     .n_layer = (int32_t)p->n_layer,
                                     .n_ctx_train = (int32_t)p->n_ctx_train,
                                     .n_params = (int64_t)p->n_params,
                                     .bos = m->tok ? tok_bos(m->tok) : -1,
                                     .eos = m->tok ? tok_eos(m->tok) : -1,
                                     .generates = p->head.data != NULL,
                                     .has_tokenizer = m->tok != NULL,
                                     .has_chat_template = m->chat != NULL};
}

/* ---- text ---- */

static int need_tokenizer(const struct croft_model *m, struct croft_err *e)
{
    if (m->tok) return 0;
    if (e) *e = m->why_not;
    return m->why_not.code;
}

int croft_tokenize(const struct croft_model *m, const char *text, size_t n, unsigned flags, int32_t **out_ids,
                   size_t *out_n, struct croft_err *e)
{
    unsigned f = (flags & CROFT_ADD_SPECIAL ? TOK_ADD_SPECIAL : 0) |
                 (flags & CROFT_PARSE_SPECIAL ? TOK_PARSE_SPECIAL : 0);
    int rc = need_tokenizer(m, e);
    return rc ? rc : tok_encode(m->tok, text, n, f, TOKENS_MAX, out_ids, out_n, e);
}

/* A buffer's contents to the caller. */
static int give(struct buf *b, const char *what, char **out_text, size_t *out_n, struct croft_err *e)
{
    buf_reserve(b, 1); /* even an empty text is a string */
    int rc = buf_check(b, what, e);
    size_t n = b->len;
    char *text = rc ? NULL : buf_take(b);
    buf_done(b);
    if (rc) return rc;
    *out_text = text;
    if (out_n) *out_n = n;
    return 0;
}

int croft_detokenize(const struct croft_model *m, const int32_t *ids, size_t n, unsigned flags,
                     char **out_text, size_t *out_n, struct croft_err *e)
{
    struct buf b;
    int rc = need_tokenizer(m, e);
    if (rc) return rc;
    buf_init(&b, TEXT_MAX);
    if (flags & CROFT_KEEP_SPACE)
        for (size_t i = 0; i < n; i++) tok_piece(m->tok, ids[i], flags & CROFT_SHOW_SPECIAL, &b);
    else tok_decode(m->tok, ids, n, flags & CROFT_SHOW_SPECIAL, &b);
    return give(&b, "the text", out_text, out_n, e);
}

/* JSON text as member `name` of vars; NULL text: no such member. */
static int add_json(json_t *vars, const char *name, const char *text, struct croft_err *e)
{
    json_error_t je;
    json_t *v = text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
    if (!text) return 0;
    if (!v && !je.text[0]) return err_nomem(e, strlen(text)); /* jansson has no words for it */
    if (!v)
        return err_set(e, CROFT_E_FORMAT, name, je.position, "The %s are not valid JSON: %s.", name, je.text);
    if (!json_is_array(v)) {
        json_decref(v);
        return ERR(e, FORMAT, "The %s must be a JSON array.", name);
    }
    return json_object_set_new(vars, name, v) ? err_nomem(e, strlen(text)) : 0;
}

static int add_variables(json_t *vars, const char *text, struct croft_err *e)
{
    json_error_t je;
    json_t *v = text ? json_loads(text, JSON_REJECT_DUPLICATES, &je) : NULL;
    if (!text) return 0;
    if (!v && !je.text[0]) return err_nomem(e, strlen(text));
    if (!json_is_object(v)) {
        json_decref(v);
        return ERR(e, FORMAT, "The template variables must be a JSON object.");
    }
    int rc = json_object_update(vars, v) ? err_nomem(e, strlen(text)) : 0;
    json_decref(v);
    return rc;
}

int croft_chat_render(const struct croft_model *m, const struct croft_chat *chat, char **out_text,
                      struct croft_err *e)
{
    struct buf b;
    int rc = need_tokenizer(m, e);
    if (rc) return rc;
    if (!m->chat) {
        if (e) *e = m->why_no_chat;
        return m->why_no_chat.code;
    }
    json_t *vars = json_object();
    buf_init(&b, TEXT_MAX);
    if (!vars) rc = err_nomem(e, 0);
    if (!rc && chat->continue_assistant && json_object_set_new(vars, "add_generation_prompt", json_false()))
        rc = err_nomem(e, 0);
    if (!rc) rc = add_json(vars, "messages", chat->messages, e);
    if (!rc) rc = add_json(vars, "tools", chat->tools, e);
    if (!rc) rc = add_variables(vars, chat->variables, e);
    if (!rc) rc = infer_chat_render(m->chat, vars, &b, e);
    json_decref(vars);
    if (!rc) return give(&b, "the conversation", out_text, NULL, e);
    buf_done(&b);
    return rc;
}

/* ---- sessions ---- */

int croft_session_new(struct croft_model *m, const struct croft_session_options *o,
                      struct croft_session **out, struct croft_err *e)
{
    struct infer_session_params p = {0};
    if (o && (o->n_ctx < 0 || o->n_batch < 0)) return ERR(e, USAGE, "A context or batch cannot be negative.");
    if (o)
        p = (struct infer_session_params){
            .n_ctx = o->n_ctx, .n_batch = o->n_batch, .kv = (enum infer_kv)o->cache};
    struct croft_session *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->model = m;
    int rc = infer_session_new(m->engine, &p, &s->s, e);
    if (rc) mem_free(s);
    else *out = s;
    return rc;
}

void croft_session_free(struct croft_session *s)
{
    if (!s) return;
    infer_session_free(s->s);
    mem_free(s);
}

int croft_session_eval(struct croft_session *s, const int32_t *ids, size_t n, struct croft_err *e)
{
    return infer_session_eval(s->s, ids, n, INFER_LOGITS_LAST, e);
}
const float *croft_session_logits(const struct croft_session *s) { return infer_session_logits(s->s, 0); }
int32_t croft_session_n_past(const struct croft_session *s) { return (int32_t)infer_session_n_past(s->s); }
int32_t croft_session_n_ctx(const struct croft_session *s) { return (int32_t)infer_session_n_ctx(s->s); }
void croft_session_cancel(struct croft_session *s) { infer_session_cancel(s->s); }

int croft_session_rewind(struct croft_session *s, int32_t n_past, struct croft_err *e)
{
    if (n_past < 0) return ERR(e, USAGE, "Cannot keep a negative number of tokens.");
    return infer_session_truncate(s->s, (uint32_t)n_past, e);
}

int croft_generate(struct croft_session *s, const int32_t *prompt, size_t n,
                   const struct croft_sampling *sampling, croft_on_piece *on_piece, void *user,
                   struct croft_result *out, struct croft_err *e)
{
    return infer_generate(s->s, s->model->tok, prompt, n, sampling, on_piece, user, out, e);
}

int croft_embed(struct croft_session *s, const int32_t *ids, size_t n, float *out, struct croft_err *e)
{
    enum model_pool pool = infer_engine_model(s->model->engine)->pool;
    if (pool == MODEL_POOL_NONE) pool = MODEL_POOL_MEAN;
    return infer_session_embed(s->s, ids, n, pool, true, out, e);
}
