/*
 * tls_context.h - what one side of TLS brings to every connection: its certificate, whom it trusts.
 *
 *   server   bundle, and a CA when clients must show a certificate
 *   client   CA, or those of the system; and a bundle, when the server asks for one
 *
 * TLS 1.2 at least, the server's order of ciphers, no compression, no renegotiation, no resumption:
 * each handshake looks at the certificates anew.
 */
#ifndef TLS_TLS_CONTEXT_H
#define TLS_TLS_CONTEXT_H

#include "base/err.h"
#include "base/slice.h"

struct ssl_st;
struct tls_context;

struct tls_context *tls_context_server(void);
struct tls_context *tls_context_client(void);

/*
 * tls_context_bundle - what to show: a chain, leaf first, and its key.  A server must have one.
 * tls_context_ca     - whose signatures count.  A server that has it asks each client for a
 *                      certificate, and refuses those who show none.
 * tls_context_system_ca - the same for a client, from where the system has them.
 *
 * Nothing is kept of the texts.  0, or -EBADMSG, -ENOENT with the sentence.
 */
int tls_context_bundle(struct tls_context *context, struct slice pem, struct br_err *err);
int tls_context_ca(struct tls_context *context, struct slice pem, struct br_err *err);
int tls_context_system_ca(struct tls_context *context, struct br_err *err);

void tls_context_free(struct tls_context *context);

/* For this room: the OpenSSL object of a new connection. */
struct ssl_st *tls_context_connection(const struct tls_context *context);

#endif
