/* The scheduler's requests, queue and thread (infer_schedule.h). What one step evaluates is in step.c.
 *
 *   infer_schedule ─> queue ─ begin ─> running ─ step, step, … ─> on_done
 *                       ^________________/  when memory is short, the youngest begins again later
 *
 * Callers hold `lock` for a moment to put a request into the queue; everything about requests that run belongs to the
 * thread. Order of the queue: owners take turns; among an owner's requests, first come, first served. A full queue is
 * shared, too: an owner with few places in it gets one of the owner with most. */
#include "schedule.h"
#include "base_clock.h"
#include "base_mem.h"

#include <math.h>

enum { CTX_DEFAULT = 4096, PARALLEL_DEFAULT = 16, QUEUE_DEFAULT = 256, EXTRA_ROWS = 8 };

/* ---- requests ---- */

static void release(struct infer_ticket *t)
{
    while (t && atomic_fetch_sub(&t->refs, 1) == 1) {
        struct infer_ticket *after = t->r.after;
        mem_free(t->tokens);
        mem_free(t);
        t = after;
    }
}

void infer_ticket_free(struct infer_ticket *t)
{
    if (t) release(t);
}

void infer_ticket_cancel(struct infer_ticket *t) { atomic_store(&t->cancelled, true); }

/* Reports the end and lets the request go. Without the lock. */
static void done(struct infer_ticket *t, enum infer_end end, const struct err *e)
{
    double now = clock_now_s(), began = t->began ? t->began_s : now, first = t->first_s > 0 ? t->first_s : now;
    struct infer_outcome o = {.end = end,
                              .n_prompt = t->n_prompt,
                              .n_cached = t->n_cached,
                              .n_generated = (uint32_t)t->seq.n_generated,
                              .n_nodes = t->r.tree ? t->r.tree->n : 0,
                              .queued_s = began - t->came_s,
                              .prompt_s = first - began,
                              .generate_s = now - first,
                              .ticket = t};
    if (e) o.err = *e;
    if (t->generates) infer_sequence_done(&t->seq);
    t->r.on_done(t->r.user, &o);
    release(t);
}

static int check(const struct infer_scheduler *s, const struct infer_request *r, struct err *e)
{
    const struct model *m = infer_engine_model(s->engine);
    if (r->texts) {
        uint32_t n_ctx = s->p.n_ctx;
        for (size_t i = 0; i < r->n_texts; i++) {
            if (r->texts[i].n == 0) return ERR(e, USAGE, "Text %zu has no tokens.", i);
            if (r->texts[i].n > n_ctx)
                return ERR(e, NO_ROOM, "Text %zu has %zu tokens and the context %u: %zu too many.", i, r->texts[i].n,
                           n_ctx, r->texts[i].n - n_ctx);
        }
        return 0;
    }
    if (!m->head.data) return ERR(e, UNSUPPORTED, "A %s model gives embeddings, not next tokens.", m->arch);
    uint64_t need = (uint64_t)r->n_prompt + (r->tree ? r->tree->n : 0);
    if (r->n_prompt == 0) return ERR(e, USAGE, "The prompt is empty; give at least one token.");
    if (need > s->p.n_ctx)
        return ERR(e, NO_ROOM, "The request needs %llu tokens and the context has %u: %llu too many.",
                   (unsigned long long)need, s->p.n_ctx, (unsigned long long)(need - s->p.n_ctx));
    for (size_t i = 0; i < r->n_prompt; i++)
        if (r->prompt[i] < 0 || (uint32_t)r->prompt[i] >= m->n_vocab)
            return ERR(e, USAGE, "Token %d at position %zu is not in the vocabulary of %u.", r->prompt[i], i,
                       m->n_vocab);
    return 0;
}

static int make(struct infer_scheduler *s, const struct infer_request *r, struct infer_ticket **out, struct err *e)
{
    struct infer_ticket *t = mem_calloc(1, sizeof *t);
    if (!t) return err_nomem(e, sizeof *t);
    t->r = *r;
    t->r.after = NULL; /* until nothing can fail any more */
    t->scheduler = s;
    t->generates = !r->tree && !r->texts;
    t->n_prompt = t->n_tokens = (uint32_t)r->n_prompt;
    t->room = t->n_tokens + INFER_NEXT;
    t->tokens = mem_alloc(t->room * sizeof *t->tokens);
    t->came_s = clock_now_s();
    atomic_init(&t->refs, 1);
    int rc = t->tokens ? 0 : err_nomem(e, t->room * sizeof *t->tokens);
    if (!rc && t->generates)
        rc = infer_sequence_init(&t->seq, s->engine, s->tok, r->sampling, r->grammar, s->draw, r->on_piece, r->user,
                                 e);
    if (rc) {
        release(t);
        return rc;
    }
    t->seq.spelled = r->spelled;
    t->seq.n_spelled = r->n_spelled;
    t->seq.shows_end = r->echo == INFER_ECHO_FIRST;
    if (t->n_tokens) memcpy(t->tokens, r->prompt, t->n_tokens * sizeof *t->tokens);
    for (size_t i = 0; i < r->n_texts; i++) t->n_prompt += (uint32_t)r->texts[i].n;
    if (t->generates) infer_sequence_see(&t->seq, t->tokens, t->n_tokens);
    t->r.prompt = NULL;
    t->r.sampling = NULL;
    if (r->after) {
        atomic_fetch_add(&r->after->refs, 1);
        t->r.after = r->after;
    }
    *out = t;
    return 0;
}

/* How long one that comes now will wait, if requests go on leaving as they did. While some wait, the gap that is open
 * now counts once it is longer than the mean: it is all that is known before the first has left. */
static double wait_s(const struct infer_scheduler *s)
{
    if (s->n_waiting == 0 && s->load.n_running < s->p.n_parallel) return 0;
    double mean = s->interval_s, gap = 0;
    if (s->queue) gap = clock_now_s() - fmax(s->queue->came_s, s->last_done_s);
    if (gap > mean) mean = mean > 0 ? 0.9 * mean + 0.1 * gap : gap;
    return (s->n_waiting + 1) * mean;
}

static void append(struct infer_scheduler *s, struct infer_ticket *t)
{
    struct infer_ticket **at = &s->queue;
    while (*at) at = &(*at)->next;
    *at = t;
    s->n_waiting++;
    s->load.n_requests++;
    s->load.n_prompt += t->n_prompt;
}

/* The queue is full. Whoever asks for less than another gets a place of the other's: of the owner with most places, if
 * these are still as many afterwards, the last request that came. It leaves with FULL in the next sweep; until then the
 * queue is longer by one. False: nobody has so many. With the lock. */
static bool displace(struct infer_scheduler *s, uint32_t owner)
{
    uint32_t places[INFER_OWNERS] = {0}, most = 0;
    struct infer_ticket *last = NULL;
    for (struct infer_ticket *t = s->queue; t; t = t->next) places[t->r.owner % INFER_OWNERS] += !t->displaced;
    for (uint32_t i = 1; i < INFER_OWNERS; i++)
        if (places[i] > places[most]) most = i;
    if (places[most] < places[owner % INFER_OWNERS] + 2) return false;
    for (struct infer_ticket *t = s->queue; t; t = t->next)
        if (t->r.owner % INFER_OWNERS == most && !t->displaced && !t->began && !t->r.after) last = t;
    if (last) last->displaced = true;
    return last;
}

int infer_schedule(struct infer_scheduler *s, const struct infer_request *r, struct infer_ticket **out, struct err *e)
{
    struct infer_ticket *t = NULL;
    int rc = check(s, r, e);
    if (!rc) rc = make(s, r, &t, e);
    if (rc) return rc;
    pthread_mutex_lock(&s->lock);
    if (s->stop)
        rc = ERR(e, CANCELLED, "The model is being unloaded.");
    else if (!r->after && s->load.n_running + s->n_waiting >= s->load.n_most && /* one may be about to begin */
             !displace(s, r->owner))
        rc = ERR(e, FULL, "%u requests are waiting already. Try again in about %.0f s.", s->n_waiting,
                 wait_s(s) + 0.5);
    if (!rc) {
        if (out) {
            atomic_fetch_add(&t->refs, 1);
            *out = t;
        }
        append(s, t);
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc) {
        if (t->generates) infer_sequence_done(&t->seq);
        release(t);
    }
    return rc;
}

/* ---- the queue ---- */

static struct infer_ticket *unlink_at(struct infer_scheduler *s, struct infer_ticket **at)
{
    struct infer_ticket *t = *at;
    *at = t->next;
    t->next = NULL;
    s->n_waiting--;
    return t;
}

static uint64_t *turn_of(struct infer_scheduler *s, const struct infer_ticket *t)
{
    return &s->turn[t->r.owner % INFER_OWNERS];
}

/* The last place among its first n tokens where a running request is going to leave its state; 0: none. */
static uint32_t last_stop(const struct infer_ticket *r, uint32_t n)
{
    uint32_t past = infer_session_n_past(r->session), last = 0;
    for (int i = 0; i < 2; i++)
        if (r->stop[i] > past && r->stop[i] <= n && r->stop[i] > last) last = r->stop[i];
    return last;
}

/* A prompt that is being evaluated right now and agrees with this one for longer than the cache does: wait for it. */
static bool better_later(const struct infer_scheduler *s, const struct infer_ticket *t)
{
    if (infer_ticket_scores(t)) return false; /* it evaluates all of it in any case */
    for (uint32_t i = 0; i < s->n_running; i++) {
        const struct infer_ticket *r = s->running[i];
        uint32_t n = 0, most = t->n_tokens < r->n_prompt ? t->n_tokens : r->n_prompt;
        if (r->left || r->r.texts) continue;
        while (n < most && t->tokens[n] == r->tokens[n]) n++;
        if (infer_session_is_recurrent(r->session)) n = last_stop(r, n);
        if (n >= r->n_cached + INFER_PAGE_TOKENS / 2) return true;
    }
    return false;
}

/* The next request: of the owner that was served longest ago, the first that came. */
static struct infer_ticket *choose(struct infer_scheduler *s)
{
    struct infer_ticket **best = NULL;
    for (struct infer_ticket **at = &s->queue; *at; at = &(*at)->next)
        if ((!best || *turn_of(s, *at) < *turn_of(s, *best)) && !(*at)->displaced && !better_later(s, *at)) best = at;
    if (!best) return NULL;
    struct infer_ticket *t = unlink_at(s, best);
    *turn_of(s, t) = ++s->turns;
    return t;
}

static void push_front(struct infer_scheduler *s, struct infer_ticket *t)
{
    t->next = s->queue;
    s->queue = t;
    s->n_waiting++;
}

static bool cancelled(const struct infer_ticket *t)
{
    while (t && !atomic_load(&t->cancelled)) t = t->r.after;
    return t != NULL;
}

/* Why a request must not go on, if so. */
static bool over(struct infer_scheduler *s, struct infer_ticket *t, double now, struct err *e)
{
    if (cancelled(t) || s->stop)
        ERR(e, CANCELLED, "Cancelled.");
    else if (t->r.deadline_s > 0 && now >= t->r.deadline_s)
        ERR(e, DEADLINE, "The deadline passed %.0f ms after the request came.", (now - t->came_s) * 1e3);
    else if (t->displaced)
        ERR(e, FULL, "The queue is full, and others who wait ask for less. Try again in about %.0f s.",
            wait_s(s) + 0.5);
    else
        return false;
    return true;
}

/* Requests of the queue that are over leave it. With the lock, which is given back for each callback. */
static void sweep(struct infer_scheduler *s)
{
    double now = clock_now_s();
    struct err e;
    for (struct infer_ticket **at = &s->queue; *at;) {
        e.code = 0;
        if (!over(s, *at, now, &e)) {
            at = &(*at)->next;
            continue;
        }
        struct infer_ticket *t = unlink_at(s, at);
        pthread_mutex_unlock(&s->lock);
        done(t, INFER_END_STOP, &e);
        pthread_mutex_lock(&s->lock);
        at = &s->queue; /* it may have changed */
    }
}

/* Begin what there is room for. With the lock, which is given back while a request begins. */
static void admit(struct infer_scheduler *s)
{
    while (s->n_running < s->p.n_parallel) {
        struct err e = {0};
        struct infer_ticket *t = choose(s);
        if (!t) return;
        pthread_mutex_unlock(&s->lock);
        int rc = infer_step_begin(s, t, &e);
        if (!rc) {
            if (!t->began) t->began_s = clock_now_s();
            t->began = true;
        } else if (rc != CROFT_E_BUSY) {
            done(t, INFER_END_STOP, &e);
        }
        pthread_mutex_lock(&s->lock);
        if (!rc) s->running[s->n_running++] = t;
        if (rc == CROFT_E_BUSY) {
            push_front(s, t);
            return;
        }
    }
}

/* ---- ends ---- */

static void leave(struct infer_scheduler *s, struct infer_ticket *t)
{
    uint32_t i = 0;
    while (s->running[i] != t) i++;
    if (t->session) {
        struct err e;
        int rc = infer_session_truncate(t->session, 0, &e);
        (void)rc; /* nothing can hold it back */
        s->spare[s->n_spare++] = t->session;
        t->session = NULL;
    }
    memmove(s->running + i, s->running + i + 1, (--s->n_running - i) * sizeof *s->running);
}

void infer_schedule_ended(struct infer_scheduler *s, struct infer_ticket *t, enum infer_end end, const struct err *e)
{
    double now = clock_now_s();
    if (t->session && t->generates && (!e || !e->code)) infer_session_leave(t->session);
    leave(s, t);
    pthread_mutex_lock(&s->lock);
    double gap = s->last_done_s > t->came_s ? now - s->last_done_s : now - t->came_s; /* since the last one, or it */
    s->interval_s = s->interval_s > 0 ? 0.9 * s->interval_s + 0.1 * gap : gap;
    s->last_done_s = now;
    s->load.n_cached += t->n_cached;
    s->load.n_generated += t->seq.n_generated;
    s->load.n_running = s->n_running; /* before its owner knows that there is room */
    pthread_mutex_unlock(&s->lock);
    done(t, end, e);
}

void infer_schedule_again(struct infer_scheduler *s, struct infer_ticket *t)
{
    infer_session_leave(t->session);
    leave(s, t);
    pthread_mutex_lock(&s->lock);
    push_front(s, t);
    pthread_mutex_unlock(&s->lock);
}

/* ---- the thread ---- */

static void note_load(struct infer_scheduler *s)
{
    uint32_t all = 0, used = 0, kept = 0;
    if (s->pages) infer_pages_count(s->pages, &all, &used, &kept);
    s->load.n_running = s->n_running;
    s->load.cache_tokens = all * INFER_PAGE_TOKENS;
    s->load.cache_used = used * INFER_PAGE_TOKENS;
    s->load.cache_kept = kept * INFER_PAGE_TOKENS;
}

static void *work(void *scheduler)
{
    struct infer_scheduler *s = scheduler;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->queue && s->n_running == 0 && !s->stop) pthread_cond_wait(&s->work, &s->lock);
        sweep(s);
        if (s->stop && s->n_running == 0 && !s->queue) break;
        admit(s);
        note_load(s);
        pthread_mutex_unlock(&s->lock);
        double now = clock_now_s();
        for (uint32_t i = s->n_running; i-- > 0;) {
            struct err e = {0};
            if (over(s, s->running[i], now, &e)) infer_schedule_ended(s, s->running[i], INFER_END_STOP, &e);
        }
        if (s->n_running) infer_step(s);
        infer_keep_step(s);
        pthread_mutex_lock(&s->lock);
        s->load.n_steps++;
        note_load(s);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int start(struct infer_scheduler *s, struct err *e)
{
    const struct model *m = infer_engine_model(s->engine);
    if (s->p.batch_invariant) infer_engine_batch_invariant(s->engine);
    if (s->p.n_parallel == 0) s->p.n_parallel = PARALLEL_DEFAULT;
    if (s->p.n_parallel > INFER_PARALLEL_MAX)
        return ERR(e, USAGE, "%u requests together are too many; at most %d.", s->p.n_parallel, INFER_PARALLEL_MAX);
    if (s->p.n_ctx == 0) s->p.n_ctx = m->n_ctx_train < CTX_DEFAULT ? m->n_ctx_train : CTX_DEFAULT;
    if (s->p.n_queue == 0) s->p.n_queue = QUEUE_DEFAULT;
    s->load.n_most = s->p.n_parallel + s->p.n_queue;
    if (s->p.n_cache == 0) s->p.n_cache = 4 * s->p.n_ctx;
    if (s->p.n_cache < s->p.n_ctx) s->p.n_cache = s->p.n_ctx;
    int rc = m->causal ? infer_pages_new(s->engine, s->p.n_cache, s->p.kv, &s->pages, e) : 0;
    s->load.cache_bytes = s->pages ? infer_pages_bytes(s->pages) : 0;
    if (!rc && m->head.data) {
        s->n_rows = s->p.n_parallel + EXTRA_ROWS;
        s->rows = mem_alloc(s->n_rows * m->n_vocab * sizeof *s->rows);
        if (!s->rows) rc = err_nomem(e, s->n_rows * m->n_vocab * sizeof *s->rows);
        if (!rc) rc = infer_sample_room_new(m->n_vocab, &s->draw, e);
    }
    if (rc) return rc;
    infer_keep_open(s);
    rc = pthread_create(&s->thread, NULL, work, s);
    s->threaded = rc == 0;
    return rc ? err_errno(e, rc, "start", "the scheduler's thread") : 0;
}

int infer_scheduler_new(struct infer_engine *g, const struct tok *tok, const struct infer_scheduler_params *p,
                        struct infer_scheduler **out, struct err *e)
{
    struct infer_scheduler *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    s->engine = g;
    s->tok = tok;
    if (p) s->p = *p;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    int rc = start(s, e);
    if (rc)
        infer_scheduler_free(s);
    else
        *out = s;
    return rc;
}

void infer_scheduler_free(struct infer_scheduler *s)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (s->threaded) pthread_join(s->thread, NULL);
    infer_keep_close(s);
    while (s->n_spare) infer_session_free(s->spare[--s->n_spare]);
    infer_session_free(s->embedder);
    infer_pages_free(s->pages);
    mem_free(s->rows);
    infer_sample_room_free(s->draw);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

void infer_scheduler_load(struct infer_scheduler *s, struct infer_load *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->load;
    out->n_waiting = s->n_waiting;
    out->wait_s = wait_s(s);
    pthread_mutex_unlock(&s->lock);
}

struct infer_engine *infer_scheduler_engine(const struct infer_scheduler *s) { return s->engine; }
