/* Preparation threads: parsing, templates and tokens of large bodies take milliseconds, which the loop does not have.
 * A bounded queue; keys take turns, and of a key first come first served. A job whose client has left meanwhile is only
 * sent back.
 * Threads: serve_prep_add from the loop; the threads are this file's own. */
#include "job.h"

enum { MAX_THREADS = 8, OWNERS = 256 };

struct serve_prep {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct serve_job *first, **tail;
    uint64_t turn[OWNERS], turns; /* when a key was last served */
    uint32_t n, max;
    bool ending;
    int n_threads;
    pthread_t thread[MAX_THREADS];
};

static uint64_t *turn_of(struct serve_prep *p, const struct serve_job *job)
{
    return &p->turn[job->key ? serve_key_owner(job->key) % OWNERS : 0];
}

/* The first job of the key that was served longest ago; NULL: there is none. With the lock. */
static struct serve_job *next(struct serve_prep *p)
{
    struct serve_job **best = &p->first, *job;
    for (struct serve_job **at = &p->first; *at; at = &(*at)->next)
        if (*turn_of(p, *at) < *turn_of(p, *best)) best = at;
    if (!(job = *best)) return NULL;
    if (!(*best = job->next)) p->tail = best;
    *turn_of(p, job) = ++p->turns;
    p->n--;
    return job;
}

static void *work(void *arg)
{
    struct serve_prep *p = arg;
    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (!p->first && !p->ending) pthread_cond_wait(&p->some, &p->lock);
        struct serve_job *job = next(p);
        pthread_mutex_unlock(&p->lock);
        if (!job) return NULL;
        serve_job_prepare(job);
    }
}

int serve_prep_new(struct serve *s, int n_threads, uint32_t n_queue, struct serve_prep **out, struct err *e)
{
    struct serve_prep *p = mem_calloc(1, sizeof *p);
    if (!p) return err_nomem(e, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->some, NULL);
    p->tail = &p->first;
    p->max = n_queue;
    for (; p->n_threads < n_threads && p->n_threads < MAX_THREADS; p->n_threads++) {
        int failed = pthread_create(&p->thread[p->n_threads], NULL, work, p);
        if (!failed) continue;
        serve_prep_free(p);
        return err_errno(e, failed, "start", "a thread");
    }
    *out = p;
    return 0;
}

void serve_prep_free(struct serve_prep *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++) pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->some);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

bool serve_prep_add(struct serve_prep *p, struct serve_job *job)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->n < p->max;
    if (room) {
        job->next = NULL;
        *p->tail = job;
        p->tail = &job->next;
        p->n++;
        pthread_cond_signal(&p->some);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}
