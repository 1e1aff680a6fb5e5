/* Tiers (route_tier.h): is one sound, and its key. Reads files and the environment; owns nothing. The order of the
 * checks is that of the fields in docs/TIERS.md. Read next: gate.c (the perimeter), upstream.c (sending). */
#include "net_url.h"
#include "route_tier.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const route_wires[] = {"openai", "anthropic", "croft", NULL};

const char *route_wire_name(enum route_wire w) { return route_wires[w]; }

int route_wire_find(const char *name)
{
    for (int i = 0; route_wires[i]; i++)
        if (strcmp(route_wires[i], name) == 0) return i;
    return -1;
}

/* ---- checks ---- */

/* USAGE; `field` becomes err.where, so that whoever read the file can name the line. */
#define FAULT(e, field, ...) err_set((e), CROFT_E_USAGE, (field), -1, __VA_ARGS__)

static bool printable(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~') return false;
    return true;
}

static int check_url(const struct route_tier *t, struct err *e)
{
    struct net_url u;
    struct err why;
    if (!t->url || !t->url[0])
        return FAULT(e, "url",
                     "The tier '%s' has no url: give the address up to the version, such as "
                     "https://api.openai.com/v1.",
                     t->name);
    if (net_url_parse(t->url, &u, &why)) return FAULT(e, "url", "The tier '%s': %s", t->name, why.msg);
    if (strpbrk(t->url, "?#"))
        return FAULT(e, "url", "The url of the tier '%s' has a query or a fragment. Give the path up to the version.",
                     t->name);
    if (t->place == ROUTE_DEVICE && !u.loopback)
        return FAULT(
            e, "url",
            "The tier '%s' is said to be on this device, but %s is another machine. Its place is premises or "
            "cloud.",
            t->name, u.host);
    if (strcmp(u.scheme, "http") == 0 && !u.loopback && !t->insecure_http)
        return FAULT(e, "url",
                     "The tier '%s' would be asked over plain http, which anyone on the way can read. Use "
                     "https.",
                     t->name);
    if (strcmp(u.scheme, "http") == 0 && !u.loopback && (t->key_env || t->key_file))
        return FAULT(e, "url", "The key of the tier '%s' would travel over plain http. Use https.", t->name);
    return 0;
}

static int check_classes(const struct route_tier *t, struct err *e)
{
    for (int i = 0; i < t->n_classes; i++) {
        const char *c = t->classes[i];
        if (!route_class_valid(str_of(c)))
            return FAULT(e, "classes",
                         "The tier '%s' lists the data class '%.40s': a class is a word of a-z, 0-9, "
                         "'-', '_' and '.', shorter than %d.",
                         t->name, c, ROUTE_NAME_MAX);
        if (t->place != ROUTE_DEVICE && strcmp(c, ROUTE_LOCAL_ONLY) == 0)
            return FAULT(e, "classes",
                         "The tier '%s' may not list '" ROUTE_LOCAL_ONLY "': such data never leaves this "
                         "device. Remove it.",
                         t->name);
        for (int k = 0; k < i; k++)
            if (strcmp(c, t->classes[k]) == 0)
                return FAULT(e, "classes", "The tier '%s' lists the data class '%s' twice.", t->name, c);
    }
    return 0;
}

/* What may be left out: hints on how to answer, never what is asked or in which form. */
static int check_drop(const struct route_tier *t, struct err *e)
{
    static const char *const known[] = {"temperature",
                                        "top_p",
                                        "top_k",
                                        "min_p",
                                        "typical_p",
                                        "repeat_penalty",
                                        "frequency_penalty",
                                        "presence_penalty",
                                        "logit_bias",
                                        "seed",
                                        "user",
                                        "safety_identifier",
                                        "metadata",
                                        "store",
                                        "service_tier",
                                        "verbosity",
                                        "reasoning_effort",
                                        "prompt_cache_key",
                                        "prompt_cache_retention"};
    for (int i = 0; i < t->n_drop; i++) {
        size_t k = 0, n = sizeof known / sizeof known[0];
        while (k < n && strcmp(t->drop[i], known[k]) != 0) k++;
        if (k == n)
            return FAULT(e, "drop",
                         "The tier '%s' would leave out '%.60s': only hints such as temperature, top_p and "
                         "seed may be left out.",
                         t->name, t->drop[i]);
    }
    return 0;
}

static int check_numbers(const struct route_tier *t, struct err *e)
{
    const struct {
        const char *name;
        double value, max;
    } n[] = {{"connect_s", t->connect_s, 600},
             {"answer_s", t->answer_s, 86400},
             {"stall_s", t->stall_s, 86400},
             {"deadline_s", t->deadline_s, 86400},
             {"max_concurrent", t->max_concurrent, 100000},
             {"max_retries", t->max_retries + 1, 11},
             {"max_tokens", (double)t->max_tokens, 1e9},
             {"max_answer_bytes", (double)t->max_answer_bytes, 1 << 30}};
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        if (!(n[i].value >= 0 && n[i].value <= n[i].max))
            return FAULT(e, n[i].name, "The %s of the tier '%s' is out of range: at most %g.", n[i].name, t->name,
                         n[i].max);
    const struct route_price *p = &t->price;
    if (p->in < 0 || p->out < 0 || p->cached < 0 || p->written < 0 || p->long_in < 0 || p->long_out < 0 ||
        p->long_cached < 0 || p->long_written < 0)
        return FAULT(e, "price", "A price of the tier '%s' is negative.", t->name);
    return 0;
}

int route_tier_check(const struct route_tier *t, struct err *e)
{
    if (!t->name || !route_class_valid(str_of(t->name)))
        return FAULT(e, "name", "A tier needs a name: a word of a-z, 0-9, '-', '_' and '.', shorter than %d.",
                     ROUTE_NAME_MAX);
    int rc = check_url(t, e);
    if (rc) return rc;
    if (!t->model || !t->model[0] || strlen(t->model) > 200 || !printable(t->model))
        return FAULT(e, "model", "The tier '%s' needs the model's name as its provider calls it.", t->name);
    if (t->key_env && t->key_file)
        return FAULT(e, "key_file", "The tier '%s' names a variable and a file for its key: give one.", t->name);
    if (t->region && !route_class_valid(str_of(t->region)))
        return FAULT(e, "region", "The region of the tier '%s' is not a word of a-z, 0-9, '-', '_' and '.'.",
                     t->name);
    rc = check_classes(t, e);
    if (rc == 0) rc = check_drop(t, e);
    return rc ? rc : check_numbers(t, e);
}

/* ---- keys ---- */

/* Trims the newline that editors leave; what remains must be printable, without spaces. */
static int take_key(const struct route_tier *t, char *text, size_t n, const char *from, char *key, struct err *e)
{
    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
    text[n] = 0;
    if (n == 0 || n >= ROUTE_KEY_MAX || strlen(text) != n || !printable(text))
        return ERR(e, FORMAT,
                   "The key of the tier '%s', from %.120s, is empty, too long, or holds spaces or control "
                   "characters.",
                   t->name, from);
    memcpy(key, text, n + 1);
    return 0;
}

static int read_key(const struct route_tier *t, char *key, struct err *e)
{
    char text[ROUTE_KEY_MAX + 2];
    struct stat st;
    int fd = open(t->key_file, O_RDONLY | O_CLOEXEC), rc = 0;
    if (fd < 0) return err_errno(e, errno, "open the key file", t->key_file);
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        rc = ERR(e, FORMAT, "The key file '%.120s' is not a file.", t->key_file);
    else if (st.st_mode & 077)
        rc = ERR(e, DENIED, "Others may read the key file '%.120s' (mode %03o). Run: chmod 600 '%.120s'", t->key_file,
                 (unsigned)st.st_mode & 0777, t->key_file);
    ssize_t n = rc ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    if (rc == 0 && n < 0) rc = err_errno(e, errno, "read the key file", t->key_file);
    if (rc == 0) rc = take_key(t, text, (size_t)n, t->key_file, key, e);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

int route_tier_key(const struct route_tier *t, char key[ROUTE_KEY_MAX], struct err *e)
{
    key[0] = 0;
    if (t->key_file) return read_key(t, key, e);
    if (!t->key_env) return 0;
    const char *value = getenv(t->key_env);
    if (!value || !*value)
        return ERR(e, NOT_FOUND, "The variable %.60s, which holds the key of the tier '%s', is not set.", t->key_env,
                   t->name);
    char text[ROUTE_KEY_MAX + 2];
    size_t n = strlen(value);
    snprintf(text, sizeof text, "%s", value);
    int rc = take_key(t, text, n < sizeof text ? n : ROUTE_KEY_MAX, t->key_env, key, e);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}
