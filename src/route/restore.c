/* Values back into the answer (route_redact.h): whole texts, JSON trees, and text in pieces.
 *
 * In a stream a placeholder may be cut anywhere: "[EMA", "IL_1", "] …". The end of what has come is held back only
 * while it can still become a placeholder of this conversation, at most ROUTE_HELD_MAX bytes; whatever it turns out
 * to be is then copied or replaced. Only one beginning can be open: '[' stands nowhere else in a placeholder.
 *
 *     held "[EMA" + piece "IL_1] and"  →  "[EMAIL_1]" is whole → the value; " and" is copied
 *     held "[EMA" + piece "CS]"        →  cannot become one: "[EMACS]" is copied
 *
 * Owns nothing. A stream is one thread's. Read first: redact.c. */
#include "redact.h"

#include "base_mem.h"

#include <jansson.h>
#include <string.h>

/* '[' + word + backslashes + '_' + digits + ']' */
_Static_assert(1 + 7 + ROUTE_MARK_BACKSLASHES + 1 + ROUTE_MARK_DIGITS + 1 <= ROUTE_HELD_MAX, "a placeholder fits");

int route_json_escape(struct buf *out, const char *p, size_t n, int times)
{
    if (times == 0) return buf_add(out, p, n);
    for (size_t i = 0; i < n; i++) {
        char esc[8] = {p[i]};
        size_t k = 1;
        switch (p[i]) {
        case '"':
        case '\\':
            memcpy(esc, (char[]){'\\', p[i]}, k = 2);
            break;
        case '\n':
            memcpy(esc, "\\n", k = 2);
            break;
        case '\r':
            memcpy(esc, "\\r", k = 2);
            break;
        case '\t':
            memcpy(esc, "\\t", k = 2);
            break;
        default:
            if ((unsigned char)p[i] < 0x20) k = (size_t)snprintf(esc, sizeof esc, "\\u%04x", p[i]);
        }
        if (times == 1)
            buf_add(out, esc, k);
        else
            route_json_escape(out, esc, k, times - 1);
    }
    return out->failed;
}

/* Copies with values put in, up to an end that could become a placeholder; returns the bytes taken. */
static size_t restore(const struct route_conversation *c, const char *text, size_t n, int depth, bool last,
                      struct buf *out)
{
    size_t done = 0, i = 0;
    while (i < n) {
        const char *open = memchr(text + i, '[', n - i);
        uint32_t mark = 0, number = 0;
        size_t len = 1;
        if (!open) break;
        i = (size_t)(open - text);
        enum route_mark_is is = route_mark_parse(c, true, open, n - i, &mark, &number, &len);
        if (is == ROUTE_MARK_PART && !last) {
            buf_add(out, text + done, i - done);
            return i;
        }
        if (is == ROUTE_MARK_WHOLE) {
            const struct route_value *v = &c->v[c->of[mark][number - 1]];
            buf_add(out, text + done, i - done);
            route_json_escape(out, v->p, v->n, depth);
            done = i + len;
            i = done;
        } else {
            i++;
        }
    }
    if (n > done) buf_add(out, text + done, n - done);
    return n;
}

int route_restore_text(const struct route_conversation *c, const char *text, size_t n, int json_depth,
                       struct buf *out, struct err *e)
{
    restore(c, text, n, json_depth, true, out);
    return buf_check(out, "the restored answer", e);
}

/* ---- in pieces ---- */

void route_restore_init(struct route_restore *r, const struct route_conversation *c, int json_depth)
{
    *r = (struct route_restore){.c = c, .json_depth = json_depth};
}

int route_restore_push(struct route_restore *r, const char *piece, size_t n, struct buf *out, struct err *e)
{
    /* First what is held, with as much of the piece as a placeholder can have. */
    while (r->n_held && n) {
        r->held[r->n_held++] = *piece++;
        n--;
        char all[ROUTE_HELD_MAX];
        unsigned n_all = r->n_held;
        memcpy(all, r->held, n_all);
        size_t taken = restore(r->c, all, n_all, r->json_depth, n_all == ROUTE_HELD_MAX, out);
        r->n_held = n_all - (unsigned)taken;
        memcpy(r->held, all + taken, r->n_held);
    }
    if (n) {
        size_t taken = restore(r->c, piece, n, r->json_depth, false, out);
        r->n_held = (unsigned)(n - taken);
        memcpy(r->held, piece + taken, r->n_held);
    }
    return buf_check(out, "the restored answer", e);
}

int route_restore_end(struct route_restore *r, struct buf *out, struct err *e)
{
    restore(r->c, r->held, r->n_held, r->json_depth, true, out);
    r->n_held = 0;
    return buf_check(out, "the restored answer", e);
}

/* ---- a JSON tree ---- */

enum { ANSWER_MAX = 64 << 20 };

static int restored(const struct route_conversation *c, const char *p, size_t n, int depth, struct buf *out,
                    struct err *e)
{
    buf_clear(out);
    return route_restore_text(c, p, n, depth, out, e);
}

static int walk(const struct route_conversation *c, json_t *node, int depth, int content_depth, struct buf *out,
                struct err *e);

static int walk_object(const struct route_conversation *c, json_t *node, int content_depth, struct buf *out,
                       struct err *e)
{
    json_t *fresh = json_object(), *value;
    const char *key;
    bool renamed = false;
    int rc = fresh ? 0 : err_nomem(e, 64);
    if (rc) return rc;
    json_object_foreach(node, key, value)
    {
        bool inner = strcmp(key, "arguments") == 0 || strcmp(key, "partial_json") == 0;
        bool content = strcmp(key, "content") == 0 || strcmp(key, "text") == 0;
        if ((rc = walk(c, value, inner ? 1 : content ? content_depth : 0, content_depth, out, e)) != 0) break;
        if ((rc = restored(c, key, strlen(key), 0, out, e)) != 0) break;
        renamed |= strcmp(out->data ? out->data : "", key) != 0;
        if (json_object_set(fresh, out->data ? out->data : "", value) != 0 && (rc = err_nomem(e, out->len)) != 0)
            break;
    }
    if (rc == 0 && renamed && (json_object_clear(node), json_object_update(node, fresh)) != 0) rc = err_nomem(e, 64);
    json_decref(fresh);
    return rc;
}

/* `depth` for strings, also those in an array. */
static int walk(const struct route_conversation *c, json_t *node, int depth, int content_depth, struct buf *out,
                struct err *e)
{
    json_t *item;
    size_t i;
    int rc = 0;
    if (json_is_object(node)) return walk_object(c, node, content_depth, out, e);
    if (json_is_string(node) && memchr(json_string_value(node), '[', json_string_length(node))) {
        rc = restored(c, json_string_value(node), json_string_length(node), depth, out, e);
        if (rc == 0 && json_string_setn(node, out->data, out->len) != 0) rc = err_nomem(e, out->len);
    }
    json_array_foreach(node, i, item) if (rc == 0) rc = walk(c, item, depth, content_depth, out, e);
    return rc;
}

int route_restore_chat(const struct route_conversation *c, json_t *answer, int content_depth, struct err *e)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    int rc = walk(c, answer, 0, content_depth, &out, e);
    if (out.data) explicit_bzero(out.data, out.len);
    buf_done(&out);
    return rc;
}
