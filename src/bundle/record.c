/* Records: models/<name>.json, and the links and blobs that go with it.
 *
 *     { "format": 1, "name": "qwen2.5-0.5b-instruct:q4_0", "source": "hf:OWNER/REPO/FILE.gguf",
 *       "revision": "<commit>", "family": "qwen2.5", "quant": "Q4_0", "pulled_at": "2026-11-21T10:00:00Z",
 *       "files": [ { "name": "FILE.gguf", "sha256": "<hex>", "size": 428730208, "url": "https://…",
 *                    "etag": "…", "linked": "/abs/path" (only with --link) } ] }
 *
 * Owns: an arena per record read. Threads: none of its own. Invariants: every name, digest and size was
 * checked, also when the record comes from disk, because names become paths and digests decide what is
 * deleted. Read next: store.c. */
#include "base_mem.h"
#include "base_str.h"
#include "name.h"
#include "plat_file.h"
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RECORD_BYTES (4u << 20)
#define MAX_FILES 1000

void bundle_model_init(struct bundle_model *m)
{
    *m = (struct bundle_model){0};
    m->name = m->source = m->revision = m->family = m->quant = m->pulled_at = "";
    arena_init(&m->mem, MAX_RECORD_BYTES);
}

void bundle_model_done(struct bundle_model *m) { arena_done(&m->mem); }

const char *bundle_model_text(struct bundle_model *m, const char *text)
{
    return arena_strndup(&m->mem, text, strlen(text));
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static bool printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f) return false;
    return true;
}

/* A member as text in the arena; "" when absent. */
static int get_text(struct bundle_model *m, const json_t *o, const char *key, const char **out)
{
    const char *v = json_string_value(json_object_get(o, key));
    if (!v || !printable(v)) v = "";
    const char *copy = bundle_model_text(m, v);
    if (!copy) return CROFT_E_NOMEM;
    *out = copy;
    return 0;
}

static int get_file(struct bundle_model *m, const json_t *o, struct bundle_file *f)
{
    const char *sha = json_string_value(json_object_get(o, "sha256"));
    json_t *size = json_object_get(o, "size");
    int rc = get_text(m, o, "name", &f->name);
    if (!rc) rc = get_text(m, o, "url", &f->url);
    if (!rc) rc = get_text(m, o, "etag", &f->etag);
    if (!rc && json_object_get(o, "linked")) rc = get_text(m, o, "linked", &f->linked);
    if (rc) return rc;
    if (!bundle_file_name_valid(f->name) || !sha || !bundle_sha256_valid(sha) || !json_is_integer(size) ||
        json_integer_value(size) < 0 || (f->linked && f->linked[0] != '/') ||
        __builtin_add_overflow(m->size, json_integer_value(size), &m->size))
        return CROFT_E_FORMAT;
    memcpy(f->sha256, sha, 65);
    f->size = json_integer_value(size);
    return 0;
}

static int parse_record(struct bundle_model *m, const json_t *o, const char *name)
{
    json_t *files = json_object_get(o, "files");
    size_t n = json_array_size(files);
    if (json_integer_value(json_object_get(o, "format")) != 1 || n == 0 || n > MAX_FILES)
        return CROFT_E_FORMAT;
    m->file = arena_alloc(&m->mem, n * sizeof *m->file);
    m->name = bundle_model_text(m, name);
    if (!m->file || !m->name) return CROFT_E_NOMEM;
    int rc = get_text(m, o, "source", &m->source);
    if (!rc) rc = get_text(m, o, "revision", &m->revision);
    if (!rc) rc = get_text(m, o, "family", &m->family);
    if (!rc) rc = get_text(m, o, "quant", &m->quant);
    if (!rc) rc = get_text(m, o, "pulled_at", &m->pulled_at);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = get_file(m, json_array_get(files, i), &m->file[i]);
    m->n_files = (int)n;
    return rc;
}

int bundle_record_read(const struct bundle_store *s, const char *name, struct bundle_model *out,
                       struct err *e)
{
    char path[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    struct plat_map map;
    struct bundle_model m;
    int k = plat_map_open(&map, bundle_store_path(s, path, "models/%s.json", bundle_store_encode(name, enc)));
    if (k) return err_errno(e, -k, "read the record", path);
    json_t *o = map.size && map.size <= MAX_RECORD_BYTES
                    ? json_loadb((const char *)map.data, map.size, JSON_REJECT_DUPLICATES, NULL)
                    : NULL;
    plat_map_close(&map);
    bundle_model_init(&m);
    int rc = o ? parse_record(&m, o, name) : CROFT_E_FORMAT;
    json_decref(o);
    if (rc) bundle_model_done(&m);
    if (rc == CROFT_E_NOMEM) return err_nomem(e, 0);
    if (rc)
        return ERR(e, FORMAT,
                   "The record of model %.100s is damaged. Remove it with `croft rm` and pull it again.",
                   name);
    *out = m;
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static int dump(const char *p, size_t n, void *arg) { return buf_add(arg, p, n); }

static int write_record(const struct bundle_store *s, const struct bundle_model *m, struct err *e)
{
    char path[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    struct buf text;
    json_t *files = json_array();
    for (int i = 0; i < m->n_files; i++) {
        const struct bundle_file *f = &m->file[i];
        json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:s}", "name", f->name, "sha256", f->sha256, "size",
                              (json_int_t)f->size, "url", f->url, "etag", f->etag);
        if (f->linked) json_object_set_new(o, "linked", json_string(f->linked));
        if (json_array_append_new(files, o)) {
            json_decref(files);
            return ERR(e, FORMAT, "The name of a file of %.100s is not valid UTF-8, or memory ran out.",
                       m->name);
        }
    }
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "format", 1, "name", m->name, "source",
                          m->source, "revision", m->revision, "family", m->family, "quant", m->quant,
                          "pulled_at", m->pulled_at, "files", files);
    buf_init(&text, MAX_RECORD_BYTES);
    int rc = o ? json_dump_callback(o, dump, &text, JSON_INDENT(2)) : -1;
    json_decref(o);
    buf_char(&text, '\n');
    if (rc) {
        rc = ERR(e, NOMEM, "The record of %.100s could not be written as JSON.", m->name);
    } else {
        bundle_store_path(s, path, "models/%s.json", bundle_store_encode(m->name, enc));
        int k = plat_file_write(path, text.data, text.len);
        if (k) rc = err_errno(e, -k, "write the record", path);
    }
    buf_done(&text);
    return rc;
}

/* ---- links --------------------------------------------------------------------------------------------- */

/* models/<name>/<file> → ../../blobs/sha256-<hex>, or the absolute path of a linked file. */
static const char *link_target(const struct bundle_file *f, char out[BUNDLE_PATH])
{
    snprintf(out, BUNDLE_PATH, "%s%s", f->linked ? "" : "../../blobs/sha256-",
             f->linked ? f->linked : f->sha256);
    return out;
}

static bool link_good(const char *path, const struct bundle_file *f)
{
    char now[BUNDLE_PATH], want[BUNDLE_PATH];
    ssize_t n = readlink(path, now, sizeof now - 1);
    if (n < 0) return false;
    now[n] = 0;
    return strcmp(now, link_target(f, want)) == 0;
}

bool bundle_record_links_good(const struct bundle_store *s, const struct bundle_model *m)
{
    char path[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    bundle_store_encode(m->name, enc);
    for (int i = 0; i < m->n_files; i++)
        if (!link_good(bundle_store_path(s, path, "models/%s/%s", enc, m->file[i].name), &m->file[i]))
            return false;
    return true;
}

static bool has_file(const struct bundle_model *m, const char *name)
{
    for (int i = 0; i < m->n_files; i++)
        if (strcmp(m->file[i].name, name) == 0) return true;
    return false;
}

/* Each link is replaced by a rename, so a reader finds either the old file or the new one. */
int bundle_record_link(const struct bundle_store *s, const struct bundle_model *m, struct err *e)
{
    char path[BUNDLE_PATH], tmp[BUNDLE_PATH], target[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    bundle_store_encode(m->name, enc);
    int k = plat_dir_make(bundle_store_path(s, path, "models/%s", enc));
    if (k) return err_errno(e, -k, "create the folder", path);
    for (int i = 0; i < m->n_files; i++) {
        bundle_store_path(s, path, "models/%s/%s", enc, m->file[i].name);
        if (link_good(path, &m->file[i])) continue;
        bundle_store_path(s, tmp, "models/%s/.new", enc);
        unlink(tmp);
        if (symlink(link_target(&m->file[i], target), tmp) || rename(tmp, path))
            return err_errno(e, errno, "link", path);
    }
    bundle_dir_sync(bundle_store_path(s, path, "models/%s", enc));
    return 0;
}

/* Links of an earlier version under names that the new one does not have. */
static void drop_old_links(const struct bundle_store *s, const struct bundle_model *m)
{
    char path[BUNDLE_PATH], enc[BUNDLE_NAME_BYTES];
    DIR *d = opendir(bundle_store_path(s, path, "models/%s", bundle_store_encode(m->name, enc)));
    if (!d) return;
    for (struct dirent *x; (x = readdir(d));)
        if (strcmp(x->d_name, ".") && strcmp(x->d_name, "..") && !has_file(m, x->d_name))
            unlinkat(dirfd(d), x->d_name, 0);
    closedir(d);
}

/* ---- blobs --------------------------------------------------------------------------------------------- */

static bool refers(const struct bundle_model *m, const char *sha256)
{
    for (int i = 0; i < m->n_files; i++)
        if (!m->file[i].linked && strcmp(m->file[i].sha256, sha256) == 0) return true;
    return false;
}

int bundle_record_drop_blobs(struct bundle_store *s, const struct bundle_model *only, int64_t *freed,
                             struct err *e)
{
    char path[BUNDLE_PATH];
    struct bundle_list l;
    struct stat st;
    int rc = bundle_store_list(s, &l, e);
    if (rc) return rc;
    bool known = true; /* a damaged record may refer to anything: then nothing is dropped */
    for (int i = 0; i < l.n; i++) known = known && !l.model[i].broken;
    DIR *d = known ? opendir(bundle_store_path(s, path, "blobs")) : NULL;
    for (struct dirent *x; d && (x = readdir(d));) {
        const char *sha = x->d_name + 7;
        if (!str_starts(x->d_name, "sha256-") || !bundle_sha256_valid(sha) || (only && !refers(only, sha)))
            continue;
        bool used = false;
        for (int i = 0; i < l.n && !used; i++) used = refers(&l.model[i], sha);
        if (used || fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
        if (unlinkat(dirfd(d), x->d_name, 0) == 0) *freed += st.st_size;
    }
    if (d) closedir(d);
    bundle_list_done(&l);
    return 0;
}

int bundle_record_commit(struct bundle_store *s, const struct bundle_model *m, struct err *e)
{
    char path[BUNDLE_PATH];
    struct bundle_model old;
    struct stat st;
    int64_t freed = 0;
    int fd = bundle_store_lock(s, "lock", false, &(struct bundle_wait){0}, e);
    if (fd < 0) return fd;
    int rc = 0;
    for (int i = 0; rc == 0 && i < m->n_files; i++) {
        const struct bundle_file *f = &m->file[i];
        if (!f->linked && (stat(bundle_store_blob(s, path, f->sha256), &st) || st.st_size != f->size))
            rc = ERR(e, BUSY, "Another process removed %.100s from the store meanwhile. Pull it again.",
                     f->name);
    }
    bool had = rc == 0 && bundle_record_read(s, m->name, &old, NULL) == 0;
    if (rc == 0) rc = bundle_record_link(s, m, e);
    if (rc == 0) rc = write_record(s, m, e);
    if (rc == 0) {
        drop_old_links(s, m);
        /* The model is in place: old blobs that stay behind are no failure (rm --unused finds them). */
        if (had && bundle_record_drop_blobs(s, &old, &freed, NULL)) freed = 0;
    }
    if (had) bundle_model_done(&old);
    bundle_store_unlock(fd);
    return rc;
}
