/* The progress bar (progress.h). Rate: bytes over time in windows of half a second, smoothed; time left
 * from it.
 *
 *     qwen2.5-0.5b-instruct-q4_0.gguf   42 % ━━━━━━━━━────────────  171.7/408.9 MiB  38.2 MiB/s  0:06
 *
 * Owns nothing but the current line of standard error. Single-threaded. Read next: cmd_pull.c. */
#include "progress.h"
#include "base_clock.h"
#include "bundle_store.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_S 0.1
#define WINDOW_S 0.5
#define PLAIN_LINE_S 5.0

void cli_progress_init(struct cli_progress *p, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (struct cli_progress){.quiet = quiet};
    p->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40 ? w.ws_col : 80;
}

static const char *time_left(const struct cli_progress *p, int64_t left, char out[24])
{
    double s = p->rate_bytes_s > 0 ? (double)left / p->rate_bytes_s : -1;
    out[0] = 0;
    if (s >= 0 && s < 3600) snprintf(out, 24, "%d:%02d", (int)s / 60, (int)s % 60);
    else if (s >= 3600 && s < 360000) snprintf(out, 24, "%d h %02d min", (int)s / 3600, (int)s / 60 % 60);
    return out;
}

static void draw_bar(struct cli_progress *p, int64_t done, int64_t total)
{
    char a[16], b[16], r[16], eta[24], tail[96];
    int width = columns() - 1;
    bundle_human_bytes(done, a);
    bundle_human_bytes((int64_t)p->rate_bytes_s, r);
    if (total > 0)
        snprintf(tail, sizeof tail, "%s of %s  %s/s  %s", a, bundle_human_bytes(total, b), r,
                 time_left(p, total - done, eta));
    else snprintf(tail, sizeof tail, "%s  %s/s", a, r);
    int label = (int)strlen(p->label), bar = 20;
    if (label + bar + (int)strlen(tail) + 10 > width) bar = 0;
    if (label + (int)strlen(tail) + 10 > width) label = width - (int)strlen(tail) - 10;
    if (label < 0) label = 0;
    fprintf(stderr, "\r\033[K%.*s", label, p->label);
    if (total > 0) {
        int full = (int)((double)done / (double)total * bar);
        fprintf(stderr, " %3d %% ", (int)((double)done / (double)total * 100));
        for (int i = 0; i < bar; i++) fputs(i < full ? "━" : "─", stderr);
    }
    fprintf(stderr, "  %s", tail);
    fflush(stderr);
    p->open = true;
}

static void draw_line(struct cli_progress *p, int64_t done, int64_t total)
{
    char a[16], b[16], r[16];
    bundle_human_bytes((int64_t)p->rate_bytes_s, r);
    if (total > 0)
        fprintf(stderr, "%s: %d %%, %s of %s, %s/s\n", p->label, (int)((double)done / (double)total * 100),
                bundle_human_bytes(done, a), bundle_human_bytes(total, b), r);
    else fprintf(stderr, "%s: %s, %s/s\n", p->label, bundle_human_bytes(done, a), r);
}

void cli_progress_move(struct cli_progress *p, const char *label, int64_t done, int64_t total)
{
    double now = clock_now_s();
    if (p->quiet) return;
    if (strncmp(p->label, label, sizeof p->label - 1)) {
        cli_progress_end(p);
        snprintf(p->label, sizeof p->label, "%s", label);
        p->begun_s = p->mark_s = now;
        p->begun_bytes = p->mark_bytes = done;
        p->rate_bytes_s = 0;
        p->tenth = 0;
        p->drawn_s = p->terminal ? 0 : now;
    }
    if (now - p->mark_s >= WINDOW_S || p->rate_bytes_s <= 0) {
        double seconds = now - p->mark_s,
               rate = seconds > 0.01 ? (double)(done - p->mark_bytes) / seconds : 0;
        if (rate < 0) rate = 0; /* the server made us start again */
        p->rate_bytes_s = p->rate_bytes_s > 0 ? 0.7 * p->rate_bytes_s + 0.3 * rate : rate;
        if (now - p->mark_s >= WINDOW_S) {
            p->mark_s = now;
            p->mark_bytes = done;
        }
    }
    bool last = done == total && p->tenth < 10; /* the whole is shown at once, and once */
    if (p->terminal) {
        if (now - p->drawn_s < REDRAW_S && !last) return;
        if (done == total) p->tenth = 10;
        draw_bar(p, done, total);
        p->drawn_s = now;
        return;
    }
    int tenth = total > 0 ? (int)((double)done / (double)total * 10) : 0;
    if (!last && !(tenth > p->tenth && now - p->drawn_s >= PLAIN_LINE_S / 5) &&
        now - p->drawn_s < PLAIN_LINE_S)
        return;
    draw_line(p, done, total);
    p->tenth = done == total ? 10 : tenth;
    p->drawn_s = now;
}

void cli_progress_say(struct cli_progress *p, const char *text)
{
    if (p->quiet || strncmp(p->said, text, sizeof p->said - 1) == 0) return;
    snprintf(p->said, sizeof p->said, "%s", text);
    cli_progress_end(p);
    fprintf(stderr, "%s\n", text);
}

void cli_progress_end(struct cli_progress *p)
{
    if (p->open) fputc('\n', stderr);
    p->open = false;
}
