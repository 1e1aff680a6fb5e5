/* JSON Schemas by the thousand: what compiles, how long it takes, which texts each grammar makes and which the check
 * accepts. Usage: schemas VOCAB.gguf [SECONDS] < LINES; bench/schemas.py writes the lines and reads the answers, one
 * each. Built by `make build/bench-schemas`.
 *
 *   S schema     ok MICROSECONDS BYTES, or no CODE SENTENCE; the other lines ask about the last one
 *   T text       VALID MADE SENTENCE: does the check accept it, does the grammar make it
 *   M text       MADE TOKENS SUM LARGEST: the text's own tokens looked up in masks, microseconds of masks and steps
 *   R            a text drawn at random from the masks; empty when it did not end within 400 tokens
 *
 * Times are of the processor. SECONDS is the longest that one schema may take: an alarm ends the program. */
#include "base_mem.h"
#include "infer_grammar.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 400, MAX_TOKENS = 1 << 20 };

static struct tok *tok;
static uint64_t seed = 88172645463325252u;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static uint32_t dice(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % n;
}

static void one_line(const char *text)
{
    for (; *text; text++) putchar(*text == '\n' || *text == '\r' ? ' ' : *text);
    putchar('\n');
}

static bool makes(struct infer_grammar *g, const char *text, size_t n)
{
    struct infer_match *m;
    if (infer_match_new(g, &m, NULL)) return false;
    bool ok = infer_match_accept_text(m, text, n, NULL) == 0 && infer_match_may_end(m);
    infer_match_free(m);
    return ok;
}

static void tell(struct infer_grammar *g, const char *text, size_t n)
{
    struct err e = {0};
    int rc = infer_grammar_check(g, text, n, &e);
    printf("%d %d ", rc == 0, makes(g, text, n));
    one_line(rc ? e.msg : "");
}

/* The text's own tokens: each must be in the mask before it. */
static void follow(struct infer_grammar *g, const char *text, size_t n)
{
    struct infer_match *m;
    struct err e = {0};
    int32_t *id = NULL;
    size_t n_id = 0, i = 0;
    double sum = 0, most = 0;
    if (tok_encode(tok, text, n, 0, MAX_TOKENS, &id, &n_id, &e) || infer_match_new(g, &m, &e)) exit(1);
    for (; i < n_id; i++) {
        double start = now_us();
        const uint32_t *mask = infer_match_mask(m, &e);
        if (!mask || !(mask[id[i] / 32] >> id[i] % 32 & 1) || infer_match_accept(m, id[i], &e)) break;
        double us = now_us() - start;
        sum += us;
        if (us > most) most = us;
    }
    printf("%d %zu %.1f %.1f\n", i == n_id && infer_match_may_end(m), i, sum, most);
    infer_match_free(m);
    mem_free(id);
}

static int32_t draw(const uint32_t *mask)
{
    int32_t pick = -1, end = -1;
    uint32_t n = 0;
    for (size_t w = 0; w < (tok_n_vocab(tok) + 31) / 32; w++)
        for (uint32_t bits = mask[w]; bits; bits &= bits - 1) {
            int32_t id = (int32_t)(w * 32 + (size_t)__builtin_ctz(bits));
            if (tok_is_end(tok, id))
                end = id;
            else if (dice(++n) == 0)
                pick = id;
        }
    return end >= 0 && (pick < 0 || dice(2)) ? end : pick;
}

static void walk(struct infer_grammar *g)
{
    struct infer_match *m;
    struct err e = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    if (infer_match_new(g, &m, &e)) exit(1);
    for (int i = 0; i < MAX_STEPS && !infer_match_complete(m); i++) {
        const uint32_t *mask = infer_match_mask(m, &e);
        int32_t id = mask ? draw(mask) : -1;
        if (id < 0) { /* a dead end: no text */
            buf_clear(&out);
            buf_str(&out, "\001dead end");
            break;
        }
        if (!tok_is_end(tok, id)) tok_piece(tok, id, false, &out);
        if (infer_match_accept(m, id, &e)) exit(1);
    }
    one_line(infer_match_complete(m) || (out.len && out.data[0] == 1) ? out.data : "");
    infer_match_free(m);
    buf_done(&out);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct gguf *file = NULL;
    struct infer_vocab *v = NULL;
    struct infer_grammar *g = NULL;
    char *line = NULL;
    size_t cap = 0;
    int64_t limit = 60;
    if (argc > 2 && !str_to_i64(argv[2], &limit)) argc = 1;
    if (argc < 2 || gguf_open(argv[1], &file, &e) || tok_new(file, &tok, &e) || infer_vocab_new(tok, &v, &e)) {
        fprintf(stderr, "Usage: schemas VOCAB.gguf [SECONDS] < LINES\n%s\n", e.msg);
        return 64;
    }
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        if (line[n - 1] == '\n') line[--n] = 0;
        const char *text = line + 1;
        size_t size = (size_t)n - 1;
        alarm((unsigned)limit);
        if (line[0] == 'S') {
            infer_grammar_unref(g);
            g = NULL;
            double start = now_us();
            int rc = infer_grammar_of_schema(v, text, size, &g, &e);
            double us = now_us() - start;
            if (rc) {
                printf("no %d ", rc);
                one_line(e.msg);
            } else {
                printf("ok %.0f %zu\n", us, infer_grammar_bytes(g));
            }
            e = (struct err){0};
        } else if (!g) {
            puts("");
        } else if (line[0] == 'T') {
            tell(g, text, size);
        } else if (line[0] == 'M') {
            follow(g, text, size);
        } else {
            walk(g);
        }
        fflush(stdout);
    }
    free(line);
    infer_grammar_unref(g);
    infer_vocab_free(v);
    tok_free(tok);
    gguf_close(file);
    return 0;
}
