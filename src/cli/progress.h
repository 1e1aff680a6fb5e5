/* A progress bar on standard error: one moving line with rate and time left on a terminal; in a pipe or a
 * log a plain line every tenth or every five seconds, whichever comes later; nothing with --quiet. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "base_str.h"

struct cli_progress {
    bool terminal, quiet, open; /* open: a bar stands on the current line */
    char label[80];             /* what moves now */
    double begun_s, drawn_s, rate_bytes_s, mark_s;
    int64_t begun_bytes, mark_bytes;
    int tenth;                  /* last printed in a pipe */
    char said[160];             /* last remark */
};

void cli_progress_init(struct cli_progress *p, bool quiet);
/* `done` of `total` bytes (total < 0: unknown) of the thing called `label`. A new label starts a new bar. */
void cli_progress_move(struct cli_progress *p, const char *label, int64_t done, int64_t total);
/* A sentence of its own (once while it stays the same). */
void cli_progress_say(struct cli_progress *p, const char *text);
void cli_progress_end(struct cli_progress *p); /* leave the line */

#endif
