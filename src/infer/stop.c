/* Stop strings over a stream (infer_sample.h). `held` keeps the longest end of the text so far that could
 * still become a stop string; it is shorter than the longest one. */
#include "infer_sample.h"

int infer_stop_init(struct infer_stop *s, const char *const *strings, size_t n, struct err *e)
{
    if (n > INFER_STOP_MAX)
        return ERR(e, LIMIT, "There are %zu stop strings; at most %d.", n, INFER_STOP_MAX);
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < n; i++) {
        s->string[i] = strings[i];
        s->length[i] = strlen(strings[i]);
        if (s->length[i] == 0 || s->length[i] > INFER_STOP_BYTES)
            return ERR(e, USAGE, "A stop string must have 1 to %d bytes.", INFER_STOP_BYTES);
    }
    s->n = (int)n;
    return 0;
}

/* Is held + c the start of a stop string, or all of one? */
static bool continues(const struct infer_stop *s, bool *whole)
{
    bool start = false;
    for (int i = 0; i < s->n; i++)
        if (s->length[i] >= s->n_held && memcmp(s->string[i], s->held, s->n_held) == 0) {
            start = true;
            if (s->length[i] == s->n_held) *whole = true;
        }
    return start;
}

void infer_stop_push(struct infer_stop *s, const char *text, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n && !s->stopped; i++) {
        s->held[s->n_held++] = text[i]; /* fits: what is held is shorter than a stop string */
        bool whole = false;
        while (s->n_held && !continues(s, &whole)) {
            buf_char(out, s->held[0]);
            memmove(s->held, s->held + 1, --s->n_held);
        }
        /* a shorter stop string may end here, inside the start of a longer one */
        for (int k = 0; k < s->n && !whole; k++)
            if (s->length[k] < s->n_held &&
                memcmp(s->held + s->n_held - s->length[k], s->string[k], s->length[k]) == 0) {
                buf_add(out, s->held, s->n_held - s->length[k]);
                whole = true;
            }
        if (whole) {
            s->stopped = true;
            s->n_held = 0;
        }
    }
}

void infer_stop_flush(struct infer_stop *s, struct buf *out)
{
    if (!s->stopped) buf_add(out, s->held, s->n_held);
    s->n_held = 0;
}
