/* croft task import: another tool's task into a folder, as task.yaml and JSONL (task_import.h). What was written is
 * read back and checked before the command says that it is there. */
#include "cli.h"
#include "plat_file.h"
#include "task_import.h"

#include <errno.h>
#include <unistd.h>

static int write_new(const char *dir, const char *name, const struct buf *text, struct buf *path, struct err *e)
{
    buf_clear(path);
    buf_fmt(path, "%s/%s", dir, name);
    int rc = buf_check(path, "path", e);
    if (rc) return rc;
    if (access(path->data, F_OK) == 0)
        return ERR(e, USAGE, "The file '%s' exists already; nothing is overwritten.", path->data);
    return cli_write_file(path->data, text, e);
}

static int write_all(const struct task_imported *t, const char *dir, struct buf *path, struct err *e)
{
    char name[32];
    int rc = 0, failed = plat_dir_make(dir);
    if (failed) return err_errno(e, -failed, "make the folder", dir);
    for (int s = 0; s < 3 && rc == 0; s++) {
        snprintf(name, sizeof name, "%s.jsonl", task_split_name((enum task_split)s));
        if (t->n[s]) rc = write_new(dir, name, &t->data[s], path, e);
    }
    return rc ? rc : write_new(dir, "task.yaml", &t->yaml, path, e);
}

static int read_back(const char *path, struct err *e)
{
    struct task *t = NULL;
    struct task_examples x = {0};
    int rc = task_load(path, &t, e);
    for (int s = 0; s < 3 && rc == 0; s++) {
        if (!task_split_path(t, (enum task_split)s)) continue;
        rc = task_split_load(t, (enum task_split)s, &x, e);
        if (rc == 0) task_examples_done(&x);
    }
    task_free(t);
    return rc;
}

static int run(const char *file, const char *dir, struct err *e)
{
    struct task_imported t;
    struct buf path;
    int rc = task_import(file, &t, e);
    if (rc) return rc;
    buf_init(&path, 4096);
    rc = write_all(&t, dir, &path, e);
    if (rc == 0) rc = read_back(path.data, e);
    if (rc == 0)
        printf("Imported from %s: %zu training, %zu validation, %zu test examples. Next: croft task check %s\n", t.from,
               t.n[TASK_TRAIN], t.n[TASK_VALIDATION], t.n[TASK_TEST], path.data);
    buf_done(&path);
    task_imported_done(&t);
    return rc;
}

int cli_task_import_command(int argc, char **argv)
{
    struct settings {
        const char *out;
    } set = {0};
    static const struct conf_row rows[] = {
        {"output", 'o', CONF_STR, offsetof(struct settings, out), .arg = "FOLDER",
         .help = "where task.yaml and the data are written"},
        {.name = ""},
    };
    struct conf_list words;
    struct err e = {0};
    int exit_code = 0;
    if (!cli_options("task import", rows, &set, argc, argv, &words, 1, 1, &exit_code)) return exit_code;
    int rc = set.out ? run(words.item[0], set.out, &e) : ERR(&e, USAGE, "No folder is given: add -o FOLDER.");
    return rc ? cli_fail("task import", &e) : 0;
}
