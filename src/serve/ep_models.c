/* GET /v1/models and /v1/models/NAME: what a key may use. */
#include "fields.h"

static json_t *describe(const struct serve_model *m)
{
    const struct model *model = infer_engine_model(m->engine);
    return json_pack("{s:s s:s s:I s:s s:{s:s s:I s:b s:b s:b}}", "id", m->name, "object", "model", "created",
                     (json_int_t)m->created, "owned_by", "croft", "croft", "architecture", model->arch, "context",
                     (json_int_t)m->n_ctx, "generates", m->generates, "chat", m->chat != NULL, "tools",
                     m->tools != SERVE_TOOLS_NONE);
}

static void list(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    json_t *data = json_array();
    for (size_t i = 0; i < serve_models_n(s->models); i++) {
        struct serve_model *m = serve_models_at(s->models, i);
        if (m && (!key || serve_key_may_model(key, m->name))) json_array_append_new(data, describe(m));
        serve_model_unref(m);
    }
    serve_reply_json(s, x, json_pack("{s:s s:o}", "object", "list", "data", data));
}

static void one(struct serve *s, struct net_exchange *x, struct serve_key *key)
{
    char name[64] = "";
    bool named = serve_path_name("/v1/models/", net_exchange_head(x)->path, name);
    struct serve_model *m = named ? serve_models_find(s->models, name) : NULL;
    if (m && (!key || serve_key_may_model(key, name))) {
        serve_reply_json(s, x, describe(m));
    } else {
        struct serve_fault f = {.code = "model_not_found", .param = "model"};
        ERR(&f.err, NOT_FOUND, "The model '%.64s' does not exist.", name);
        serve_reply_fault(s, x, &f);
    }
    serve_model_unref(m);
}

const struct serve_endpoint serve_ep_models = {
    .method = "GET", .path = "/v1/models", .name = "models", .answer = list};
const struct serve_endpoint serve_ep_model = {
    .method = "GET", .path = "/v1/models/", .name = "models", .answer = one};
