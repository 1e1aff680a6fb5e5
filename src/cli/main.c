/* The program: find the command, run it, report what standard output refused, return the exit code.
 *
 * Exit codes are those of croft/errors.h (docs/ERRORS.md). SIGPIPE keeps its default action, so `croft … | head` ends
 * the program quietly as it does for every Unix filter; where a parent has it ignored, finish() stays quiet instead.
 * Read next: cli.c, then any cmd_<name>.c. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>

/* A parent may have closed 0, 1 or 2. The next file opened would take the number, and what is printed would go into it:
 * into a model being stored, say. The place holders refuse as the closed ones did (EBADF). */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) return;
}

/* A full disk behind `> file` must not look like success. */
static int finish(int exit_code)
{
    struct err e;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return exit_code;
    if (errno == EPIPE) return 128 + SIGPIPE;
    if (exit_code) return exit_code;
    err_errno(&e, errno ? errno : EIO, "write", "standard output");
    return cli_fail("", &e);
}

static int unknown_command(const char *name)
{
    struct err e;
    char suggestion[64];
    cli_suggest(name, suggestion, sizeof suggestion);
    if (name[0] == '-') ERR(&e, USAGE, "Unknown option '%.60s'. Options come after the command.", name);
    else ERR(&e, USAGE, "There is no command '%.60s'.%s 'croft help' lists them.", name, suggestion);
    return cli_fail("", &e);
}

int main(int argc, char **argv)
{
    char *help[] = {"help", NULL}, *version[] = {"version", NULL};
    hold_standard_streams();
    signal(SIGPIPE, SIG_DFL);
    cli_explain_lost_files();
    setlocale(LC_CTYPE, "C.UTF-8"); /* numbers stay in the C locale: "1.5" everywhere */
    json_set_alloc_funcs(mem_alloc, mem_free);
    if (argc < 2) {
        cmd_help(1, help);
        return finish(err_exit(CROFT_E_USAGE));
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return finish(cmd_help(1, help));
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) return finish(cmd_version(1, version));
    const struct cli_command *c = cli_command_find(name);
    return finish(c ? c->run(argc - 1, argv + 1) : unknown_command(name));
}
