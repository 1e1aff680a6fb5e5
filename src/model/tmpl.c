/* Chat templates: the public functions (model_tmpl.h). A template owns one arena with its text, tree and constants, and
 * is read-only after tmpl_new: any number of threads may render it. A rendering owns an arena and an output buffer that
 * live as long as the call; the caller's buffer is written at the end, on success. Start reading at tmpl.h. */
#include "tmpl_parse.h"

static int compile(struct parser *p, const char *source, size_t n)
{
    char *text = arena_alloc(&p->t->a, n ? n : 1);
    if (!text) return err_nomem(p->e, n);
    if (n) memcpy(text, source, n);
    TRY(tmpl_lex(p, text, n));
    return tmpl_parse_template(p);
}

int tmpl_new(const char *source, size_t n, struct tmpl **out, struct err *e)
{
    if (n > TMPL_MAX_SOURCE)
        return ERR(e, LIMIT, "The chat template has %zu bytes; at most %d are accepted.", n, TMPL_MAX_SOURCE);
    if (!utf8_valid(source, n)) return ERR(e, FORMAT, "The chat template is not valid UTF-8.");
    struct tmpl *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    arena_init(&t->a, (size_t)TMPL_MAX_SOURCE * 512);
    struct parser p = {.t = t, .e = e};
    int rc = compile(&p, source, n);
    mem_free(p.tok);
    mem_free(p.table);
    if (rc) tmpl_free(t);
    else *out = t;
    return rc;
}

void tmpl_free(struct tmpl *t)
{
    if (!t) return;
    arena_done(&t->a);
    mem_free(t->syms);
    mem_free(t);
}

/* ---- the caller's variables ---- */

static int from_json(struct rt *r, const json_t *j, struct val *out, int depth)
{
    if (depth > TMPL_MAX_DATA_DEPTH) return tmpl_limit(r, "variables nested deeper");
    switch (json_typeof(j)) {
    case JSON_NULL: *out = v_none(); return 0;
    case JSON_TRUE:
    case JSON_FALSE: *out = v_bool(json_is_true(j)); return 0;
    case JSON_INTEGER: *out = v_int(json_integer_value(j)); return 0;
    case JSON_REAL: *out = v_float(json_real_value(j)); return 0;
    case JSON_STRING: return tmpl_str(r, json_string_value(j), json_string_length(j), out);
    case JSON_ARRAY:
        TRY(tmpl_seq(r, V_LIST, json_array_size(j), out));
        for (size_t i = 0; i < out->l->n; i++) TRY(from_json(r, json_array_get(j, i), &out->l->v[i], depth + 1));
        return 0;
    default: {
        const char *key;
        json_t *value;
        TRY(tmpl_map(r, V_DICT, out));
        json_object_foreach((json_t *)j, key, value) {
            struct val k, v;
            TRY(tmpl_strz(r, key, &k));
            TRY(from_json(r, value, &v, depth + 1));
            TRY(tmpl_map_set(r, out->d, k, v));
        }
        return 0;
    }
    }
}

/* The template's names get the caller's values, else a builtin function; the others stay missing. */
static int set_root(struct rt *r, const json_t *vars)
{
    const struct tmpl *t = r->t;
    char name[256];
    TRY(tmpl_alloc(r, t->n_syms ? t->n_syms : 1, sizeof *r->root, &r->root));
    for (uint32_t i = 0; i < t->n_syms; i++) {
        const struct sstr *s = t->syms[i];
        const struct builtin *fn = tmpl_global((struct str){s->p, s->n});
        json_t *j = NULL;
        if (s->n < sizeof name) {
            memcpy(name, s->p, s->n);
            name[s->n] = 0;
            j = vars ? json_object_get(vars, name) : NULL;
        }
        if (j) TRY(from_json(r, j, &r->root[i], 0));
        else if (fn) r->root[i] = (struct val){.tag = V_FUNC, .fn = fn};
    }
    return 0;
}

int tmpl_render(const struct tmpl *t, const json_t *vars, int64_t now, const struct tmpl_limits *limits,
                struct buf *out, struct err *e)
{
    struct tmpl_limits l = limits ? *limits : (struct tmpl_limits){0};
    struct rt r = {.t = t, .e = e, .now = now, .max_steps = l.max_steps ? l.max_steps : 10000000, .line = 1,
                   .strict = l.strict};
    if (vars && !json_is_object(vars)) return ERR(e, USAGE, "The variables of a chat template must be a JSON object.");
    arena_init(&r.a, l.max_memory_bytes ? l.max_memory_bytes : (size_t)64 << 20);
    buf_init(&r.out, l.max_output_bytes ? l.max_output_bytes : (size_t)16 << 20);
    int rc = set_root(&r, vars);
    if (!rc) rc = tmpl_exec(&r, t->body);
    if (!rc && r.out.len) {
        buf_add(out, r.out.data, r.out.len);
        rc = buf_check(out, "chat prompt", e);
    }
    buf_done(&r.out);
    arena_done(&r.a);
    return rc;
}
