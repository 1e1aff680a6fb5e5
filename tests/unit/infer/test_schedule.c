/* The scheduler: requests together get what each gets alone; what they share is evaluated once; the queue is bounded
 * and fair; deadlines and cancellations end a request and nothing else; with too little cache answers take longer and
 * are the same. Uses the demo model, which is part of the repository. */
#include "golden.h"
#include "base_clock.h"
#include "infer_choice.h"
#include "infer_generate.h"
#include "infer_sample.h"
#include "infer_schedule.h"

#include <math.h>
#include <pthread.h>
#include <unistd.h>

#define MODEL "models/helpdesk-q8_0.gguf"
#if defined __SANITIZE_ADDRESS__ ||                                                                                  \
    defined __SANITIZE_THREAD__ /* they look for other faults, twenty times as slowly */
enum { MANY = 5, LENGTH = 4, THOUSAND = 12, SHORT = 3 };
#else
enum { MANY = 24, LENGTH = 20, THOUSAND = 1000, SHORT = 6 };
#endif

static struct infer_engine *engine;
static struct tok *tok;

static int open_model(void **state)
{
    struct err e = {0};
    engine = golden_engine(MODEL, 2, NULL);
    infer_engine_batch_invariant(engine); /* the bits do not depend on company */
    assert_ok(tok_new(infer_engine_gguf(engine), &tok, &e), e);
    return 0;
}
static int close_model(void **state)
{
    tok_free(tok);
    infer_engine_close(engine);
    return 0;
}

/* ---- a request and what became of it ---- */

struct answer {
    struct buf text;
    struct infer_outcome o;
    int done, pieces, cancel_after;
    struct infer_ticket *ticket;
    pthread_mutex_t *lock;
    pthread_cond_t *changed;
    struct answer *after; /* done before this one? */
    int order;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int n_done;

static int on_piece(void *user, const struct croft_piece *p)
{
    struct answer *a = user;
    buf_add(&a->text, p->text, p->n);
    if (++a->pieces == a->cancel_after) infer_ticket_cancel(a->ticket);
    return 0;
}
static void on_done(void *user, const struct infer_outcome *o)
{
    struct answer *a = user;
    pthread_mutex_lock(&lock);
    a->o = *o;
    a->done++;
    a->order = n_done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
static void wait_for(struct answer *a, size_t n)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++)
        while (!a[i].done) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < n; i++) assert_int_equal(a[i].done, 1);
}
static void answer_init(struct answer *a, size_t n)
{
    memset(a, 0, n * sizeof *a);
    for (size_t i = 0; i < n; i++) buf_init(&a[i].text, 1 << 16);
}
static void answer_done(struct answer *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_done(&a[i].text);
        infer_ticket_free(a[i].ticket);
    }
}

static struct infer_scheduler *scheduler_of(struct infer_scheduler_params p)
{
    struct infer_scheduler *s = NULL;
    struct err e = {0};
    assert_ok(infer_scheduler_new(engine, tok, &p, &s, &e), e);
    return s;
}

static size_t prompt_of(size_t i, int32_t **out)
{
    static const char *const asks[] = {"where is my parcel", "i want my money back", "the colour is wrong", "hello",
                                       "can you send the invoice of may to my new address please"};
    char text[1024];
    struct err e = {0};
    size_t n;
    snprintf(
        text, sizeof text,
        "<|im_start|>system\nYou are the help desk of a shop. Answer in one sentence, and be kind to everyone who "
        "writes, whatever they write. Never promise what the shop does not keep: money comes back in ten days, "
        "parcels take three to five, and nobody can change an order that has left the house. When the message has "
        "nothing to do with orders, parcels or money, say so, and ask what the customer "
        "needs.<|im_end|>\n<|im_start|>user\n%s %zu<|im_end|>\n<|im_start|>assistant\n",
        asks[i % 5], i / 5);
    assert_ok(tok_encode(tok, text, strlen(text), TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL, 4096, out, &n, &e), e);
    return n;
}

static void sampling_of(size_t i, struct croft_sampling *s)
{
    croft_sampling_init(s);
    s->max_tokens = LENGTH;
    s->ignore_eos = 1;
    if (i % 3 == 1) s->temperature = 0.8f, s->seed = i;
}

/* What infer_generate writes. */
static void alone(size_t i, struct answer *a)
{
    struct infer_session *s = golden_session(engine, 512, 0, 1, INFER_KV_F32);
    struct croft_sampling sampling;
    struct err e = {0};
    int32_t *prompt;
    size_t n = prompt_of(i, &prompt);
    sampling_of(i, &sampling);
    assert_ok(infer_generate(s, tok, prompt, n, &sampling, on_piece, a, NULL, &e), e);
    mem_free(prompt);
    infer_session_free(s);
}

static void submit(struct infer_scheduler *s, size_t i, struct answer *a, double deadline_s, uint32_t owner)
{
    struct croft_sampling sampling;
    struct err e = {0};
    int32_t *prompt;
    size_t n = prompt_of(i, &prompt);
    sampling_of(i, &sampling);
    struct infer_request r = {.prompt = prompt,
                              .n_prompt = n,
                              .sampling = &sampling,
                              .on_piece = on_piece,
                              .on_done = on_done,
                              .user = a,
                              .deadline_s = deadline_s,
                              .owner = owner};
    assert_ok(infer_schedule(s, &r, &a->ticket, &e), e);
    mem_free(prompt);
}

/* ---- tests ---- */

static void together(struct infer_scheduler_params p, bool prefix)
{
    static struct answer want[MANY], got[MANY];
    struct infer_scheduler *s = scheduler_of(p);
    answer_init(want, MANY);
    answer_init(got, MANY);
    for (size_t i = 0; i < MANY; i++) alone(i, &want[i]);
    for (size_t i = 0; i < MANY; i++) submit(s, i, &got[i], 0, 0);
    wait_for(got, MANY);
    uint32_t cached = 0;
    for (size_t i = 0; i < MANY; i++) {
        if (got[i].o.err.code) fail_msg("request %zu: %s", i, got[i].o.err.msg);
        assert_int_equal(got[i].o.end, INFER_END_LENGTH);
        assert_int_equal(got[i].o.n_generated, LENGTH);
        assert_string_equal(got[i].text.data, want[i].text.data);
        cached += got[i].o.n_cached > 20;
    }
    if (prefix) assert_int_equal(cached, MANY - 1); /* all but the first, although they came at once */
    answer_done(want, MANY);
    answer_done(got, MANY);
    infer_scheduler_free(s);
}

static void as_alone(void **state)
{
    together((struct infer_scheduler_params){.n_ctx = 512, .kv = INFER_KV_F32}, true);
    together((struct infer_scheduler_params){.n_ctx = 512, .kv = INFER_KV_F32, .n_parallel = 1}, true);
}

/* Three pages for requests of a page and a bit each: they take each other's place and begin again. */
static void little_cache(void **state)
{
    together((struct infer_scheduler_params){.n_ctx = 256, .n_cache = 384, .kv = INFER_KV_F32}, false);
}

/* A prompt that is shown with how probable its tokens are: as a session of its own has them, whoever else is there
 * and whatever is in the cache; nothing of it is told twice when it has to begin again. */
struct heard {
    struct answer a;
    int32_t token[512];
    float logprob[512];
    size_t n;
};
static int on_heard(void *user, const struct croft_piece *p)
{
    struct heard *h = user;
    if (h->n < 512) {
        h->token[h->n] = p->token;
        h->logprob[h->n++] = p->logprob;
    }
    buf_add(&h->a.text, p->text, p->n);
    return 0;
}

static void check_scores(const struct heard *h, const int32_t *prompt, size_t n)
{
    struct infer_session *s = golden_session(engine, 512, 512, 512, INFER_KV_F32);
    uint32_t n_vocab = infer_engine_model(engine)->n_vocab;
    struct err e = {0};
    assert_ok(infer_session_eval(s, prompt, n, INFER_LOGITS_ALL, &e), e);
    assert_true(isnan(h->logprob[0]));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(h->token[i], prompt[i]);
        if (i == 0) continue;
        double want =
            infer_logprob(infer_engine_ops(engine), infer_session_logits(s, (uint32_t)i - 1), n_vocab, prompt[i]);
        if (fabs(want - h->logprob[i]) > 1e-4) fail_msg("token %zu: %g, not %g", i, h->logprob[i], want);
    }
    infer_session_free(s);
}

static void hear(struct infer_scheduler *s, struct heard *h, const int32_t *prompt, size_t n, enum infer_echo echo)
{
    struct croft_sampling sampling;
    struct err e = {0};
    croft_sampling_init(&sampling);
    sampling.max_tokens = 2;
    sampling.ignore_eos = 1;
    sampling.logprobs = 1;
    struct infer_request r = {.prompt = prompt,
                              .n_prompt = n,
                              .sampling = &sampling,
                              .on_piece = on_heard,
                              .on_done = on_done,
                              .user = h,
                              .echo = echo};
    assert_ok(infer_schedule(s, &r, &h->a.ticket, &e), e);
}

static void prompts_with_their_probabilities(void **state)
{
    enum { HEARD = 6 };
    static struct heard h[HEARD];
    /* the second cache is so small that they take each other's place */
    static const uint32_t n_cache[] = {2048, 384};
    for (int k = 0; k < 2; k++) {
        struct infer_scheduler *s =
            scheduler_of((struct infer_scheduler_params){.n_ctx = 256, .n_cache = n_cache[k], .kv = INFER_KV_F32});
        struct answer other[2];
        int32_t *prompt;
        answer_init(other, 2);
        for (size_t i = 0; i < 2; i++) submit(s, i, &other[i], 0, 0);
        for (size_t i = 0; i < HEARD; i++) {
            size_t n = prompt_of(i, &prompt);
            h[i].n = 0;
            answer_init(&h[i].a, 1);
            hear(s, &h[i], prompt, n, i % 2 ? INFER_ECHO_ONLY : INFER_ECHO_FIRST);
            mem_free(prompt);
        }
        wait_for(other, 2);
        for (size_t i = 0; i < HEARD; i++) {
            size_t n = prompt_of(i, &prompt);
            wait_for(&h[i].a, 1);
            assert_int_equal(h[i].a.o.err.code, 0);
            assert_int_equal(h[i].a.o.n_generated, i % 2 ? 0 : 2);
            assert_int_equal(h[i].a.o.end, INFER_END_LENGTH);
            assert_true(h[i].n >= n + h[i].a.o.n_generated && h[i].n <= n + h[i].a.o.n_generated + 1);
            check_scores(&h[i], prompt, n);
            mem_free(prompt);
            answer_done(&h[i].a, 1);
        }
        answer_done(other, 2);
        infer_scheduler_free(s);
    }
}

static void ends(void **state)
{
    struct answer a[6];
    struct infer_load load;
    struct err e = {0};
    struct infer_scheduler *s =
        scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .n_parallel = 1, .n_queue = 4});
    answer_init(a, 6);
    submit(s, 0, &a[0], 0, 0);
    submit(s, 1, &a[1], clock_now_s() - 1, 0); /* too late already */
    submit(s, 2, &a[2], 0, 0);
    infer_ticket_cancel(a[2].ticket);
    submit(s, 3, &a[3], clock_now_s() + 1000, 0);
    wait_for(a, 4);
    assert_int_equal(a[0].o.err.code, 0);
    assert_int_equal(a[1].o.err.code, CROFT_E_DEADLINE);
    assert_int_equal(a[2].o.err.code, CROFT_E_CANCELLED);
    assert_int_equal(a[3].o.err.code, 0);
    infer_scheduler_load(s, &load);
    assert_int_equal(load.n_requests, 4);
    assert_int_equal(load.n_waiting, 0);

    struct infer_request r = {.prompt = (int32_t[]){1, 2, 3}, .n_prompt = 0, .on_done = on_done, .user = &a[4]};
    assert_int_equal(infer_schedule(s, &r, NULL, &e), CROFT_E_USAGE);
    r.n_prompt = 3;
    r.prompt = (int32_t[]){1, -2, 3};
    assert_int_equal(infer_schedule(s, &r, NULL, &e), CROFT_E_USAGE);
    static int32_t lengthy[600];
    r.prompt = lengthy;
    r.n_prompt = 600;
    assert_int_equal(infer_schedule(s, &r, NULL, &e), CROFT_E_NO_ROOM);
    assert_non_null(strstr(e.msg, "88 too many"));
    assert_int_equal(a[4].done, 0);

    /* freeing ends what runs and what waits */
    submit(s, 4, &a[4], 0, 0);
    submit(s, 5, &a[5], 0, 0);
    infer_scheduler_free(s);
    assert_int_equal(a[4].done + a[5].done, 2);
    answer_done(a, 6);
}

static void cancelled_while_it_writes(void **state)
{
    struct answer a[2], want;
    struct infer_scheduler *s = scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .kv = INFER_KV_F32});
    answer_init(a, 2);
    answer_init(&want, 1);
    alone(1, &want);
    pthread_mutex_lock(&lock); /* holds up the first on_done, not the steps */
    a[0].cancel_after = 3;
    pthread_mutex_unlock(&lock);
    submit(s, 1, &a[1], 0, 0);
    submit(s, 0, &a[0], 0, 0);
    wait_for(a, 2);
    assert_int_equal(a[0].o.err.code, CROFT_E_CANCELLED);
    assert_in_range(a[0].pieces, 3, 4);
    assert_string_equal(a[1].text.data, want.text.data);
    answer_done(a, 2);
    answer_done(&want, 1);
    infer_scheduler_free(s);
}

/* One request sends the next when it is done; whoever cancelled the first has cancelled the second, too, and the
 * second finds room in a queue that is full. */
struct chain {
    struct answer first, second, filler[2];
    struct infer_scheduler *s;
    bool cancel;
    int rc;
};
static void go_on(void *user, const struct infer_outcome *o)
{
    struct chain *c = user;
    struct croft_sampling sampling;
    struct err e = {0};
    int32_t *prompt;
    size_t n = prompt_of(7, &prompt);
    sampling_of(7, &sampling);
    struct infer_request r = {.prompt = prompt,
                              .n_prompt = n,
                              .sampling = &sampling,
                              .on_piece = on_piece,
                              .on_done = on_done,
                              .user = &c->second,
                              .after = o->ticket};
    for (int i = 0; i < 2; i++) submit(c->s, (size_t)i, &c->filler[i], 0, 0);
    c->rc = infer_schedule(c->s, &r, NULL, &e);
    mem_free(prompt);
    if (c->cancel) infer_ticket_cancel(o->ticket);
    on_done(&c->first, o);
}
static void one_after_the_other(void **state)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        struct chain c = {.cancel = cancel};
        struct croft_sampling sampling;
        struct err e = {0};
        int32_t *prompt;
        size_t n = prompt_of(3, &prompt);
        sampling_of(3, &sampling);
        c.s = scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .n_parallel = 1, .n_queue = 1});
        answer_init(&c.first, 1);
        answer_init(&c.second, 1);
        answer_init(c.filler, 2);
        struct infer_request r = {.prompt = prompt,
                                  .n_prompt = n,
                                  .sampling = &sampling,
                                  .on_done = go_on,
                                  .user = &c};
        assert_ok(infer_schedule(c.s, &r, NULL, &e), e);
        mem_free(prompt);
        wait_for(&c.first, 1);
        assert_int_equal(c.rc, 0);
        wait_for(&c.second, 1);
        wait_for(c.filler, 2);
        assert_int_equal(c.second.o.err.code, cancel ? CROFT_E_CANCELLED : 0);
        answer_done(&c.first, 1);
        answer_done(&c.second, 1);
        answer_done(c.filler, 2);
        infer_scheduler_free(c.s);
    }
}

/* A control token says nothing, but where it is text. */
static void spelled(void **state)
{
    struct infer_scheduler *s = scheduler_of((struct infer_scheduler_params){.n_ctx = 512});
    struct answer a;
    struct err e = {0};
    const int32_t token = 5, start = tok_find(tok, "<|im_start|>", 12);
    struct croft_bias bias = {start, 1000};
    struct croft_sampling sampling;
    croft_sampling_init(&sampling);
    sampling.max_tokens = 2;
    sampling.bias = &bias;
    sampling.n_bias = 1;
    for (size_t n = 0; n < 2; n++) {
        answer_init(&a, 1);
        struct infer_request r = {.prompt = &token,
                                  .n_prompt = 1,
                                  .sampling = &sampling,
                                  .on_piece = on_piece,
                                  .on_done = on_done,
                                  .user = &a,
                                  .spelled = &start,
                                  .n_spelled = n};
        assert_ok(infer_schedule(s, &r, &a.ticket, &e), e);
        wait_for(&a, 1);
        assert_int_equal(a.o.n_generated, 2);
        assert_int_equal(a.text.len, n ? 24 : 0);
        if (n) assert_memory_equal(a.text.data, "<|im_start|><|im_start|>", 24);
        answer_done(&a, 1);
    }
    infer_scheduler_free(s);
}

static int submit_long(struct infer_scheduler *s, struct answer *a, uint32_t owner)
{
    int32_t token = 5;
    struct croft_sampling sampling;
    struct err e = {0};
    sampling_of(0, &sampling);
    sampling.max_tokens = 500;
    struct infer_request r = {.prompt = &token,
                              .n_prompt = 1,
                              .sampling = &sampling,
                              .on_piece = on_piece,
                              .on_done = on_done,
                              .user = a,
                              .owner = owner};
    int rc = infer_schedule(s, &r, &a->ticket, &e);
    assert_true(rc == 0 || rc == CROFT_E_FULL);
    return rc;
}

static bool is_full(struct infer_scheduler *s)
{
    struct infer_load load;
    infer_scheduler_load(s, &load);
    return load.n_running == 1 && load.n_waiting == 6;
}

/* One owner's requests fill the queue; those of others who ask for less find room, its last ones leave with FULL. */
static void a_full_queue_is_shared(void **state)
{
    struct answer many[7], few[4], another;
    struct infer_scheduler *s =
        scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .n_parallel = 1, .n_queue = 6});
    answer_init(many, 7);
    answer_init(few, 4);
    answer_init(&another, 1);
    for (size_t i = 0; i < 7; i++) assert_int_equal(submit_long(s, &many[i], 1), 0);
    while (!is_full(s)) usleep(1000);
    struct answer none;
    answer_init(&none, 1);
    assert_int_equal(submit_long(s, &none, 1), CROFT_E_FULL); /* to its owner, the queue is full */
    struct infer_load load;
    usleep(20000);
    infer_scheduler_load(s, &load);
    assert_true(load.wait_s >= 7 * 0.02); /* none has left yet, for so long */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(submit_long(s, &few[i], 2), 0);
        wait_for(&many[6 - i], 1); /* the last that came */
        assert_int_equal(many[6 - i].o.err.code, CROFT_E_FULL);
        assert_int_equal(many[6 - i].pieces, 0);
    }
    assert_int_equal(submit_long(s, &few[3], 2), CROFT_E_FULL); /* three places each */
    assert_int_equal(submit_long(s, &none, 1), CROFT_E_FULL);
    assert_int_equal(submit_long(s, &another, 3), 0);
    wait_for(&many[3], 1);
    assert_int_equal(many[3].o.err.code, CROFT_E_FULL);
    for (size_t i = 0; i < 3; i++) infer_ticket_cancel(many[i].ticket), infer_ticket_cancel(few[i].ticket);
    infer_ticket_cancel(another.ticket);
    wait_for(many, 7);
    wait_for(few, 3);
    wait_for(&another, 1);
    answer_done(many, 7);
    answer_done(few, 4);
    answer_done(&another, 1);
    answer_done(&none, 1);
    infer_scheduler_free(s);
}

/* One owner fills the queue; another's single request does not wait for all of it. */
static void fair(void **state)
{
    struct answer a[9];
    struct err e = {0};
    struct infer_scheduler *s =
        scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .n_parallel = 1, .n_queue = 16});
    answer_init(a, 9);
    for (size_t i = 0; i < 8; i++) submit(s, i, &a[i], 0, 1);
    submit(s, 8, &a[8], 0, 2);
    wait_for(a, 9);
    int before = 0;
    for (size_t i = 0; i < 8; i++) before += a[i].order < a[8].order;
    assert_in_range(before, 1, 3);
    answer_done(a, 9);

    answer_init(a, 9);
    size_t refused = 0;
    for (size_t i = 0; i < 64 && !refused; i++) {
        int32_t token = 5;
        struct answer *b = &a[i % 9];
        struct croft_sampling sampling;
        sampling_of(0, &sampling);
        struct infer_request r = {
            .prompt = &token, .n_prompt = 1, .sampling = &sampling, .on_done = on_done, .user = b};
        int rc = infer_schedule(s, &r, NULL, &e);
        if (rc) {
            assert_int_equal(rc, CROFT_E_FULL);
            assert_non_null(strstr(e.msg, "waiting already"));
            refused = i;
        }
    }
    assert_in_range(refused, 16, 40);
    infer_scheduler_free(s);
    answer_done(a, 9);
}

/* Labels behind prompts that share a beginning, with and without answers being written beside them. */
static void asks(void **state)
{
    static const char *const labels[] = {"order_status", "order", "return_item", "refund_status",
                                         "order_status_later"};
    enum { LABELS = 5, ASKS = 10 };
    struct answer a[ASKS], writer[2];
    struct infer_tree tree[ASKS];
    struct infer_choice *c = NULL;
    struct err e = {0};
    struct infer_scheduler *s = scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .kv = INFER_KV_F32});
    uint32_t first[ASKS];
    answer_init(a, ASKS);
    answer_init(writer, 2);
    assert_ok(infer_choice_new(tok, labels, LABELS, &c, &e), e);
    for (size_t i = 0; i < 2; i++) submit(s, 20 + i, &writer[i], 0, 0);
    for (size_t i = 0; i < ASKS; i++) {
        int32_t *prompt;
        size_t n = prompt_of(i, &prompt);
        infer_tree_init(&tree[i]);
        assert_ok(infer_choice_plant(c, &tree[i], -1, &first[i], &e), e);
        struct infer_request r = {
            .prompt = prompt, .n_prompt = n, .tree = &tree[i], .on_done = on_done, .user = &a[i]};
        assert_ok(infer_schedule(s, &r, NULL, &e), e);
        mem_free(prompt);
    }
    wait_for(a, ASKS);
    wait_for(writer, 2);
    for (size_t i = 0; i < ASKS; i++) {
        struct infer_tree t;
        int32_t *prompt;
        uint32_t at;
        double got[LABELS], want[LABELS];
        size_t n = prompt_of(i, &prompt);
        struct infer_session *own = golden_session(engine, 512, 0, 1, INFER_KV_F32);
        infer_tree_init(&t);
        assert_ok(infer_choice_plant(c, &t, -1, &at, &e), e);
        struct infer_batch_item item = {.session = own, .tokens = prompt, .n = n, .tree = &t};
        assert_int_equal(infer_batch_eval(&item, 1), 0);
        infer_choice_logprobs(c, &t, at, want);
        infer_choice_logprobs(c, &tree[i], first[i], got);
        if (a[i].o.err.code) fail_msg("%s", a[i].o.err.msg);
        assert_int_equal(a[i].o.end, INFER_END_ANSWERED);
        assert_int_equal(a[i].o.n_prompt, n);
        for (size_t k = 0; k < LABELS; k++) assert_true(fabs(got[k] - want[k]) < 1e-4);
        infer_session_free(own);
        infer_tree_done(&t);
        infer_tree_done(&tree[i]);
        mem_free(prompt);
    }
    infer_choice_free(c);
    answer_done(a, ASKS);
    answer_done(writer, 2);
    infer_scheduler_free(s);
}

/* ---- a thousand requests, alone and under load ---- */

struct written {
    struct buf text;
    float logprob[SHORT];
    int32_t token[SHORT];
    size_t n, *left;
};

static int note(void *user, const struct croft_piece *p)
{
    struct written *w = user;
    buf_add(&w->text, p->text, p->n);
    if (p->token >= 0 && w->n < SHORT) {
        w->token[w->n] = p->token;
        w->logprob[w->n++] = p->logprob;
    }
    return 0;
}
static void count_down(void *user, const struct infer_outcome *o)
{
    struct written *w = user;
    pthread_mutex_lock(&lock);
    if (o->err.code) w->n = 0;
    --*w->left;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void write_all(struct infer_engine *g, struct infer_scheduler_params p, struct written *w)
{
    struct infer_scheduler *s = NULL;
    struct err e = {0};
    size_t left = 0;
    p.n_ctx = 512;
    p.n_queue = THOUSAND;
    assert_ok(infer_scheduler_new(g, tok, &p, &s, &e), e);
    for (size_t i = 0; i < THOUSAND; i++) {
        struct croft_sampling sampling;
        int32_t *prompt;
        size_t n = prompt_of(i, &prompt);
        memset(&w[i], 0, sizeof w[i]);
        buf_init(&w[i].text, 1 << 12);
        w[i].left = &left;
        croft_sampling_init(&sampling);
        sampling.max_tokens = SHORT;
        sampling.ignore_eos = sampling.logprobs = 1;
        struct infer_request r = {.prompt = prompt,
                                  .n_prompt = n,
                                  .sampling = &sampling,
                                  .on_piece = note,
                                  .on_done = count_down,
                                  .user = &w[i]};
        pthread_mutex_lock(&lock);
        left++;
        pthread_mutex_unlock(&lock);
        assert_ok(infer_schedule(s, &r, NULL, &e), e);
        mem_free(prompt);
    }
    pthread_mutex_lock(&lock);
    while (left) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    infer_scheduler_free(s);
}

/* At the machine's best level. Batch-invariant: the same tokens and the same bits of their log-probabilities. */
static void load_changes_nothing(void **state)
{
    static struct written alone[THOUSAND], loaded[THOUSAND];
    for (int invariant = 0; invariant <= 1; invariant++) {
        struct infer_engine *g = golden_engine(MODEL, 2, NULL);
        write_all(g, (struct infer_scheduler_params){.n_parallel = 1, .batch_invariant = invariant}, alone);
        write_all(g, (struct infer_scheduler_params){.n_parallel = 24, .batch_invariant = invariant}, loaded);
        size_t same = 0, bits = 0;
        for (size_t i = 0; i < THOUSAND; i++) {
            assert_int_equal(alone[i].n, SHORT);
            same += strcmp(alone[i].text.data, loaded[i].text.data) == 0;
            bits += memcmp(alone[i].token, loaded[i].token, sizeof alone[i].token) == 0 &&
                    memcmp(alone[i].logprob, loaded[i].logprob, sizeof alone[i].logprob) == 0;
            buf_done(&alone[i].text);
            buf_done(&loaded[i].text);
        }
        print_message("%s: %zu of %d texts are the same under load, %zu with all bits\n",
                      invariant ? "batch-invariant" : "as it is", same, THOUSAND, bits);
        assert_true(same >= THOUSAND * 999 / 1000);
        if (invariant) assert_int_equal(bits, THOUSAND);
        infer_engine_close(g);
    }
}

/* A recurrent state follows no branches: the same answers path by path. */
static void recurrent(void **state)
{
    static const char *const names[] = {"qwen35", "lfm2"};
    for (int k = 0; k < 2; k++) {
        char path[256];
        struct err e = {0};
        snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, names[k]);
        struct infer_engine *g = golden_engine(path, 2, "ref");
        struct infer_scheduler *s = NULL;
        struct infer_scheduler_params p = {.n_ctx = 64, .kv = INFER_KV_F32};
        assert_ok(infer_scheduler_new(g, NULL, &p, &s, &e), e);
        int32_t prompt[] = {3, 1, 4, 1, 5, 9, 2, 6}, first[] = {7, 8}, second[] = {9, 10, 11}, a, b;
        uint32_t at;
        struct infer_tree t;
        struct answer w;
        answer_init(&w, 1);
        infer_tree_init(&t);
        assert_ok(infer_tree_ask(&t, -1, first, 2, &at, &e), e);
        assert_ok(infer_tree_add(&t, -1, 7, &a, &e), e);
        assert_ok(infer_tree_add(&t, a, 12, &b, &e), e);
        assert_ok(infer_tree_ask(&t, b, second, 3, &at, &e), e);
        struct infer_request r = {.prompt = prompt, .n_prompt = 8, .tree = &t, .on_done = on_done, .user = &w};
        assert_ok(infer_schedule(s, &r, NULL, &e), e);
        wait_for(&w, 1);
        if (w.o.err.code) fail_msg("%s", w.o.err.msg);
        struct infer_session *own = golden_session(g, 64, 0, 1, INFER_KV_F32);
        assert_ok(infer_session_eval(own, prompt, 8, INFER_LOGITS_LAST, &e), e);
        for (int i = 0; i < 2; i++) assert_true(fabsf(infer_session_logits(own, 0)[first[i]] - t.logit[i]) < 1e-5f);
        assert_ok(infer_session_eval(own, (int32_t[]){7, 12}, 2, INFER_LOGITS_LAST, &e), e);
        for (int i = 0; i < 3; i++)
            assert_true(fabsf(infer_session_logits(own, 0)[second[i]] - t.logit[at + (uint32_t)i]) < 1e-5f);
        infer_session_free(own);
        infer_scheduler_free(s);
        infer_tree_done(&t);
        answer_done(&w, 1);
        infer_engine_close(g);
    }
}

static void texts(void **state)
{
    enum { TEXTS = 3, REQUESTS = 5 };
    struct answer a[REQUESTS];
    struct err e = {0};
    struct infer_scheduler *s = scheduler_of((struct infer_scheduler_params){.n_ctx = 512, .kv = INFER_KV_F32});
    struct infer_text text[REQUESTS][TEXTS];
    size_t n_embd = infer_engine_model(engine)->n_embd;
    int32_t *prompt[REQUESTS][TEXTS];
    answer_init(a, REQUESTS);
    for (size_t i = 0; i < REQUESTS; i++) {
        for (size_t k = 0; k < TEXTS; k++) {
            text[i][k].n = prompt_of(i * TEXTS + k, &prompt[i][k]);
            text[i][k].tokens = prompt[i][k];
            text[i][k].out = mem_alloc(n_embd * sizeof(float));
        }
        struct infer_request r = {.texts = text[i],
                                  .n_texts = TEXTS,
                                  .pool = i % 2 ? MODEL_POOL_MEAN : MODEL_POOL_LAST,
                                  .normalize = true,
                                  .on_done = on_done,
                                  .user = &a[i]};
        assert_ok(infer_schedule(s, &r, NULL, &e), e);
    }
    wait_for(a, REQUESTS);
    struct infer_session *own = golden_session(engine, 512, 0, 1, INFER_KV_F32);
    float *want = mem_alloc(n_embd * sizeof *want);
    for (size_t i = 0; i < REQUESTS; i++)
        for (size_t k = 0; k < TEXTS; k++) {
            if (a[i].o.err.code) fail_msg("%s", a[i].o.err.msg);
            assert_ok(infer_session_embed(own, prompt[i][k], text[i][k].n, i % 2 ? MODEL_POOL_MEAN : MODEL_POOL_LAST,
                                          true, want, &e),
                      e);
            assert_true(golden_rms(text[i][k].out, want, n_embd) < 1e-5);
            mem_free(text[i][k].out);
            mem_free(prompt[i][k]);
        }
    mem_free(want);
    infer_session_free(own);
    infer_scheduler_free(s);
    answer_done(a, REQUESTS);
}

int main(void)
{
    if (access(MODEL, R_OK)) {
        printf("SKIP: %s is not there\n", MODEL);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_alone),
                                       cmocka_unit_test(little_cache),
                                       cmocka_unit_test(prompts_with_their_probabilities),
                                       cmocka_unit_test(ends),
                                       cmocka_unit_test(cancelled_while_it_writes),
                                       cmocka_unit_test(one_after_the_other),
                                       cmocka_unit_test(fair),
                                       cmocka_unit_test(a_full_queue_is_shared),
                                       cmocka_unit_test(spelled),
                                       cmocka_unit_test(asks),
                                       cmocka_unit_test(load_changes_nothing),
                                       cmocka_unit_test(recurrent),
                                       cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
