/* What constrained decoding costs: compiles grammars for a vocabulary, lets random legal text run through them, and
 * prints the processor time of each step. Usage: grammar VOCAB.gguf [-n TEXTS] FILE…  where a FILE is NAME.json (a
 * schema), NAME.gbnf, NAME.regex (one line) or NAME.txt (a choice a line). Built by `make bench-grammar`.
 *
 * A step is one token: mask, choice, accept. Cold: the first text; warm: the others. The text is drawn from the mask
 * so that it looks like text: a plain token when there is one, an end when it may and dice say so. */
#include "base_clock.h"
#include "base_mem.h"
#include "infer_grammar.h"
#include "plat_file.h"

#include <inttypes.h>
#include <time.h>

enum { MAX_STEPS = 200 };
static uint64_t state = 88172645463325252u;
static uint32_t dice(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % n;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int32_t end_token[64];
static size_t n_end;

struct cost {
    double sum, max;
    long n;
};
static void add(struct cost *c, double us)
{
    c->sum += us;
    c->n++;
    if (us > c->max) c->max = us;
}

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s%s%s\n", what, e->msg, e->where[0] ? " at " : "", e->where);
    exit(1);
}

/* A legal token: the end with a chance of 1 in 3 when it may, else one of the set at random. */
static int32_t draw(const uint32_t *mask, size_t n_words)
{
    size_t n = 0;
    int32_t end = -1;
    for (size_t w = 0; w < n_words; w++) n += (size_t)__builtin_popcount(mask[w]);
    if (n == 0) return -1;
    for (size_t i = 0; i < n_end && end < 0; i++)
        if (mask[end_token[i] / 32] >> end_token[i] % 32 & 1) end = end_token[i];
    if (end >= 0 && (n == 1 || dice(3) == 0)) return end;
    uint32_t k = dice((uint32_t)n);
    for (size_t w = 0; w < n_words; w++) {
        uint32_t bits = mask[w], c = (uint32_t)__builtin_popcount(bits);
        if (k >= c) {
            k -= c;
            continue;
        }
        while (k--) bits &= bits - 1;
        return (int32_t)(w * 32 + (size_t)__builtin_ctz(bits));
    }
    return -1;
}

static int make(const struct infer_vocab *v, const char *path, const struct plat_map *m, struct infer_grammar **g,
                struct err *e)
{
    const char *ext = strrchr(path, '.'), *text = (const char *)m->data;
    size_t n = m->size;
    if (!strcmp(ext, ".json")) return infer_grammar_of_schema(v, text, n, g, e);
    if (!strcmp(ext, ".gbnf")) return infer_grammar_of_gbnf(v, text, n, g, e);
    while (n && text[n - 1] == '\n') n--;
    if (!strcmp(ext, ".regex")) return infer_grammar_of_regex(v, text, n, g, e);
    const char **line = mem_alloc((n + 1) * sizeof *line);
    char *copy = mem_strndup(text, n), *p = copy;
    size_t k = 0;
    if (!line || !copy) return err_nomem(e, n);
    for (char *q; p; p = q ? q + 1 : NULL) {
        q = strchr(p, '\n');
        if (q) *q = 0;
        line[k++] = p;
    }
    int rc = infer_grammar_of_choices(v, line, k, g, e);
    mem_free(line);
    mem_free(copy);
    return rc;
}

static void run(const struct tok *t, const struct infer_vocab *v, const char *path, int texts, bool show)
{
    struct err e = {0};
    struct plat_map file;
    struct infer_grammar *g = NULL;
    struct cost cold = {0}, warm = {0}, accept = {0};
    long checked = 0, wrong = 0, cut = 0;
    if (plat_map_open(&file, path)) die(path, &(struct err){.msg = "cannot open"});
    double start = now_us();
    if (make(v, path, &file, &g, &e)) die(path, &e);
    double compile = now_us() - start;
    for (int i = 0; i < texts; i++) {
        struct infer_match *m;
        struct buf out;
        buf_init(&out, 1 << 20);
        if (infer_match_new(g, &m, &e)) die(path, &e);
        int steps = 0;
        for (; steps < MAX_STEPS && !infer_match_complete(m); steps++) {
            start = now_us();
            const uint32_t *mask = infer_match_mask(m, &e);
            if (!mask) die(path, &e);
            add(i ? &warm : &cold, now_us() - start);
            int32_t id = draw(mask, (tok_n_vocab(t) + 31) / 32);
            if (id < 0) die(path, &(struct err){.msg = "no token may follow"});
            tok_piece(t, id, false, &out);
            start = now_us();
            if (infer_match_accept(m, id, &e)) die(path, &e);
            add(&accept, now_us() - start);
        }
        if (steps == MAX_STEPS)
            cut++;
        else {
            checked++;
            if (infer_grammar_check(g, out.data ? out.data : "", out.len, &e)) {
                wrong++;
                fprintf(stderr, "%s: %s: %.*s\n", path, e.msg, (int)out.len, out.data);
            }
            if (show) printf("%.*s\n", (int)out.len, out.data ? out.data : "");
        }
        infer_match_free(m);
        buf_done(&out);
    }
    if (!show)
        printf("%-28.28s %9.0f %8.1f %9.0f %8.2f %9.0f %8.2f %7.1f %6ld %5ld %5ld\n",
               strrchr(path, '/') ? strrchr(path, '/') + 1 : path, compile, cold.n ? cold.sum / (double)cold.n : 0,
               cold.max, warm.n ? warm.sum / (double)warm.n : 0, warm.max,
               accept.sum / (double)(accept.n ? accept.n : 1), (double)infer_grammar_bytes(g) / 1048576, checked,
               wrong, cut);
    infer_grammar_unref(g);
    plat_map_close(&file);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct gguf *file = NULL;
    struct tok *t = NULL;
    struct infer_vocab *v = NULL;
    int texts = 200, i = 2;
    bool show = false;
    if (argc < 3) {
        fprintf(stderr, "Usage: grammar VOCAB.gguf [-n TEXTS] [-p] FILE...\n");
        return 64;
    }
    for (; i < argc && argv[i][0] == '-'; i++) {
        int64_t n;
        if (!strcmp(argv[i], "-p"))
            show = true; /* print the texts instead */
        else if (!strcmp(argv[i], "-n") && i + 1 < argc && str_to_i64(argv[++i], &n))
            texts = (int)n;
    }
    if (gguf_open(argv[1], &file, &e) || tok_new(file, &t, &e)) die(argv[1], &e);
    for (size_t k = 0; k < tok_n_vocab(t) && n_end < 64; k++)
        if (tok_is_end(t, (int32_t)k)) end_token[n_end++] = (int32_t)k;
    double start = now_us();
    if (infer_vocab_new(t, &v, &e)) die(argv[1], &e);
    if (!show) {
        printf("%zu tokens; trie made in %.0f ms. Microseconds of processor time:\n", tok_n_vocab(t),
               (now_us() - start) / 1e3);
        printf("%-28s %9s %8s %9s %8s %9s %8s %7s %6s %5s %5s\n", "grammar", "compile", "cold", "cold max", "warm",
               "warm max", "accept", "MiB", "texts", "wrong", "cut");
    }
    for (; i < argc; i++) run(t, v, argv[i], texts, show);
    infer_vocab_free(v);
    tok_free(t);
    gguf_close(file);
    return 0;
}
