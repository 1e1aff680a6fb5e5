/* What redaction costs: searching texts, a request to a chat API there and its answer back, one piece of a stream.
 * Usage: bench-redact FILE…   Processor time; the best of five. Read first: docs/REDACTION.md. */
#include "plat_file.h"
#include "route_redact.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int search(const struct route_detectors *d, const char *path)
{
    struct plat_map m;
    size_t sum = 0;
    double best = 1e9;
    if (plat_map_open(&m, path) != 0) return fprintf(stderr, "%s: cannot be read\n", path), 1;
    for (int r = 0; r < 5; r++) {
        struct route_spans found = {0};
        double t = cpu_s();
        if (route_find(d, (const char *)m.data, m.size, "", &found, NULL) != 0) return 1;
        t = cpu_s() - t;
        if (t < best) best = t;
        sum = found.n;
        route_spans_done(&found);
    }
    printf("%-44s %6.0f MB/s  %zu findings in %.2f MB\n", path, (double)m.size / best / 1e6, sum,
           (double)m.size / 1e6);
    plat_map_close(&m);
    return 0;
}

enum { REQUESTS = 2000, PIECES = 200000 };

static int converse(const struct route_detectors *d)
{
    static const char text[] = "Hello, this is about my order from last week. I wrote to support@example.org twice "
                               "and called +49 170 1234567, but "
                               "nobody answers. Please refund DE89 3704 0044 0532 0130 00 or my card 4111 1111 1111 "
                               "1111. The parcel went to the "
                               "old address although the new one was entered in May; the customer number is "
                               "20231105-17 and the amount 129.90 EUR. ";
    struct route_redact_policy p;
    struct route_restore stream;
    struct route_conversation *c = NULL;
    struct buf out;
    double there = 0, back = 0;
    memset(p.action, ROUTE_RESTORE, sizeof p.action);
    for (int i = 0; i < REQUESTS; i++) {
        json_t *j = json_pack("{s:s,s:[{s:s,s:s},{s:s,s:s},{s:s,s:s}]}", "model", "m", "messages", "role", "system",
                              "content", "You help customers of a shop.", "role", "user", "content", text, "role",
                              "user", "content", text);
        double t = cpu_s();
        route_conversation_free(c);
        if (!j || route_conversation_new(d, &p, &c, NULL) != 0 || route_redact_chat(c, j, NULL) != 0) return 1;
        there += cpu_s() - t;
        t = cpu_s();
        if (route_restore_chat(c, j, 0, NULL) != 0) return 1;
        back += cpu_s() - t;
        json_decref(j);
    }
    buf_init(&out, 1 << 20);
    route_restore_init(&stream, c, 0);
    double t = cpu_s();
    for (int i = 0; i < PIECES; i++) {
        static const char *const pieces[] = {" I", " wrote", " to", " [", "EMAIL", "_", "1", "]", " today", "."};
        const char *piece = pieces[i % 10];
        buf_clear(&out);
        if (route_restore_push(&stream, piece, strlen(piece), &out, NULL) != 0) return 1;
    }
    t = cpu_s() - t;
    printf("a request of %zu bytes: redacted in %.1f us, restored in %.1f us; a piece of a stream: %.0f ns\n",
           2 * sizeof text, there / REQUESTS * 1e6, back / REQUESTS * 1e6, t / PIECES * 1e9);
    buf_done(&out);
    route_conversation_free(c);
    return 0;
}

int main(int argc, char **argv)
{
    struct route_detect_conf conf = {.kinds = ROUTE_PII_ALL};
    struct route_detectors *d;
    struct err e = {0};
    int rc = route_detectors_new(&conf, &d, &e);
    for (int i = 1; i < argc && rc == 0; i++) rc = search(d, argv[i]);
    if (rc == 0) rc = converse(d);
    route_detectors_free(d);
    return rc != 0;
}
