/* JSON inside a string (tool-call arguments, tool results): its strings are looked at as what they mean, not as they
 * are written, so that "a\u0040b.example" is an address; everything outside them stays as it is, byte for byte.
 *
 *     {"to": "anna\u0040example.org", "card": 4111111111111111}
 *     {"to": "[EMAIL_1]", "card": "[CARD_1]"}
 *
 * A member's key is the hint of its value: "phone" makes 5550123 a telephone number. Keys are redacted too. Whole
 * numbers of five digits and more are looked at as text; a placeholder for one is a string. The text is checked as a
 * whole first; what is no JSON is looked at as any text. Owns nothing. Read first: redact.c. */
#include "redact.h"

#include "base_mem.h"

#include <jansson.h>
#include <string.h>

enum { TEXT_MAX = 64 << 20, HINT_MAX = 64, NUMBER_MIN = 5 };

struct lexer {
    struct route_conversation *c;
    const char *p, *end;
    struct buf *out;            /* NULL: note */
    struct buf plain, redacted; /* one string */
    char hint[HINT_MAX];
    bool changed;
};

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v = v * 16 + (uint32_t)(route_is_digit(p[i]) ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
    return v;
}

/* The inside [p, end) of a JSON string that jansson took, as what it means. */
static void decode(const char *p, const char *end, struct buf *out)
{
    while (p < end) {
        const char *esc = memchr(p, '\\', (size_t)(end - p));
        buf_add(out, p, (size_t)((esc ? esc : end) - p));
        if (!esc) return;
        p = esc + 2;
        switch (esc[1]) {
        case 'b':
            buf_char(out, '\b');
            break;
        case 'f':
            buf_char(out, '\f');
            break;
        case 'n':
            buf_char(out, '\n');
            break;
        case 'r':
            buf_char(out, '\r');
            break;
        case 't':
            buf_char(out, '\t');
            break;
        case 'u': {
            uint32_t cp = hex4(p);
            p += 4;
            if (cp >= 0xD800 && cp < 0xDC00 && end - p >= 6) { /* a pair: jansson refuses half of one */
                cp = 0x10000 + ((cp - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
                p += 6;
            }
            buf_utf8(out, cp);
            break;
        }
        default:
            buf_char(out, esc[1]);
        }
    }
}

static void copy(struct lexer *x, const char *from, const char *to)
{
    if (x->out) buf_add(x->out, from, (size_t)(to - from));
}

/* x->plain through the conversation; what was written as [from, to) is copied when nothing changed. */
static int put(struct lexer *x, const char *hint, const char *from, const char *to, struct err *e)
{
    bool changed = false;
    int rc = buf_check(&x->plain, "a string", e);
    const char *text = x->plain.data ? x->plain.data : "";
    if (rc) return rc;
    if (!x->out) return route_redact_note_as(x->c, text, x->plain.len, hint, e);
    buf_clear(&x->redacted);
    rc = route_redact_text_as(x->c, text, x->plain.len, hint, false, &x->redacted, &changed, e);
    if (rc || !changed) {
        copy(x, from, to);
        return rc;
    }
    buf_char(x->out, '"');
    route_json_escape(x->out, x->redacted.data, x->redacted.len, 1);
    buf_char(x->out, '"');
    x->changed = true;
    return 0;
}

static int string(struct lexer *x, struct err *e)
{
    const char *from = x->p, *q = from + 1, *after;
    while (*q != '"') q += *q == '\\' ? 2 : 1;
    x->p = q + 1;
    for (after = x->p; after < x->end && strchr(" \t\r\n", *after);) after++;
    bool key = after < x->end && *after == ':';
    buf_clear(&x->plain);
    decode(from + 1, q, &x->plain);
    int rc = put(x, key ? "" : x->hint, from, x->p, e);
    if (key) snprintf(x->hint, sizeof x->hint, "%.*s", (int)x->plain.len, x->plain.data ? x->plain.data : "");
    return rc;
}

static int number(struct lexer *x, struct err *e)
{
    const char *from = x->p;
    size_t digits = 0;
    for (; x->p < x->end && (route_is_alnum(*x->p) || strchr("+-.", *x->p)); x->p++) digits += route_is_digit(*x->p);
    if (digits < NUMBER_MIN || digits != (size_t)(x->p - from)) {
        copy(x, from, x->p);
        return 0;
    }
    buf_clear(&x->plain);
    buf_add(&x->plain, from, digits);
    return put(x, x->hint, from, x->p, e);
}

static bool is_json(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && strchr(" \t\r\n", text[i])) i++;
    if (i == n || (text[i] != '{' && text[i] != '[')) return false;
    json_t *j = json_loadb(text, n, JSON_ALLOW_NUL, NULL);
    json_decref(j);
    return j != NULL;
}

int route_redact_json(struct route_conversation *c, const char *text, size_t n, struct buf *out, bool *changed,
                      struct err *e)
{
    struct lexer x = {.c = c, .p = text, .end = text + n, .out = out};
    int rc = 0;
    if (!is_json(text, n))
        return out ? route_redact_text_as(c, text, n, "", false, out, changed, e)
                   : route_redact_note_as(c, text, n, "", e);
    buf_init(&x.plain, TEXT_MAX);
    buf_init(&x.redacted, TEXT_MAX);
    while (x.p < x.end && rc == 0) {
        if (*x.p == '"')
            rc = string(&x, e);
        else if (route_is_digit(*x.p) || *x.p == '-')
            rc = number(&x, e);
        else {
            copy(&x, x.p, x.p + 1);
            x.p++;
        }
    }
    if (rc == 0 && out) {
        *changed = x.changed;
        rc = buf_check(out, "the redacted text", e);
    }
    if (x.plain.data) explicit_bzero(x.plain.data, x.plain.cap);
    buf_done(&x.plain);
    buf_done(&x.redacted);
    return rc;
}
