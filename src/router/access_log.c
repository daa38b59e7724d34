/*
 * access_log.c - the combined format:
 *
 *   $remote_addr - - [$time_local] "$request_line" $status $body_bytes_sent "$header_referer"
 * "$header_user_agent"
 *
 * What a client sent is escaped, so that no request can forge a line or move a terminal's cursor.
 * A log that cannot be written (disk full, reader of a pipe gone) costs lines, never requests.
 */
#include "router/access_log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "http/request.h"

#define FLUSH_BYTES   (64 * 1024)
#define CEILING_BYTES (1024 * 1024)

struct access_log *
access_log_new(const char *path, int fd)
{
    size_t n = strlen(path) + 1;
    struct access_log *log = malloc(sizeof(*log) + n);

    if (log == NULL)
        abort();
    *log = (struct access_log){.refs = 1, .fd = fd};
    list_init(&log->link);
    buf_init(&log->lines, CEILING_BYTES);
    memcpy(log->path, path, n);
    return log;
}

struct access_log *
access_log_find(struct list *logs, const char *path)
{
    struct access_log *log;

    list_foreach (log, logs, link) {
        if (strcmp(log->path, path) == 0)
            return log;
    }
    return NULL;
}

void
access_log_unref(struct access_log *log)
{
    if (--log->refs > 0)
        return;
    access_log_flush(log);
    list_del(&log->link);
    buf_done(&log->lines);
    fd_close(&log->fd);
    free(log);
}

void
access_log_reopen(struct access_log *log, int fd)
{
    access_log_flush(log);
    fd_close(&log->fd);
    log->fd = fd;
}

/* 0: stands as it is. */
static inline bool
needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7F;
}

void
access_log_escape(struct buf *b, struct slice value)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t plain = 0;

    if (value.n == 0) {
        buf_putc(b, '-');
        return;
    }
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        char text[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};

        if (!needs_escape(c))
            continue;
        buf_append(b, value.p + plain, i - plain);
        buf_append(b, text, sizeof(text));
        plain = i + 1;
    }
    buf_append(b, value.p + plain, value.n - plain);
}

static void
put_number(struct buf *b, uint64_t value, unsigned width)
{
    char text[24];
    char *p = text + sizeof(text);

    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || p > text + sizeof(text) - width);
    buf_append(b, p, (size_t)(text + sizeof(text) - p));
}

void
access_log_add(struct access_log *log, const struct request *req)
{
    struct buf *b = &log->lines;
    size_t before = b->n;

    access_log_escape(b, request_remote_addr(req));
    buf_puts(b, " - - [");
    buf_puts(b, clock_access_log_now());
    buf_puts(b, "] \"");
    access_log_escape(b, req->line);
    buf_puts(b, "\" ");
    put_number(b, req->status, 3);
    buf_putc(b, ' ');
    put_number(b, req->body_sent, 1);
    buf_puts(b, " \"");
    access_log_escape(b, request_field(req, NAME_REFERER));
    buf_puts(b, "\" \"");
    access_log_escape(b, request_field(req, NAME_USER_AGENT));
    buf_puts(b, "\"\n");
    if (b->error != 0) { /* the ceiling: a part of a line is worse than none */
        b->error = 0;
        b->n = before;
        log->lost++;
    }
    if (b->n >= FLUSH_BYTES)
        access_log_flush(log);
}

static uint64_t
count_lines(struct slice text)
{
    uint64_t n = 0;

    for (size_t at = slice_find(text, 0, '\n'); at < text.n; at = slice_find(text, at + 1, '\n'))
        n++;
    return n;
}

void
access_log_flush(struct access_log *log)
{
    struct slice text = buf_slice(&log->lines);
    int rc;

    if (text.n == 0)
        return;
    rc = fd_write_all(log->fd, text.p, text.n);
    if (rc < 0) {
        if (log->lost == 0)
            br_log(LOG_ERROR, "cannot write access log \"%s\": %s", log->path, strerror(-rc));
        log->lost += count_lines(text);
    } else if (log->lost > 0) {
        br_log(LOG_WARN, "access log \"%s\" can be written again, %llu lines are lost", log->path,
               (unsigned long long)log->lost);
        log->lost = 0;
    }
    buf_clear(&log->lines);
}
