/* Fuzz target: any bytes as the head of a request, and as a chunked body. Seeds corpus/http. */
#include "net_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that was parsed lies inside the bytes. */
static void check_inside(struct str s, const char *p, size_t n)
{
    if (s.n && (s.p < p || s.p + s.n > p + n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *why = NULL;
    static struct net_head h;
    struct net_chunks c = {0};
    struct buf whole, split;
    size_t taken = 0;
    int status = net_head_parse(p, size, &h, &why);
    if (status) {
        if (status < 400 || status > 505 || !why) abort();
    } else {
        check_inside(h.method, p, size);
        check_inside(h.path, p, size);
        check_inside(h.query, p, size);
        for (int i = 0; i < h.n_headers; i++)
            check_inside(h.header[i].name, p, size), check_inside(h.header[i].value, p, size);
        if (h.length < 0 || (h.chunked && h.length)) abort();
    }
    buf_init(&whole, 1 << 16);
    buf_init(&split, 1 << 16);
    int one = net_chunks_take(&c, p, size, &whole, &taken), two = NET_CHUNKS_MORE;
    c = (struct net_chunks){0};
    for (size_t i = 0; i < size && two == NET_CHUNKS_MORE; i++) two = net_chunks_take(&c, p + i, 1, &split, &taken);
    if (one != two) abort();
    if (one == NET_CHUNKS_DONE &&
        (whole.len != split.len || (whole.len && memcmp(whole.data, split.data, whole.len))))
        abort();
    buf_done(&whole);
    buf_done(&split);
    return 0;
}
