/* Pre-tokenizers: the table of names (tok_pre.inc) and the cutting of a text by a list of patterns.
 * Cutting keeps two lists of piece lengths and moves from one to the other, stage by stage.
 * Owns: nothing; patterns are compiled into struct tok. Next: tok_bpe.c. */
#include "tok.h"

#include "base_mem.h"

#include "tok_pre.inc"

const struct tok_pre *tok_pre_find(struct str name)
{
    for (size_t i = 0; i < sizeof pre_table / sizeof *pre_table; i++)
        if (str_eqz(name, pre_table[i].name)) return &pre_table[i];
    return NULL;
}

static int add_piece(struct tok_cuts *c, size_t *n, size_t len, struct err *e)
{
    if (len == 0) return 0;
    if (tok_work_grow(&c->spare, &c->spare_cap, *n + 1, sizeof *c->spare, e)) return e->code;
    c->spare[(*n)++] = (uint32_t)len;
    return 0;
}

/* Digits in threes from the right: 1234567 is 1 234 567. `glue`: any \p{N} counts as a digit, and what stands before
 * the first group goes with it. */
static int cut_digits(const tok_char *text, size_t from, size_t end, bool glue, struct tok_cuts *c, size_t *n,
                      struct err *e)
{
    size_t done = from, pos = from;
    while (pos < end) {
        size_t start = pos;
        while (pos < end && (glue ? (text[pos] & TC_N) != 0 : TC_CP(text[pos]) - '0' < 10u)) pos++;
        if (pos == start) {
            pos++;
            continue;
        }
        if (!glue) {
            if (add_piece(c, n, start - done, e)) return e->code;
            done = start;
        }
        size_t first = (pos - start) % 3 ? (pos - start) % 3 : 3;
        for (size_t cut = start + first; cut <= pos; cut += 3) {
            if (add_piece(c, n, cut - done, e)) return e->code;
            done = cut;
        }
    }
    return add_piece(c, n, end - done, e);
}

static int cut_pattern(const struct tok_re *re, const tok_char *text, size_t from, size_t end,
                       struct tok_re_state *s, struct tok_cuts *c, size_t *n, struct err *e)
{
    size_t done = from, pos = from;
    while (pos < end) {
        ptrdiff_t len;
        if (tok_re_match(re, text, pos, end, s, &len, e)) return e->code;
        if (len <= 0) {
            pos++;
            continue;
        }
        if (add_piece(c, n, pos - done, e) || add_piece(c, n, (size_t)len, e)) return e->code;
        done = pos += (size_t)len;
    }
    return add_piece(c, n, end - done, e);
}

int tok_pre_cut(const struct tok *t, const tok_char *text, size_t n, struct tok_re_state *s, struct tok_cuts *out,
                struct err *e)
{
    size_t n_new = 0;
    if (add_piece(out, &n_new, n, e)) return e->code;
    for (unsigned k = 0;; k++) {
        uint32_t *lens = out->spare; /* what has just been made is what the next stage cuts */
        size_t cap = out->spare_cap;
        out->spare = out->lens, out->spare_cap = out->cap;
        out->lens = lens, out->cap = cap, out->n = n_new;
        const char *pattern = t->pre->stages[k];
        if (!pattern) return 0;
        size_t pos = 0;
        n_new = 0;
        tok_re_state_reset(s);
        for (size_t i = 0; i < out->n; pos += out->lens[i], i++) {
            size_t end = pos + out->lens[i];
            int rc = pattern[0] == '#'
                     ? cut_digits(text, pos, end, pattern[2] == 'r', out, &n_new, e)
                     : cut_pattern(t->stage[k], text, pos, end, s, out, &n_new, e);
            if (rc) return rc;
        }
    }
}
