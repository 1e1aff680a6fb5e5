/* Getting a model into the store.
 *     hf:OWNER/REPO[@REVISION][:QUANT]        the file (or split set) of that quantisation
 *     hf:OWNER/REPO[@REVISION]/PATH/FILE.gguf exactly that file (or the split set it is part of)
 *     https://HOST/…/FILE.gguf                one file
 *     PATH                                    a local file, copied (or linked)
 * Environment: HF_ENDPOINT, HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME. */
#ifndef BUNDLE_PULL_H
#define BUNDLE_PULL_H

#include "bundle_store.h"

enum bundle_phase {
    BUNDLE_ASK,   /* asking the server what there is */
    BUNDLE_WAIT,  /* another process is pulling the same file */
    BUNDLE_CHECK, /* hashing what is here already */
    BUNDLE_FETCH,
    BUNDLE_COPY,
};
struct bundle_progress {
    enum bundle_phase phase;
    const char *file;   /* or NULL */
    const char *note;   /* why nothing moves, or NULL */
    int index, n_files; /* file 1 … n_files */
    int64_t done, total; /* bytes of this file; total -1 while unknown */
};
struct bundle_pull_request {
    const char *source;
    const char *name;    /* NULL: from the source */
    const char *sha256;  /* expected, or NULL; for sources of one file */
    int64_t max_bytes;   /* refuse larger files; 0: no limit where the server announces a size, else 8 GiB */
    int stall_s;         /* seconds without data; 0: 30 */
    bool link, insecure_http, no_wait;
    void *arg;
    int (*progress)(void *arg, const struct bundle_progress *p); /* NULL or: non-zero cancels */
};
enum bundle_outcome { BUNDLE_PULLED, BUNDLE_UPDATED, BUNDLE_PRESENT };
struct bundle_pull_result {
    enum bundle_outcome outcome;
    struct bundle_model model; /* the caller's, bundle_model_done */
    int64_t fetched_bytes;     /* over the network or copied, this time */
    char note[320];            /* a sentence, e.g. that the server could not be asked; "" otherwise */
};
int bundle_pull(struct bundle_store *s, const struct bundle_pull_request *q, struct bundle_pull_result *out,
                struct err *e) ERR_CHECK;

#endif
