/* Downloads that survive anything: kill -9, a full disk, a dropped connection, a server that lies.
 *
 *     partial/<key>.part   the first bytes of the file, nothing else
 *     partial/<key>.json   { "url", "etag", "last_modified", "sha256", "size" } as known when byte 0 arrived
 *     partial/<key>.lock   flock: one process per file
 *     key = "sha256-<hex>" when the publisher announced a digest, else "url-<hex>" of the URL's plain form
 *
 *     have(part) ── hash what is here ──> GET  Range: bytes=have-  If-Range: etag
 *        ^                                  │ 206 from `have`: append    200: range ignored, truncate, append
 *        │ truncate to 0 <── 416, wrong ────┤
 *        │                  range, etag     v
 *        └──── connection broke: pause ── whole? ── digest right? ── fsync, rename to blobs/, fsync folder
 *                                                       └─ no: remove part and json, DIGEST
 *
 * Owns: the part's descriptor and lock while it runs. Threads: one per download. Invariants: the hash
 * covers exactly the first `have` bytes of the part; nothing reaches blobs/ before its whole digest is
 * known; never more than the announced size (or the ceiling) is written. Read next: pull.c. */
#include "part.h"
#include "base_mem.h"
#include "base_sha256.h"
#include "base_str.h"
#include "net_http.h"
#include "plat_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES (1 << 20)
#define UNANNOUNCED_MAX_BYTES (8LL << 30) /* ceiling where neither list nor server announces a size */
#define MAX_BREAKS 5                      /* connections lost in a row without a new byte */
#define MAX_BREAKS_ALL 200
#define ROOM_MARGIN_BYTES (1 << 20)       /* records, folders */

struct part {
    struct bundle_pull_state *pull;
    struct bundle_file *f;
    const char *url;
    char key[80], path[BUNDLE_PATH], json[BUNDLE_PATH];
    int fd;
    struct sha256 *hash;
    int64_t have;             /* bytes in the part, all hashed */
    int64_t total;            /* of the file, -1 unknown */
    bool from_scratch;        /* what is here is no prefix of what the server has now */
    char first[4];            /* the file's first bytes */
    char etag[160], last_modified[48];
};

int bundle_pull_tick(struct bundle_pull_state *p, enum bundle_phase phase, const char *note, struct err *e)
{
    p->now.phase = phase;
    p->now.note = note;
    if (!p->q->progress || p->q->progress(p->q->arg, &p->now) == 0) return 0;
    return ERR(e, CANCELLED, "Stopped. The same command continues where this one ended.");
}

int bundle_part_room(const struct bundle_store *s, int64_t need, struct err *e)
{
    char a[16], b[16], c[16];
    int64_t free_bytes = plat_disk_free(s->root);
    if (free_bytes < 0 || need <= 0) return 0; /* cannot know: the write will tell */
    if (need <= INT64_MAX - ROOM_MARGIN_BYTES && free_bytes >= need + ROOM_MARGIN_BYTES) return 0;
    return ERR(
        e, NO_SPACE,
        "Not enough room in '%.100s': %s needed, %s free, %s missing. Free some (`croft rm`), then run "
        "the command again; what is downloaded already stays.",
        s->root, bundle_human_bytes(need, a), bundle_human_bytes(free_bytes, b),
        bundle_human_bytes(need - free_bytes + ROOM_MARGIN_BYTES, c));
}

bool bundle_part_present(const struct bundle_store *s, const struct bundle_file *f)
{
    char path[BUNDLE_PATH];
    struct stat st;
    return f->sha256[0] && stat(bundle_store_blob(s, path, f->sha256), &st) == 0 &&
           (f->size < 0 || st.st_size == f->size);
}

int64_t bundle_part_bytes(const struct bundle_store *s, const char *sha256)
{
    char path[BUNDLE_PATH];
    struct stat st;
    return stat(bundle_store_path(s, path, "partial/sha256-%s.part", sha256), &st) ? 0 : st.st_size;
}

/* ---- the part on disk ---------------------------------------------------------------------------------- */

static int restart_hash(struct part *t, struct err *e)
{
    sha256_free(t->hash);
    t->hash = sha256_new();
    return t->hash ? 0 : err_nomem(e, 0);
}

static int truncate_part(struct part *t, struct err *e)
{
    if (ftruncate(t->fd, 0)) return err_errno(e, errno, "empty", t->path);
    t->have = 0;
    t->etag[0] = t->last_modified[0] = 0;
    t->from_scratch = false;
    return restart_hash(t, e);
}

/* A failed write, in words that say what to do. */
static int write_error(struct part *t, int errnum, struct err *e)
{
    if (errnum == ENOSPC || errnum == EDQUOT) {
        int rc = t->total > t->have ? bundle_part_room(t->pull->store, t->total - t->have, e) : 0;
        if (rc) return rc;
        return ERR(e, NO_SPACE,
                   "The disk with '%.120s' is full. Free some room, then run the command again; what is "
                   "downloaded already stays.",
                   t->pull->store->root);
    }
    if (errnum == EFBIG)
        return ERR(e, NO_SPACE,
                   "The file grew beyond the largest size allowed here (ulimit -f or the file system). Raise "
                   "the limit and run the command again.");
    return err_errno(e, errnum, "write", t->path);
}

static int append(struct part *t, const void *p, size_t n, struct err *e)
{
    const char *s = p;
    while (n > 0) {
        ssize_t k = pwrite(t->fd, s, n, t->have);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return write_error(t, errno, e);
        sha256_add(t->hash, s, (size_t)k);
        for (ssize_t i = 0; i < k && t->have + i < 4; i++) t->first[t->have + i] = s[i];
        t->have += k;
        s += k;
        n -= (size_t)k;
    }
    return 0;
}

/* Hash the `have` bytes that an earlier run left. */
static int hash_part(struct part *t, struct err *e)
{
    int64_t end = t->have;
    char *chunk = mem_alloc(CHUNK_BYTES);
    int rc = chunk ? restart_hash(t, e) : err_nomem(e, CHUNK_BYTES);
    for (t->have = 0; rc == 0 && t->have < end;) {
        ssize_t k = pread(t->fd, chunk, CHUNK_BYTES, t->have);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            rc = err_errno(e, k ? errno : EIO, "read", t->path);
            break;
        }
        if (t->have == 0) memcpy(t->first, chunk, k < 4 ? (size_t)k : 4);
        sha256_add(t->hash, chunk, (size_t)k);
        t->have += k;
        t->pull->now.done = t->have;
        rc = bundle_pull_tick(t->pull, BUNDLE_CHECK, NULL, e);
    }
    mem_free(chunk);
    return rc;
}

static int dump(const char *p, size_t n, void *arg) { return buf_add(arg, p, n); }

static int save_state(struct part *t, struct err *e)
{
    struct buf b;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I}", "url", t->f->url, "etag", t->etag, "last_modified",
                          t->last_modified, "sha256", t->f->sha256, "size", (json_int_t)t->total);
    buf_init(&b, 64 * 1024);
    int k = o ? json_dump_callback(o, dump, &b, 0) : -1;
    json_decref(o);
    int rc = 0;
    if (k) rc = ERR(e, NOMEM, "The state of a download could not be written as JSON.");
    else if ((k = plat_file_write(t->json, b.data, b.len))) rc = err_errno(e, -k, "write", t->json);
    if (rc == CROFT_E_NO_SPACE) rc = write_error(t, ENOSPC, e);
    buf_done(&b);
    return rc;
}

/* What an earlier run left is used when it belongs to the same content: the same digest, or the same URL
 * with a validator that the server can compare. */
static bool load_state(struct part *t)
{
    struct plat_map map;
    json_t *o = NULL;
    if (plat_map_open(&map, t->json) == 0) {
        if (map.size && map.size < 64 * 1024) o = json_loadb((const char *)map.data, map.size, 0, NULL);
        plat_map_close(&map);
    }
    const char *etag = json_string_value(json_object_get(o, "etag"));
    const char *modified = json_string_value(json_object_get(o, "last_modified"));
    const char *sha = json_string_value(json_object_get(o, "sha256"));
    const char *url = json_string_value(json_object_get(o, "url"));
    bool good = etag && modified && sha && url;
    if (good) {
        if (strpbrk(etag, "\r\n") == NULL) snprintf(t->etag, sizeof t->etag, "%s", etag);
        if (strpbrk(modified, "\r\n") == NULL)
            snprintf(t->last_modified, sizeof t->last_modified, "%s", modified);
        bool strong = t->etag[0] == '"';
        good = t->f->sha256[0] ? strcmp(sha, t->f->sha256) == 0
                               : strcmp(url, t->f->url) == 0 && (strong || t->last_modified[0]);
    }
    json_decref(o);
    return good;
}

static int open_part(struct part *t, struct err *e)
{
    struct stat st;
    t->fd = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (t->fd < 0) return write_error(t, errno, e);
    if (fstat(t->fd, &st) || !S_ISREG(st.st_mode)) return err_errno(e, EINVAL, "use", t->path);
    t->have = st.st_size;
    if (t->have && (!load_state(t) || (t->f->size >= 0 && t->have > t->f->size))) return truncate_part(t, e);
    return hash_part(t, e);
}

/* ---- the transfer -------------------------------------------------------------------------------------- */

/* An error page saved as a model would be found out much too late. */
static int check_magic(struct part *t, struct err *e)
{
    if (t->f->sha256[0] || t->have < 4 || memcmp(t->first, "GGUF", 4) == 0) return 0;
    t->from_scratch = true;
    return ERR(e, FORMAT, "What %.140s sends is not a GGUF file%s. Check the URL.", t->f->url,
               t->first[0] == '<' ? " but a web page" : "");
}

static int on_head(void *arg, const struct net_response *r, struct err *e)
{
    struct part *t = arg;
    int64_t limit = t->pull->q->max_bytes, want = t->f->size;
    char a[16], b[16];
    if (r->status == 206 &&
        (r->range_start != t->have || (t->etag[0] && r->etag[0] && strcmp(t->etag, r->etag)))) {
        t->from_scratch = true;
        return ERR(e, NET, "The server continues at another place than asked for.");
    }
    if (r->status != 206 && r->status != 200) return net_status_error(t->url, r->status, e);
    int rc = r->status == 200 && t->have ? truncate_part(t, e) : 0;
    if (rc) return rc;
    int64_t total = r->status == 206 ? r->range_total : r->length;
    if (r->status == 206 && total < 0 && r->length >= 0 && r->length <= INT64_MAX - t->have)
        total = t->have + r->length;
    if (want >= 0 && total >= 0 && total != want)
        return ERR(
            e, NET,
            "The server announces %lld bytes for %.80s but the publisher lists %lld. Nothing was kept.",
            (long long)total, t->f->name, (long long)want);
    t->total = total >= 0 ? total : want;
    if (limit > 0 && t->total > limit)
        return ERR(e, LIMIT, "%.100s has %s, more than --max-size allows (%s).", t->f->name,
                   bundle_human_bytes(t->total, a), bundle_human_bytes(limit, b));
    t->pull->now.total = t->total;
    t->pull->now.done = t->have;
    rc = t->total >= 0 ? bundle_part_room(t->pull->store, t->total - t->have, e) : 0;
    if (rc || t->have) return rc;
    snprintf(t->etag, sizeof t->etag, "%s", r->etag);
    snprintf(t->last_modified, sizeof t->last_modified, "%s", r->last_modified);
    return save_state(t, e);
}

static int on_body(void *arg, const void *p, size_t n, struct err *e)
{
    struct part *t = arg;
    char a[16];
    int64_t limit = t->pull->q->max_bytes ? t->pull->q->max_bytes : UNANNOUNCED_MAX_BYTES;
    if (t->total >= 0 && (int64_t)n > t->total - t->have) {
        t->from_scratch = true;
        return ERR(e, NET, "The server sends more than the %lld bytes that %.100s has. Nothing was kept.",
                   (long long)t->total, t->f->name);
    }
    if (t->total < 0 && (int64_t)n > limit - t->have) {
        t->from_scratch = true;
        return ERR(e, LIMIT,
                   "The server does not say how large %.80s is and has sent %s already. Nothing was kept; "
                   "--max-size allows more.",
                   t->f->name, bundle_human_bytes(limit, a));
    }
    int rc = append(t, p, n, e);
    if (rc == 0) rc = check_magic(t, e);
    t->pull->fetched += (int64_t)n;
    t->pull->now.done = t->have;
    return rc ? rc : bundle_pull_tick(t->pull, BUNDLE_FETCH, NULL, e);
}

static int on_tick(void *arg, const char *pause, struct err *e)
{
    struct part *t = arg;
    return bundle_pull_tick(t->pull, BUNDLE_FETCH, pause, e);
}

static int status_error(struct part *t, int status, struct err *e)
{
    if ((status == 401 || status == 403) && str_starts(t->f->url, "http") && strstr(t->f->url, "/resolve/"))
        return ERR(e, DENIED,
                   "%s was refused (status %d). If the model is gated, accept its terms on its page and set "
                   "HF_TOKEN to a token of yours.",
                   t->f->name, status);
    return net_status_error(t->url, status, e);
}

/* One connection. 0: the file is whole. *again: what is here is good, or was thrown away; try again. */
static int transfer(struct part *t, bool *again, struct err *e)
{
    const struct bundle_pull_request *q = t->pull->q;
    struct net_response r;
    const char *validator = t->etag[0] == '"' ? t->etag : t->last_modified[0] ? t->last_modified : NULL;
    struct net_request n = {
        .url = t->url, .bearer = t->pull->bearer, .range_from = (uint64_t)t->have, .if_range = validator,
        .max_bytes = UINT64_MAX, .insecure_http = q->insecure_http, .stall_s = q->stall_s, .arg = t,
        .on_head = on_head, .on_body = on_body, .on_tick = on_tick,
    };
    bool asked_range = t->have > 0;
    *again = false;
    int rc = net_fetch(&n, &r, e);
    if (t->from_scratch) {
        /* A bad answer to a range deserves one clean try; a bad answer to a plain request is final. */
        bool retry = rc == CROFT_E_NET && asked_range && r.status == 206;
        if (truncate_part(t, NULL)) return err_nomem(e, 0);
        unlink(t->json);
        *again = retry;
        return rc;
    }
    if (rc) {
        *again = r.broken;
        return rc;
    }
    if (r.status == 416 && asked_range) {
        if (r.range_total == t->have && t->total < 0 && t->f->size < 0) return 0; /* it was whole already */
        *again = true;
        rc = ERR(e, NET, "The server refuses to continue the download.");
        return truncate_part(t, NULL) ? err_nomem(e, 0) : rc;
    }
    if (r.status < 200 || r.status >= 300) return status_error(t, r.status, e);
    if (t->total >= 0 && t->have < t->total) {
        *again = true;
        return ERR(e, NET,
                   "The server ended after %lld of %lld bytes of %.80s. Run the command again to continue.",
                   (long long)t->have, (long long)t->total, t->f->name);
    }
    return 0;
}

static int transfer_all(struct part *t, struct err *e)
{
    struct net_request for_pause = {.arg = t, .on_tick = on_tick};
    int in_a_row = 0;
    for (int all = 0;; all++) {
        int64_t before = t->have;
        bool again;
        int rc = transfer(t, &again, e);
        if (rc == 0 || !again) return rc;
        in_a_row = t->have > before ? 1 : in_a_row + 1;
        if (in_a_row >= MAX_BREAKS || all >= MAX_BREAKS_ALL) return rc;
        char why[320];
        snprintf(why, sizeof why, "%s", e ? e->msg : "The connection broke.");
        rc = net_pause(&for_pause, in_a_row, 0, why, e);
        if (rc) return rc;
    }
}

/* ---- into the store ------------------------------------------------------------------------------------ */

/* All bytes are hashed: compare with what was announced; the file's digest and size are known from here
 * on. */
static int settle_digest(struct part *t, struct err *e)
{
    char hex[65];
    sha256_hex(t->hash, hex);
    t->hash = NULL;
    if (t->f->sha256[0] && strcmp(hex, t->f->sha256))
        return ERR(e, DIGEST, "%.80s has SHA-256 %.12s… instead of %.12s…: it is damaged or another file.",
                   t->f->name, hex, t->f->sha256);
    if (t->have < 4) return ERR(e, FORMAT, "%.100s is empty or too short to be a GGUF file.", t->f->name);
    memcpy(t->f->sha256, hex, sizeof hex);
    t->f->size = t->have;
    return 0;
}

/* From partial/ to blobs/, all or nothing. */
static int publish(struct part *t, struct err *e)
{
    char blob[BUNDLE_PATH], folder[BUNDLE_PATH];
    int rc = settle_digest(t, e);
    if (rc) { /* worthless, also for a later run */
        unlink(t->path);
        unlink(t->json);
        return rc;
    }
    bundle_store_blob(t->pull->store, blob, t->f->sha256);
    fchmod(t->fd, 0444);
    if (fsync(t->fd)) return write_error(t, errno, e);
    if (rename(t->path, blob)) return err_errno(e, errno, "move into the store", t->path);
    int k = bundle_dir_sync(bundle_store_path(t->pull->store, folder, "blobs"));
    if (k) return err_errno(e, -k, "write the folder", folder);
    unlink(t->json);
    return 0;
}

static int wait_tick(void *arg, struct err *e) { return bundle_pull_tick(arg, BUNDLE_WAIT, NULL, e); }

static int lock_part(struct part *t, const char *lock, struct err *e)
{
    struct bundle_wait wait = {.arg = t->pull, .tick = wait_tick};
    int fd = bundle_store_lock(t->pull->store, lock, false, t->pull->q->no_wait ? NULL : &wait, e);
    if (fd == CROFT_E_BUSY)
        return ERR(e, BUSY, "Another croft process is pulling %.100s. Wait for it, or leave out --no-wait.",
                   t->f->name);
    return fd;
}

static void part_done(struct part *t)
{
    sha256_free(t->hash);
    if (t->fd >= 0) close(t->fd);
}

static int make_key(struct part *t, struct err *e)
{
    char hex[65];
    if (t->f->sha256[0]) {
        snprintf(t->key, sizeof t->key, "sha256-%s", t->f->sha256);
    } else {
        struct sha256 *h = sha256_new();
        if (!h) return err_nomem(e, 0);
        sha256_add(h, t->f->url, strlen(t->f->url));
        sha256_hex(h, hex);
        snprintf(t->key, sizeof t->key, "url-%.32s", hex);
    }
    bundle_store_path(t->pull->store, t->path, "partial/%s.part", t->key);
    bundle_store_path(t->pull->store, t->json, "partial/%s.json", t->key);
    return 0;
}

int bundle_part_fetch(struct bundle_pull_state *p, const char *url, struct bundle_file *f, struct arena *mem,
                      struct err *e)
{
    char lock[100];
    struct stat st;
    struct part t = {.pull = p, .f = f, .url = url, .fd = -1, .total = f->size};
    int rc = make_key(&t, e), fd = -1;
    if (rc) return rc;
    p->now.file = f->name;
    p->now.done = 0;
    p->now.total = f->size;
    if (bundle_part_present(p->store, f)) goto present;
    snprintf(lock, sizeof lock, "partial/%s.lock", t.key);
    rc = fd = lock_part(&t, lock, e);
    if (rc < 0) return rc;
    if (bundle_part_present(p->store, f)) goto present; /* the other process did it */
    rc = open_part(&t, e);
    if (rc == 0 && !(f->size >= 0 && t.have == f->size && t.have > 0)) rc = transfer_all(&t, e);
    if (rc == 0) rc = publish(&t, e);
    if (rc == 0 && !(f->etag = arena_strndup(mem, t.etag, strlen(t.etag)))) rc = err_nomem(e, 0);
    if (rc && t.have == 0 && t.fd >= 0) { /* nothing worth keeping */
        unlink(t.path);
        unlink(t.json);
    }
    part_done(&t);
    if (rc == 0) unlink(bundle_store_path(p->store, t.path, "%s", lock));
    bundle_store_unlock(fd);
    return rc;
present:
    if (f->size < 0 && stat(bundle_store_blob(p->store, t.path, f->sha256), &st) == 0) f->size = st.st_size;
    bundle_store_unlock(fd);
    return 0;
}

/* ---- local files --------------------------------------------------------------------------------------- */

static int copy_bytes(struct part *t, int in, bool link, struct err *e)
{
    char *chunk = mem_alloc(CHUNK_BYTES);
    int rc = chunk ? restart_hash(t, e) : err_nomem(e, CHUNK_BYTES);
    while (rc == 0) {
        ssize_t k = read(in, chunk, CHUNK_BYTES);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) rc = err_errno(e, errno, "read", t->url);
        if (k <= 0) break;
        if (link) {
            if (t->have == 0) memcpy(t->first, chunk, k < 4 ? (size_t)k : 4);
            sha256_add(t->hash, chunk, (size_t)k);
            t->have += k;
        } else {
            rc = append(t, chunk, (size_t)k, e);
        }
        t->pull->now.done = t->have;
        if (rc == 0) rc = bundle_pull_tick(t->pull, link ? BUNDLE_CHECK : BUNDLE_COPY, NULL, e);
    }
    mem_free(chunk);
    if (rc == 0 && (t->have < 4 || memcmp(t->first, "GGUF", 4)))
        rc = ERR(e, FORMAT, "'%.200s' is not a GGUF file.", t->url);
    return rc;
}

int bundle_part_copy(struct bundle_pull_state *p, const char *path, struct bundle_file *f, bool link,
                     struct err *e)
{
    struct stat st;
    struct part t = {.pull = p, .f = f, .url = path, .fd = -1};
    int in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in < 0) return err_errno(e, errno, "open", path);
    int rc = fstat(in, &st) ? err_errno(e, errno, "read", path) : 0;
    if (rc == 0 && !S_ISREG(st.st_mode)) rc = ERR(e, USAGE, "'%.200s' is not a regular file.", path);
    t.total = p->now.total = rc ? 0 : st.st_size;
    p->now.file = f->name;
    p->now.done = 0;
    if (rc == 0 && !link) rc = bundle_part_room(p->store, t.total, e);
    if (rc == 0 && !link) {
        bundle_store_path(p->store, t.path, "partial/import-%ld-%d.part", (long)getpid(), p->now.index);
        t.fd = open(t.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (t.fd < 0) rc = write_error(&t, errno, e);
    }
    if (rc == 0) rc = copy_bytes(&t, in, link, e);
    if (rc == 0 && t.have != st.st_size)
        rc = ERR(e, IO, "'%.200s' changed while it was read. Try again.", path);
    if (rc == 0 && link) rc = settle_digest(&t, e);
    if (rc == 0 && !link) rc = publish(&t, e); /* t.json is empty: there is no such file */
    if (rc == 0 && !link) p->fetched += t.have;
    if (rc && t.fd >= 0) unlink(t.path);
    part_done(&t);
    close(in);
    return rc;
}
