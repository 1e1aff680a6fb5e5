/* The receipts' queue and its writer.
 *
 *     add ──▶ ring of copies ──▶ writer thread ──▶ one transaction a batch ──▶ receipts.db
 *              │                    gathers for group_ms, then BEGIN … COMMIT (fsync)
 *              └─ receipts.tail: how many receipts there should be
 *
 * Adding copies a struct under a lock that nobody holds during I/O. Places in the ring are either queued or reserved;
 * a reservation is a promise that add will succeed, and so what makes "nothing leaves without a receipt" true.
 *
 * receipts.tail is one number in a mapped page, `expected`: every receipt that was accepted or lost adds 1. The
 * kernel keeps the page when the process is killed, so at open
 *
 *     lost = expected - receipts in the log
 *
 * says exactly how many a crash took. Each receipt's `lost` is that difference when it was added; it only grows.
 * (After a power cut the page may be older than the log; then the log's own last word counts.)
 *
 * Locks: `lock` for the queue; `disk` for the writer's state, held during I/O, taken before `lock`, never inside it.
 * Read next: receipt_write.c. */
#include "base_clock.h"
#include "base_log.h"
#include "base_mem.h"
#include "plat_file.h"
#include "receipt_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BATCH = 512, RETRY_MS = 1000, PRUNE_ROWS = 20000, PRUNE_MS = 60 * 60 * 1000, TAIL_BYTES = 4096 };

struct tail {
    char magic[8]; /* "crftail1" */
    uint64_t expected;
};

struct route_receipts {
    struct route_receipts_params p;
    char key_path[ROUTE_PATH], anchor_path[ROUTE_PATH];
    int lock_fd;
    struct tail *tail;
    pthread_t thread;
    pthread_mutex_t lock, disk;
    pthread_cond_t work, written;
    struct route_queued *ring; /* [cap] */
    uint32_t cap, head, n, reserved;
    uint64_t seq;     /* of the newest that was added */
    uint64_t on_disk; /* of the newest that was committed */
    uint64_t lost_by_crash;
    bool failing, stopping, hurry;
    struct err failure;
    struct route_writer w; /* under disk */
    int64_t pruned_ms;     /* under disk */
    int64_t idle_ms;       /* how long the writer may sleep when nothing is queued */
};

static int64_t now_ms(void) { return (int64_t)(clock_now_ns() / 1000000); }

/* Up to ms from now (monotonic); the caller holds the lock. False: the time is over. */
static bool wait_for(pthread_cond_t *c, pthread_mutex_t *lock, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
    return pthread_cond_timedwait(c, lock, &t) != ETIMEDOUT;
}

/* ---- the writer's thread ---- */

static const char *checkpoint_due(const struct route_receipts *l, uint32_t n)
{
    uint64_t unsigned_ones = l->w.seq + n - l->w.at.seq;
    if (unsigned_ones == 0) return NULL;
    if (unsigned_ones >= l->p.checkpoint_every) return "count";
    return now_ms() - l->w.signed_ms >= (int64_t)l->p.checkpoint_s * 1000 ? "time" : NULL;
}

/* Until the next checkpoint or pruning is due. */
static int64_t next_due_ms(const struct route_receipts *l)
{
    int64_t ms = PRUNE_MS;
    if (l->w.seq > l->w.at.seq) ms = l->w.signed_ms + (int64_t)l->p.checkpoint_s * 1000 - now_ms();
    return ms < 1 ? 1 : ms;
}

static int prune_if_due(struct route_receipts *l, struct err *e)
{
    uint64_t n = 0;
    if (!l->p.keep_days || now_ms() - l->pruned_ms < PRUNE_MS) return 0;
    int64_t before = (clock_unix_s() - (int64_t)l->p.keep_days * 86400) * 1000;
    int rc = route_writer_prune(&l->w, before, PRUNE_ROWS + 2ull * l->p.checkpoint_every, &n, e);
    if (rc == 0 && n == 0) l->pruned_ms = now_ms();
    return rc;
}

/* Write what is queued, as far as one batch goes. Holds the lock when called and when it returns. */
static void write_some(struct route_receipts *l)
{
    struct err e = {0};
    uint32_t n = l->n < MAX_BATCH ? l->n : MAX_BATCH, head = l->head;
    pthread_mutex_unlock(&l->lock);
    pthread_mutex_lock(&l->disk); /* entries from head on stay as they are until head moves */
    const char *why = checkpoint_due(l, n);
    int rc = n || why ? route_writer_write(&l->w, l->ring, l->cap, head, n, why, &e) : 0;
    if (rc == 0) rc = prune_if_due(l, &e);
    uint64_t on_disk = l->w.seq;
    int64_t idle_ms = next_due_ms(l);
    pthread_mutex_unlock(&l->disk);
    if (rc && !l->failing) log_warn("Receipts cannot be written: %s", e.msg);
    pthread_mutex_lock(&l->lock);
    uint32_t done = (uint32_t)(on_disk - l->on_disk);
    l->on_disk = on_disk;
    l->head = (l->head + done) % l->cap;
    l->n -= done;
    if (l->n == 0) l->head = 0; /* few slots are used again and again, and stay in the cache */
    l->idle_ms = idle_ms;
    l->failing = rc != 0;
    l->failure = e;
    pthread_cond_broadcast(&l->written);
}

static void *write_all(void *arg)
{
    struct route_receipts *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        if (l->failing)
            wait_for(&l->work, &l->lock, RETRY_MS);
        else if (l->n == 0)
            wait_for(&l->work, &l->lock, l->idle_ms);
        for (int64_t until = now_ms() + l->p.group_ms; l->n && l->n < l->cap / 2 && !l->stopping && !l->hurry;)
            if (now_ms() >= until || !wait_for(&l->work, &l->lock, until - now_ms())) break;
        write_some(l);
        if (l->n == 0 || l->failing) l->hurry = false;
    }
    while (l->n && !l->failing) write_some(l);
    if (l->failing) write_some(l); /* once more: the disk may be back */
    while (l->n && !l->failing) write_some(l);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- open and close ---- */

static int open_dir(struct route_receipts *l, const char *dir, struct err *e)
{
    struct stat st;
    char path[ROUTE_PATH];
    if (stat(dir, &st)) {
        int rc = plat_dir_make(dir);
        if (rc) return err_errno(e, -rc, "create the receipts' folder", dir);
        if (chmod(dir, 0700)) return err_errno(e, errno, "protect", dir);
    }
    int rc = route_path(dir, "receipts.lock", path, e);
    if (rc) return rc;
    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0) return err_errno(e, errno, "open", path);
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    return ERR(e, BUSY, "Another process writes the receipts in '%.200s': stop it, or use another folder.", dir);
}

static int open_tail(struct route_receipts *l, const char *dir, struct err *e)
{
    static const char magic[8] = "crftail1";
    char path[ROUTE_PATH];
    int rc = route_path(dir, "receipts.tail", path, e);
    if (rc) return rc;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return err_errno(e, errno, "open", path);
    rc = posix_fallocate(fd, 0, TAIL_BYTES); /* so that a full disk cannot fault a store */
    void *p = rc ? MAP_FAILED : mmap(NULL, TAIL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) rc = err_errno(e, rc ? rc : errno, "map", path);
    close(fd);
    if (rc) return rc;
    l->tail = p;
    uint64_t there = l->w.seq + l->w.lost;
    bool valid = memcmp(l->tail->magic, magic, sizeof magic) == 0 && l->tail->expected > there &&
                 l->tail->expected - there < 1ull << 32;
    if (valid)
        l->lost_by_crash = l->tail->expected - there;
    else
        l->tail->expected = there;
    memcpy(l->tail->magic, magic, sizeof magic);
    return 0;
}

static void free_log(struct route_receipts *l)
{
    route_writer_close(&l->w);
    if (l->tail) munmap(l->tail, TAIL_BYTES);
    if (l->lock_fd >= 0) close(l->lock_fd);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->written);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->disk);
    mem_free(l->ring);
    mem_free(l);
}

static struct route_receipts *new_log(const struct route_receipts_params *p)
{
    pthread_condattr_t monotonic;
    struct route_receipts *l = mem_calloc(1, sizeof *l);
    if (!l) return NULL;
    l->p = *p;
    l->lock_fd = -1;
    l->p.dir = NULL;
    if (!l->p.group_ms) l->p.group_ms = 20;
    if (!l->p.checkpoint_every) l->p.checkpoint_every = 1000;
    if (!l->p.checkpoint_s) l->p.checkpoint_s = 60;
    l->cap = p->queue ? p->queue : 4096;
    l->ring = mem_calloc(l->cap, sizeof *l->ring);
    l->pruned_ms = now_ms() - PRUNE_MS; /* at once */
    l->idle_ms = 1;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->work, &monotonic);
    pthread_cond_init(&l->written, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->disk, NULL);
    if (l->ring) return l;
    free_log(l);
    return NULL;
}

int route_receipts_open(const struct route_receipts_params *p, struct route_receipts **out, struct err *e)
{
    struct route_receipts *l = new_log(p);
    if (!l) return err_nomem(e, sizeof *l);
    if (p->anchor_path) snprintf(l->anchor_path, sizeof l->anchor_path, "%s", p->anchor_path);
    int rc = open_dir(l, p->dir, e);
    if (rc == 0) rc = route_writer_open(&l->w, p, e);
    if (rc == 0) rc = open_tail(l, p->dir, e);
    if (rc == 0 && l->w.seq > l->w.at.seq) rc = route_writer_write(&l->w, NULL, 1, 0, 0, "open", e);
    if (rc == 0) {
        l->w.anchor_path = p->anchor_path ? l->anchor_path : NULL;
        l->p.key_path = l->p.anchor_path = NULL; /* the caller's text: not ours to keep */
        l->seq = l->on_disk = l->w.seq;
        int k = pthread_create(&l->thread, NULL, write_all, l);
        if (k) rc = err_errno(e, k, "start a thread for", "receipts");
    }
    if (rc)
        free_log(l);
    else
        *out = l;
    return rc;
}

int route_receipts_close(struct route_receipts *l, struct err *e)
{
    int rc = 0;
    if (!l) return 0;
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->work);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    if (l->n)
        rc = ERR(e, IO, "%u receipts could not be written: %.200s", l->n, l->failure.msg);
    else if (l->w.seq > l->w.at.seq)
        rc = route_writer_write(&l->w, NULL, 1, 0, 0, "close", e);
    free_log(l);
    return rc;
}

/* ---- the queue ---- */

static bool full(const struct route_receipts *l) { return (uint64_t)l->n + l->reserved >= l->cap; }

static int refuse(const struct route_receipts *l, struct err *e)
{
    if (l->failing) return ERR(e, BUSY, "No receipt can be kept now: %.200s", l->failure.msg);
    return ERR(e, BUSY, "No receipt can be kept now: %u wait for the disk.", l->n);
}

int route_receipts_reserve(struct route_receipts *l, struct route_receipt *r, bool leaves, struct err *e)
{
    int rc = 0;
    bool closed = l->p.policy == ROUTE_RECEIPTS_CLOSED || (l->p.policy == ROUTE_RECEIPTS_CLOSED_LEAVING && leaves);
    pthread_mutex_lock(&l->lock);
    if (!r->reserved && !full(l)) {
        r->reserved = true;
        l->reserved++;
    }
    if (closed && (l->failing || !r->reserved)) rc = refuse(l, e);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void route_receipts_release(struct route_receipts *l, struct route_receipt *r)
{
    if (!r->reserved) return;
    pthread_mutex_lock(&l->lock);
    l->reserved--;
    pthread_mutex_unlock(&l->lock);
    r->reserved = false;
}

int route_receipts_add(struct route_receipts *l, struct route_receipt *r, struct err *e)
{
    int rc = 0;
    bool closed = l->p.policy == ROUTE_RECEIPTS_CLOSED || (l->p.policy == ROUTE_RECEIPTS_CLOSED_LEAVING && r->n_left);
    pthread_mutex_lock(&l->lock);
    if (r->reserved || !full(l)) {
        struct route_queued *q = &l->ring[(l->head + l->n) % l->cap];
        if (r->reserved) l->reserved--;
        r->reserved = false;
        l->seq++;
        l->tail->expected++;
        q->r = *r;
        q->lost = l->tail->expected - l->seq;
        if (l->n++ == 0 || l->n == l->cap / 2) pthread_cond_signal(&l->work);
    } else {
        l->tail->expected++;
        if (closed) rc = refuse(l, e);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int route_receipts_flush(struct route_receipts *l, double limit_s, struct err *e)
{
    int rc = 0;
    double until = clock_now_s() + limit_s;
    pthread_mutex_lock(&l->lock);
    uint64_t seq = l->seq;
    l->hurry = true;
    pthread_cond_signal(&l->work);
    while (rc == 0 && l->on_disk < seq) {
        double left_s = until - clock_now_s();
        if (l->failing)
            rc = ERR(e, IO, "Receipts cannot be written: %.200s", l->failure.msg);
        else if (left_s <= 0)
            rc = ERR(e, DEADLINE, "%u receipts still wait for the disk.", l->n);
        else
            wait_for(&l->written, &l->lock, (int64_t)(left_s * 1e3) + 1);
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int route_receipts_prune(struct route_receipts *l, int64_t unix_ms, uint64_t *out_n, struct err *e)
{
    uint64_t total = 0, n = 0;
    int rc = 0;
    do {
        pthread_mutex_lock(&l->disk);
        rc = route_writer_prune(&l->w, unix_ms, PRUNE_ROWS + 2ull * l->p.checkpoint_every, &n, e);
        pthread_mutex_unlock(&l->disk);
        total += rc == 0 ? n : 0;
    } while (rc == 0 && n);
    if (rc == 0) *out_n = total;
    return rc;
}

void route_receipts_stats(struct route_receipts *l, struct route_receipts_stats *out)
{
    pthread_mutex_lock(&l->lock);
    *out = (struct route_receipts_stats){.seq = l->seq,
                                         .lost = l->tail->expected - l->seq,
                                         .lost_by_crash = l->lost_by_crash,
                                         .queued = l->n,
                                         .reserved = l->reserved,
                                         .failing = l->failing};
    pthread_mutex_unlock(&l->lock);
}
