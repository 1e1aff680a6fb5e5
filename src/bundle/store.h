/* What the files of this module share about the store's folder. */
#ifndef STORE_H
#define STORE_H

#include "bundle_store.h"

#define BUNDLE_PATH 4096

struct bundle_store {
    char root[2048];
};

/* root/<fmt…>; always fits, because root and names are short. Returns out. */
const char *bundle_store_path(const struct bundle_store *s, char out[BUNDLE_PATH], const char *fmt, ...)
    PRINTF_LIKE(3, 4);
const char *bundle_store_blob(const struct bundle_store *s, char out[BUNDLE_PATH], const char *sha256);
bool bundle_sha256_valid(const char *hex); /* 64 lower-case hex digits */
/* A model's name as a file name: '/' becomes '%'. */
const char *bundle_store_encode(const char *name, char out[BUNDLE_NAME_BYTES]);

/* flock on root/<file>, created when missing. `wait` is called several times a second until the lock is
 * free (non-zero ends with that code); with `wait` NULL a taken lock is BUSY. Returns a descriptor ≥ 0 or
 * a code. */
struct bundle_wait {
    void *arg;
    int (*tick)(void *arg, struct err *e);
};
int bundle_store_lock(const struct bundle_store *s, const char *file, bool shared,
                      const struct bundle_wait *wait, struct err *e) ERR_CHECK;
void bundle_store_unlock(int fd); /* < 0 is fine */
int bundle_dir_sync(const char *path);

/* Records (record.c). */
void bundle_model_init(struct bundle_model *m);
const char *bundle_model_text(struct bundle_model *m,
                              const char *text); /* a copy in m->mem, NULL without memory */
int bundle_record_read(const struct bundle_store *s, const char *name, struct bundle_model *out,
                       struct err *e) ERR_CHECK;
/* Under the store's lock: check the blobs, set the links, write the record, drop blobs of the record it
 * replaces. */
int bundle_record_commit(struct bundle_store *s, const struct bundle_model *m, struct err *e) ERR_CHECK;
int bundle_record_link(const struct bundle_store *s, const struct bundle_model *m, struct err *e) ERR_CHECK;
bool bundle_record_links_good(const struct bundle_store *s, const struct bundle_model *m);
/* Remove blobs that no record refers to: all, or those of `only`. Adds to *freed. */
int bundle_record_drop_blobs(struct bundle_store *s, const struct bundle_model *only, int64_t *freed,
                             struct err *e) ERR_CHECK;
/* Remove a folder of plain files and links; missing is fine. */
void bundle_dir_remove(const char *path);

#endif
