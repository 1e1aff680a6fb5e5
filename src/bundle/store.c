/* The store as a folder: where it is, its locks, finding and removing models (api/bundle_store.h draws the
 * layout).
 *
 * Owns: struct bundle_store (a path, nothing open). Threads: a store may be used from several threads;
 * what must not happen at the same time is kept apart by flock, which also works between processes.
 * Invariants: a blob appears whole (rename) and never changes; a model exists when its record does;
 * whoever changes models/ or removes blobs holds `lock`. Read next: record.c, part.c, pull.c. */
#include "store.h"
#include "base_mem.h"
#include "base_str.h"
#include "name.h"
#include "plat_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *bundle_human_bytes(int64_t n, char out[16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)n;
    int u = 0;
    while (v >= 1024 && u < 6) {
        v /= 1024;
        u++;
    }
    snprintf(out, 16, u ? "%.1f %s" : "%.0f %s", v, units[u]);
    return out;
}

/* ---- the folder ---------------------------------------------------------------------------------------- */

const char *bundle_store_path(const struct bundle_store *s, char out[BUNDLE_PATH], const char *fmt, ...)
{
    int n = snprintf(out, BUNDLE_PATH, "%s/", s->root);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out + n, BUNDLE_PATH - (size_t)n, fmt, ap);
    va_end(ap);
    return out;
}

const char *bundle_store_blob(const struct bundle_store *s, char out[BUNDLE_PATH], const char *sha256)
{
    return bundle_store_path(s, out, "blobs/sha256-%s", sha256);
}

bool bundle_sha256_valid(const char *hex)
{
    return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

const char *bundle_store_encode(const char *name, char out[BUNDLE_NAME_BYTES])
{
    snprintf(out, BUNDLE_NAME_BYTES, "%s", name);
    for (char *c = out; *c; c++)
        if (*c == '/') *c = '%';
    return out;
}

int bundle_home(char *out, size_t n, struct err *e)
{
    const char *home = getenv("CROFT_HOME"), *tail = "";
    if (!home || !*home) {
        home = getenv("XDG_DATA_HOME");
        tail = "/croft";
        if (!home || *home != '/') {
            home = getenv("HOME");
            tail = "/.local/share/croft";
        }
    }
    if (!home || !*home)
        return ERR(e, USAGE, "Neither CROFT_HOME nor HOME is set. Set CROFT_HOME to the store's folder.");
    if (snprintf(out, n, "%s%s", home, tail) >= (int)n)
        return ERR(e, USAGE, "The path of the model store is too long. Set CROFT_HOME to a shorter one.");
    return 0;
}

int bundle_store_open(const char *root, bool create, struct bundle_store **out, struct err *e)
{
    static const char *const folders[] = {"blobs", "models", "partial"};
    char path[BUNDLE_PATH];
    struct stat st;
    struct bundle_store *s = mem_calloc(1, sizeof *s);
    if (!s) return err_nomem(e, sizeof *s);
    int rc = 0;
    if (!root) rc = bundle_home(s->root, sizeof s->root, e);
    else if (snprintf(s->root, sizeof s->root, "%s", root) >= (int)sizeof s->root)
        rc = ERR(e, USAGE, "The path of the model store is too long.");
    for (size_t n = strlen(s->root); n > 1 && s->root[n - 1] == '/';) s->root[--n] = 0;
    for (int i = 0; rc == 0 && create && i < 3; i++) {
        int k = plat_dir_make(bundle_store_path(s, path, "%s", folders[i]));
        if (k) rc = err_errno(e, -k, "create the model store's folder", path);
    }
    if (rc == 0 && !create && stat(bundle_store_path(s, path, "models"), &st))
        rc = ERR(e, NOT_FOUND, "There is no model store at '%.200s' yet. Get a model with `croft pull`.",
                 s->root);
    if (rc) mem_free(s);
    else *out = s;
    return rc;
}

void bundle_store_close(struct bundle_store *s) { mem_free(s); }
const char *bundle_store_root(const struct bundle_store *s) { return s->root; }

/* ---- locks --------------------------------------------------------------------------------------------- */

/* The file may have been removed between open and flock (sweep does that): then the lock guards nothing,
 * try again. */
static bool still_there(int fd, const char *path)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int bundle_store_lock(const struct bundle_store *s, const char *file, bool shared,
                      const struct bundle_wait *wait, struct err *e)
{
    char path[BUNDLE_PATH];
    bundle_store_path(s, path, "%s", file);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0) return err_errno(e, errno, "open the lock file", path);
        if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
            if (still_there(fd, path)) return fd;
            close(fd);
            continue;
        }
        int why = errno;
        close(fd);
        if (why == EINTR) continue;
        if (why != EWOULDBLOCK) return err_errno(e, why, "lock", path);
        if (!wait)
            return ERR(e, BUSY, "Another croft process is at work on this. Try again when it has finished.");
        int rc = wait->tick ? wait->tick(wait->arg, e) : 0;
        if (rc) return rc;
        nanosleep(&(struct timespec){0, 100 * 1000 * 1000}, NULL);
    }
}

void bundle_store_unlock(int fd)
{
    if (fd >= 0) close(fd);
}

int bundle_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = fsync(fd) && errno != EINVAL ? -errno : 0;
    close(fd);
    return rc;
}

void bundle_dir_remove(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *x; (x = readdir(d));)
        if (strcmp(x->d_name, ".") && strcmp(x->d_name, "..")) unlinkat(dirfd(d), x->d_name, 0);
    closedir(d);
    rmdir(path);
}

/* ---- the list ------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct bundle_model *)a)->name, ((const struct bundle_model *)b)->name);
}

void bundle_list_done(struct bundle_list *l)
{
    for (int i = 0; i < l->n; i++) bundle_model_done(&l->model[i]);
    mem_free(l->model);
    *l = (struct bundle_list){0};
}

/* One entry of models/: "<name>.json", or something else (0, nothing added). */
static int list_add(struct bundle_store *s, const char *entry, struct bundle_list *l, int *cap, struct err *e)
{
    char name[BUNDLE_NAME_BYTES];
    size_t n = strlen(entry);
    if (!str_ends(entry, ".json") || n - 5 >= sizeof name) return 0;
    snprintf(name, sizeof name, "%.*s", (int)(n - 5), entry);
    for (char *c = name; *c; c++)
        if (*c == '%') *c = '/';
    if (!bundle_name_valid(name)) return 0;
    if (l->n == *cap) {
        int bigger = *cap ? *cap * 2 : 16;
        struct bundle_model *p = mem_realloc(l->model, (size_t)bigger * sizeof *p);
        if (!p) return err_nomem(e, (size_t)bigger * sizeof *p);
        l->model = p;
        *cap = bigger;
    }
    struct bundle_model *m = &l->model[l->n];
    int rc = bundle_record_read(s, name, m, e);
    if (rc == CROFT_E_NOT_FOUND) return 0; /* removed in this moment */
    if (rc == CROFT_E_NOMEM) return rc;
    if (rc) {
        bundle_model_init(m);
        m->broken = true;
        m->name = bundle_model_text(m, name);
        if (!m->name) {
            bundle_model_done(m);
            return err_nomem(e, sizeof name);
        }
    }
    l->n++;
    return 0;
}

int bundle_store_list(struct bundle_store *s, struct bundle_list *out, struct err *e)
{
    char path[BUNDLE_PATH];
    struct bundle_list l = {0};
    int cap = 0, rc = 0;
    DIR *d = opendir(bundle_store_path(s, path, "models"));
    if (!d) return err_errno(e, errno, "read the model store's folder", path);
    for (struct dirent *x; rc == 0 && (x = readdir(d));) rc = list_add(s, x->d_name, &l, &cap, e);
    closedir(d);
    if (rc) {
        bundle_list_done(&l);
        return rc;
    }
    if (l.n) qsort(l.model, (size_t)l.n, sizeof l.model[0], by_name);
    if (e) *e = (struct err){0};
    *out = l;
    return 0;
}

/* ---- finding ------------------------------------------------------------------------------------------- */

/* hf:OWNER/REPO[@REV][:QUANT] as the start of a name: "repo:quant" or "repo". */
static bool name_of_source(const char *source, char out[BUNDLE_NAME_BYTES])
{
    char repo[BUNDLE_NAME_BYTES], word[BUNDLE_NAME_BYTES + 8], quant[32] = "";
    const char *s = source + 3;
    size_t n = strcspn(s, "@:");
    const char *colon = strrchr(s, ':');
    if (n == 0 || n >= sizeof repo) return false;
    snprintf(repo, sizeof repo, "%.*s", (int)n, s);
    if (str_ends(repo, ".gguf")) return bundle_name_default(NULL, repo, out);
    if (colon) snprintf(quant, sizeof quant, "%.*s", (int)strcspn(colon + 1, "@"), colon + 1);
    snprintf(word, sizeof word, "x-%s.gguf", quant);
    if (!bundle_name_default(repo, word, out)) return false;
    if (!*quant) out[strcspn(out, ":")] = 0;
    return true;
}

static int candidates_error(const struct bundle_list *l, const char *prefix, const char *asked, struct err *e)
{
    struct buf b;
    int shown = 0, more = 0;
    buf_init(&b, 220);
    for (int i = 0; i < l->n; i++) {
        if (!str_starts(l->model[i].name, prefix)) continue;
        if (b.len + strlen(l->model[i].name) > 160) more++;
        else buf_fmt(&b, "%s%s", shown++ ? ", " : "", l->model[i].name);
    }
    if (more) buf_fmt(&b, " and %d more", more);
    int rc =
        ERR(e, USAGE, "'%.60s' could be %s. Give the full name.", asked, b.data ? b.data : "several models");
    buf_done(&b);
    return rc;
}

int bundle_store_find(struct bundle_store *s, const char *name, struct bundle_model *out, struct err *e)
{
    char low[BUNDLE_NAME_BYTES];
    struct bundle_list l;
    bool good = str_starts(name, "hf:") ? name_of_source(name, low) : bundle_name_fold(name, low);
    if (!good && strlen(name) < sizeof low && name[0] &&
        !strpbrk(name, " %'\"\\")) { /* a prefix such as "qwen2.5:" */
        for (size_t i = 0; i <= strlen(name); i++) low[i] = (char)tolower((unsigned char)name[i]);
    } else if (!good) {
        return ERR(e, USAGE, "'%.100s' is neither a file nor a model name. `croft list` shows the names.",
                   name);
    }
    if (good) {
        int rc = bundle_record_read(s, low, out, e);
        if (rc != CROFT_E_NOT_FOUND) return rc;
    }
    int rc = bundle_store_list(s, &l, e);
    if (rc) return rc;
    int hits = 0, at = 0;
    for (int i = 0; i < l.n; i++)
        if (!l.model[i].broken && str_starts(l.model[i].name, low)) {
            at = i;
            hits++;
        }
    if (hits > 1) {
        rc = candidates_error(&l, low, name, e);
    } else if (hits == 0) {
        rc = ERR(e, NOT_FOUND,
                 "There is no file and no model called '%.100s'. See `croft list`, or get it with "
                 "`croft pull hf:OWNER/REPO:QUANT`.",
                 name);
    } else {
        *out = l.model[at];
        l.model[at] = l.model[--l.n]; /* its memory moved to the caller */
    }
    bundle_list_done(&l);
    return rc;
}

static bool looks_like_path(const char *s)
{
    return *s == '/' || str_starts(s, "./") || str_starts(s, "../") ||
           (str_ends(s, ".gguf") && !str_starts(s, "hf:"));
}

/* Are the model's files here and of the right size? */
static int check_files(struct bundle_store *s, const struct bundle_model *m, struct err *e)
{
    char path[BUNDLE_PATH];
    struct stat st;
    for (int i = 0; i < m->n_files; i++) {
        const struct bundle_file *f = &m->file[i];
        const char *p = f->linked ? f->linked : bundle_store_blob(s, path, f->sha256);
        if (stat(p, &st) == 0 && st.st_size == f->size) continue;
        if (f->linked)
            return ERR(e, NOT_FOUND,
                       "The file '%.140s' that model %.60s is linked to is gone or has changed. Pull it "
                       "again.",
                       f->linked, m->name);
        return ERR(e, NOT_FOUND,
                   "The store has lost the file %.80s of model %.60s. Pull it again: croft pull %.100s",
                   f->name, m->name, m->source);
    }
    return 0;
}

int bundle_store_resolve(const char *arg, char **out_path, struct err *e)
{
    struct stat st;
    struct bundle_store *s = NULL;
    struct bundle_model m;
    char path[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    if (stat(arg, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return ERR(e, USAGE, "'%.200s' is a folder. Name the GGUF file in it.", arg);
        char *copy = mem_strdup(arg);
        if (!copy) return err_nomem(e, strlen(arg));
        *out_path = copy;
        return 0;
    }
    if (looks_like_path(arg)) return err_errno(e, errno, "open the model file", arg);
    int rc = bundle_store_open(NULL, false, &s, e);
    if (rc == CROFT_E_NOT_FOUND)
        return ERR(e, NOT_FOUND, "There is no file '%.100s' and no model store yet. Get a model with "
                                 "`croft pull hf:OWNER/REPO:QUANT`.", arg);
    if (rc) return rc;
    rc = bundle_store_find(s, arg, &m, e);
    if (rc) goto closed;
    rc = check_files(s, &m, e);
    /* A pull that was cut between setting links and writing the record leaves links of another version. */
    if (rc == 0 && !bundle_record_links_good(s, &m)) {
        int fd = bundle_store_lock(s, "lock", false, &(struct bundle_wait){0}, e);
        rc = fd < 0 ? fd : bundle_record_link(s, &m, e);
        bundle_store_unlock(fd);
    }
    if (rc == 0) {
        bundle_store_path(s, path, "models/%s/%s", bundle_store_encode(m.name, enc), m.file[0].name);
        char *copy = mem_strdup(path);
        if (copy) *out_path = copy;
        else rc = err_nomem(e, strlen(path));
    }
    bundle_model_done(&m);
closed:
    bundle_store_close(s);
    return rc;
}

/* ---- removing ------------------------------------------------------------------------------------------ */

/* The record to remove: exactly that name, or "repo" when it has one tag only. A prefix is not enough to
 * delete. */
static int find_exact(struct bundle_store *s, const char *name, char out[BUNDLE_NAME_BYTES], struct err *e)
{
    struct bundle_list l;
    char low[BUNDLE_NAME_BYTES];
    int hits = 0, at = -1, exact = -1;
    bool good = bundle_name_fold(name, low);
    int rc = bundle_store_list(s, &l, e);
    if (rc) return rc;
    size_t n = good ? strlen(low) : 0;
    for (int i = 0; good && i < l.n; i++) {
        if (strcmp(l.model[i].name, low) == 0) exact = i;
        if (!str_starts(l.model[i].name, low) || l.model[i].name[n] != ':') continue;
        at = i;
        hits++;
    }
    if (exact >= 0) {
        at = exact;
        hits = 1;
    }
    if (hits == 1) snprintf(out, BUNDLE_NAME_BYTES, "%s", l.model[at].name);
    else if (hits > 1) rc = candidates_error(&l, low, name, e);
    else rc = ERR(e, NOT_FOUND, "There is no model called '%.100s'. `croft list` shows the names.", name);
    bundle_list_done(&l);
    return rc;
}

int bundle_store_remove(struct bundle_store *s, const char *name, int64_t *out_freed, struct err *e)
{
    char full[BUNDLE_NAME_BYTES], enc[BUNDLE_NAME_BYTES], path[BUNDLE_PATH];
    struct bundle_model m;
    int64_t freed = 0;
    int fd = bundle_store_lock(s, "lock", false, &(struct bundle_wait){0}, e);
    if (fd < 0) return fd;
    int rc = find_exact(s, name, full, e);
    if (rc) goto out;
    bool readable = bundle_record_read(s, full, &m, NULL) == 0;
    bundle_store_encode(full, enc);
    if (unlink(bundle_store_path(s, path, "models/%s.json", enc))) rc = err_errno(e, errno, "remove", path);
    if (rc == 0) {
        bundle_dir_remove(bundle_store_path(s, path, "models/%s", enc));
        bundle_dir_sync(bundle_store_path(s, path, "models"));
        if (readable) rc = bundle_record_drop_blobs(s, &m, &freed, e);
    }
    if (readable) bundle_model_done(&m);
out:
    bundle_store_unlock(fd);
    if (rc == 0) *out_freed = freed;
    return rc;
}

int bundle_store_sweep(struct bundle_store *s, int64_t *out_freed, struct err *e)
{
    char path[BUNDLE_PATH];
    struct stat st;
    int64_t freed = 0;
    int fd = -1, pulls = bundle_store_lock(s, "pulls.lock", false, NULL, e);
    if (pulls == CROFT_E_BUSY) return ERR(e, BUSY, "A pull is under way. Try again when it has finished.");
    if (pulls < 0) return pulls;
    int rc = fd = bundle_store_lock(s, "lock", false, &(struct bundle_wait){0}, e);
    if (rc < 0) goto out;
    DIR *d = opendir(bundle_store_path(s, path, "partial"));
    if (d) {
        for (struct dirent *x; (x = readdir(d));) {
            if (x->d_name[0] == '.') continue;
            bool has = fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
            if (unlinkat(dirfd(d), x->d_name, 0) == 0 && has) freed += st.st_size;
        }
        closedir(d);
    }
    rc = bundle_record_drop_blobs(s, NULL, &freed, e);
out:
    bundle_store_unlock(fd);
    bundle_store_unlock(pulls);
    if (rc == 0) *out_freed = freed;
    return rc < 0 ? rc : 0;
}
