/* Hugging Face's hub, as its clients see it: names, listing, which file a quantisation means. */
#ifndef HF_H
#define HF_H

#include "name.h"
#include "part.h"

struct bundle_hf_spec {
    char endpoint[256];     /* without a slash at the end */
    char repo[100];         /* "OWNER/REPO" */
    char revision[100];     /* "main", a tag, a commit */
    char quant[32];         /* or "" */
    char file[256];         /* or "" */
};
struct bundle_hf_entry {
    const char *path;
    char sha256[65]; /* or "" */
    int64_t size;    /* or -1 */
};
struct bundle_hf_listing {
    struct arena mem;
    struct bundle_hf_entry *entry;
    int n, cap;
    char commit[65]; /* or "" */
};

/* Is this a source for the hub: "hf:…", or a web address of a file on the endpoint? */
bool bundle_hf_is_source(const char *source);
int bundle_hf_parse(const char *source, struct bundle_hf_spec *out, struct err *e) ERR_CHECK;
bool bundle_hf_is_commit(const char *revision); /* 40 hex digits */
/* The user's token, or "" */
void bundle_hf_token(char out[512]);

void bundle_hf_listing_init(struct bundle_hf_listing *l);
void bundle_hf_listing_done(struct bundle_hf_listing *l);
int bundle_hf_listing_add(struct bundle_hf_listing *l, const char *path, const char *sha256,
                          int64_t size) ERR_CHECK;
/* Ask the hub which files there are. */
int bundle_hf_ask(struct bundle_pull_state *p, const struct bundle_hf_spec *spec,
                  struct bundle_hf_listing *out, struct err *e) ERR_CHECK;
/* Learn digest, size and commit of one file from the headers of its address. What the server does not say
 * stays unknown. */
int bundle_hf_ask_file(struct bundle_pull_state *p, const struct bundle_hf_spec *spec,
                       struct bundle_hf_entry *entry, char commit[65], struct err *e) ERR_CHECK;
/* Which entry is meant; of a split set its first part. */
int bundle_hf_choose(const struct bundle_hf_listing *l, const struct bundle_hf_spec *spec,
                     const struct bundle_hf_entry **out, struct err *e) ERR_CHECK;
int bundle_hf_url(struct buf *out, const struct bundle_hf_spec *spec, const char *revision, const char *path);

#endif
