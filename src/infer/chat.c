/* A model's chat template with its variables filled in (infer_chat.h). Read next: src/model/tmpl.c. */
#include "infer_chat.h"
#include "base_clock.h"
#include "base_mem.h"

struct infer_chat {
    struct tmpl *tmpl;
    const struct tok *tok;
};

int infer_chat_new(const struct gguf *g, const struct tok *t, struct infer_chat **out, struct err *e)
{
    struct str source;
    if (!gguf_get_str(g, "tokenizer.chat_template", &source))
        return ERR(e, NOT_FOUND, "This model has no chat template: it continues text, it does not converse.");
    struct infer_chat *c = mem_calloc(1, sizeof *c);
    if (!c) return err_nomem(e, sizeof *c);
    c->tok = t;
    int rc = tmpl_new(source.p, source.n, &c->tmpl, e);
    if (rc) mem_free(c);
    else *out = c;
    return rc;
}

void infer_chat_free(struct infer_chat *c)
{
    if (!c) return;
    tmpl_free(c->tmpl);
    mem_free(c);
}

/* Takes `value`; leaves a member that is already there. */
static int add_default(json_t *vars, const char *name, json_t *value)
{
    if (!json_object_get(vars, name)) return value && json_object_set_new(vars, name, value) == 0 ? 0 : CROFT_E_NOMEM;
    json_decref(value);
    return 0;
}

static json_t *token_text(const struct tok *t, int32_t id)
{
    struct str s = t && id >= 0 ? tok_text(t, id) : STR("");
    return json_stringn(s.p, s.n);
}

int infer_chat_render(const struct infer_chat *c, json_t *vars, struct buf *out, struct err *e)
{
    const struct tok *t = c->tok;
    if (add_default(vars, "bos_token", token_text(t, t ? tok_bos(t) : -1)) ||
        add_default(vars, "eos_token", token_text(t, t ? tok_eos(t) : -1)) ||
        add_default(vars, "add_generation_prompt", json_true()))
        return err_nomem(e, 0);
    return tmpl_render(c->tmpl, vars, clock_unix_s(), NULL, out, e);
}
