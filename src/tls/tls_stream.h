/*
 * tls_stream.h - TLS as the filter between a stream and its socket.
 *
 *   tls_stream_new --> tls_stream_handshake, until it is 0 --> tls_stream_filter --> the stream
 *
 * It calls the socket itself, with MSG_NOSIGNAL, and buffers what OpenSSL must: a record that came
 * in, a record that has not gone out.  On a socket that blocks it blocks, and needs no stream.
 */
#ifndef TLS_TLS_STREAM_H
#define TLS_TLS_STREAM_H

#include "base/arena.h"
#include "base/err.h"
#include "event/stream.h"

struct tls_context;
struct tls_stream;

/*
 * tls_stream_new - the server's, or with tls_stream_new_client the client's end.
 *
 *   fd     stays yours, and open as long as this
 *   host   DNS name or address that the server's certificate must have
 */
struct tls_stream *tls_stream_new(const struct tls_context *context, int fd);
struct tls_stream *tls_stream_new_client(const struct tls_context *context, int fd,
                                         const char *host);
/* Before the stream has the filter; then its close frees it.  Nothing is sent. */
void tls_stream_free(struct tls_stream *t);

/*
 * tls_stream_handshake - one step.
 * 0 done; -EAGAIN: wait for the socket, see tls_stream_wants_output; -EPROTO, or what the socket
 * said: with the sentence.
 */
int tls_stream_handshake(struct tls_stream *t, struct br_err *err);
bool tls_stream_wants_output(const struct tls_stream *t);

/* The peer's common name, SLICE_NONE: it showed no certificate, or that has none. */
struct slice tls_stream_peer_name(const struct tls_stream *t, struct arena *a);

struct stream_filter *tls_stream_filter(struct tls_stream *t);
/* Why the last read or write failed, "" when the errno says it all. */
const char *tls_stream_fault(const struct tls_stream *t);

#endif
