/* Which models run now. A process that serves or runs a model holds a locked file in
 * $XDG_RUNTIME_DIR/croft (or the store's run/) for as long as it lives; the kernel drops the lock when it
 * ends, however it ends, so the list is honest without looking at process numbers. */
#ifndef BUNDLE_RUN_H
#define BUNDLE_RUN_H

#include "base_err.h"

struct bundle_run; /* heap; one registration */
/* command: "run", "serve"; model: the name the user gave; path: the file in use; address: "127.0.0.1:8080"
 * or NULL. */
int bundle_run_register(const char *command, const char *model, const char *path, const char *address,
                        struct bundle_run **out, struct err *e) ERR_CHECK;
void bundle_run_unregister(struct bundle_run *r); /* NULL is fine */

struct bundle_run_info {
    int64_t pid, started_unix_s;
    char command[32], model[160], address[80], path[512];
};
/* Live registrations, oldest first; files of dead processes are removed. *out: mem_free. */
int bundle_run_list(struct bundle_run_info **out, int *out_n, struct err *e) ERR_CHECK;

#endif
