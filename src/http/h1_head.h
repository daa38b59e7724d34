/*
 * h1_head.h - what a parsed head means: where it goes, how its body is framed, what becomes of the
 * connection (RFC 9112, 3.2, 6, 9; RFC 9110, 10.1.1).
 */
#ifndef HTTP_H1_HEAD_H
#define HTTP_H1_HEAD_H

#include "http/h1_parse.h"
#include "http/request.h"

struct h1_framing {
    uint64_t length; /* of Content-Length, 0 without */
    bool chunked;
    bool expects_continue; /* the client waits for 100 before it sends the body */
};

/*
 * h1_head_judge - check what h1_parse found, fill the rest of req.
 *
 * Sets method_id, path, query, host, body.present, wants_close, asks_keep_alive.  Everything that
 * two readers could frame differently is an error.  H1_OK or the first error.
 */
enum h1_result h1_head_judge(struct request *req, struct h1_framing *ret);

#endif
