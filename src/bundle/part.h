/* One file on its way into the store: a download that can continue, or a copy of a local file. */
#ifndef PART_H
#define PART_H

#include "bundle_pull.h"
#include "store.h"

/* What is shared by the steps of one pull. */
struct bundle_pull_state {
    struct bundle_store *store;
    const struct bundle_pull_request *q;
    const char *bearer;          /* or NULL */
    struct bundle_progress now;
    int64_t fetched;             /* bytes that arrived in this pull */
};
/* Tell the caller; CANCELLED when it says stop. */
int bundle_pull_tick(struct bundle_pull_state *p, enum bundle_phase phase, const char *note,
                     struct err *e) ERR_CHECK;

/* Download f->url (`url` with query) into the store. f->sha256 and f->size are what the publisher
 * announced, or unknown; on success both are true, f->etag is the server's (in `mem`), and the blob is in
 * place. */
int bundle_part_fetch(struct bundle_pull_state *p, const char *url, struct bundle_file *f, struct arena *mem,
                      struct err *e) ERR_CHECK;
/* Copy a local file into the store (or only hash it for --link). Sets sha256 and size. */
int bundle_part_copy(struct bundle_pull_state *p, const char *path, struct bundle_file *f, bool link,
                     struct err *e) ERR_CHECK;
/* Is the file there already? */
bool bundle_part_present(const struct bundle_store *s, const struct bundle_file *f);
/* Bytes of an earlier, interrupted download of this file. */
int64_t bundle_part_bytes(const struct bundle_store *s, const char *sha256);
/* NO_SPACE with a sentence when fewer than `need` bytes are free. */
int bundle_part_room(const struct bundle_store *s, int64_t need, struct err *e) ERR_CHECK;

#endif
