/* Is the log what was written? Every receipt, every checkpoint, and what anchors say.
 *
 * The receipts are walked in the order of their places. The chain goes on from the hash that is *stored*, so that one
 * altered receipt is one finding and not the end of what can be said; whoever computes all later hashes anew is found
 * at the next signed statement. Statements are the checkpoints whose signature holds, and anchors, which are
 * checkpoints that were kept elsewhere: sorted by the receipt they name, they are compared as the walk passes.
 *
 *     stored text, old hash             altered, at the receipt
 *     text and own hash                 altered, at the receipt behind it, which no longer follows
 *     text and all hashes to the end    rewritten, at the next statement
 *     number in the text ≠ place        moved; a run with one shift: dropped before it, or inserted
 *     a gap in the places               dropped
 *     a statement beyond the end        truncated
 *
 * What stands behind the last statement is chained but unsigned: who can write the file can replace it (route_verdict
 * says how much that is). One call, one thread; owns what it opens. */
#include "base_mem.h"
#include "receipt_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct statement {
    struct route_statement s;
    bool anchor;
};
struct verify {
    const struct route_verify_params *p;
    struct route_verdict *out;
    struct route_log_row log;
    sqlite3 *db;
    struct route_keys keys;
    struct route_chain chain;
    struct statement *list; /* [n] by s.seq */
    size_t n, cap, next;    /* next: the first that the walk has not passed */
    uint64_t n_before;      /* number of the checkpoint before, while they are read */
    bool has_checkpoint;
    struct route_statement last; /* the newest valid checkpoint */
    /* the walk */
    uint64_t expected;   /* place of the next receipt */
    uint64_t newest;     /* the highest number that a receipt says it has */
    uint64_t whole_from; /* what stands before it was compared with a statement */
    bool unsure;         /* the receipt before was reported: its hash says nothing */
    bool marked;         /* something was reported since whole_from */
    struct {
        uint64_t from, to;
        int64_t shift;
    } moved;
    struct route_finding run; /* of neighbours; text empty: there is none */
};
typedef unsigned long long ull;

const char *route_finding_word(enum route_finding_kind k)
{
    static const char *const words[] = {"altered",    "dropped",   "moved",     "inserted",
                                        "checkpoint", "rewritten", "truncated", "anchor"};
    return words[k];
}

/* ---- findings ---- */

static void flush_run(struct verify *v)
{
    struct route_finding f = v->run;
    if (!f.text[0]) return;
    v->run.text[0] = 0;
    char places[64];
    bool one = f.from == f.to;
    if (one)
        snprintf(places, sizeof places, "Receipt %llu", (ull)f.from);
    else
        snprintf(places, sizeof places, "Receipts %llu to %llu", (ull)f.from, (ull)f.to);
    if (f.kind == ROUTE_FOUND_ALTERED)
        snprintf(f.text, sizeof f.text,
                 one ? "%s is not what was written: it was altered, or the one before it and that one's hash."
                     : "%s are not what was written.",
                 places);
    else if (f.kind == ROUTE_FOUND_MOVED)
        snprintf(f.text, sizeof f.text, one ? "%s stands at another's place." : "%s stand at each other's places.",
                 places);
    else
        snprintf(f.text, sizeof f.text,
                 "%s form a chain, but not the one that was signed: all of it was written anew.", places);
    v->out->n_findings++;
    if (v->p->finding) v->p->finding(v->p->arg, &f);
}

static void note(struct verify *v, enum route_finding_kind kind, uint64_t from, uint64_t to, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
static void note(struct verify *v, enum route_finding_kind kind, uint64_t from, uint64_t to, const char *fmt, ...)
{
    va_list ap;
    struct route_finding f = {.kind = kind, .from = from, .to = to};
    flush_run(v);
    v->marked = true;
    v->out->n_findings++;
    va_start(ap, fmt);
    vsnprintf(f.text, sizeof f.text, fmt, ap);
    va_end(ap);
    if (v->p->finding) v->p->finding(v->p->arg, &f);
}

/* One of ALTERED, MOVED, REWRITTEN: neighbours become one finding. */
static void note_run(struct verify *v, enum route_finding_kind kind, uint64_t from, uint64_t to)
{
    struct route_finding *r = &v->run;
    v->marked = true;
    if (r->text[0] && r->kind == kind && from <= r->to + 1) {
        r->to = to;
        return;
    }
    flush_run(v);
    *r = (struct route_finding){.kind = kind, .from = from, .to = to, .text = "run"};
}

/* ---- statements ---- */

static int keep(struct verify *v, const struct route_statement *s, bool anchor, struct err *e)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? 2 * v->cap : 256;
        struct statement *list = mem_realloc(v->list, cap * sizeof *list);
        if (!list) return err_nomem(e, cap * sizeof *list);
        v->list = list;
        v->cap = cap;
    }
    v->list[v->n++] = (struct statement){*s, anchor};
    return 0;
}

static int read_checkpoint(struct verify *v, sqlite3_stmt *st, struct err *e)
{
    uint64_t n = (uint64_t)sqlite3_column_int64(st, 0), seq = (uint64_t)sqlite3_column_int64(st, 1);
    const char *body = (const char *)sqlite3_column_text(st, 2);
    size_t n_body = (size_t)sqlite3_column_bytes(st, 2);
    const void *sig = sqlite3_column_blob(st, 3);
    struct route_statement s;
    uint64_t before = v->n_before;
    v->n_before = n;
    v->out->n_checkpoints++;
    if (n > before + 1 && (before || v->log.first == 1))
        note(v, ROUTE_FOUND_CHECKPOINT, before + 1, n - 1, "Checkpoints %llu to %llu are missing.", (ull)before + 1,
             (ull)n - 1);
    if (!body || sqlite3_column_bytes(st, 3) != ROUTE_SIGNATURE || !route_keys_verify(&v->keys, body, n_body, sig)) {
        note(v, ROUTE_FOUND_CHECKPOINT, n, n, "Checkpoint %llu is not signed by the key: it was altered or made up.",
             (ull)n);
        return 0;
    }
    if (!route_statement_parse(body, n_body, &s) || s.n != n || s.seq != seq || strcmp(s.log, v->log.id) != 0) {
        note(v, ROUTE_FOUND_CHECKPOINT, n, n, "Checkpoint %llu is signed, but for another place or another log.",
             (ull)n);
        return 0;
    }
    v->last = s;
    v->has_checkpoint = true;
    return keep(v, &s, false, e);
}

static int read_checkpoints(struct verify *v, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = route_sql_prepare(v->db, "SELECT n, seq, body, signature FROM checkpoint ORDER BY n", &st, e);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) rc = read_checkpoint(v, st, e);
    sqlite3_finalize(st);
    return rc;
}

/* A line as route_anchor_line writes it; the body is byte for byte what was signed. */
static bool parse_anchor(const struct verify *v, const char *line, size_t n, struct route_statement *out)
{
    static const char head[] = "{\"signature\":\"", middle[] = "\",\"checkpoint\":";
    const size_t at = sizeof head - 1 + 2 * ROUTE_SIGNATURE + sizeof middle - 1;
    unsigned char sig[ROUTE_SIGNATURE];
    return n > at + 2 && line[n - 1] == '}' && memcmp(line, head, sizeof head - 1) == 0 &&
           memcmp(line + at - (sizeof middle - 1), middle, sizeof middle - 1) == 0 &&
           route_unhex(line + sizeof head - 1, 2 * ROUTE_SIGNATURE, sig) &&
           route_keys_verify(&v->keys, line + at, n - at - 1, sig) &&
           route_statement_parse(line + at, n - at - 1, out);
}

static int read_anchors(struct verify *v, FILE *f, struct err *e)
{
    char line[4096];
    int rc = 0;
    for (uint64_t number = 1; rc == 0 && fgets(line, sizeof line, f); number++) {
        struct route_statement s;
        size_t n = strcspn(line, "\r\n");
        if (n == 0) continue;
        if (!parse_anchor(v, line, n, &s))
            note(v, ROUTE_FOUND_ANCHOR, number, number, "Line %llu of the anchors is not signed by the key.",
                 (ull)number);
        else if (strcmp(s.log, v->log.id) != 0)
            note(v, ROUTE_FOUND_ANCHOR, number, number,
                 "Line %llu of the anchors speaks of another log: this one was begun anew, or the file is another's.",
                 (ull)number);
        else
            rc = keep(v, &s, true, e);
    }
    return rc;
}

static int by_seq(const void *a, const void *b)
{
    const struct statement *x = a, *y = b;
    if (x->s.seq != y->s.seq) return x->s.seq < y->s.seq ? -1 : 1;
    return (int)x->anchor - (int)y->anchor;
}

/* ---- the walk ---- */

static void compare(struct verify *v, const struct statement *x)
{
    bool same = memcmp(x->s.hash, v->chain.hash, ROUTE_HASH) == 0;
    if (x->anchor && same)
        v->out->n_anchors++;
    else if (x->anchor)
        note(v, ROUTE_FOUND_ANCHOR, v->whole_from, x->s.seq,
             "Receipt %llu is not the one that an anchor speaks of: the log was written anew, up to there at least.",
             (ull)x->s.seq);
    else if (!same && !v->marked)
        note_run(v, ROUTE_FOUND_REWRITTEN, v->whole_from, x->s.seq);
    v->whole_from = x->s.seq + 1;
    v->marked = false;
}

/* Statements about receipts up to `seq`: the one at seq is compared, earlier ones found no receipt. */
static void pass(struct verify *v, uint64_t seq)
{
    for (; v->next < v->n && v->list[v->next].s.seq <= seq; v->next++) {
        const struct statement *x = &v->list[v->next];
        if (x->s.seq == seq)
            compare(v, x);
        else if (x->anchor && x->s.seq + 1 < v->out->first)
            v->out->n_anchors_old++;
    }
}

static void flush_moved(struct verify *v)
{
    uint64_t from = v->moved.from, to = v->moved.to;
    int64_t shift = v->moved.shift;
    v->moved.from = v->moved.to = 0;
    if (!from) return;
    if (from == to)
        note_run(v, ROUTE_FOUND_MOVED, from, to);
    else if (shift > 0)
        note(v, ROUTE_FOUND_DROPPED, from, from + (uint64_t)shift - 1,
             "Places %llu to %llu hold receipts %llu to %llu: %lld before them are missing.", (ull)from, (ull)to,
             (ull)from + (ull)shift, (ull)to + (ull)shift, (long long)shift);
    else
        note(v, ROUTE_FOUND_INSERTED, from + (uint64_t)shift, from - 1,
             "Places %llu to %llu hold receipts %llu to %llu: %lld before them were put in.", (ull)from, (ull)to,
             (ull)from + (ull)shift, (ull)to + (ull)shift, (long long)-shift);
}

/* The text at place `seq` says that it is receipt `own`. */
static void note_moved(struct verify *v, uint64_t seq, uint64_t own)
{
    int64_t shift = (int64_t)(own - seq);
    v->marked = true;
    if (v->moved.from && v->moved.to + 1 == seq && v->moved.shift == shift) {
        v->moved.to = seq;
        return;
    }
    flush_moved(v);
    v->moved.from = v->moved.to = seq;
    v->moved.shift = shift;
}

static void step(struct verify *v, uint64_t seq, const char *body, size_t n, const void *hash, size_t n_hash)
{
    uint64_t own = body ? route_body_number(body, n, "seq") : 0;
    if ((int64_t)seq < (int64_t)v->out->first) {
        note(v, ROUTE_FOUND_INSERTED, seq, seq, "A receipt stands at place %lld, before the beginning of the log.",
             (long long)seq);
        return;
    }
    v->out->n++;
    if (seq > v->expected) {
        flush_moved(v);
        note(v, ROUTE_FOUND_DROPPED, v->expected, seq - 1,
             v->expected == seq - 1 ? "Receipt %llu is missing." : "Receipts %llu to %llu are missing.",
             (ull)v->expected, (ull)seq - 1);
        v->unsure = true;
        pass(v, seq - 1);
    }
    v->expected = seq + 1;
    v->out->last = seq;
    if (own > v->newest) v->newest = own;
    route_chain_next(&v->chain, body ? body : "", n);
    bool follows = n_hash == ROUTE_HASH && memcmp(hash, v->chain.hash, ROUTE_HASH) == 0;
    if (own != seq && own)
        note_moved(v, seq, own);
    else
        flush_moved(v);
    if (own == seq && !follows && !v->unsure)
        note_run(v, ROUTE_FOUND_ALTERED, seq, seq);
    else if (!own)
        note_run(v, ROUTE_FOUND_ALTERED, seq, seq);
    v->unsure = own != seq;
    if (own == seq) v->out->lost = route_body_number(body, n, "lost");
    if (n_hash == ROUTE_HASH) memcpy(v->chain.hash, hash, ROUTE_HASH);
    pass(v, seq);
}

static int walk(struct verify *v, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row = false;
    int rc = route_sql_prepare(v->db, "SELECT seq, body, hash FROM receipt ORDER BY seq", &st, e);
    while (rc == 0 && (rc = route_sql_row(st, &row, e)) == 0 && row) {
        const char *body = (const char *)sqlite3_column_text(st, 1);
        size_t n = (size_t)sqlite3_column_bytes(st, 1);
        const void *hash = sqlite3_column_blob(st, 2);
        step(v, (uint64_t)sqlite3_column_int64(st, 0), body, n, hash, (size_t)sqlite3_column_bytes(st, 2));
    }
    sqlite3_finalize(st);
    flush_moved(v);
    flush_run(v);
    return rc;
}

/* Where the log begins, as signed; the first hash. */
static void begin(struct verify *v)
{
    route_chain_begin(&v->chain, v->log.id);
    v->out->first = v->has_checkpoint ? v->last.first : 1;
    if (v->log.first != v->out->first)
        note(v, ROUTE_FOUND_TRUNCATED, v->out->first, v->log.first - 1,
             "The log says that it begins with receipt %llu; signed is %llu.", (ull)v->log.first, (ull)v->out->first);
    if (v->out->first > 1) memcpy(v->chain.hash, v->last.base, ROUTE_HASH);
    v->expected = v->whole_from = v->out->first;
    v->out->last = v->out->first - 1;
    v->marked = false;
    pass(v, v->out->first - 1); /* the one at which it was pruned signs the base */
}

/* What was signed and is not there. */
static void finish(struct verify *v)
{
    uint64_t last = v->out->last, signed_to = v->has_checkpoint ? v->last.seq : 0, anchored = 0;
    for (size_t i = v->next; i < v->n; i++)
        if (v->list[i].anchor) anchored = v->list[i].s.seq;
    if (signed_to > last && signed_to > v->newest)
        note(v, ROUTE_FOUND_TRUNCATED, last + 1, signed_to,
             "Receipts up to %llu were signed; the log ends at %llu: its end was cut off.", (ull)signed_to,
             (ull)last);
    if (anchored > last && anchored > v->newest && anchored > signed_to)
        note(v, ROUTE_FOUND_TRUNCATED, last + 1, anchored,
             "An anchor speaks of receipt %llu; the log ends at %llu: its end was cut off, with the checkpoints.",
             (ull)anchored, (ull)last);
    v->out->signed_to = signed_to < last ? signed_to : last;
}

static int open_all(struct verify *v, FILE **anchors, struct err *e)
{
    char pub_path[ROUTE_PATH];
    const char *pub = v->p->pub_path ? v->p->pub_path : pub_path;
    int rc = route_path(v->p->dir, "receipts.pub", pub_path, e);
    if (rc == 0) rc = route_log_open(v->p->dir, ROUTE_SQL_READ, &v->db, &v->log, e);
    if (rc == 0) rc = route_keys_open(pub, &v->keys, e);
    if (rc == 0) rc = route_chain_init(&v->chain, e);
    if (rc == 0 && v->p->anchors && !(*anchors = fopen(v->p->anchors, "re")))
        rc = err_errno(e, errno, "open", v->p->anchors);
    if (rc == 0) rc = route_sql_exec(v->db, "BEGIN", e); /* one view of all tables */
    if (rc == 0) rc = route_log_row_read(v->db, v->p->dir, &v->log, e);
    return rc;
}

int route_receipts_verify(const struct route_verify_params *p, struct route_verdict *out, struct err *e)
{
    struct route_verdict verdict = {.n = 0};
    struct verify v = {.p = p, .out = &verdict};
    FILE *anchors = NULL;
    int rc = open_all(&v, &anchors, e);
    if (rc == 0) rc = read_checkpoints(&v, e);
    if (rc == 0 && anchors) rc = read_anchors(&v, anchors, e);
    if (rc == 0) {
        snprintf(verdict.log, sizeof verdict.log, "%s", v.log.id);
        if (v.n) qsort(v.list, v.n, sizeof *v.list, by_seq);
        begin(&v);
        rc = walk(&v, e);
    }
    if (rc == 0) finish(&v);
    if (rc == 0) *out = verdict;
    if (anchors) fclose(anchors);
    sqlite3_close(v.db);
    route_keys_done(&v.keys);
    route_chain_done(&v.chain);
    mem_free(v.list);
    return rc;
}
