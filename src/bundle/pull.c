/* A pull from start to end: what is meant, what is here already, fetch what is missing, make it a model.
 *
 *     plan      source → record with name, files, digests and sizes as far as the publisher tells
 *     present?  the same files under the same name: nothing to do
 *     fetch     file by file (part.c); blobs that are here are not fetched again
 *     commit    record.c, under the store's lock: the moment the model exists or changes
 *
 * Owns: the record under construction. Threads: one per pull. Invariants: until commit nothing visible
 * changes; a pull holds pulls.lock (shared), so that sweep does not remove what it needs. Read next: hf.c,
 * part.c, record.c. */
#include "bundle_pull.h"
#include "base_clock.h"
#include "base_mem.h"
#include "base_str.h"
#include "hf.h"
#include "net_http.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

struct pull {
    struct bundle_pull_state st;
    struct bundle_model m;      /* the record under construction */
    struct bundle_hf_spec spec; /* when the source is the hub */
    const char *urls[1000];     /* in m.mem: what to open for each file, query included */
    char token[512];
    char note[320];
    bool hub, local;
};

static int text(struct pull *p, const char *s, const char **out, struct err *e)
{
    const char *c = bundle_model_text(&p->m, s);
    if (!c) return err_nomem(e, strlen(s));
    *out = c;
    return 0;
}

/* ---- names --------------------------------------------------------------------------------------------- */

/* Under `name` something else may be stored already. 0: free or the same source. */
static int name_taken(struct pull *p, const char *name, struct err *e)
{
    struct bundle_model old;
    int rc = bundle_record_read(p->st.store, name, &old, NULL);
    if (rc == CROFT_E_NOT_FOUND || rc == CROFT_E_FORMAT) return 0;
    if (rc) return err_nomem(e, 0);
    if (strcmp(old.source, p->m.source))
        rc = ERR(e, USAGE,
                 "The name %.70s is taken by %.90s. Choose another with --name, or remove that one with "
                 "`croft rm`.",
                 name, old.source);
    bundle_model_done(&old);
    return rc;
}

/* The name asked for, or the default one; the hub's owner comes before it when another owner's model has
 * the name. */
static int choose_name(struct pull *p, const char *repo, const char *file, struct err *e)
{
    char name[BUNDLE_NAME_BYTES], quant[32], family[32], longer[2 * BUNDLE_NAME_BYTES],
        folded[BUNDLE_NAME_BYTES];
    const char *asked = p->st.q->name;
    bundle_name_quant(file, quant);
    bundle_name_family(file, family);
    int rc = text(p, quant, &p->m.quant, e);
    if (!rc) rc = text(p, family, &p->m.family, e);
    if (rc) return rc;
    if (asked ? !bundle_name_fold(asked, name) : !bundle_name_default(repo, file, name))
        return ERR(e, USAGE,
                   "'%.80s' cannot be a model name. Use letters, digits and ._- as NAME or NAME:TAG%s.",
                   asked ? asked : file, asked ? "" : " with --name");
    rc = name_taken(p, name, e);
    if (rc == CROFT_E_USAGE && p->hub && !asked) {
        snprintf(longer, sizeof longer, "%.*s/%s", (int)strcspn(p->spec.repo, "/"), p->spec.repo, name);
        if (bundle_name_fold(longer, folded)) {
            rc = name_taken(p, folded, e);
            snprintf(name, sizeof name, "%s", folded);
        }
    }
    return rc ? rc : text(p, name, &p->m.name, e);
}

static int room_for_files(struct pull *p, int n, struct err *e)
{
    p->m.file = arena_alloc(&p->m.mem, (size_t)n * sizeof *p->m.file);
    if (!p->m.file) return err_nomem(e, (size_t)n * sizeof *p->m.file);
    for (int i = 0; i < n; i++)
        p->m.file[i] = (struct bundle_file){.name = "", .url = "", .etag = "", .size = -1};
    p->m.n_files = n;
    return 0;
}

/* --sha256 names one file's digest; the publisher's own must not differ. */
static int apply_sha256(struct pull *p, struct err *e)
{
    const char *want = p->st.q->sha256;
    char low[65];
    if (!want) return 0;
    if (p->m.n_files != 1)
        return ERR(e, USAGE, "--sha256 is for sources of one file; this one has %d.", p->m.n_files);
    snprintf(low, sizeof low, "%s", want);
    for (char *c = low; *c; c++)
        if (*c >= 'A' && *c <= 'F') *c = (char)(*c + 32);
    if (strlen(want) != 64 || !bundle_sha256_valid(low))
        return ERR(e, USAGE, "--sha256 needs 64 hexadecimal digits.");
    struct bundle_file *f = &p->m.file[0];
    if (f->sha256[0] && strcmp(f->sha256, low))
        return ERR(e, DIGEST, "The publisher lists SHA-256 %.12s… for %.80s, not the %.12s… asked for.",
                   f->sha256, f->name, low);
    memcpy(f->sha256, low, 65);
    return 0;
}

/* ---- the hub ------------------------------------------------------------------------------------------- */

/* File `i` of the plan. */
static int hub_file(struct pull *p, int i, struct bundle_hf_entry *x, char commit[65], struct err *e)
{
    struct bundle_file *f = &p->m.file[i];
    struct buf url;
    int rc = x->sha256[0] && x->size >= 0 ? 0 : bundle_hf_ask_file(&p->st, &p->spec, x, commit, e);
    if (rc) return rc;
    buf_init(&url, 4096);
    bundle_hf_url(&url, &p->spec, commit[0] ? commit : p->spec.revision, x->path);
    rc = buf_check(&url, "URL", e);
    if (!rc) rc = text(p, url.data, &f->url, e);
    if (!rc) rc = text(p, bundle_base_name(x->path), &f->name, e);
    buf_done(&url);
    p->urls[i] = f->url;
    memcpy(f->sha256, x->sha256, 65);
    f->size = x->size;
    return rc;
}

/* All parts of the set that `first` begins, or `first` alone. */
static int hub_files(struct pull *p, const struct bundle_hf_listing *l, const struct bundle_hf_entry *first,
                     char commit[65], struct err *e)
{
    int part, n;
    size_t stem;
    if (!bundle_name_split(first->path, &part, &n, &stem)) n = 1;
    if (n > (int)(sizeof p->urls / sizeof p->urls[0]))
        return ERR(e, LIMIT, "%.120s has too many parts.", first->path);
    int rc = room_for_files(p, n, e);
    for (int i = 0; rc == 0 && i < n; i++) {
        char path[300];
        struct bundle_hf_entry x = {.path = first->path, .size = -1};
        if (n > 1) {
            snprintf(path, sizeof path, "%.*s-%05d-of-%05d%s", (int)stem, first->path, i + 1, n,
                     first->path + strlen(first->path) - 5);
            x.path = path;
        }
        bool listed = l->n == 0; /* a file named by the user was not looked up in a list */
        for (int k = 0; k < l->n; k++)
            if (strcmp(l->entry[k].path, x.path) == 0) {
                x = l->entry[k];
                listed = true;
            }
        if (!listed)
            return ERR(e, NOT_FOUND, "Part %d of %d is missing on the hub: %.160s.", i + 1, n, x.path);
        rc = hub_file(p, i, &x, commit, e);
    }
    return rc;
}

static int plan_hub(struct pull *p, struct err *e)
{
    struct bundle_hf_listing l;
    struct bundle_hf_entry named = {.path = p->spec.file, .size = -1};
    const struct bundle_hf_entry *first = &named;
    char commit[65] = "", source[420];
    bundle_hf_listing_init(&l);
    int rc = 0;
    if (!p->spec.file[0]) {
        rc = bundle_hf_ask(&p->st, &p->spec, &l, e);
        if (!rc) rc = bundle_hf_choose(&l, &p->spec, &first, e);
        memcpy(commit, l.commit, sizeof commit);
    }
    if (!rc) rc = hub_files(p, &l, first, commit, e);
    if (!rc) {
        snprintf(source, sizeof source, "hf:%s/%s", p->spec.repo, first->path);
        rc = text(p, source, &p->m.source, e);
    }
    if (!rc) rc = text(p, commit[0] ? commit : p->spec.revision, &p->m.revision, e);
    if (!rc) rc = choose_name(p, p->spec.file[0] ? NULL : p->spec.repo, first->path, e);
    bundle_hf_listing_done(&l);
    return rc;
}

/* The model that was pulled from this source earlier: chosen among the store's models as it would be on
 * the hub. */
static int find_local_hub(struct pull *p, struct bundle_model *out)
{
    struct bundle_list l;
    struct bundle_hf_listing have;
    const struct bundle_hf_entry *hit = NULL;
    char prefix[110];
    int n = snprintf(prefix, sizeof prefix, "hf:%s/", p->spec.repo), at = -1;
    if (bundle_store_list(p->st.store, &l, NULL)) return -1;
    bundle_hf_listing_init(&have);
    int rc = 0;
    for (int i = 0; rc == 0 && i < l.n; i++)
        if (!l.model[i].broken && str_starts(l.model[i].source, prefix))
            rc = bundle_hf_listing_add(&have, l.model[i].source + n, NULL, -1);
    if (rc == 0 && p->spec.file[0]) {
        for (int i = 0; i < have.n; i++)
            if (strcmp(have.entry[i].path, p->spec.file) == 0) hit = &have.entry[i];
    } else if (rc == 0 && bundle_hf_choose(&have, &p->spec, &hit, NULL)) {
        hit = NULL;
    }
    for (int i = 0; hit && i < l.n; i++) {
        if (l.model[i].broken || !str_starts(l.model[i].source, prefix) ||
            strcmp(l.model[i].source + n, hit->path))
            continue;
        if (!p->st.q->name || strcasecmp(p->st.q->name, l.model[i].name) == 0) at = i;
    }
    bundle_hf_listing_done(&have);
    if (at >= 0) {
        *out = l.model[at];
        l.model[at] = l.model[--l.n];
    }
    bundle_list_done(&l);
    return at >= 0 ? 0 : -1;
}

/* ---- other sources ------------------------------------------------------------------------------------- */

static int plan_url(struct pull *p, struct err *e)
{
    struct net_url u;
    struct buf plain;
    const char *source = p->st.q->source;
    int rc = net_url_parse(source, &u, e);
    if (!rc) rc = room_for_files(p, 1, e);
    if (rc) return rc;
    buf_init(&plain, 4096);
    net_url_plain(&plain, source);
    rc = buf_check(&plain, "URL", e);
    struct bundle_file *f = &p->m.file[0];
    if (!rc) rc = text(p, plain.data, &p->m.source, e);
    buf_done(&plain);
    if (rc) return rc;
    f->url = p->m.source;
    p->urls[0] = source;
    const char *base = bundle_base_name(f->url);
    bool gguf = str_ends(base, ".gguf") && bundle_file_name_valid(base) && !strchr(base, '%');
    if (!gguf && !p->st.q->name)
        return ERR(e, USAGE,
                   "The URL does not end in a plain FILE.gguf, so the model needs a name: --name NAME.");
    rc = text(p, gguf ? base : "model.gguf", &f->name, e);
    return rc ? rc : choose_name(p, NULL, f->name, e);
}

static int plan_local(struct pull *p, struct err *e)
{
    char real[PATH_MAX], path[PATH_MAX], source[PATH_MAX + 8];
    int part, n = 1;
    size_t stem = 0;
    if (!realpath(p->st.q->source, real)) return err_errno(e, errno, "open", p->st.q->source);
    /* A link of a store points to a blob without a name: keep the name the user gave. */
    const char *base = bundle_base_name(p->st.q->source);
    if (!bundle_file_name_valid(base))
        return ERR(e, USAGE, "Rename '%.120s' to plain letters and digits first.", base);
    if (bundle_name_split(base, &part, &n, &stem) && part != 1)
        return ERR(e, USAGE, "'%.120s' is part %d of a set. Name its first part.", base, part);
    int rc = room_for_files(p, n > 1 ? n : 1, e);
    if (n > 1000) return ERR(e, LIMIT, "'%.120s' has too many parts.", base);
    for (int i = 0; rc == 0 && i < p->m.n_files; i++) {
        snprintf(path, sizeof path, "%s", real);
        if (n > 1)
            snprintf(path, sizeof path, "%.*s%.*s-%05d-of-%05d%s", (int)(base - p->st.q->source),
                     p->st.q->source, (int)stem, base, i + 1, n, base + strlen(base) - 5);
        if (n > 1 && !realpath(path, real)) return err_errno(e, errno, "open", path);
        rc = text(p, n > 1 ? bundle_base_name(path) : base, &p->m.file[i].name, e);
        if (!rc) rc = text(p, real, &p->m.file[i].url, e);
        if (!rc && p->st.q->link) p->m.file[i].linked = p->m.file[i].url;
    }
    if (rc) return rc;
    snprintf(source, sizeof source, "file:%s", p->m.file[0].url);
    rc = text(p, source, &p->m.source, e);
    return rc ? rc : choose_name(p, NULL, base, e);
}

/* ---- what is here already ------------------------------------------------------------------------------ */

static bool same_files(const struct bundle_store *s, const struct bundle_model *a,
                       const struct bundle_model *b)
{
    if (a->n_files != b->n_files) return false;
    for (int i = 0; i < a->n_files; i++) {
        const struct bundle_file *x = &a->file[i], *y = &b->file[i];
        if (!x->sha256[0] || strcmp(x->sha256, y->sha256) || strcmp(x->name, y->name)) return false;
        if (!x->linked != !y->linked || (!y->linked && !bundle_part_present(s, y))) return false;
    }
    return true;
}

static int url_tick(void *arg, const char *pause, struct err *e)
{
    return bundle_pull_tick(arg, BUNDLE_ASK, pause, e);
}

/* A plain URL announces no digest; the same strong ETag means the same bytes. NET when the server cannot
 * be asked. */
static int ask_url(struct pull *p, const struct bundle_model *old, bool *same, struct err *e)
{
    struct net_response r;
    struct net_request n = {.url = p->urls[0],
                            .head = true,
                            .insecure_http = p->st.q->insecure_http,
                            .tries = 2,
                            .stall_s = p->st.q->stall_s,
                            .arg = &p->st,
                            .on_tick = url_tick};
    int rc = net_fetch(&n, &r, e);
    *same = rc == 0 && r.status == 200 && r.etag[0] == '"' && strcmp(r.etag, old->file[0].etag) == 0 &&
            bundle_part_present(p->st.store, &old->file[0]);
    return rc;
}

static int keep_local(struct pull *p, struct bundle_model *old, const char *why)
{
    if (why)
        snprintf(p->note, sizeof p->note, "The server could not be asked for a newer version: %.230s", why);
    bundle_model_done(&p->m);
    p->m = *old;
    return 0;
}

/* Local files of the sizes that the record has are hashed before they are copied once more. */
static int hash_local(struct pull *p, const struct bundle_model *old, struct err *e)
{
    struct stat st;
    int rc = 0;
    bool alike = p->m.n_files == old->n_files;
    for (int i = 0; alike && i < p->m.n_files; i++)
        alike = stat(p->m.file[i].url, &st) == 0 && st.st_size == old->file[i].size;
    for (int i = 0; alike && rc == 0 && i < p->m.n_files; i++)
        rc = bundle_part_copy(&p->st, p->m.file[i].url, &p->m.file[i], true, e);
    return rc;
}

static bool files_here(const struct bundle_store *s, const struct bundle_model *m)
{
    for (int i = 0; i < m->n_files; i++)
        if (!m->file[i].linked && !bundle_part_present(s, &m->file[i])) return false;
    return true;
}

/* The plan; *done when nothing is to be fetched. */
static int plan(struct pull *p, bool *done, struct err *e)
{
    struct bundle_model old;
    int rc;
    if (p->hub) {
        bool local = find_local_hub(p, &old) == 0;
        if (local && !files_here(p->st.store, &old)) {
            bundle_model_done(&old);
            local = false;
        }
        bool pinned =
            local && bundle_hf_is_commit(p->spec.revision) && strcmp(p->spec.revision, old.revision) == 0;
        rc = pinned ? 0 : plan_hub(p, e);
        if (pinned || (rc == CROFT_E_NET && local)) {
            *done = true;
            return keep_local(p, &old, pinned ? NULL : e ? e->msg : "");
        }
        if (local) bundle_model_done(&old);
    } else {
        rc = p->local ? plan_local(p, e) : plan_url(p, e);
    }
    if (rc == 0) rc = apply_sha256(p, e);
    if (rc || bundle_record_read(p->st.store, p->m.name, &old, NULL)) return rc;
    if (p->local) rc = hash_local(p, &old, e);
    bool same = rc == 0 && same_files(p->st.store, &p->m, &old);
    if (!same && !p->hub && !p->local && !p->m.file[0].sha256[0]) {
        rc = ask_url(p, &old, &same, e);
        if (rc == CROFT_E_NET && files_here(p->st.store, &old)) {
            *done = true;
            return keep_local(p, &old, e ? e->msg : "");
        }
    }
    if (rc == 0 && same && strcmp(p->m.revision, old.revision) == 0) {
        *done = true;
        return keep_local(p, &old, NULL);
    }
    bundle_model_done(&old);
    return rc;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static int check_room(struct pull *p, struct err *e)
{
    int64_t need = 0;
    for (int i = 0; i < p->m.n_files; i++) {
        const struct bundle_file *f = &p->m.file[i];
        if (f->size < 0 || f->linked || bundle_part_present(p->st.store, f)) continue;
        int64_t left = f->sha256[0] ? f->size - bundle_part_bytes(p->st.store, f->sha256) : f->size;
        if (left > 0 && __builtin_add_overflow(need, left, &need)) need = INT64_MAX;
        if (p->st.q->max_bytes > 0 && f->size > p->st.q->max_bytes) {
            char a[16], b[16];
            return ERR(e, LIMIT, "%.100s has %s, more than --max-size allows (%s).", f->name,
                       bundle_human_bytes(f->size, a), bundle_human_bytes(p->st.q->max_bytes, b));
        }
    }
    return bundle_part_room(p->st.store, need, e);
}

static int get_files(struct pull *p, struct err *e)
{
    int rc = check_room(p, e);
    p->m.size = 0;
    for (int i = 0; rc == 0 && i < p->m.n_files; i++) {
        struct bundle_file *f = &p->m.file[i];
        p->st.now.index = i + 1;
        p->st.now.n_files = p->m.n_files;
        rc = p->local ? bundle_part_copy(&p->st, f->url, f, p->st.q->link, e)
                      : bundle_part_fetch(&p->st, p->urls[i], f, &p->m.mem, e);
        if (rc == 0 && __builtin_add_overflow(p->m.size, f->size, &p->m.size)) p->m.size = INT64_MAX;
    }
    return rc;
}

static int stamp(struct pull *p, struct err *e)
{
    char at[32];
    time_t now = (time_t)clock_unix_s();
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text(p, at, &p->m.pulled_at, e);
}

/* What the record under that name was before: decides between pulled, updated and present. */
static enum bundle_outcome compare_old(struct pull *p)
{
    struct bundle_model old;
    if (bundle_record_read(p->st.store, p->m.name, &old, NULL)) return BUNDLE_PULLED;
    bool same = same_files(p->st.store, &p->m, &old);
    bundle_model_done(&old);
    return same ? BUNDLE_PRESENT : BUNDLE_UPDATED;
}

static int set_source(struct pull *p, struct err *e)
{
    const char *s = p->st.q->source;
    struct stat st;
    p->hub = bundle_hf_is_source(s);
    p->local = !p->hub && !strstr(s, "://");
    if (p->local && stat(s, &st) && !strchr(s, '.'))
        return ERR(
            e, USAGE,
            "'%.100s' is no file and no source. Write hf:OWNER/REPO:QUANT, https://HOST/FILE.gguf or the "
            "path of a GGUF file.",
            s);
    if (p->st.q->link && !p->local) return ERR(e, USAGE, "--link is for local files.");
    if (!p->hub) return 0;
    bundle_hf_token(p->token);
    if (p->token[0]) p->st.bearer = p->token;
    return bundle_hf_parse(s, &p->spec, e);
}

int bundle_pull(struct bundle_store *s, const struct bundle_pull_request *q, struct bundle_pull_result *out,
                struct err *e)
{
    struct err mine; /* the reason for "could not be asked" is needed even when the caller wants none */
    if (!e) e = &mine;
    struct pull *p = mem_calloc(1, sizeof *p);
    if (!p) return err_nomem(e, sizeof *p);
    bool done = false;
    enum bundle_outcome outcome = BUNDLE_PRESENT;
    p->st.store = s;
    p->st.q = q;
    p->st.now = (struct bundle_progress){.index = 1, .n_files = 1, .total = -1};
    bundle_model_init(&p->m);
    int lock = -1, rc = set_source(p, e);
    if (rc == 0) rc = lock = bundle_store_lock(s, "pulls.lock", true, &(struct bundle_wait){0}, e);
    if (rc >= 0) rc = plan(p, &done, e);
    if (rc == 0 && !done) {
        rc = get_files(p, e);
        outcome = compare_old(p);
        if (rc == 0) rc = stamp(p, e);
        if (rc == 0) rc = bundle_record_commit(s, &p->m, e);
    }
    bundle_store_unlock(lock);
    if (rc == 0) {
        *e = (struct err){0};
        *out = (struct bundle_pull_result){.outcome = outcome, .model = p->m, .fetched_bytes = p->st.fetched};
        memcpy(out->note, p->note, sizeof out->note);
    } else {
        bundle_model_done(&p->m);
    }
    mem_free(p);
    return rc;
}
