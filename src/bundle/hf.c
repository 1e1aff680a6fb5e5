/* The hub's side of a pull (hf.h).
 *
 *     GET  {endpoint}/api/models/OWNER/REPO/revision/REV?blobs=true
 *              { "sha", "siblings": [ { "rfilename", "size", "lfs": { "sha256", "size" } } ] }
 *     GET  {endpoint}/api/models/OWNER/REPO/tree/REV?recursive=true       (when a mirror lacks the first)
 *              [ { "type", "path", "size", "lfs": { "oid", "size" } } ]
 *     HEAD {endpoint}/OWNER/REPO/resolve/REV/PATH
 *              X-Repo-Commit: <commit>   X-Linked-Etag: "<sha256>"   X-Linked-Size: <bytes>
 *     GET  the same, redirects to the content
 *
 * Owns: an arena per listing. Threads: none. Invariants: everything in an answer is hostile: paths that
 * could not be file names are ignored, digests are 64 hex digits or unknown, sizes are not negative. Read
 * next: pull.c. */
#include "hf.h"
#include "base_mem.h"
#include "base_str.h"
#include "net_http.h"

#include <ctype.h>
#include <jansson.h>
#include <limits.h>

#define MAX_ANSWER_BYTES (16u << 20)
#define MAX_ENTRIES 20000

/* ---- the user's words ---------------------------------------------------------------------------------- */

static const char *endpoint(void)
{
    const char *s = getenv("HF_ENDPOINT");
    return s && *s ? s : "https://huggingface.co";
}

bool bundle_hf_is_source(const char *s)
{
    const char *ep = endpoint();
    size_t n = strlen(ep);
    while (n > 0 && ep[n - 1] == '/') n--;
    if (str_starts(s, "hf:")) return true;
    if (strncasecmp(s, ep, n) || s[n] != '/') return false;
    return strstr(s + n, "/resolve/") || strstr(s + n, "/blob/");
}

bool bundle_hf_is_commit(const char *r) { return strlen(r) == 40 && strspn(r, "0123456789abcdef") == 40; }

static bool copy(char *out, size_t cap, const char *s, size_t n)
{
    if (n >= cap) return false;
    memcpy(out, s, n);
    out[n] = 0;
    return true;
}

static bool repo_valid(const char *repo)
{
    const char *slash = strchr(repo, '/');
    return slash && !strchr(slash + 1, '/') && bundle_file_path_valid(repo) && !strpbrk(repo, " ?#%&");
}

/* OWNER/REPO/resolve/REV/PATH or …/blob/… behind the endpoint */
static bool parse_web(const char *rest, struct bundle_hf_spec *o)
{
    const char *mark = strstr(rest, "/resolve/");
    size_t skip = 9;
    if (!mark) {
        mark = strstr(rest, "/blob/");
        skip = 6;
    }
    if (!mark) return false;
    const char *rev = mark + skip, *path = strchr(rev, '/');
    return path && copy(o->repo, sizeof o->repo, rest, (size_t)(mark - rest)) &&
           copy(o->revision, sizeof o->revision, rev, (size_t)(path - rev)) &&
           copy(o->file, sizeof o->file, path + 1, strcspn(path + 1, "?#"));
}

/* OWNER/REPO[@REV][:QUANT][@REV] or OWNER/REPO[@REV]/PATH.gguf[@REV] */
static bool parse_short(const char *s, struct bundle_hf_spec *o)
{
    const char *slash = strchr(s, '/');
    if (!slash) return false;
    size_t n = (size_t)(slash - s) + 1 + strcspn(slash + 1, "/@:");
    if (!copy(o->repo, sizeof o->repo, s, n)) return false;
    s += n;
    while (*s) {
        char sep = *s++;
        /* a revision runs up to a quantisation; up to a '/' only when a file follows */
        const char *dot = strstr(s, ".gguf");
        n = sep == '/' ? strcspn(s, "@") : strcspn(s, sep == '@' ? (dot ? "/:" : ":") : "@");
        char *field = sep == '/' ? o->file : sep == '@' ? o->revision : o->quant;
        size_t cap = sep == '/' ? sizeof o->file : sep == '@' ? sizeof o->revision : sizeof o->quant;
        if (n == 0 || (*field && sep != '@') || !copy(field, cap, s, n)) return false;
        s += n;
    }
    return !(o->file[0] && o->quant[0]);
}

int bundle_hf_parse(const char *source, struct bundle_hf_spec *out, struct err *e)
{
    struct bundle_hf_spec o = {.revision = ""};
    const char *ep = endpoint();
    size_t n = strlen(ep);
    while (n > 0 && ep[n - 1] == '/') n--;
    if (!copy(o.endpoint, sizeof o.endpoint, ep, n)) return ERR(e, USAGE, "HF_ENDPOINT is too long.");
    bool good = str_starts(source, "hf:") ? parse_short(source + 3, &o) : parse_web(source + n + 1, &o);
    if (!o.revision[0]) snprintf(o.revision, sizeof o.revision, "main");
    if (good)
        good = repo_valid(o.repo) && bundle_file_path_valid(o.revision) &&
               (!o.quant[0] || bundle_file_name_valid(o.quant));
    if (good && o.file[0]) {
        good = bundle_file_path_valid(o.file);
        if (good && (strlen(o.file) < 6 || strcasecmp(o.file + strlen(o.file) - 5, ".gguf")))
            return ERR(e, USAGE, "'%.160s' is not a .gguf file.", o.file);
    }
    if (!good)
        return ERR(e, USAGE, "'%.140s' is not a source. Write hf:OWNER/REPO, hf:OWNER/REPO:QUANT or "
                             "hf:OWNER/REPO/FILE.gguf, each with @REVISION if need be.", source);
    *out = o;
    return 0;
}

static bool read_token_file(const char *dir, const char *tail, char out[512])
{
    char path[1024];
    if (!dir || !*dir || snprintf(path, sizeof path, "%s%s", dir, tail) >= (int)sizeof path) return false;
    FILE *f = fopen(path, "re");
    if (!f) return false;
    size_t n = fread(out, 1, 511, f);
    fclose(f);
    out[n] = 0;
    return true;
}

void bundle_hf_token(char out[512])
{
    const char *s = getenv("HF_TOKEN");
    out[0] = 0;
    if (!s || !*s) s = getenv("HUGGING_FACE_HUB_TOKEN");
    if (s && *s) snprintf(out, 512, "%s", s);
    else if (!read_token_file(getenv("HF_TOKEN_PATH"), "", out) &&
             !read_token_file(getenv("HF_HOME"), "/token", out) &&
             !read_token_file(getenv("XDG_CACHE_HOME"), "/huggingface/token", out))
        read_token_file(getenv("HOME"), "/.cache/huggingface/token", out);
    size_t skip = strspn(out, " \t\r\n");
    memmove(out, out + skip, strlen(out + skip) + 1);
    out[strcspn(out, " \t\r\n")] = 0;
    for (const char *c = out; *c; c++)
        if (*c < '!' || *c > '~') out[0] = 0;
}

/* ---- listings ------------------------------------------------------------------------------------------ */

void bundle_hf_listing_init(struct bundle_hf_listing *l)
{
    *l = (struct bundle_hf_listing){0};
    arena_init(&l->mem, MAX_ANSWER_BYTES);
}

void bundle_hf_listing_done(struct bundle_hf_listing *l)
{
    mem_free(l->entry);
    arena_done(&l->mem);
}

int bundle_hf_listing_add(struct bundle_hf_listing *l, const char *path, const char *sha256, int64_t size)
{
    if (!str_ends(path, ".gguf") && !str_ends(path, ".GGUF")) return 0;
    if (!bundle_file_path_valid(path) || l->n >= MAX_ENTRIES) return 0;
    if (l->n == l->cap) {
        int cap = l->cap ? l->cap * 2 : 64;
        struct bundle_hf_entry *p = mem_realloc(l->entry, (size_t)cap * sizeof *p);
        if (!p) return CROFT_E_NOMEM;
        l->entry = p;
        l->cap = cap;
    }
    struct bundle_hf_entry *x = &l->entry[l->n];
    *x = (struct bundle_hf_entry){.size = size >= 0 ? size : -1};
    x->path = arena_strndup(&l->mem, path, strlen(path));
    if (!x->path) return CROFT_E_NOMEM;
    if (sha256 && bundle_sha256_valid(sha256)) memcpy(x->sha256, sha256, 65);
    l->n++;
    return 0;
}

static int64_t int_of(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* Either answer: an object with "siblings", or an array. */
static int parse_listing(struct bundle_hf_listing *l, const struct buf *body, struct err *e)
{
    json_t *root = json_loadb(body->data ? body->data : "", body->len, 0, NULL);
    json_t *list = json_is_array(root) ? root : json_object_get(root, "siblings");
    const char *sha = json_string_value(json_object_get(root, "sha"));
    int rc = json_is_array(list) ? 0
                                 : ERR(e, FORMAT,
                                       "The hub's answer is not the list of files that was asked for. "
                                       "Check HF_ENDPOINT.");
    if (sha && bundle_hf_is_commit(sha)) snprintf(l->commit, sizeof l->commit, "%s", sha);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        json_t *o = json_array_get(list, i), *lfs = json_object_get(o, "lfs");
        const char *path = json_string_value(json_object_get(o, "rfilename"));
        const char *oid = json_string_value(json_object_get(lfs, "sha256"));
        if (!path) path = json_string_value(json_object_get(o, "path"));
        if (!oid) oid = json_string_value(json_object_get(lfs, "oid"));
        if (oid && str_starts(oid, "sha256:")) oid += 7;
        int64_t size = int_of(lfs, "size");
        if (size < 0) size = int_of(o, "size");
        if (path && bundle_hf_listing_add(l, path, oid, size)) rc = err_nomem(e, 0);
    }
    json_decref(root);
    return rc;
}

static int status_error(const struct bundle_hf_spec *spec, const char *what, int status, bool token,
                        struct err *e)
{
    if (status == 401 || status == 403)
        return ERR(
            e, DENIED,
            "The hub does not give out %.90s (status %d). It may be gated, private, or not exist: accept "
            "its terms on its page, then set HF_TOKEN%s.",
            what, status, token ? " to a token that may read it" : "");
    if (status == 404 || status == 410)
        return ERR(e, NOT_FOUND, "The hub has no %.120s at revision %.60s. Check owner, name and revision.",
                   what, spec->revision);
    return net_status_error(spec->endpoint, status, e);
}

static int tick(void *arg, const char *pause, struct err *e)
{
    return bundle_pull_tick(arg, BUNDLE_ASK, pause, e);
}

static int get_listing(struct bundle_pull_state *p, const struct bundle_hf_spec *spec, bool tree,
                       struct buf *body, int *status, struct err *e)
{
    struct buf url;
    struct net_response r;
    buf_init(&url, 4096);
    buf_fmt(&url, "%s/api/models/%s/%s/", spec->endpoint, spec->repo, tree ? "tree" : "revision");
    net_url_encode(&url, spec->revision, false);
    buf_str(&url, tree ? "?recursive=true" : "?blobs=true");
    int rc = buf_check(&url, "URL", e);
    if (rc == 0) {
        struct net_request n = {.url = url.data,
                                .bearer = p->bearer,
                                .accept = "application/json",
                                .arg = p,
                                .insecure_http = p->q->insecure_http,
                                .stall_s = p->q->stall_s,
                                .on_tick = tick};
        rc = net_get(&n, body, &r, e);
        *status = r.status;
    }
    buf_done(&url);
    return rc;
}

int bundle_hf_ask(struct bundle_pull_state *p, const struct bundle_hf_spec *spec, struct bundle_hf_listing *l,
                  struct err *e)
{
    struct buf body;
    int status = 0;
    buf_init(&body, MAX_ANSWER_BYTES);
    int rc = get_listing(p, spec, false, &body, &status, e);
    if (rc == 0 && status == 404) rc = get_listing(p, spec, true, &body, &status, e);
    if (rc == 0 && (status < 200 || status >= 300))
        rc = status_error(spec, spec->repo, status, p->bearer != NULL, e);
    if (rc == 0) rc = parse_listing(l, &body, e);
    buf_done(&body);
    return rc;
}

int bundle_hf_url(struct buf *out, const struct bundle_hf_spec *spec, const char *revision, const char *path)
{
    buf_fmt(out, "%s/%s/resolve/", spec->endpoint, spec->repo);
    net_url_encode(out, revision, false);
    buf_char(out, '/');
    net_url_encode(out, path, true);
    return out->failed;
}

/* ---- one file's headers -------------------------------------------------------------------------------- */

struct file_headers {
    struct bundle_pull_state *pull;
    char etag[80], commit[65];
    int64_t size;
};

static void on_header(void *arg, const char *name, const char *value)
{
    struct file_headers *h = arg;
    bool linked = strcasecmp(name, "x-linked-etag") == 0;
    if (linked || (strcasecmp(name, "etag") == 0 && !h->etag[0])) {
        if (str_starts(value, "W/")) value += 2;
        if (*value == '"') value++;
        char hex[65];
        snprintf(hex, sizeof hex, "%.*s", (int)strcspn(value, "\""), value);
        if (bundle_sha256_valid(hex) && strcspn(value, "\"") == 64)
            snprintf(h->etag, sizeof h->etag, "%s", hex);
    }
    int64_t n;
    if (strcasecmp(name, "x-linked-size") == 0 && str_to_i64(value, &n) && n >= 0) h->size = n;
    if (strcasecmp(name, "x-repo-commit") == 0 && bundle_hf_is_commit(value))
        snprintf(h->commit, sizeof h->commit, "%s", value);
}

static int header_tick(void *arg, const char *pause, struct err *e)
{
    return tick(((struct file_headers *)arg)->pull, pause, e);
}

int bundle_hf_ask_file(struct bundle_pull_state *p, const struct bundle_hf_spec *spec,
                       struct bundle_hf_entry *x, char commit[65], struct err *e)
{
    struct file_headers h = {.pull = p, .size = -1};
    struct net_response r;
    struct buf url;
    buf_init(&url, 4096);
    bundle_hf_url(&url, spec, commit[0] ? commit : spec->revision, x->path);
    int rc = buf_check(&url, "URL", e);
    if (rc) goto out;
    struct net_request n = {.url = url.data,
                            .head = true,
                            .follow = NET_FOLLOW_SAME_ORIGIN,
                            .bearer = p->bearer,
                            .arg = &h,
                            .insecure_http = p->q->insecure_http,
                            .stall_s = p->q->stall_s,
                            .on_header = on_header,
                            .on_tick = header_tick};
    rc = net_fetch(&n, &r, e);
    if (rc == 0 && r.status >= 400 && r.status != 405 && r.status != 501)
        rc = status_error(spec, x->path, r.status, p->bearer != NULL, e);
    if (rc == 0 && r.status < 400) {
        if (h.size < 0 && r.status == 200) h.size = r.length;
        if (!x->sha256[0]) memcpy(x->sha256, h.etag, 65);
        if (x->size < 0) x->size = h.size;
        if (!commit[0]) memcpy(commit, h.commit, 65);
    }
out:
    buf_done(&url);
    return rc;
}

/* ---- which file ---------------------------------------------------------------------------------------- */

/* Something to run, and the first of its set? Projectors and importance matrices are companions, not
 * models. */
static bool is_candidate(const char *path)
{
    int i, n;
    size_t stem;
    char low[BUNDLE_FILE_NAME_BYTES + 1];
    const char *base = bundle_base_name(path);
    snprintf(low, sizeof low, "%s", base);
    for (char *c = low; *c; c++) *c = (char)tolower((unsigned char)*c);
    if (strstr(low, "mmproj") || strstr(low, "imatrix")) return false;
    return !bundle_name_split(base, &i, &n, &stem) || i == 1;
}

static int count(const struct bundle_hf_listing *l, const char *quant, const struct bundle_hf_entry **hit)
{
    int n = 0;
    for (int i = 0; i < l->n; i++)
        if (is_candidate(l->entry[i].path) && (!*quant || bundle_name_has_quant(l->entry[i].path, quant))) {
            if (n++ == 0) *hit = &l->entry[i];
        }
    return n;
}

/* The quantisations of the candidates that match, or the file names when that would not tell them apart. */
static void describe(const struct bundle_hf_listing *l, const char *quant, struct buf *b)
{
    int more = 0, shown = 0;
    for (int i = 0; i < l->n; i++) {
        char q[32];
        const char *path = l->entry[i].path;
        if (!is_candidate(path) || (*quant && !bundle_name_has_quant(path, quant))) continue;
        bundle_name_quant(path, q);
        const char *word = *quant || !*q ? path : q;
        if (b->len + strlen(word) > 150) more++;
        else buf_fmt(b, "%s%s", shown++ ? ", " : "", word);
    }
    if (more) buf_fmt(b, "%sand %d more", shown ? " " : "", more);
}

int bundle_hf_choose(const struct bundle_hf_listing *l, const struct bundle_hf_spec *spec,
                     const struct bundle_hf_entry **out, struct err *e)
{
    static const char *const order[] = {"Q4_K_M", "Q4_0", "Q8_0", ""};
    const struct bundle_hf_entry *hit = NULL;
    struct buf b;
    int n = 0, rc = 0;
    const char *quant = spec->quant;
    if (*quant) n = count(l, quant, &hit);
    for (int i = 0; !*spec->quant && n == 0 && i < 4; i++) n = count(l, quant = order[i], &hit);
    buf_init(&b, 300);
    if (n > 1) {
        describe(l, quant, &b);
        rc = ERR(e, USAGE, "%.60s has several files for this: %s. Name one: hf:OWNER/REPO%s.", spec->repo,
                 b.data ? b.data : "", *quant ? "/FILE.gguf" : ":QUANT");
    } else if (n == 0) {
        describe(l, "", &b);
        if (b.len) rc = ERR(e, NOT_FOUND, "%.60s has no %.30s. It has %s.", spec->repo, spec->quant, b.data);
        else
            rc = ERR(e, NOT_FOUND, "%.80s has no GGUF model. Look for a repository whose name ends in -GGUF.",
                     spec->repo);
    }
    buf_done(&b);
    if (rc == 0) *out = hit;
    return rc;
}
