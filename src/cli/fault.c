/* A mapped file that another program cuts short, or whose disk fails, cannot be read: the system sends SIGBUS for the
 * page that is not there. There is no way on, since what was half computed from it is lost, but there is a way to say
 * which file it was. The handler uses nothing but system calls and its own stack; the file's name is the one that
 * /proc/self/maps has for the address, a line each:
 *
 *     7f0c5a000000-7f0c5a400000 r--s 00000000 fe:01 131 /models/a.gguf
 *
 * Owns the disposition of SIGBUS. Several threads may meet it at once: the first speaks, the others wait. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_flag spoken = ATOMIC_FLAG_INIT;

static const char *hex(const char *p, uintptr_t *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *d;
    for (*out = 0; *p && (d = strchr(digits, *p)); p++) *out = *out << 4 | (uintptr_t)(d - digits);
    return p;
}

/* The name of the file that a line maps, if the address is within; NULL otherwise. */
static const char *file_of(const char *line, uintptr_t address)
{
    uintptr_t from, to;
    const char *p = hex(line, &from);
    if (*p != '-' || address < from) return NULL;
    hex(p + 1, &to);
    return address < to ? strchr(line, '/') : NULL;
}

/* Reads lines until the one with the address, byte by byte: this happens once. What exceeds the buffer is cut. */
static const char *name_at(int fd, uintptr_t address, char *line, size_t size)
{
    char c;
    size_t n = 0;
    while (read(fd, &c, 1) == 1) {
        if (c != '\n') {
            if (n + 1 < size) line[n++] = c;
            continue;
        }
        line[n] = 0;
        n = 0;
        const char *name = file_of(line, address);
        if (name) return name;
    }
    return NULL;
}

static void say(const char *text)
{
    ssize_t n = write(STDERR_FILENO, text, strlen(text));
    (void)n; /* nobody is left to tell */
}

static void on_bus(int signo, siginfo_t *info, void *context)
{
    char line[1024];
    while (atomic_flag_test_and_set(&spoken)) pause();
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    const char *name = fd < 0 ? NULL : name_at(fd, (uintptr_t)info->si_addr, line, sizeof line);
    if (!name) { /* another kind of fault: meet it again */
        signal(SIGBUS, SIG_DFL);
        return;
    }
    say("croft: error: '");
    say(name);
    say("' was cut short while it was in use, or its disk failed: the program cannot go on. ");
    say("Replace a file by renaming a new one over it.\n");
    _exit(err_exit(CROFT_E_IO));
}

void cli_explain_lost_files(void)
{
    sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO}, NULL);
}
