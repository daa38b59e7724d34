/*
 * h1_write.h - answers as HTTP/1.1 has them on the wire (RFC 9112, 4, 6, 7, 9.6), into the stream's
 * queue.  Nothing is flushed here.
 */
#ifndef HTTP_H1_WRITE_H
#define HTTP_H1_WRITE_H

#include <sys/types.h>

#include "event/stream.h"
#include "http/response.h"

enum response_framing {
    FRAMING_NONE, /* no body: HEAD, 204, 304 */
    FRAMING_LENGTH,
    FRAMING_CHUNKED,
    FRAMING_CLOSE,
};

/* Status line, fields, Server and Date. */
void h1_write_head(struct request *req, const struct field *fields, size_t n);
/* Content-Length, Connection, Transfer-Encoding and the empty line; sets framing, keep_alive. */
void h1_write_framing(struct request *req);
/* last: what h1_write_end would write goes with it, and that is then not to be called. */
void h1_write_data(struct request *req, const char *p, size_t n, response_release_fn *release,
                   void *arg, bool last);
void h1_write_copy(struct request *req, const char *p, size_t n);
void h1_write_file(struct request *req, int fd, off_t offset, uint64_t n);
/* The last chunk, if the body is chunked. */
void h1_write_end(struct request *req);
bool h1_write_full(const struct request *req);

/* "HTTP/1.1 100 Continue". */
void h1_write_continue(struct request *req);
/* The answer to a connection that was silent for too long. */
void h1_write_idle_timeout(struct stream *s, struct slice server);

static inline bool
status_is_bodiless(unsigned status)
{
    return status == 204 || status == 304;
}

/* Three digits. */
static inline size_t
put_status(char *p, unsigned status)
{
    p[0] = (char)('0' + status / 100);
    p[1] = (char)('0' + status / 10 % 10);
    p[2] = (char)('0' + status % 10);
    return 3;
}

#endif
