/*
 * control_line.h - a connection to the control API: in clear, or by TLS for "https://HOST:PORT".
 */
#ifndef PROGRAMS_CONTROL_LINE_H
#define PROGRAMS_CONTROL_LINE_H

#include "base/buf.h"
#include "base/err.h"
#include "programs/broodctl.h"

struct tls_context;
struct tls_stream;

struct ctl_line {
    int fd; /* -1: not connected */
    struct tls_context *context;
    struct tls_stream *tls; /* NULL: in clear */
};

/*
 * line_open - connect to ctl->control; a name is looked up, and with TLS the server's certificate
 * must have it.
 *
 *   timeout_ms   of each step, 0: none
 *
 * 0 or -errno with the sentence; line_close in both cases.
 */
int line_open(struct ctl_line *line, const struct ctl *ctl, int timeout_ms, struct br_err *err);
void line_close(struct ctl_line *line);

/* All of it, or as much as the server cares to read. */
void line_send(struct ctl_line *line, struct slice data);
/* To the end of the answer.  0 or -errno. */
int line_receive(struct ctl_line *line, struct buf *b, struct br_err *err);

#endif
