/* Compiled grammars of a model, kept by their source: requests over one schema share its states and masks, which are
 * most of the work. The least recently used of N_KEPT goes; a request that still uses it holds its own reference.
 * Compiling happens outside the lock: two first requests may both compile, the second is kept. Any thread. */
#include "job.h"

enum { N_KEPT = 64 };

struct kept {
    char *source; /* kind '\n' text */
    size_t n;
    struct infer_grammar *grammar;
    uint64_t used;
};
struct serve_grammars {
    pthread_mutex_t lock;
    struct infer_vocab *vocab; /* made with the first grammar */
    struct kept kept[N_KEPT];
    uint64_t clock;
};

struct serve_grammars *serve_grammars_new(void)
{
    struct serve_grammars *g = mem_calloc(1, sizeof *g);
    if (g) pthread_mutex_init(&g->lock, NULL);
    return g;
}

static void forget(struct kept *k)
{
    infer_grammar_unref(k->grammar);
    mem_free(k->source);
    *k = (struct kept){0};
}

void serve_grammars_free(struct serve_grammars *g)
{
    if (!g) return;
    for (int i = 0; i < N_KEPT; i++) forget(&g->kept[i]);
    infer_vocab_free(g->vocab);
    pthread_mutex_destroy(&g->lock);
    mem_free(g);
}

/* Under the lock. */
static struct infer_grammar *find(struct serve_grammars *g, const char *source, size_t n)
{
    for (int i = 0; i < N_KEPT; i++) {
        struct kept *k = &g->kept[i];
        if (!k->grammar || k->n != n || memcmp(k->source, source, n) != 0) continue;
        k->used = ++g->clock;
        return infer_grammar_ref(k->grammar);
    }
    return NULL;
}

/* Under the lock. Takes source. */
static void keep(struct serve_grammars *g, char *source, size_t n, struct infer_grammar *grammar)
{
    struct kept *oldest = &g->kept[0];
    for (int i = 1; i < N_KEPT; i++)
        if (g->kept[i].used < oldest->used) oldest = &g->kept[i];
    forget(oldest);
    *oldest = (struct kept){source, n, infer_grammar_ref(grammar), ++g->clock};
}

static int compile_choices(const struct infer_vocab *v, const char *text, size_t n, struct infer_grammar **out,
                           struct err *e)
{
    json_t *list = json_loadb(text, n, 0, NULL);
    size_t count = json_array_size(list);
    const char **choice = mem_calloc(count + 1, sizeof *choice);
    int rc = list && choice ? 0 : err_nomem(e, 0);
    for (size_t i = 0; i < count && rc == 0; i++) choice[i] = json_string_value(json_array_get(list, i));
    if (rc == 0) rc = infer_grammar_of_choices(v, choice, count, out, e);
    mem_free(choice);
    json_decref(list);
    return rc;
}

static int compile(const struct infer_vocab *v, const char *kind, const char *text, size_t n,
                   struct infer_grammar **out, struct err *e)
{
    if (strcmp(kind, "schema") == 0) return infer_grammar_of_schema(v, text, n, out, e);
    if (strcmp(kind, "json") == 0) return infer_grammar_of_json(v, out, e);
    if (strcmp(kind, "regex") == 0) return infer_grammar_of_regex(v, text, n, out, e);
    if (strcmp(kind, "gbnf") == 0) return infer_grammar_of_gbnf(v, text, n, out, e);
    return compile_choices(v, text, n, out, e);
}

int serve_grammar_get(struct serve_model *m, const char *kind, const char *text, size_t n, struct infer_grammar **out,
                      struct err *e)
{
    struct serve_grammars *g = m->grammars;
    struct infer_grammar *fresh = NULL;
    struct buf b;
    int rc = 0;
    buf_init(&b, n + 64);
    buf_fmt(&b, "%s\n", kind);
    buf_add(&b, text, n);
    if ((rc = buf_check(&b, "grammar", e))) return rc;
    size_t n_source = b.len;
    char *source = buf_take(&b);
    pthread_mutex_lock(&g->lock);
    if (!g->vocab) rc = infer_vocab_new(m->tok, &g->vocab, e);
    struct infer_grammar *found = rc ? NULL : find(g, source, n_source);
    pthread_mutex_unlock(&g->lock);
    if (rc == 0 && !found && (rc = compile(g->vocab, kind, text, n, &fresh, e)) == 0) {
        pthread_mutex_lock(&g->lock);
        keep(g, source, n_source, fresh);
        source = NULL;
        pthread_mutex_unlock(&g->lock);
    }
    mem_free(source);
    if (rc == 0) *out = found ? found : fresh;
    return rc;
}
