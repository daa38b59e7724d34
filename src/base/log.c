/*
 * log.c - one line, composed on the stack and written by one write(2).
 *
 *   2026/11/23 07:32:23 [notice] 4711#4711 *17 message
 *   `---------- head, new for each line --´ `-- body, compared with the last line's
 *
 * What is remembered of the last line is kept per thread, so that nothing here is locked and a
 * fork finds nothing half-done.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define LINE_MAX_BYTES 2048
#define HEAD_MAX_BYTES 80
#define BODY_MAX_BYTES (LINE_MAX_BYTES - HEAD_MAX_BYTES - 1)
#define REPEAT_MS      1000

static const char *const level_names[] = {
    [LOG_ALERT] = "alert",   [LOG_ERROR] = "error", [LOG_WARN] = "warn",
    [LOG_NOTICE] = "notice", [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

static int to_fd = STDERR_FILENO;
static enum log_level most_level = LOG_INFO;
static pid_t cached_pid;

/* Of the calling thread. */
static _Thread_local struct {
    pid_t tid;
    enum log_level level; /* of the last line written */
    int64_t written_ms;
    unsigned repeats; /* lines like it that were not written */
    size_t n;
    char body[BODY_MAX_BYTES];
} last;

void
log_to_fd(int fd)
{
    to_fd = fd;
}

int
log_fd(void)
{
    return to_fd;
}

void
log_set_level(enum log_level most)
{
    most_level = most;
}

enum log_level
log_get_level(void)
{
    return most_level;
}

int
log_level_parse(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < array_len(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

void
log_after_fork(void)
{
    cached_pid = 0;
    last.tid = 0;
    last.n = 0;
    last.repeats = 0;
}

static void
write_line(enum log_level level, const char *body, size_t n)
{
    char line[LINE_MAX_BYTES];
    int head;

    if (cached_pid == 0)
        cached_pid = getpid();
    if (last.tid == 0)
        last.tid = gettid();
    head = snprintf(line, HEAD_MAX_BYTES, "%s [%s] %d#%d ", clock_error_log_now(),
                    level_names[level], cached_pid, last.tid);
    memcpy(line + head, body, n);
    line[(size_t)head + n] = '\n';
    /* A log that cannot be written has nobody to complain to. */
    (void)fd_write_all(to_fd, line, (size_t)head + n + 1);
}

static void
write_repeats(void)
{
    char body[64];
    int n;

    if (last.repeats == 0)
        return;
    n = snprintf(body, sizeof(body), "the line before was repeated %u times", last.repeats);
    write_line(last.level, body, (size_t)n);
    last.repeats = 0;
}

static bool
is_repeat(enum log_level level, const char *body, size_t n)
{
    return last.n == n && n > 0 && last.level == level && memcmp(last.body, body, n) == 0 &&
           clock_us() / 1000 - last.written_ms < REPEAT_MS;
}

/* Copy text so that it cannot pretend to be another line: control characters as \xXX. */
static size_t
escape(char *to, size_t room, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool control = c < 0x20 || c == 0x7f;

        if (n + (control ? 4 : 1) > room)
            break;
        if (!control) {
            to[n++] = (char)c;
            continue;
        }
        to[n++] = '\\';
        to[n++] = 'x';
        to[n++] = hex[c >> 4];
        to[n++] = hex[c & 15];
    }
    return n;
}

static void br_printf(3, 0)
    log_line(enum log_level level, const char *conn, const char *fmt, va_list args)
{
    char text[LINE_MAX_BYTES], body[BODY_MAX_BYTES];
    int saved = errno;
    size_t n;

    vsnprintf(text, sizeof(text), fmt, args);
    n = escape(body, sizeof(body), conn);
    n += escape(body + n, sizeof(body) - n, text);

    if (is_repeat(level, body, n)) {
        last.repeats++;
    } else {
        write_repeats();
        write_line(level, body, n);
        memcpy(last.body, body, n);
        last.n = n;
        last.level = level;
        last.written_ms = clock_us() / 1000;
    }
    errno = saved;
}

void
br_log(enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (!log_would(level))
        return;
    va_start(args, fmt);
    log_line(level, "", fmt, args);
    va_end(args);
}

void
br_log_conn(enum log_level level, uint64_t conn, const char *fmt, ...)
{
    char prefix[32];
    va_list args;

    if (!log_would(level))
        return;
    snprintf(prefix, sizeof(prefix), "*%llu ", (unsigned long long)conn);
    va_start(args, fmt);
    log_line(level, prefix, fmt, args);
    va_end(args);
}
