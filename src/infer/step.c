/* One step of the scheduler: what is evaluated next, and what comes of it.
 *
 * A request's tokens are known up to n_tokens; its session has evaluated n_past of them. A request that decodes is
 * behind by the token that was just sampled (with what must follow it, and guesses); one that has just come, by its
 * prompt. Everyone who decodes is in every step. Prompts are added to it in the order in which requests came:
 *
 *   short ones   whole, at most SHORT rows of them in a step: a question behind a known prefix is answered at once
 *   long ones    in pieces. Each step that decodes earns them SHARE of the time it takes; when that is enough for
 * LEAST rows, as earlier rows took, they are spent, so that streams keep their pace, and rows come in a number that
 * kernels are good at. PIECE rows when nobody decodes, so that those who come wait for no more than that
 *
 * Of a recurrent family a prompt stops where others will go on: behind what it pins, and where it leaves what an
 * earlier one had, if that is WORTH more tokens than it found. There it leaves its state.
 *
 * Runs on the scheduler's thread alone. */
#include "internal.h"
#include "schedule.h"
#include "base_clock.h"
#include "base_mem.h"

enum { SHORT = 64, PIECE = 256, LEAST = 8, TEXTS = 64, WORTH = 32 };
static const double SHARE = 0.2; /* streams keep 1 / (1 + SHARE) of their pace: 83 % */

/* ---- beginning ---- */

static int session_of(struct infer_scheduler *s, struct infer_session **out, struct err *e)
{
    if (s->n_spare) {
        *out = s->spare[--s->n_spare];
        return 0;
    }
    struct infer_session_params p = {.n_ctx = s->p.n_ctx, .pages = s->pages};
    return infer_session_new(s->engine, &p, out, e);
}

static uint32_t nodes_of(const struct infer_ticket *t) { return t->r.tree ? t->r.tree->n : 0; }

static int embedder_of(struct infer_scheduler *s, struct err *e)
{
    struct infer_session_params p = {.n_ctx = s->p.n_ctx, .kv = s->p.kv};
    return s->embedder ? 0 : infer_session_new(s->engine, &p, &s->embedder, e);
}

static void plan_stops(struct infer_scheduler *s, struct infer_ticket *t, uint32_t had)
{
    uint32_t known = infer_pages_known(s->pages, t->tokens, t->n_tokens - 1);
    t->stop[0] = t->r.pin > had ? t->r.pin : 0;
    t->stop[1] = known >= had + WORTH ? known : 0;
}

/* Tokens up to its next stop, or to the end of what it has. */
static uint32_t until_stop(const struct infer_ticket *t)
{
    uint32_t past = infer_session_n_past(t->session), next = t->n_tokens;
    for (int i = 0; i < 2; i++)
        if (t->stop[i] > past && t->stop[i] < next) next = t->stop[i];
    return next - past;
}

/* What it has evaluated is for others, too. A recurrent state is only where somebody may go on from it: at a stop,
 * and at the end of a prompt that is answered with text, which the next one may repeat. */
static void leave(struct infer_ticket *t)
{
    uint32_t past = infer_session_n_past(t->session);
    if (t->generates || past == t->stop[0] || past == t->stop[1])
        infer_session_leave(t->session);
    else
        infer_pages_leave(t->session);
    infer_session_pin(t->session, t->r.pin);
}

/* What can be shown of the prompt before it is evaluated: its first token, or all of it without probabilities. */
static int echo(struct infer_ticket *t, struct err *e)
{
    uint32_t n = !t->generates || !t->r.echo ? 0 : infer_ticket_scores(t) ? 1 : t->n_prompt;
    int rc = 0;
    for (; t->n_echoed < n && !rc; t->n_echoed++) rc = infer_sequence_echo(&t->seq, NULL, t->tokens[t->n_echoed], e);
    return rc;
}

int infer_step_begin(struct infer_scheduler *s, struct infer_ticket *t, struct err *e)
{
    if (t->r.texts) return embedder_of(s, e);
    int rc = session_of(s, &t->session, e);
    if (rc) return rc;
    uint32_t most = infer_ticket_scores(t) && t->n_echoed < t->n_prompt ? t->n_echoed : t->n_tokens;
    uint32_t had = most ? infer_session_adopt(t->session, t->tokens, most) : 0;
    if (infer_session_is_recurrent(t->session)) plan_stops(s, t, had);
    rc = infer_session_grow(t->session, t->n_tokens - had + nodes_of(t), e);
    if (!t->began) t->n_cached = had;
    if (!rc) return echo(t, e);
    struct err ignored;
    if (infer_session_truncate(t->session, 0, &ignored) == 0) s->spare[s->n_spare++] = t->session;
    t->session = NULL;
    return s->n_running ? CROFT_E_BUSY : rc;
}

/* ---- choosing rows ---- */

static uint32_t behind(const struct infer_ticket *t) { return t->n_tokens - infer_session_n_past(t->session); }
static bool decodes(const struct infer_ticket *t) { return t->generates && t->left && behind(t) <= INFER_NEXT; }

/* Room for what a decoding request is behind by; when there is none, the youngest of all gives its pages back. False
 * if that is this one. */
static bool grow(struct infer_scheduler *s, struct infer_ticket *t)
{
    struct err e;
    while (infer_session_grow(t->session, behind(t), &e)) {
        struct infer_ticket *last = NULL;
        uint32_t holding = 0;
        for (uint32_t i = 0; i < s->n_running; i++)
            if (s->running[i]->session) last = s->running[i], holding++;
        if (holding > 1)
            infer_schedule_again(s, last);
        else
            infer_schedule_ended(s, t, INFER_END_LENGTH, NULL); /* all of the cache is its own */
        if (holding == 1 || last == t) return false;
    }
    return true;
}

/* The next n tokens of a request, and its tree with the last of them. */
static struct infer_batch_item *add(struct infer_batch_item *item, struct infer_ticket *t, uint32_t n)
{
    *item = (struct infer_batch_item){
        .session = t->session, .tokens = t->tokens + infer_session_n_past(t->session), .n = n};
    if (n == behind(t) && !infer_session_is_recurrent(t->session)) item->tree = t->r.tree;
    return item;
}

/* Where the logits go of the last token that is no guess, and of the guesses. A tree that goes with the item takes
 * what it asks for. */
static void want_rows(struct infer_scheduler *s, struct infer_batch_item *item, const struct infer_ticket *t,
                      uint32_t *row)
{
    size_t n_vocab = infer_engine_model(s->engine)->n_vocab;
    if (!t->generates && item->tree) return;
    item->n_rows = t->n_echoed < t->n_prompt && infer_ticket_scores(t) ? (uint32_t)item->n : t->seq.n_guess + 1;
    item->rows = s->rows + *row * n_vocab;
    *row += item->n_rows;
}

/* Guesses for a constrained answer, as far as there are rows for their logits: every request needs one of its own. */
static void guess(struct infer_scheduler *s, struct infer_ticket *t, uint32_t *extra)
{
    if (!t->r.grammar || s->p.batch_invariant || infer_session_is_recurrent(t->session)) return;
    uint32_t past = infer_session_n_past(t->session), had = t->seq.n_next, free = s->p.n_ctx - t->n_tokens;
    infer_sequence_guess(&t->seq, t->tokens, past, free < *extra ? free : *extra);
    memcpy(t->tokens + t->n_tokens, t->seq.next + had, t->seq.n_guess * sizeof *t->tokens);
    t->n_tokens += t->seq.n_guess;
    *extra -= t->seq.n_guess;
}

/* How long a step takes in which n decode and nothing else; of numbers not seen yet the nearest one's. 0: not known.
 */
static double pace(const struct infer_scheduler *s, uint32_t n)
{
    for (uint32_t d = 0; d <= INFER_PARALLEL_MAX; d++) {
        if (d < n && s->decode_s[n - d] > 0) return s->decode_s[n - d];
        if (n + d <= INFER_PARALLEL_MAX && s->decode_s[n + d] > 0) return s->decode_s[n + d];
    }
    return 0;
}

/* Rows of long prompts that may be in a step in which others decode. */
static uint32_t long_rows(const struct infer_scheduler *s, uint32_t n_decoding)
{
    if (n_decoding == 0) return PIECE;
    if (s->row_s <= 0 || pace(s, n_decoding) <= 0) return LEAST;
    double n = s->earned_s / s->row_s;
    return n < LEAST ? 0 : n > PIECE ? PIECE : (uint32_t)n;
}

struct plan {
    struct infer_ticket *who[INFER_PARALLEL_MAX]; /* whose each item is */
    uint32_t n, n_decoding;                       /* items; of them decoding */
    uint32_t n_rows, n_long;                      /* rows of prompts and trees; of them of long prompts */
};

static struct plan choose(struct infer_scheduler *s)
{
    struct plan p = {0};
    uint32_t extra = s->n_rows - s->p.n_parallel, row = 0;
    for (uint32_t i = 0; i < s->n_running;) /* first: growing may take others out */
        if (!decodes(s->running[i]) || grow(s, s->running[i])) i++;
    for (uint32_t i = 0; i < s->n_running; i++) {
        struct infer_ticket *t = s->running[i];
        if (!decodes(t)) continue;
        guess(s, t, &extra);
        struct err e;
        if (infer_session_grow(t->session, behind(t), &e)) { /* no room to guess */
            t->n_tokens -= t->seq.n_guess;
            t->seq.n_next -= t->seq.n_guess;
            t->seq.n_guess = 0;
        }
        want_rows(s, add(&s->item[p.n], t, behind(t)), t, &row);
        p.who[p.n++] = t;
    }
    p.n_decoding = p.n;
    extra += s->p.n_parallel - s->n_running; /* nobody needs these; for prompts whose tokens are shown */
    uint32_t brief = SHORT, lengthy = long_rows(s, p.n_decoding);
    for (uint32_t i = 0; i < s->n_running; i++) {
        struct infer_ticket *t = s->running[i];
        if (!t->session || decodes(t)) continue;
        uint32_t n = behind(t), all = n + nodes_of(t);
        uint32_t *budget = all <= SHORT ? &brief : &lengthy, room = all <= SHORT && all > brief ? 0 : *budget;
        if (room == 0) continue;
        if (n > room) n = room;
        if (n > until_stop(t)) n = until_stop(t);
        bool scores = infer_ticket_scores(t) && t->n_echoed < t->n_prompt;
        if (scores) {
            if (n > 1 + extra) n = 1 + extra;
            extra -= n - 1;
        }
        add(&s->item[p.n], t, n);
        if (scores || n == behind(t)) want_rows(s, &s->item[p.n], t, &row);
        uint32_t rows = n + (s->item[p.n].tree ? nodes_of(t) : 0);
        *budget = rows < *budget ? *budget - rows : 0;
        p.n_rows += rows;
        if (budget == &lengthy) p.n_long += rows;
        p.who[p.n++] = t;
    }
    return p;
}

/* ---- what comes of it ---- */

static int append(struct infer_ticket *t, const int32_t *tokens, uint32_t n, struct err *e)
{
    if (t->n_tokens + n + INFER_GUESS_MAX > t->room) {
        uint32_t room = 2 * t->room + n;
        int32_t *p = mem_realloc(t->tokens, room * sizeof *p);
        if (!p) return err_nomem(e, room * sizeof *p);
        t->tokens = p;
        t->room = room;
    }
    memcpy(t->tokens + t->n_tokens, tokens, n * sizeof *tokens);
    t->n_tokens += n;
    return 0;
}

/* The logits of an item: the answer goes on, or ends. True when it has ended. */
static bool take(struct infer_scheduler *s, struct infer_ticket *t, const struct infer_batch_item *item,
                 enum infer_end *out_end, struct err *e)
{
    uint32_t guesses = t->seq.n_guess, kept;
    if (t->first_s <= 0) t->first_s = clock_now_s();
    size_t skip = (size_t)(item->n_rows - guesses - 1) * infer_engine_model(s->engine)->n_vocab;
    if (infer_sequence_take(&t->seq, item->rows + skip, &kept, e)) return true;
    t->n_tokens -= guesses - kept;
    if (guesses > kept && infer_session_truncate(t->session, t->n_tokens, e)) return true;
    if (!t->seq.ended && t->n_tokens + t->seq.n_next > s->p.n_ctx) {
        t->seq.ended = true;
        t->seq.end = CROFT_END_LENGTH;
    }
    if (!t->seq.ended) return append(t, t->seq.next, t->seq.n_next, e) != 0;
    infer_sequence_finish(&t->seq);
    *out_end = t->seq.end == CROFT_END_LENGTH ? INFER_END_LENGTH : INFER_END_STOP;
    return true;
}

/* The tokens of a prompt that follow those of the item, the logits of which are in its rows. */
static int echo_scored(struct infer_scheduler *s, struct infer_ticket *t, const struct infer_batch_item *item,
                       struct err *e)
{
    size_t n_vocab = infer_engine_model(s->engine)->n_vocab;
    uint32_t next = infer_session_n_past(t->session) - (uint32_t)item->n + 1;
    int rc = 0;
    if (!infer_ticket_scores(t)) return 0;
    for (uint32_t i = 0; i < item->n && next + i < t->n_prompt && !rc; i++) {
        if (next + i < t->n_echoed) continue; /* it has begun again */
        rc = infer_sequence_echo(&t->seq, item->rows + i * n_vocab, t->tokens[next + i], e);
        t->n_echoed++;
    }
    return rc;
}

/* What happened to the item of a request. True when the request has ended. */
static bool settle(struct infer_scheduler *s, struct infer_ticket *t, const struct infer_batch_item *item,
                   enum infer_end *out_end, struct err *e)
{
    *out_end = INFER_END_ANSWERED;
    if (item->err.code) {
        *e = item->err;
        return true;
    }
    uint32_t past = infer_session_n_past(t->session);
    if (!t->left && (!behind(t) || past == t->stop[0] || past == t->stop[1])) leave(t);
    if (t->n_echoed < t->n_prompt && echo_scored(s, t, item, e)) return true;
    if (behind(t)) return false;
    t->left = true;
    if (t->r.echo == INFER_ECHO_ONLY) {
        infer_sequence_finish(&t->seq);
        *out_end = INFER_END_LENGTH;
        return true;
    }
    if (t->generates) return take(s, t, item, out_end, e);
    if (!item->tree && infer_tree_by_paths(t->session, t->r.tree, item->rows, e)) return true;
    t->first_s = clock_now_s();
    return true;
}

/* A running mean, a fifth of it new. */
static void mean(double *m, double x) { *m = *m > 0 ? 0.8 * *m + 0.2 * x : x; }

/* What long prompts have earned by a step, and what they have used up of it: at most twice what LEAST rows take, in
 * saving and in debt, so that neither a stream's time alone nor a hiccup of the machine holds up somebody later. */
static void earn(struct infer_scheduler *s, const struct plan *p, double took)
{
    double alone = pace(s, p->n_decoding), most = 2 * LEAST * s->row_s;
    if (p->n_decoding == 0 || alone <= 0) return;
    if (p->n_long) s->earned_s -= (took - alone) * p->n_long / p->n_rows;
    s->earned_s += SHARE * alone;
    if (most < SHARE * alone) most = SHARE * alone;
    if (s->earned_s > most) s->earned_s = most;
    if (s->earned_s < -most) s->earned_s = -most;
}

/* What the step teaches about the next ones. */
static void learn(struct infer_scheduler *s, const struct plan *p, double took)
{
    double *decode_s = &s->decode_s[p->n_decoding];
    earn(s, p, took);
    if (p->n_rows == 0)
        mean(decode_s, took);
    else if (p->n_decoding == 0)
        mean(&s->row_s, took / p->n_rows);
    else if (*decode_s > 0 && took > *decode_s)
        mean(&s->row_s, (took - *decode_s) / p->n_rows);
}

static void evaluate(struct infer_scheduler *s)
{
    struct plan p = choose(s);
    if (p.n == 0) return;
    double start = clock_now_s();
    int rc = infer_batch_eval(s->item, p.n);
    (void)rc; /* each item has its own */
    learn(s, &p, clock_now_s() - start);
    for (uint32_t i = 0; i < p.n; i++) {
        struct err e = {0};
        enum infer_end end;
        if (settle(s, p.who[i], &s->item[i], &end, &e)) infer_schedule_ended(s, p.who[i], end, &e);
    }
}

/* Some texts of each request for embeddings, all in one list where they want the same. */
static void embed(struct infer_scheduler *s)
{
    struct infer_text list[TEXTS];
    struct infer_ticket *who[INFER_PARALLEL_MAX], *first = NULL;
    size_t taken[INFER_PARALLEL_MAX], n_who = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < s->n_running && n < TEXTS; i++) {
        struct infer_ticket *t = s->running[i];
        if (!t->r.texts) continue;
        if (!first) first = t;
        if (t->r.pool != first->r.pool || t->r.normalize != first->r.normalize) continue;
        size_t left = t->r.n_texts - t->n_texts_done, m = left < TEXTS - n ? left : TEXTS - n;
        memcpy(list + n, t->r.texts + t->n_texts_done, m * sizeof *list);
        n += m;
        who[n_who] = t;
        taken[n_who++] = m;
    }
    if (!first) return;
    struct err e = {0};
    int rc = n ? infer_session_embed_all(s->embedder, list, n, first->r.pool, first->r.normalize, &e) : 0;
    for (size_t k = 0; k < n_who; k++) {
        who[k]->n_texts_done += taken[k];
        if (rc || who[k]->n_texts_done == who[k]->r.n_texts) infer_schedule_ended(s, who[k], INFER_END_ANSWERED, &e);
    }
}

void infer_step(struct infer_scheduler *s)
{
    evaluate(s);
    embed(s);
}
