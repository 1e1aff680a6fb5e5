/* Secrets: keys with a known prefix, JSON web tokens, PEM private keys, passwords in URLs, and what stands behind a
 * name that says "key".
 *
 *     sk-…  ghp_…  AKIA…               detect_secret.inc
 *     eyJ….eyJ….…                      RFC 7519: header and payload are JSON objects, '{"' is "eyJ" in base64url
 *     -----BEGIN … PRIVATE KEY-----     RFC 7468, to its END line, or as far as it is base64
 *     postgres://user:PASSWORD@host    RFC 3986 section 3.2.1
 *     api_key = VALUE, "token": "…"     a value that looks random
 *     the password is VALUE
 *
 * "Looks random" for passwords: letters together with digits or signs; for keys and tokens: eight bytes or more with
 * letters and digits, or 20 or more with an entropy of 3.5 bits a byte (H = −Σ p log₂ p; English words have less).
 * Pure but for what route_scan remembers; any thread. */
#include "detect.h"

#include <math.h>
#include <string.h>

enum { NAME_MAX_BYTES = 40, VALUE_MAX = 256, USERINFO_MAX = 128 };

static bool is_b64url(char c) { return route_is_alnum(c) || c == '-' || c == '_'; }

static bool in_alphabet(char c, char alphabet)
{
    switch (alphabet) {
    case 'A':
        return route_is_alnum(c);
    case 'B':
        return is_b64url(c);
    case 'C':
        return route_is_alnum(c) || c == '+' || c == '/' || c == '=';
    case 'D':
        return is_b64url(c) || c == '.';
    case 'U':
        return route_is_digit(c) || route_is_upper(c);
    case 'X':
        return route_is_digit(c) || (route_lower(c) >= 'a' && route_lower(c) <= 'f');
    default:
        return false;
    }
}

/* ---- known prefixes ---- */

static const struct prefix {
    const char *p;
    unsigned char min, max;
    char alphabet;
} prefixes[] = {
#include "detect_secret.inc"
};

/* Behind the prefix: all of the alphabet, as long as the issuer makes them. What is longer than a key can be costs no
 * more than once, because it is taken. */
static size_t key_end(const struct route_scan *s, size_t at, const struct prefix *p)
{
    size_t n = strlen(p->p), i = at + n, min = p->min, max = p->max;
    char alphabet = p->alphabet;
    if (s->n - at < n || memcmp(s->s + at, p->p, n) != 0) return 0;
    if (alphabet == 'G') {
        if (!strchr("oprsu", route_at(s, i)) || route_at(s, i + 1) != '_') return 0;
        i += 2;
        min = 36;
        alphabet = 'A';
    } else if (alphabet == 'S') {
        if (!strchr("abeprs", route_at(s, i)) || (route_at(s, i + 1) != '-' && route_at(s, i + 1) != '.')) return 0;
        i += 2;
        min = 10;
        alphabet = 'B';
    }
    size_t from = i;
    while (i < s->n && in_alphabet(s->s[i], alphabet) && (i - from <= min || !max)) i++;
    if (i - from < min || (max && i - from > max) || (max && route_is_alnum(route_at(s, i)))) return 0;
    return i;
}

/* header.payload.signature, two of them at least ten bytes. */
static size_t jwt_end(struct route_scan *s, size_t at)
{
    size_t i = at, first = 0;
    if (at < s->jwt_none_before || s->n - at < 3 || memcmp(s->s + at, "eyJ", 3) != 0) return 0;
    for (int part = 0; part < 3; part++) {
        size_t from = i;
        while (i < s->n && is_b64url(s->s[i])) i++;
        if (part == 0) first = i;
        if (part < 2 && (i - from < 10 || route_at(s, i) != '.' || (part == 0 && route_at(s, i + 1) != 'e'))) {
            s->jwt_none_before = first; /* a later start in this run of bytes would end the same way */
            return 0;
        }
        if (part < 2) i++;
    }
    return i;
}

size_t route_match_token(struct route_scan *s, size_t at)
{
    size_t end = jwt_end(s, at);
    for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0] && !end; k++)
        if (prefixes[k].p[0] == s->s[at]) end = key_end(s, at, &prefixes[k]);
    return end;
}

/* ---- PEM ---- */

size_t route_match_pem(struct route_scan *s, size_t at)
{
    static const char mark[] = "PRIVATE KEY-----", close[] = "-----END ";
    size_t window = s->n - at < 64 ? s->n - at : 64;
    const char *key = memmem(s->s + at, window, mark, sizeof mark - 1);
    if (!key) return 0;
    size_t i = (size_t)(key - s->s) + sizeof mark - 1;
    const char *end = s->pem_no_end ? NULL : memmem(s->s + i, s->n - i, close, sizeof close - 1);
    if (end) {
        size_t from = (size_t)(end - s->s) + sizeof close - 1, n = s->n - from < 48 ? s->n - from : 48;
        const char *dashes = memmem(s->s + from, n, "-----", 5);
        return dashes ? (size_t)(dashes - s->s) + 5 : from;
    }
    s->pem_no_end = true;
    while (i < s->n && (route_is_alnum(s->s[i]) || strchr("+/=\r\n\\ ", s->s[i]))) i++;
    return i;
}

/* ---- behind a name ---- */

/* What names of secrets end with, letters only; in scripts other than Latin, the word itself. */
enum said { NOTHING, KEY, PASSWORD };
#define TAIL(text, said)                                                                                             \
    {                                                                                                                \
        text, sizeof(text) - 1, said                                                                                 \
    }
static const struct tail {
    const char *p;
    unsigned char n, said;
} tails[] = {TAIL("password", PASSWORD),   TAIL("passwd", PASSWORD),     TAIL("passphrase", PASSWORD),
             TAIL("passwort", PASSWORD),   TAIL("kennwort", PASSWORD),   TAIL("contrasena", PASSWORD),
             TAIL("motdepasse", PASSWORD), TAIL("wachtwoord", PASSWORD), TAIL("parola", PASSWORD),
             TAIL("senha", PASSWORD),      TAIL("haslo", PASSWORD),      TAIL("pwd", PASSWORD),
             TAIL("passcode", PASSWORD),   TAIL("apikey", KEY),          TAIL("secret", KEY),
             TAIL("secretkey", KEY),       TAIL("accesskey", KEY),       TAIL("privatekey", KEY),
             TAIL("token", KEY),           TAIL("authkey", KEY),         TAIL("auth", KEY),
             TAIL("bearer", KEY),          TAIL("credential", KEY),      TAIL("credentials", KEY),
             TAIL("authorization", KEY),   TAIL("signingkey", KEY),      TAIL("encryptionkey", KEY)};
static const struct tail foreign_tails[] = {TAIL("密码", PASSWORD),       TAIL("密碼", PASSWORD),
                                            TAIL("口令", PASSWORD),       TAIL("パスワード", PASSWORD),
                                            TAIL("비밀번호", PASSWORD),   TAIL("mật khẩu", PASSWORD),
                                            TAIL("contraseña", PASSWORD), TAIL("пароль", PASSWORD),
                                            TAIL("รหัสผ่าน", PASSWORD),     TAIL("hasło", PASSWORD)};

static bool ends_with(const char *s, size_t n, const char *tail, size_t n_tail)
{
    return n >= n_tail && s[n - 1] == tail[n_tail - 1] && memcmp(s + n - n_tail, tail, n_tail) == 0;
}

static enum said tail_of(const char *s, size_t n, const struct tail *list, size_t n_list)
{
    for (size_t k = 0; k < n_list; k++)
        if (ends_with(s, n, list[k].p, list[k].n)) return (enum said)list[k].said;
    return NOTHING;
}

/* What kind of name ends at `end`, seen without quotes, spaces, '_', '-' and '.'. */
static enum said name_before(const struct route_scan *s, size_t end)
{
    char name[NAME_MAX_BYTES];
    size_t n = sizeof name, i = end;
    while (i > 0 && end - i < 4 && strchr(" \"'`*\t\\", s->s[i - 1])) i--;
    if (i == 0 ||
        !strchr("adehlnorsty0123456789", route_lower(s->s[i - 1]))) /* no tail ends so: most are seen here */
        return i && (s->s[i - 1] & 0x80)
                   ? tail_of(s->s, i, foreign_tails, sizeof foreign_tails / sizeof foreign_tails[0])
                   : NOTHING;
    enum said said = tail_of(s->s, i, foreign_tails, sizeof foreign_tails / sizeof foreign_tails[0]);
    for (size_t from = i; i > 0 && from - i < NAME_MAX_BYTES && n > 0; i--) {
        char c = s->s[i - 1];
        if (route_is_alpha(c))
            name[--n] = route_lower(c);
        else if (!strchr("_-. ", c) && !route_is_digit(c))
            break;
    }
    return said != NOTHING ? said : tail_of(name + n, sizeof name - n, tails, sizeof tails / sizeof tails[0]);
}

static double entropy(const char *p, size_t n)
{
    unsigned count[256] = {0};
    double h = 0;
    for (size_t i = 0; i < n; i++) count[(unsigned char)p[i]]++;
    for (int i = 0; i < 256; i++)
        if (count[i]) h -= count[i] / (double)n * log2(count[i] / (double)n);
    return h;
}

/* `sure`: the value stands behind '=' or in quotes, where a password may be a plain word. */
static bool looks_secret(const char *p, size_t n, enum said said, bool sure)
{
    size_t letters = 0, digits = 0;
    for (size_t i = 0; i < n; i++) {
        letters += route_is_alpha(p[i]);
        digits += route_is_digit(p[i]);
    }
    size_t signs = n - letters - digits;
    if (n == 0 || signs == n || strchr("<$%{*[", p[0])) return false; /* ****, ${PASSWORD}, <your key> */
    if (said == PASSWORD) {
        if (n < 4) return false;
        return (letters && digits) || (letters && signs && n >= 6 && sure) || (digits && sure) || (sure && n >= 6);
    }
    return (n >= 8 && letters >= 2 && digits >= 2) || (n >= 20 && entropy(p, n) >= 3.5);
}

static size_t value_end(const struct route_scan *s, size_t i, char quote)
{
    size_t from = i;
    for (; i < s->n && i - from < VALUE_MAX; i++) {
        char c = s->s[i];
        if (c == '\n' || c == '\r' || (quote ? c == quote : c == ' ' || c == '\t' || strchr("\"'`,;<>)}]&", c)))
            break;
        if (c == '\\') break; /* an escaped quote or line end of JSON inside text */
    }
    while (!quote && i > from && strchr(".!?:", s->s[i - 1])) i--;
    return i;
}

size_t route_match_assigned(const struct route_scan *s, size_t sign, size_t *start)
{
    enum said said = name_before(s, sign);
    size_t i = sign + 1;
    if (said == NOTHING) return 0;
    if (route_at(s, i) == '=' || route_at(s, i) == '>') i++;
    for (int k = 0; k < 3 && (route_at(s, i) == ' ' || route_at(s, i) == '\t' || route_at(s, i) == '\\'); k++) i++;
    char quote = route_at(s, i);
    quote = quote == '"' || quote == '\'' || quote == '`' ? quote : 0;
    i += quote != 0;
    if (!quote && s->n - i > 7 && strncasecmp(s->s + i, "bearer ", 7) == 0) i += 7;
    if (!quote && s->n - i > 6 && strncasecmp(s->s + i, "basic ", 6) == 0) i += 6;
    size_t end = value_end(s, i, quote);
    if (!looks_secret(s->s + i, end - i, said, quote || s->s[sign] == '=')) return 0;
    *start = i;
    return end;
}

/* "password is VALUE", "Bearer VALUE": the word [at, end) has letters and digits. Returns its end without the
 * punctuation of the sentence. */
size_t route_match_said(const struct route_scan *s, size_t at, size_t end)
{
    static const char *const verbs[] = {" is", " was", " ist", " war", " est", " es", " era",
                                        " to", " são", " 是",  "是",   "は",   " je"};
    size_t i = at;
    if (end - at < 5 || end - at > VALUE_MAX || !s->s[at] || strchr("<$%{*[", s->s[at])) return 0;
    while (i > 0 && at - i < 3 && strchr(" \"'`", s->s[i - 1])) i--;
    if (i == at) return 0;
    enum said said = name_before(s, i);
    for (size_t k = 0; k < sizeof verbs / sizeof verbs[0] && said == NOTHING; k++)
        if (ends_with(s->s, i, verbs[k], strlen(verbs[k]))) said = name_before(s, i - strlen(verbs[k]));
    size_t stop = value_end(s, at, 0);
    return said != NOTHING && stop - at >= 5 && looks_secret(s->s + at, stop - at, said, false) ? stop : 0;
}

size_t route_match_userinfo(const struct route_scan *s, size_t at, size_t *start)
{
    if (s->n - at < 3 || memcmp(s->s + at, "://", 3) != 0) return 0;
    size_t i = at + 3, colon = 0;
    for (; i < s->n && i - at < USERINFO_MAX && !strchr("/ \t\r\n@\"'<>", s->s[i]); i++)
        if (s->s[i] == ':' && !colon) colon = i;
    if (!colon || route_at(s, i) != '@' || i == colon + 1) return 0;
    *start = colon + 1;
    return i;
}
