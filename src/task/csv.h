/* Records of a CSV file (RFC 4180), one at a time.
 *
 *     text,label CRLF                 a record: fields, commas, a line end (CRLF, LF or CR; the last may lack it)
 *     "said ""hi"", then             a quoted field holds commas, line ends and, doubled, quotes
 *     left",greeting CRLF
 *
 * A quote in the middle of an unquoted field is itself. Blank lines are no records. */
#ifndef CSV_H
#define CSV_H

#include "base_buf.h"

#include <stdio.h>

struct task_csv {
    FILE *file;             /* borrowed */
    const char *path;       /* borrowed; for messages */
    long long line, record; /* where reading is; where the record begins; from 1 */
    struct buf text;        /* the record's fields, a NUL behind each */
    uint32_t *start;        /* [n] offsets in text */
    uint32_t n, cap;        /* fields; n = 0 after the last record */
};

/* `line`: the line that `file` is at. */
void task_csv_init(struct task_csv *c, FILE *file, const char *path, long long line);
void task_csv_done(struct task_csv *c);
/* Read a record. FORMAT names the line: text behind a closing quote, a quote never closed, bytes that are not UTF-8, a
 * NUL, a record of more than 1 MiB or 1,024 fields. */
int task_csv_next(struct task_csv *c, struct err *e) ERR_CHECK;
/* Borrowed until the next record; i < n. */
const char *task_csv_field(const struct task_csv *c, uint32_t i);

#endif
