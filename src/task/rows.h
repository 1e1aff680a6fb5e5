/* The rows of a data file as JSON objects, one at a time: JSONL as it is written; of a CSV file, whose first record
 * is the header, every field as text. */
#ifndef ROWS_H
#define ROWS_H

#include "csv.h"

#include <jansson.h>

struct task_rows {
    FILE *file;
    const char *path;     /* borrowed */
    bool is_csv;          /* the name ends in .csv */
    long long line;       /* where the row read last begins */
    long long read_lines; /* JSONL */
    char *text;           /* JSONL: one line */
    struct task_csv csv;
    json_t *header;       /* CSV: the names */
};

/* A byte order mark at the beginning is skipped. NOT_FOUND, DENIED, …: the file cannot be opened; FORMAT: its
 * header. */
int task_rows_open(struct task_rows *r, const char *path, struct err *e) ERR_CHECK;
/* The same of a CSV file without a header line: the names (a list of texts, taken) stand for it. */
int task_rows_open_bare(struct task_rows *r, const char *path, json_t *names, struct err *e) ERR_CHECK;
void task_rows_close(struct task_rows *r);
/* *out (json_decref) is the next row, NULL behind the last. FORMAT names the line: not JSON, not UTF-8, not an
 * object, longer than 1 MiB, or another number of fields than the header. */
int task_rows_next(struct task_rows *r, json_t **out, struct err *e) ERR_CHECK;

#endif
