/*
 * connection.h - a worker's end of a stream application: one connection at a time for each thread.
 *
 *   connection_next -> the guest reads, writes, closes -> connection_over
 */
#ifndef APP_CONNECTION_H
#define APP_CONNECTION_H

#include <sys/socket.h>

#include "base/attr.h"

struct worker;

struct connection {
    int fd; /* the guest's, which closes it; blocking, close-on-exec */
    struct sockaddr_storage peer;
    socklen_t peer_length; /* 0: a Unix socket's client without a name */
    int64_t idle_ms;       /* how long a read or a write may wait, 0: no limit */
};

/*
 * connection_next - the next one for this thread.  Waits, with the guest's lock let go.
 * false: this thread is to leave.
 */
bool connection_next(struct worker *worker, struct connection *ret);
/* It is closed, and its thread is free. */
void connection_over(struct worker *worker);

/* Room for any of these addresses as text. */
#define CONNECTION_TEXT 140
/* "127.0.0.1:4711", "[::1]:4711", "unix:", for logs. */
const char *connection_text(const struct connection *c, char text[CONNECTION_TEXT]);

#endif
