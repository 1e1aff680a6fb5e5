/* Server-sent events (sse.h). Owns two buffers; no threads. Read next: wire.h. */
#include "sse.h"
#include "base_str.h"

void route_sse_init(struct route_sse *s, size_t max_bytes)
{
    memset(s, 0, sizeof *s);
    buf_init(&s->line, max_bytes);
    buf_init(&s->data, max_bytes);
}

void route_sse_done(struct route_sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
}

/* "field: value", one space after the colon belongs to neither. */
static int take_line(struct route_sse *s, const char *p, size_t n)
{
    const char *colon = memchr(p, ':', n);
    struct str name = {p, colon ? (size_t)(colon - p) : n}, value = {"", 0};
    if (colon) value = (struct str){colon + 1, (size_t)(p + n - colon - 1)};
    if (value.n && value.p[0] == ' ') value = (struct str){value.p + 1, value.n - 1};
    if (str_eqz(name, "event")) {
        bool fits = value.n < sizeof s->event;
        if (fits) memcpy(s->event, value.p, value.n);
        s->event[fits ? value.n : 0] = 0;
    } else if (str_eqz(name, "data")) {
        if (s->has_data) buf_char(&s->data, '\n');
        s->has_data = true;
        return buf_add(&s->data, value.p, value.n);
    }
    return 0;
}

static int end_line(struct route_sse *s, const char *p, size_t n,
                    int (*on_event)(void *, const char *, const char *, size_t), void *user)
{
    if (!s->begun && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3, n -= 3; /* a byte order mark */
    s->begun = true;
    if (n) return take_line(s, p, n) ? s->data.failed : 0;
    int rc = s->has_data ? on_event(user, s->event, s->data.data ? s->data.data : "", s->data.len) : 0;
    buf_clear(&s->data);
    s->has_data = false;
    s->event[0] = 0;
    return rc;
}

int route_sse_feed(struct route_sse *s, const char *p, size_t n,
                   int (*on_event)(void *user, const char *event, const char *data, size_t n_data), void *user)
{
    const char *end = p + n;
    int rc = 0;
    while (p < end && rc == 0) {
        if (s->after_cr && *p == '\n') p++;
        s->after_cr = false;
        const char *stop = p;
        while (stop < end && *stop != '\n' && *stop != '\r') stop++;
        if (stop == end || s->line.len) /* a line in pieces */
            if (buf_add(&s->line, p, (size_t)(stop - p))) return s->line.failed;
        if (stop == end) return 0;
        rc = s->line.len ? end_line(s, s->line.data, s->line.len, on_event, user)
                         : end_line(s, p, (size_t)(stop - p), on_event, user);
        buf_clear(&s->line);
        s->after_cr = *stop == '\r';
        p = stop + 1;
    }
    return rc;
}
