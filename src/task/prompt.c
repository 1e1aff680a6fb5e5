/* The prompt of an input (task_prompt.h): the model's chat template over [system, user] with {{input}} replaced,
 * ending in the generation prompt; a model without template gets "system\n\nuser\n"; an embedding is of the user's
 * text alone. Stateless. Read next: model.c. */
#include "task_prompt.h"
#include "base_mem.h"
#include "base_str.h"
#include "prompt.h"

static json_t *message(const char *role, const char *content)
{
    return json_pack("{s:s, s:s}", "role", role, "content", content);
}

char *task_user_text(const struct task *t, const char *input)
{
    struct buf b;
    buf_init(&b, TASK_PROMPT_BYTES);
    const char *p = t->prompt ? t->prompt : "{{input}}", *hole;
    for (; (hole = strstr(p, "{{input}}")); p = hole + 9) {
        buf_add(&b, p, (size_t)(hole - p));
        buf_str(&b, input);
    }
    buf_str(&b, p);
    char *s = buf_take(&b);
    buf_done(&b);
    return s;
}

static int chat_tokens(const struct task *t, const struct infer_chat *chat, const char *user, int32_t **out_ids,
                       size_t *out_n, struct err *e)
{
    json_t *messages = json_array();
    if (t->system) json_array_append_new(messages, message("system", t->system));
    json_array_append_new(messages, message("user", user));
    json_t *vars = json_pack("{s:o s:b}", "messages", messages, "enable_thinking", 0); /* the answer comes at once */
    int rc = vars ? infer_chat_tokens(chat, vars, "", TASK_PROMPT_BYTES, TASK_PROMPT_BYTES, out_ids, out_n, e)
                  : err_nomem(e, 0);
    json_decref(vars);
    return rc;
}

static int plain_tokens(const struct task *t, const struct tok *tok, const char *user, int32_t **out_ids,
                        size_t *out_n, struct err *e)
{
    struct buf text;
    buf_init(&text, TASK_PROMPT_BYTES);
    if (t->kind == TASK_EMBED)
        buf_str(&text, user);
    else
        buf_fmt(&text, "%s%s%s\n", t->system ? t->system : "", t->system ? "\n\n" : "", user);
    int rc = buf_check(&text, "prompt", e);
    if (!rc)
        rc = tok_encode(tok, text.data ? text.data : "", text.len, TOK_ADD_SPECIAL, TASK_PROMPT_BYTES, out_ids, out_n,
                        e);
    buf_done(&text);
    return rc;
}

int task_prompt_tokens(const struct task *t, const struct infer_chat *chat, const struct tok *tok, const char *input,
                       int32_t **out_ids, size_t *out_n, struct err *e)
{
    if (!utf8_valid(input, strlen(input))) return ERR(e, FORMAT, "The input is not valid UTF-8 text.");
    char *user = task_user_text(t, input);
    if (!user) return err_nomem(e, strlen(input));
    int rc = chat && t->kind != TASK_EMBED ? chat_tokens(t, chat, user, out_ids, out_n, e)
                                           : plain_tokens(t, tok, user, out_ids, out_n, e);
    mem_free(user);
    return rc;
}
