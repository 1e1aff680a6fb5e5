/* A scheduler's file of pinned prefixes (pages_file.c has the format). It is read before the first request; written
 * by a thread of its own, one at a time, when a prefix has been pinned that it does not have; and once more at the
 * end. What is wrong with it is logged and costs what it would have spared: nothing here stops a server.
 *
 *   scheduler's thread   image of what is pinned ─> thread: write, rename ─> `written` ─> the image lets its pages go
 *
 * Making the image counts pages and copies tokens and states, no keys and values: a step waits for microseconds. */
#include "schedule.h"
#include "base_log.h"
#include "base_mem.h"

void infer_keep_open(struct infer_scheduler *s)
{
    struct err e = {0};
    uint32_t n = 0;
    const char *path = s->p.prefixes;
    if (!path || !s->pages) return;
    s->keep.path = mem_strdup(path);
    int rc = infer_pages_load(s->pages, path, s->p.n_ctx, &n, &e);
    if (!s->keep.path) log_warn("The prefixes will not be saved to '%s': there is no memory.", path);
    if (rc == 0)
        log_info("prefixes of %u tokens were read from %s", n, path);
    else if (rc != CROFT_E_NOT_FOUND)
        log_warn("The prefixes in '%s' are not used, the file will be written anew. %s", path, e.msg);
}

void infer_scheduler_leave_file(struct infer_scheduler *s) { atomic_store(&s->keep.off, true); }

static void report(const struct err *e) { log_warn("The prefixes could not be saved: %s", e->msg); }

static void *write_image(void *scheduler)
{
    struct infer_scheduler *s = scheduler;
    struct err e = {0};
    if (infer_image_write(s->keep.image, s->keep.path, &e)) report(&e);
    atomic_store(&s->keep.written, true);
    return NULL;
}

/* The thread has written: its pages are free again. */
static void collect(struct infer_scheduler *s)
{
    pthread_join(s->keep.thread, NULL);
    infer_image_free(s->keep.image);
    s->keep.image = NULL;
}

void infer_keep_step(struct infer_scheduler *s)
{
    struct err e = {0};
    if (s->keep.image && atomic_load(&s->keep.written)) collect(s);
    if (!s->keep.path || s->keep.image || !s->pages->unsaved || atomic_load(&s->keep.off)) return;
    s->pages->unsaved = false;
    if (infer_image_new(s->pages, &s->keep.image, &e)) {
        report(&e);
        return;
    }
    atomic_store(&s->keep.written, false);
    int rc = pthread_create(&s->keep.thread, NULL, write_image, s);
    if (rc == 0) return;
    infer_image_free(s->keep.image);
    s->keep.image = NULL;
    err_errno(&e, rc, "start", "the thread that saves prefixes");
    report(&e);
}

void infer_keep_close(struct infer_scheduler *s)
{
    struct err e = {0};
    if (s->keep.image) collect(s);
    if (s->keep.path && s->pages->unsaved && !atomic_load(&s->keep.off) &&
        infer_pages_save(s->pages, s->keep.path, &e))
        report(&e);
    mem_free(s->keep.path);
}
