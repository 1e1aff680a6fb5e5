/* The patterns by which byte-level BPE tokenizers split text, compiled to a small program and run by backtracking.
 *
 *   a|b  (?:…)  (?i:…)  (?!x) (?=x) with one character x  $  x? x* x+ x{m,n}  \s \S \d \r \n \t \x{HEX}
 *   [...] with ranges, negation, \p{L} \p{N} \p{P} \p{S} \p{M} \p{Han} \p{Cased}, and [A--B]: A without B
 *
 * A repeated single character is one instruction with one backtracking point, so a run of a million letters costs a
 * million tests and one point; only repeated groups push a point per round, and those are bounded. Which alternatives
 * can start with an ASCII character is known beforehand, so most of them are never tried.
 * Patterns come from tok_pre.inc, never from a file: a bad one is a bug and fails tok_new with INTERNAL.
 * Owns: struct tok_re. Read-only after creation. Next: tok_pre.c. */
#include "tok.h"

#include "base_mem.h"

enum { MAX_CODE = 160, MAX_SETS = 64, MAX_RANGES = 160, MAX_ALTS = TOK_RE_ALTS, MAX_POINTS = 1 << 22 };

enum op { OP_SET, OP_RUN, OP_SPLIT, OP_JUMP, OP_AHEAD, OP_NOT_AHEAD, OP_END, OP_MATCH };

struct insn {
    uint8_t op, set;
    uint16_t a, b; /* SPLIT: first choice, second choice; JUMP: a; RUN: min, max (0: no limit) */
};

struct range {
    uint32_t lo, hi;
};

struct set {
    uint64_t ascii[2];  /* the answer for code points < 128 */
    uint32_t classes;   /* TC_ bits that are in */
    uint16_t from, to;  /* further ranges, in re->ranges */
    bool negated;
    int8_t minus;       /* a set to take away, or -1 */
    bool cased;         /* \p{Cased} */
};

struct tok_re {
    struct insn code[MAX_CODE];
    struct set sets[MAX_SETS];
    struct range ranges[MAX_RANGES];
    unsigned n_code, n_sets, n_ranges, n_alts;
    uint16_t alt_start[MAX_ALTS];
    uint16_t starts[128]; /* alternatives that an ASCII character can start */
};

struct tok_re_point {
    uint32_t pc, pos, least; /* for a run: may give back characters down to `least` */
};

/* Letters with case as one model family froze them with Unicode 11 (re-stated as ranges). */
static const struct range cased[] = {
#include "tok_cased.inc"
};

static bool in_cased(uint32_t cp)
{
    size_t lo = 0, hi = sizeof cased / sizeof *cased;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (cp > cased[mid].hi) lo = mid + 1;
        else hi = mid;
    }
    return lo < sizeof cased / sizeof *cased && cp >= cased[lo].lo;
}

/* The slow way: used at compile time for ASCII, at run time for the rest. White space beyond ASCII is in a set only
 * through \s or negation, never through a range. */
static bool set_test(const struct tok_re *re, const struct set *s, tok_char c)
{
    uint32_t cp = TC_CP(c);
    bool in = (c & s->classes) != 0;
    if (!in && (cp < 128 || !(c & TC_SPACE))) {
        for (unsigned i = s->from; i < s->to && !in; i++) in = cp >= re->ranges[i].lo && cp <= re->ranges[i].hi;
        if (!in && s->cased) in = in_cased(cp);
    }
    if (in == s->negated) return false;
    return s->minus < 0 || !set_test(re, &re->sets[s->minus], c);
}

static inline bool set_has(const struct tok_re *re, const struct set *s, tok_char c)
{
    uint32_t cp = TC_CP(c);
    return cp < 128 ? s->ascii[cp >> 6] >> (cp & 63) & 1 : set_test(re, s, c);
}

/* ---- compiler: recursive descent over the pattern; nesting is at most four deep in practice ---- */

struct parser {
    struct tok_re *re;
    const char *p;
    bool any_case, bad;
};

static void parse_alt(struct parser *ps, bool top);

static unsigned emit(struct parser *ps, enum op op, unsigned set, unsigned a, unsigned b)
{
    if (ps->re->n_code == MAX_CODE) {
        ps->bad = true;
        return 0;
    }
    ps->re->code[ps->re->n_code] = (struct insn){(uint8_t)op, (uint8_t)set, (uint16_t)a, (uint16_t)b};
    return ps->re->n_code++;
}

static void add_range(struct parser *ps, uint32_t lo, uint32_t hi)
{
    if (ps->re->n_ranges == MAX_RANGES) {
        ps->bad = true;
        return;
    }
    ps->re->ranges[ps->re->n_ranges++] = (struct range){lo, hi};
}

static const struct {
    const char *name;
    uint32_t classes;
} properties[] = {{"L}", TC_L}, {"N}", TC_N}, {"P}", TC_P}, {"S}", TC_S}, {"M}", TC_M},
                  {"Han}", TC_HAN}, {"Cased}", 0}};

/* The next character of the pattern must be c. */
static bool eat(struct parser *ps, char c)
{
    if (*ps->p == c) ps->p++;
    else ps->bad = true;
    return !ps->bad;
}

/* After a backslash. Returns true if it was one character (in *cp); otherwise the set has been extended. */
static bool parse_escape(struct parser *ps, struct set *s, uint32_t *cp)
{
    char c = *ps->p;
    *cp = 0;
    if (!eat(ps, c ? c : '?')) return true;
    switch (c) {
    case 'r': *cp = '\r'; return true;
    case 'n': *cp = '\n'; return true;
    case 't': *cp = '\t'; return true;
    case 'x':
        if (!eat(ps, '{')) return true;
        for (; *ps->p && *ps->p != '}'; ps->p++)
            *cp = *cp * 16 + (uint32_t)(*ps->p <= '9' ? *ps->p - '0' : (*ps->p | 32) - 'a' + 10);
        eat(ps, '}');
        return true;
    case 's': s->classes |= TC_SPACE; return false;
    case 'd': add_range(ps, '0', '9'); return false;
    case 'p':
        eat(ps, '{');
        for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
            if (!str_starts(ps->p, properties[i].name)) continue;
            s->classes |= properties[i].classes;
            if (!properties[i].classes) s->cased = true;
            ps->p += strlen(properties[i].name);
            return false;
        }
        ps->bad = true;
        return false;
    default: *cp = (unsigned char)c; return true;
    }
}

static unsigned new_set(struct parser *ps)
{
    struct tok_re *re = ps->re;
    if (re->n_sets == MAX_SETS) {
        ps->bad = true;
        return 0;
    }
    re->sets[re->n_sets] = (struct set){.from = (uint16_t)re->n_ranges, .to = (uint16_t)re->n_ranges, .minus = -1};
    return re->n_sets++;
}

static void close_set(struct parser *ps, unsigned index)
{
    struct set *s = &ps->re->sets[index];
    s->to = (uint16_t)ps->re->n_ranges;
    for (uint32_t cp = 0; cp < 128; cp++) {
        bool in = set_test(ps->re, s, tok_uni_classify(cp));
        if (!in && ps->any_case && ((cp | 32) >= 'a' && (cp | 32) <= 'z'))
            in = set_test(ps->re, s, tok_uni_classify(cp ^ 32));
        if (in) s->ascii[cp >> 6] |= 1ull << (cp & 63);
    }
}

/* A class in brackets; ps->p is behind the '['. A set to subtract is written as its own class: [A--[B]]. */
static unsigned parse_class(struct parser *ps)
{
    unsigned index = new_set(ps);
    struct set s = ps->re->sets[index];
    if (*ps->p == '^') {
        s.negated = true;
        ps->p++;
    }
    while (!ps->bad && *ps->p && *ps->p != ']' && !str_starts(ps->p, "--[")) {
        uint32_t lo = (unsigned char)*ps->p++, hi;
        if (lo == '\\' && !parse_escape(ps, &s, &lo)) continue;
        hi = lo;
        if (ps->p[0] == '-' && ps->p[1] && ps->p[1] != ']' && ps->p[1] != '-') {
            ps->p++;
            hi = (unsigned char)*ps->p++;
            if (hi == '\\' && !parse_escape(ps, &s, &hi)) ps->bad = true;
        }
        add_range(ps, lo, hi);
    }
    s.to = (uint16_t)ps->re->n_ranges;
    if (*ps->p == '-') {
        ps->p += 3;
        s.minus = (int8_t)parse_class(ps);
    }
    eat(ps, ']');
    unsigned to = s.to;
    ps->re->sets[index] = s;
    unsigned all = ps->re->n_ranges;
    ps->re->n_ranges = to; /* close_set takes the set's own ranges only */
    close_set(ps, index);
    ps->re->n_ranges = all;
    return index;
}

/* One character: a class, an escape or a letter. */
static unsigned parse_char(struct parser *ps)
{
    if (*ps->p == '[') {
        ps->p++;
        return parse_class(ps);
    }
    unsigned index = new_set(ps);
    struct set *s = &ps->re->sets[index];
    uint32_t cp = (unsigned char)*ps->p;
    if (!eat(ps, cp ? (char)cp : '?')) return index;
    if (cp == '\\' && *ps->p == 'S') {
        ps->p++;
        s->classes = TC_SPACE;
        s->negated = true;
    } else if (cp != '\\' || parse_escape(ps, s, &cp)) {
        add_range(ps, cp, cp);
    }
    close_set(ps, index);
    return index;
}

/* ? * + {n} {m,n} behind an atom: at least *lo, at most *hi (0: no limit) times. */
static bool parse_count(struct parser *ps, unsigned *lo, unsigned *hi)
{
    switch (*ps->p) {
    case '?': *lo = 0, *hi = 1; break;
    case '*': *lo = 0, *hi = 0; break;
    case '+': *lo = 1, *hi = 0; break;
    case '{': {
        char *end;
        *lo = *hi = (unsigned)strtoul(ps->p + 1, &end, 10);
        if (*end == ',') *hi = (unsigned)strtoul(end + 1, &end, 10);
        ps->p = end;
        return eat(ps, '}');
    }
    default: return false;
    }
    ps->p++;
    return true;
}

/* A group that has just been emitted at `start`: repeat it by jumps. Groups repeat with ? * + only. */
static void repeat_group(struct parser *ps, unsigned start, unsigned lo, unsigned hi)
{
    struct tok_re *re = ps->re;
    if (lo == 1) { /* +: run it, then choose to run it again */
        emit(ps, OP_SPLIT, 0, start, re->n_code + 1);
        return;
    }
    if (re->n_code == MAX_CODE) {
        ps->bad = true;
        return;
    }
    for (unsigned i = start; i < re->n_code; i++) { /* make room for the split: everything moves by one */
        if (re->code[i].op == OP_SPLIT || re->code[i].op == OP_JUMP) {
            re->code[i].a++;
            if (re->code[i].op == OP_SPLIT) re->code[i].b++;
        }
    }
    memmove(&re->code[start + 1], &re->code[start], (re->n_code - start) * sizeof re->code[0]);
    re->n_code++;
    if (hi == 0) emit(ps, OP_JUMP, 0, start, 0);
    re->code[start] = (struct insn){OP_SPLIT, 0, (uint16_t)(start + 1), (uint16_t)re->n_code};
}

static void parse_group(struct parser *ps)
{
    unsigned lo, hi, start = ps->re->n_code;
    if (str_starts(ps->p, "?!") || str_starts(ps->p, "?=")) {
        enum op op = ps->p[1] == '!' ? OP_NOT_AHEAD : OP_AHEAD;
        ps->p += 2;
        emit(ps, op, parse_char(ps), 0, 0);
        eat(ps, ')');
        return;
    }
    bool outer = ps->any_case;
    if (str_starts(ps->p, "?i:")) {
        ps->any_case = true;
        ps->p += 3;
    } else if (str_starts(ps->p, "?:")) {
        ps->p += 2;
    }
    parse_alt(ps, false);
    ps->any_case = outer;
    if (eat(ps, ')') && parse_count(ps, &lo, &hi)) repeat_group(ps, start, lo, hi);
}

static void parse_seq(struct parser *ps)
{
    while (!ps->bad && *ps->p && *ps->p != '|' && *ps->p != ')') {
        if (*ps->p == '(') {
            ps->p++;
            parse_group(ps);
        } else if (*ps->p == '$') {
            ps->p++;
            emit(ps, OP_END, 0, 0, 0);
        } else {
            unsigned set = parse_char(ps), lo, hi;
            if (parse_count(ps, &lo, &hi)) emit(ps, OP_RUN, set, lo, hi);
            else emit(ps, OP_SET, set, 0, 0);
        }
    }
}

/* a|b|c: each split tries its alternative first and then the next; every alternative jumps behind the last.
 * At the top the alternatives stand alone (alt_start) and each ends in MATCH, so the matcher can pick among them. */
static void parse_alt(struct parser *ps, bool top)
{
    unsigned jumps[MAX_ALTS], n = 0;
    for (;;) {
        unsigned split = 0;
        if (top) {
            if (ps->re->n_alts == MAX_ALTS) ps->bad = true;
            else ps->re->alt_start[ps->re->n_alts++] = (uint16_t)ps->re->n_code;
        } else {
            split = emit(ps, OP_SPLIT, 0, ps->re->n_code + 1, 0);
        }
        parse_seq(ps);
        if (n == MAX_ALTS) ps->bad = true;
        if (ps->bad) return;
        if (top) emit(ps, OP_MATCH, 0, 0, 0);
        else jumps[n++] = emit(ps, OP_JUMP, 0, 0, 0);
        bool more = *ps->p == '|';
        if (!top) {
            /* The last alternative has no second choice: its split becomes a jump to itself. */
            if (more) ps->re->code[split].b = (uint16_t)ps->re->n_code;
            else ps->re->code[split] = (struct insn){OP_JUMP, 0, (uint16_t)(split + 1), 0};
        }
        if (!more) break;
        ps->p++;
    }
    for (unsigned i = 0; i < n; i++) ps->re->code[jumps[i]].a = (uint16_t)ps->re->n_code;
}

/* Could the code from pc on take cp as its first character? Errs on the side of yes. */
static bool can_start(const struct tok_re *re, unsigned pc, tok_char c, unsigned depth)
{
    for (; depth < 32; depth++) {
        const struct insn *in = &re->code[pc];
        switch (in->op) {
        case OP_SET: return set_has(re, &re->sets[in->set], c);
        case OP_RUN:
            if (set_has(re, &re->sets[in->set], c)) return true;
            if (in->a > 0) return false;
            pc++;
            break;
        case OP_SPLIT:
            if (can_start(re, in->a, c, depth + 1)) return true;
            pc = in->b;
            break;
        case OP_JUMP: pc = in->a; break;
        default: return true;
        }
    }
    return true;
}

int tok_re_new(const char *pattern, struct tok_re **out, struct err *e)
{
    struct tok_re *re = mem_calloc(1, sizeof *re);
    if (!re) return err_nomem(e, sizeof *re);
    struct parser ps = {.re = re, .p = pattern};
    parse_alt(&ps, true);
    if (ps.bad || *ps.p) {
        mem_free(re);
        return ERR(e, INTERNAL, "The pattern %s does not compile. Please report this.", pattern);
    }
    for (uint32_t cp = 0; cp < 128; cp++)
        for (unsigned i = 0; i < re->n_alts; i++)
            if (can_start(re, re->alt_start[i], tok_uni_classify(cp), 0)) re->starts[cp] |= (uint16_t)(1u << i);
    *out = re;
    return 0;
}

void tok_re_free(struct tok_re *re) { mem_free(re); }

/* ---- matcher ---- */

static bool push(struct tok_re_state *s, uint32_t pc, size_t pos, size_t least)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct tok_re_point *p = cap > MAX_POINTS ? NULL : mem_realloc(s->points, cap * sizeof *p);
        if (!p) return false;
        s->points = p;
        s->cap = cap;
    }
    s->points[s->n++] = (struct tok_re_point){pc, (uint32_t)pos, (uint32_t)least};
    return true;
}

/* Runs one alternative: 1 matched (*io_pos moved), 0 not, -1 no memory for another backtracking point.
 * *out_stop: how far its first instruction, if that is a run, could reach. */
static int run(const struct tok_re *re, unsigned start, const tok_char *text, size_t *io_pos, size_t end,
               struct tok_re_state *s, size_t *out_stop)
{
    size_t pos = *io_pos;
    unsigned pc = start;
    s->n = 0;
    for (;;) {
        const struct insn *in = &re->code[pc];
        const struct set *set = &re->sets[in->set];
        bool ok = true;
        switch (in->op) {
        case OP_SET:
            ok = pos < end && set_has(re, set, text[pos]);
            pos++;
            pc++;
            break;
        case OP_RUN: {
            size_t from = pos, stop = in->b && end - pos > in->b ? pos + in->b : end;
            while (pos < stop && set_has(re, set, text[pos])) pos++;
            ok = pos - from >= in->a;
            if (pc == start) *out_stop = pos;
            pc++;
            if (ok && pos - from > in->a && !push(s, pc, pos, from + in->a)) return -1;
            break;
        }
        case OP_SPLIT:
            if (!push(s, in->b, pos, pos)) return -1;
            pc = in->a;
            break;
        case OP_JUMP: pc = in->a; break;
        case OP_AHEAD: ok = pos < end && set_has(re, set, text[pos]); pc++; break;
        case OP_NOT_AHEAD: ok = pos >= end || !set_has(re, set, text[pos]); pc++; break;
        case OP_END: ok = pos == end; pc++; break;
        default: *io_pos = pos; return 1;
        }
        if (ok) continue;
        if (s->n == 0) return 0;
        struct tok_re_point *top = &s->points[s->n - 1];
        pc = top->pc;
        if (top->pos > top->least) pos = --top->pos; /* a run gives one character back */
        else pos = top->pos;
        if (top->pos == top->least) s->n--;
    }
}

int tok_re_match(const struct tok_re *re, const tok_char *text, size_t pos, size_t end, struct tok_re_state *s,
                 ptrdiff_t *out_len, struct err *e)
{
    uint32_t cp = TC_CP(text[pos]);
    unsigned alts = cp < 128 ? re->starts[cp] : (1u << re->n_alts) - 1;
    *out_len = -1;
    for (unsigned i = 0; alts; i++, alts >>= 1) {
        if (!(alts & 1)) continue;
        if (pos >= s->dead[i].from && pos < s->dead[i].to && end == s->dead[i].end) continue;
        size_t at = pos, stop = pos;
        const struct insn *first = &re->code[re->alt_start[i]];
        int rc = run(re, re->alt_start[i], text, &at, end, s, &stop);
        if (rc < 0) return err_nomem(e, s->cap * sizeof *s->points);
        if (rc > 0) {
            *out_len = (ptrdiff_t)(at - pos);
            return 0;
        }
        if (first->op == OP_RUN && first->a == 0 && first->b == 0) {
            s->dead[i].from = pos;
            s->dead[i].to = stop;
            s->dead[i].end = end;
        }
    }
    return 0;
}

void tok_re_state_reset(struct tok_re_state *s) { memset(s->dead, 0, sizeof s->dead); }

void tok_re_state_done(struct tok_re_state *s)
{
    mem_free(s->points);
    *s = (struct tok_re_state){0};
}
