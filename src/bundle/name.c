/* Names (name.h). Pure functions over strings; no state, no allocation. Names come from servers and users
 * alike, so every rule here is also a safety rule: a valid name can be a file name, a flag's argument and
 * a line on a terminal. */
#include "name.h"
#include "base_str.h"
#include "bundle_store.h"

#include <ctype.h>

static bool name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("._-", c); }

bool bundle_name_valid(const char *name)
{
    size_t n = strlen(name);
    bool start = true, seen_slash = false, seen_colon = false;
    if (n == 0 || n > BUNDLE_NAME_BYTES - 1 || strstr(name, "..") || str_ends(name, ".json")) return false;
    for (const char *s = name; *s; s++) {
        if (*s == '/' || *s == ':') {
            if (start || seen_colon || (*s == '/' && seen_slash)) return false;
            if (*s == '/') seen_slash = true;
            else seen_colon = true;
            start = true;
            continue;
        }
        if (!name_char(*s) || (start && (*s == '.' || *s == '-'))) return false;
        start = false;
    }
    return !start;
}

bool bundle_name_fold(const char *name, char out[])
{
    size_t n = strlen(name);
    if (n > BUNDLE_NAME_BYTES - 1) return false;
    for (size_t i = 0; i <= n; i++) out[i] = (char)tolower((unsigned char)name[i]);
    return bundle_name_valid(out);
}

bool bundle_file_name_valid(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > BUNDLE_FILE_NAME_BYTES || name[0] == '.' || name[0] == '-') return false;
    for (const char *s = name; *s; s++)
        if (*s < ' ' || *s > '~' || strchr("/\\'\"`", *s)) return false;
    return true;
}

bool bundle_file_path_valid(const char *path)
{
    char part[BUNDLE_FILE_NAME_BYTES + 1];
    for (size_t depth = 0;; depth++) {
        size_t n = strcspn(path, "/");
        if (n > BUNDLE_FILE_NAME_BYTES || depth > 8) return false;
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        if (!bundle_file_name_valid(part)) return false;
        if (!path[n]) return true;
        path += n + 1;
    }
}

const char *bundle_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static size_t stem_length(const char *file) /* without ".gguf" */
{
    size_t n = strlen(file);
    return n > 5 && strcasecmp(file + n - 5, ".gguf") == 0 ? n - 5 : n;
}

static bool five_digits(const char *s, int *out)
{
    int v = 0;
    for (int i = 0; i < 5; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        v = v * 10 + (s[i] - '0');
    }
    *out = v;
    return true;
}

bool bundle_name_split(const char *file, int *out_i, int *out_n, size_t *out_stem)
{
    size_t n = stem_length(file);
    int i, of;
    if (!file[n] || n <= 15) return false;
    const char *s = file + n - 15; /* "-00002-of-00003" */
    if (s[0] != '-' || strncmp(s + 6, "-of-", 4) || !five_digits(s + 1, &i) || !five_digits(s + 10, &of))
        return false;
    if (i < 1 || of < 1 || i > of) return false;
    *out_i = i;
    *out_n = of;
    *out_stem = n - 15;
    return true;
}

static size_t plain_stem(const char *base) /* without ".gguf" and "-00001-of-00003" */
{
    int i, n;
    size_t stem;
    return bundle_name_split(base, &i, &n, &stem) ? stem : stem_length(base);
}

/* Q4_0, Q4_K_M, IQ3_XXS, TQ1_0, F16, BF16, FP16, MXFP4, MXFP4_MOE */
static bool is_quant_word(const char *w, size_t n)
{
    char s[32];
    if (n < 2 || n >= sizeof s) return false;
    for (size_t i = 0; i < n; i++) s[i] = (char)toupper((unsigned char)w[i]);
    s[n] = 0;
    static const char *const whole[] = {"F16", "F32", "BF16", "FP16", "FP32", "MXFP4", "MXFP4_MOE", "NVFP4"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(s, whole[i]) == 0) return true;
    const char *p = s;
    if (*p == 'I' || *p == 'T') p++;
    if (*p++ != 'Q' || !isdigit((unsigned char)*p)) return false;
    while (isdigit((unsigned char)*p)) p++;
    for (; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_') return false;
    return strchr(s, '_') != NULL || strlen(s) <= 3;
}

static bool is_word_end(char c) { return c == 0 || strchr("-. /", c) != NULL; }

void bundle_name_quant(const char *file, char out[32])
{
    const char *base = bundle_base_name(file);
    size_t n = plain_stem(base), end = n;
    out[0] = 0;
    while (end > 0) {
        size_t start = end;
        while (start > 0 && !is_word_end(base[start - 1])) start--;
        if (is_quant_word(base + start, end - start)) {
            snprintf(out, 32, "%.*s", (int)(end - start), base + start);
            return;
        }
        end = start ? start - 1 : 0;
    }
}

bool bundle_name_has_quant(const char *path, const char *quant)
{
    size_t n = strlen(quant);
    for (const char *s = path; n > 0 && *s; s++)
        if ((s == path || is_word_end(s[-1])) && strncasecmp(s, quant, n) == 0 && is_word_end(s[n]))
            return true;
    return false;
}

/* Append to `out` what is allowed in a name; the rest becomes '-'. */
static void fold_into(char out[], const char *s, size_t n)
{
    size_t k = strlen(out);
    for (size_t i = 0; i < n && k < BUNDLE_NAME_BYTES - 1; i++) {
        char c = (char)tolower((unsigned char)s[i]);
        if (!name_char(c)) c = '-';
        bool start = k == 0 || out[k - 1] == ':' || out[k - 1] == '/';
        if (start && (c == '-' || c == '.')) continue;
        if (k && c == '.' && out[k - 1] == '.') continue;
        out[k++] = c;
    }
    out[k] = 0;
}

bool bundle_name_default(const char *repo, const char *file, char out[])
{
    char quant[32];
    const char *base = bundle_base_name(file);
    size_t n = plain_stem(base), q;
    bundle_name_quant(file, quant);
    q = strlen(quant);
    out[0] = 0;
    if (repo) {
        const char *r = bundle_base_name(repo);
        size_t k = strlen(r);
        if (k > 5 && strcasecmp(r + k - 4, "gguf") == 0 && strchr("-_.", r[k - 5])) k -= 5;
        fold_into(out, r, k);
    } else {
        /* the quantisation at the end becomes the tag */
        if (q && n > q + 1 && strncasecmp(base + n - q, quant, q) == 0) n -= q + 1;
        else q = 0;
        fold_into(out, base, n);
    }
    size_t k = strlen(out);
    while (k > 0 && (out[k - 1] == '-' || out[k - 1] == '.')) out[--k] = 0;
    const char *tag = q ? quant : repo ? base : "";
    if (*tag && k > 0 && k < BUNDLE_NAME_BYTES - 40) {
        out[k] = ':';
        out[k + 1] = 0;
        fold_into(out, tag, q ? q : n);
    }
    return bundle_name_valid(out);
}

void bundle_name_family(const char *file, char out[32])
{
    const char *base = bundle_base_name(file);
    size_t n = strcspn(base, "-_ "), stem = plain_stem(base), k = 0;
    if (n > stem) n = stem;
    for (; k < n && k < 31; k++) {
        char c = (char)tolower((unsigned char)base[k]);
        out[k] = name_char(c) ? c : '-';
    }
    out[k] = 0;
}
