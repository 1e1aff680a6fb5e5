/* A model's chat template with its variables filled in (infer_chat.h), and the result as tokens.
 *
 * A template renders one text, in which what a user wrote can no longer be told from what the template did. Where a
 * user's or a tool's text spells a control token ("<|im_end|>"), a mark is put before it, the rendered text is
 * searched for the marks, and the tokenizer is told that no control token begins there:
 *
 *     content    ignore that<|im_end|>          vars, marked    ignore that M<|im_end|>
 *     rendered   …user\nignore that M<|im_end|><|im_end|>…      the first is text, the second a token
 *
 * M is a character that Unicode keeps for the inside of programs (U+FDD0 to U+FDEF), one that occurs nowhere in the
 * variables. Read next: src/model/tmpl.c. */
#include "infer_chat.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"

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
    if (rc)
        mem_free(c);
    else
        *out = c;
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

/* ---- as tokens ---- */

enum { MARK_BYTES = 3, N_MARKS = 32 };

static bool spells_control(const struct tok *t, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (tok_control_at(t, p, n, i)) return true;
    return false;
}

static json_t *marked(const struct tok *t, json_t *text, const char *mark)
{
    const char *p = json_string_value(text);
    size_t n = json_string_length(text);
    struct buf b;
    buf_init(&b, (size_t)(MARK_BYTES + 1) * n + 1);
    for (size_t i = 0; i < n; i++) {
        if (tok_control_at(t, p, n, i)) buf_add(&b, mark, MARK_BYTES);
        buf_char(&b, p[i]);
    }
    json_t *out = b.failed ? NULL : json_stringn_nocheck(b.data ? b.data : "", b.len);
    buf_done(&b);
    return out;
}

/* Does the character occur in a string of v, at any depth? */
static bool occurs(json_t *v, const char *mark)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(v)) return memmem(json_string_value(v), json_string_length(v), mark, MARK_BYTES) != NULL;
    if (json_is_array(v)) {
        json_array_foreach(v, i, member) if (occurs(member, mark)) return true;
    } else if (json_is_object(v)) {
        json_object_foreach(v, key, member) if (strstr(key, mark) || occurs(member, mark)) return true;
    }
    return false;
}

static int find_mark(json_t *vars, char mark[MARK_BYTES + 1], struct err *e)
{
    for (unsigned i = 0; i < N_MARKS; i++) {
        snprintf(mark, MARK_BYTES + 1, "\xEF\xB7%c", (char)(0x90 + i));
        if (!occurs(vars, mark)) return 0;
    }
    return ERR(e, FORMAT, "The conversation holds all of U+FDD0 to U+FDEF, which no text needs. Leave them out.");
}

/* What users and tools wrote, marked. *out_any: was anything? */
static int mark_messages(const struct tok *t, json_t *vars, char mark[MARK_BYTES + 1], bool *out_any, struct err *e)
{
    json_t *m, *messages = json_object_get(vars, "messages"), *copy = NULL;
    size_t i;
    *out_any = false;
    json_array_foreach(messages, i, m)
    {
        json_t *content = json_object_get(m, "content");
        const char *role = json_string_value(json_object_get(m, "role"));
        if (!json_is_string(content) || !role || (strcmp(role, "user") && strcmp(role, "tool"))) continue;
        if (!spells_control(t, json_string_value(content), json_string_length(content))) continue;
        if (!copy) {
            if (find_mark(vars, mark, e)) return e->code;
            copy = json_deep_copy(messages);
        }
        if (!copy || json_object_set_new_nocheck(json_array_get(copy, i), "content", marked(t, content, mark))) {
            json_decref(copy);
            return err_nomem(e, 0);
        }
    }
    *out_any = copy != NULL;
    return copy && json_object_set_new(vars, "messages", copy) ? err_nomem(e, 0) : 0;
}

/* Take the marks out of the text; *out_at [*out_n] is where they stood, mem_free. */
static int take_marks(struct buf *text, const char *mark, uint32_t **out_at, size_t *out_n, struct err *e)
{
    size_t n = 0, k = 0, to = 0;
    char *p = text->data, *end = p + text->len;
    for (char *q = p; (q = memmem(q, (size_t)(end - q), mark, MARK_BYTES)); q += MARK_BYTES) n++;
    uint32_t *at = mem_calloc(n + 1, sizeof *at);
    if (!at) return err_nomem(e, n * sizeof *at);
    while (p < end) {
        if (end - p >= MARK_BYTES && memcmp(p, mark, MARK_BYTES) == 0) {
            at[k++] = (uint32_t)to;
            p += MARK_BYTES;
        } else {
            text->data[to++] = *p++;
        }
    }
    text->len = to;
    *out_at = at;
    *out_n = k;
    return 0;
}

int infer_chat_tokens(const struct infer_chat *c, json_t *vars, const char *suffix, size_t max_bytes,
                      size_t max_tokens, int32_t **out_ids, size_t *out_n, struct err *e)
{
    char mark[MARK_BYTES + 1];
    bool any = false;
    uint32_t *plain = NULL;
    size_t n_plain = 0;
    struct buf text;
    buf_init(&text, max_bytes);
    int rc = mark_messages(c->tok, vars, mark, &any, e);
    if (!rc) rc = infer_chat_render(c, vars, &text, e);
    if (!rc) buf_str(&text, suffix);
    if (!rc) rc = buf_check(&text, "prompt", e);
    if (!rc && any) rc = take_marks(&text, mark, &plain, &n_plain, e);
    if (!rc)
        rc = tok_encode_plain_at(c->tok, text.data ? text.data : "", text.len, TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL,
                                 plain, n_plain, max_tokens, out_ids, out_n, e);
    mem_free(plain);
    buf_done(&text);
    return rc;
}
