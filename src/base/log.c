/* One line per message on standard error (base_log.h). What came from outside may be in it: control characters, with
 * which it could forge lines or command a terminal, become spaces. */
#include "base_log.h"
#include "base_clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int current = -1;

void log_set_level(enum log_level level) { atomic_store(&current, (int)level); }

bool log_enabled(enum log_level level)
{
    int now = atomic_load(&current);
    if (now < 0) {
        static const char *const names[] = {"error", "warn", "info", "debug"};
        const char *s = getenv("CROFT_LOG");
        now = LOG_WARN;
        for (int i = 0; s && i < 4; i++)
            if (strcmp(s, names[i]) == 0) now = i;
        atomic_store(&current, now);
    }
    return (int)level <= now;
}

/* systemd's journal takes a line's level from "<N>" before it, and names the stream that leads there by device and
 * inode (it may have been redirected since). */
static bool to_journal(void)
{
    static atomic_int known = -1;
    struct stat st;
    char text[64];
    const char *stream = getenv("JOURNAL_STREAM");
    if (atomic_load(&known) >= 0) return atomic_load(&known);
    bool is = stream && fstat(STDERR_FILENO, &st) == 0;
    if (is) snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    is = is && strcmp(stream, text) == 0;
    atomic_store(&known, is);
    return is;
}

static void tame(char *line)
{
    for (unsigned char *p = (unsigned char *)line; *p; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = ' ';
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) /* U+0080 to U+009F in UTF-8 */
            p[0] = p[1] = ' ';
}

void log_at(enum log_level level, const char *fmt, ...)
{
    if (!log_enabled(level)) return;
    static const char *const tags[] = {"error", "warning", "info", "debug"};
    static const char *const levels[] = {"<3>", "<4>", "<6>", "<7>"}; /* as syslog numbers them */
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    tame(line);
    fprintf(stderr, "%scroft: %s: %s\n", to_journal() ? levels[level] : "", tags[level], line);
}
