/* API keys. A keys file holds one entry a key, and of each key only its SHA-256:
 *
 *     keys:
 *       - name: billing
 *         sha256: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
 *         models: [helpdesk]          left out: all
 *         tasks: [triage]             left out: all
 *         requests_per_minute: 600    left out: no limit
 *         tokens_per_day: 1000000     left out: no limit
 *
 * A key is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess. Every entry is compared,
 * each in constant time. Requests are metered by a token bucket of a minute's worth, tokens by UTC days, spent when
 * an answer is done; budgets live in memory and start anew with the process. The loop's thread, but for
 * serve_key_may_*, _owner and _name, which read what does not change while a request holds the key.
 *
 * A reload replaces the entries of names that stay in place, and retires others: struct serve_key is never freed
 * before the server is, because requests point to it. */
#include "job.h"
#include "base_sha256.h"
#include "task_yaml.h"

#include <math.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { MAX_KEYS = 10000 };

struct serve_key {
    struct serve_key *next;
    uint32_t owner;
    bool retired;
    char *name;
    char sha256[65];
    json_t *models, *tasks;      /* arrays of names, or NULL */
    int64_t per_minute, per_day; /* 0: no limit */
    double bucket, bucket_s;     /* requests left, as of then */
    int64_t day;
    uint64_t spent; /* tokens of that day */
};
struct serve_keys {
    struct serve_key *first;
    uint32_t n_owners;
};

void serve_keys_free(struct serve_keys *k)
{
    if (!k) return;
    for (struct serve_key *x = k->first, *next; x; x = next) {
        next = x->next;
        json_decref(x->models);
        json_decref(x->tasks);
        mem_free(x->name);
        mem_free(x);
    }
    mem_free(k);
}

static int bad_entry(const char *path, size_t i, const char *what, struct err *e)
{
    return ERR(e, FORMAT, "Key %zu of '%.120s': %s.", i + 1, path, what);
}

static bool is_names(json_t *v)
{
    size_t i;
    json_t *name;
    if (!json_is_array(v)) return false;
    json_array_foreach(v, i, name) if (!json_is_string(name)) return false;
    return true;
}

static bool is_sha256(const char *s) { return s && strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64; }

static int read_entry(json_t *o, const char *path, size_t i, struct serve_key *k, struct err *e)
{
    static const char *const known[] = {"name", "sha256", "models", "tasks", "requests_per_minute", "tokens_per_day"};
    const char *field, *sha = json_string_value(json_object_get(o, "sha256"));
    json_t *v;
    if (!json_is_object(o)) return bad_entry(path, i, "an entry has a name and a sha256", e);
    json_object_foreach(o, field, v)
    {
        size_t f = 0;
        while (f < 6 && strcmp(known[f], field) != 0) f++;
        if (f == 6) return ERR(e, FORMAT, "Key %zu of '%.120s': unexpected '%.40s'.", i + 1, path, field);
        if ((f == 2 || f == 3) && !is_names(v)) return bad_entry(path, i, "models and tasks are lists of names", e);
        if (f >= 4 && (!json_is_integer(v) || json_integer_value(v) < 1))
            return bad_entry(path, i, "limits are whole numbers above 0", e);
    }
    const char *name = json_string_value(json_object_get(o, "name"));
    if (!name || !*name) return bad_entry(path, i, "the name is missing", e);
    if (!is_sha256(sha)) return bad_entry(path, i, "sha256 must be 64 lower-case hexadecimal digits", e);
    snprintf(k->sha256, sizeof k->sha256, "%s", sha);
    k->models = json_incref(json_object_get(o, "models"));
    k->tasks = json_incref(json_object_get(o, "tasks"));
    k->per_minute = json_integer_value(json_object_get(o, "requests_per_minute"));
    k->per_day = json_integer_value(json_object_get(o, "tokens_per_day"));
    k->bucket = (double)k->per_minute;
    k->name = mem_strdup(name);
    return k->name ? 0 : err_nomem(e, 0);
}

int serve_keys_load(const char *path, struct serve_keys **out, struct err *e)
{
    json_t *file, *list, *o;
    size_t i;
    int rc = task_yaml_load(path, &file, e);
    if (rc) return rc;
    struct serve_keys *k = mem_calloc(1, sizeof *k);
    list = json_object_get(file, "keys");
    if (!k)
        rc = err_nomem(e, sizeof *k);
    else if (!json_is_array(list) || json_object_size(file) != 1 || json_array_size(list) == 0)
        rc = ERR(e, FORMAT, "'%.120s' must hold one list, `keys`. 'croft serve --new-key NAME' prints an entry.",
                 path);
    else if (json_array_size(list) > MAX_KEYS)
        rc = ERR(e, LIMIT, "'%.120s' has more than %d keys.", path, MAX_KEYS);
    struct serve_key **tail = k ? &k->first : NULL;
    for (i = 0; rc == 0 && (o = json_array_get(list, i)); i++) {
        struct serve_key *key = mem_calloc(1, sizeof *key);
        if (!key) {
            rc = err_nomem(e, sizeof *key);
            break;
        }
        *tail = key;
        tail = &key->next;
        key->owner = ++k->n_owners;
        rc = read_entry(o, path, i, key, e);
        for (struct serve_key *x = k->first; rc == 0 && x != key; x = x->next)
            if (strcmp(x->name, key->name) == 0) rc = bad_entry(path, i, "the name is there twice", e);
    }
    json_decref(file);
    if (rc)
        serve_keys_free(k);
    else
        *out = k;
    return rc;
}

struct serve_key *serve_key_named(struct serve_keys *k, const char *name)
{
    for (struct serve_key *x = k->first; x; x = x->next)
        if (strcmp(x->name, name) == 0) return x;
    return NULL;
}

void serve_keys_replace(struct serve_keys *k, struct serve_keys *fresh)
{
    for (struct serve_key *x = k->first; x; x = x->next) x->retired = true;
    for (struct serve_key *x = fresh->first, *next; x; x = next) {
        struct serve_key *old = serve_key_named(k, x->name);
        next = x->next;
        if (!old) {
            x->owner = ++k->n_owners;
            x->next = k->first;
            k->first = x;
            continue;
        }
        old->retired = false;
        memcpy(old->sha256, x->sha256, sizeof old->sha256);
        old->per_minute = x->per_minute;
        old->per_day = x->per_day;
        /* lists may be read by a preparation thread right now: the old ones stay with the replaced entry */
        json_t *models = old->models, *tasks = old->tasks;
        old->models = x->models;
        old->tasks = x->tasks;
        x->models = models;
        x->tasks = tasks;
        x->retired = true;
        x->next = k->first;
        k->first = x;
        x->name[0] = 0;
    }
    fresh->first = NULL;
    serve_keys_free(fresh);
}

static int sha256_text(const char *p, size_t n, char out[65])
{
    struct sha256 *s = sha256_new();
    if (!s) return CROFT_E_NOMEM;
    sha256_add(s, p, n);
    sha256_hex(s, out);
    return 0;
}

struct serve_key *serve_key_find(struct serve_keys *k, struct str authorization, struct serve_fault *f)
{
    char hash[65];
    struct serve_key *found = NULL;
    bool bearer = authorization.n > 7 && strncasecmp(authorization.p, "Bearer ", 7) == 0;
    if (bearer && sha256_text(authorization.p + 7, authorization.n - 7, hash)) {
        err_nomem(&f->err, 0);
        return NULL;
    }
    for (struct serve_key *x = bearer ? k->first : NULL; x; x = x->next)
        if (CRYPTO_memcmp(x->sha256, hash, 64) == 0 && !x->retired) found = x;
    if (!bearer)
        ERR(&f->err, UNKNOWN_KEY, "This server needs an API key: send 'Authorization: Bearer KEY'.");
    else if (!found)
        ERR(&f->err, UNKNOWN_KEY, "The API key is not valid.");
    return found;
}

bool serve_key_admit(struct serve_key *k, struct serve_fault *f, double *retry_s)
{
    double now = clock_now_s();
    int64_t unix_s = clock_unix_s(), today = unix_s / 86400;
    if (k->per_minute) {
        double rate = (double)k->per_minute / 60;
        k->bucket = fmin((double)k->per_minute, k->bucket + (k->bucket_s > 0 ? (now - k->bucket_s) * rate : 0));
        k->bucket_s = now;
        if (k->bucket < 1) {
            *retry_s = (1 - k->bucket) / rate;
            f->code = "rate_limit_exceeded";
            ERR(&f->err, FULL, "The key '%.40s' may make %lld requests a minute.", k->name, (long long)k->per_minute);
            return false;
        }
    }
    if (k->day != today) {
        k->day = today;
        k->spent = 0;
    }
    if (k->per_day && k->spent >= (uint64_t)k->per_day) {
        *retry_s = (double)((today + 1) * 86400 - unix_s);
        f->code = "insufficient_quota";
        ERR(&f->err, FULL, "The key '%.40s' has used its %lld tokens of today (UTC).", k->name,
            (long long)k->per_day);
        return false;
    }
    k->bucket -= k->per_minute ? 1 : 0;
    return true;
}

static bool has_name(json_t *names, const char *name)
{
    size_t i;
    json_t *v;
    if (!names) return true;
    json_array_foreach(names, i, v) if (strcmp(json_string_value(v), name) == 0) return true;
    return false;
}

bool serve_key_may_model(const struct serve_key *k, const char *name) { return has_name(k->models, name); }
bool serve_key_may_task(const struct serve_key *k, const char *name) { return has_name(k->tasks, name); }
void serve_key_spend(struct serve_key *k, uint64_t tokens) { k->spent += tokens; }
uint32_t serve_key_owner(const struct serve_key *k) { return k->owner; }
const char *serve_key_name(const struct serve_key *k) { return k->name; }

int serve_key_make(const char *name, char key[64], struct buf *out_entry, struct err *e)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[43];
    char hash[65];
    for (const char *p = name; *p; p++)
        if (!strchr(digits, *p)) return ERR(e, USAGE, "A key's name consists of letters, digits, '-' and '_'.");
    if (!*name || strlen(name) > 40) return ERR(e, USAGE, "A key's name has 1 to 40 characters.");
    if (RAND_bytes(random, sizeof random) != 1) return ERR(e, INTERNAL, "There are no random numbers.");
    memcpy(key, "croft-", 6);
    for (size_t i = 0; i < sizeof random; i++) key[6 + i] = digits[random[i] & 63]; /* 258 bits */
    key[6 + sizeof random] = 0;
    if (sha256_text(key, strlen(key), hash)) return err_nomem(e, 0);
    buf_fmt(out_entry, "  - name: %s\n    sha256: \"%s\"\n", name, hash);
    return buf_check(out_entry, "entry", e);
}
