/*
 * response.h - answer a request, now or later, in one go or in pieces.
 *
 *   response_send                                  whole, at once
 *   response_error                                 the default page
 *   response_head, response_data / _file …, response_end
 *
 * Framing is decided here: Content-Length when the length is known, else chunked for HTTP/1.1 and
 * close for 1.0; no body for HEAD, 1xx, 204 and 304 whatever is given.  Server and Date are added
 * unless given; fields that belong to the connection (Connection, Keep-Alive, Transfer-Encoding,
 * Trailer, Upgrade, Proxy-Connection, TE) and Content-Length, Status are dropped.
 *
 * Nothing here blocks, logs, or calls the handler back; release functions may be called at once.
 * A client that is gone is no error: what is given is dropped.  After response_end, response_send,
 * response_error, response_abort the request belongs to the connection: do not touch it.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <sys/types.h>

#include "http/request.h"

/* The bytes at p, as they were given, are not needed any more: sent or dropped. */
typedef void response_release_fn(void *arg, const char *p);

/*
 * response_head - status and fields; copied, may be freed after the call.
 *
 *   content_length   of the body to come, or -1: unknown
 *
 * Sent with the first data, or at the end of the loop's turn.
 * 0, or (nothing was given, an error page may still be): -EINVAL, status outside 200..999 or a head
 * given before; -EMSGSIZE, head over 64 KiB; -EBADMSG, a field that would split the response.
 */
int response_head(struct request *req, unsigned status, const struct field *fields, size_t n,
                  int64_t content_length);

/*
 * response_data - a piece of the body, by reference: nothing is copied.
 *
 *   release   called once the bytes are sent or dropped, perhaps before this returns;
 *             NULL: they stay valid until on_done
 *
 * More than the announced length is cut, req->fault says so.
 */
void response_data(struct request *req, const char *p, size_t n, response_release_fn *release,
                   void *arg);

/* A piece of a file by sendfile(2); fd is taken, closed when it was sent.  A file that ends early
 * cuts the connection. */
void response_file(struct request *req, int fd, off_t offset, uint64_t n);

/* Send what was given so far, also a head without data. */
void response_flush(struct request *req);

/* The last piece and the end together: one write, and a Content-Length when this is the only piece.
 */
void response_last(struct request *req, const char *p, size_t n, response_release_fn *release,
                   void *arg);

/* The body is complete.  Shorter than announced: the connection is closed, never reused. */
void response_end(struct request *req);

/* Close so that the answer cannot be taken for complete; without a head: just close. */
void response_abort(struct request *req);

/* All at once: Content-Length is body.n, for HEAD too.  A head that is refused becomes a 500. */
void response_send(struct request *req, unsigned status, const struct field *fields, size_t n,
                   struct slice body, response_release_fn *release, void *arg);

/* The default page with this status; the connection stays unless req->wants_close is set.
 * When a head was already given it is response_abort. */
void response_error(struct request *req, unsigned status);
/* The same with more fields (Allow, Location, …). */
void response_error_fields(struct request *req, unsigned status, const struct field *fields,
                           size_t n);

/* So much is waiting for the client that the handler should stop until on_room. */
bool response_full(struct request *req);

/* "Not Found"; empty for numbers that have no name. */
struct slice status_reason(unsigned status);

#endif
