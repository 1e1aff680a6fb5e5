/* The model store: a folder with content-addressed files and a small JSON record per model.
 *
 *     $CROFT_HOME (default $XDG_DATA_HOME/croft, else ~/.local/share/croft)
 *       blobs/sha256-<hex>        a whole, verified file; never changed
 *       models/<name>.json        the record; its appearance is the moment a model exists
 *       models/<name>/<file>      links to the blobs under the files' own names (split GGUF needs siblings)
 *       partial/<key>.part .json  a download that can continue
 *       run/<pid>-<n>.json        which models run now (when there is no $XDG_RUNTIME_DIR)
 *       lock, pulls.lock          flock: changes of models/ and blobs/; pulls under way
 *
 * A name is `repo:quant` or `owner/repo:quant`: lower case [a-z0-9._-], in files '/' is written '%'.
 * Any number of processes may use one store at the same time. docs/STORE.md has the rules. */
#ifndef BUNDLE_STORE_H
#define BUNDLE_STORE_H

#include "base_arena.h"
#include "base_err.h"

#define BUNDLE_NAME_BYTES 128

/* $CROFT_HOME, or where it is by default; it need not be there. */
int bundle_home(char *out, size_t n, struct err *e) ERR_CHECK;

struct bundle_store;
/* root NULL: where the environment says. Without `create` a store that does not exist is NOT_FOUND. */
int bundle_store_open(const char *root, bool create, struct bundle_store **out, struct err *e) ERR_CHECK;
void bundle_store_close(struct bundle_store *s);
const char *bundle_store_root(const struct bundle_store *s);

struct bundle_file {
    const char *name;   /* as the publisher calls it, without folders */
    const char *url;    /* where it came from, without query; or a path */
    const char *linked; /* absolute path of a file outside the store (--link), or NULL */
    const char *etag;   /* the server's validator, or "" */
    char sha256[65];    /* "" while unknown */
    int64_t size;       /* bytes, or -1 while unknown */
};
/* A record. Strings live in `mem`; none is NULL. */
struct bundle_model {
    struct arena mem;
    const char *name, *source; /* "hf:OWNER/REPO/FILE", a URL, or "file:/path" */
    const char *revision;      /* commit, or "" */
    const char *family, *quant; /* as read from the file name, or "" */
    const char *pulled_at;     /* RFC 3339, UTC */
    struct bundle_file *file;
    int n_files;
    int64_t size;              /* of all files */
    bool broken;               /* the record cannot be read: only `name` is set */
};
void bundle_model_done(struct bundle_model *m);

struct bundle_list {
    struct bundle_model *model; /* by name */
    int n;
};
int bundle_store_list(struct bundle_store *s, struct bundle_list *out, struct err *e) ERR_CHECK;
void bundle_list_done(struct bundle_list *l);

/* The model called `name`: exactly, or by a prefix that only one name has (USAGE with the candidates
 * otherwise), or as hf:OWNER/REPO[:QUANT] when it was pulled from there. */
int bundle_store_find(struct bundle_store *s, const char *name, struct bundle_model *out,
                      struct err *e) ERR_CHECK;
/* What every command does with its MODEL argument: an existing file wins, then the store. The path of the
 * (first) GGUF file, to be freed with mem_free. */
int bundle_store_resolve(const char *name_or_path, char **out_path, struct err *e) ERR_CHECK;
/* Forget a model (exact name, or the only tag of a repo) and free the blobs no other model needs.
 * Processes that have the files open keep them. */
int bundle_store_remove(struct bundle_store *s, const char *name, int64_t *out_freed_bytes,
                        struct err *e) ERR_CHECK;
/* Remove partial downloads and blobs that no model needs. BUSY while a pull is under way. */
int bundle_store_sweep(struct bundle_store *s, int64_t *out_freed_bytes, struct err *e) ERR_CHECK;

/* "379.1 MiB": powers of 1024, as tables print sizes. */
const char *bundle_human_bytes(int64_t n, char out[16]);

#endif
