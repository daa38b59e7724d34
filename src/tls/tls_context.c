/*
 * tls_context.c - PEM texts to an SSL_CTX.
 *
 *   bundle --pem.c--> chain, key --> SSL_CTX <-- store of CAs, their names <--pem.c-- ca
 *
 * RFC 8446, 4.2.4 and 4.4.2: the names of the CAs tell a client which of its certificates will do.
 * RFC 9325: what is not offered.  See SSL_CTX_set_options(3ssl), SSL_CTX_set_verify(3ssl).
 */
#include "tls/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "tls/pem.h"

struct tls_context {
    SSL_CTX *ctx;
    bool server;
};

int
tls_context_bundle(struct tls_context *context, struct slice pem, struct br_err *err)
{
    SSL_CTX *ctx = context->ctx;
    struct pem_bundle b;
    int rc = pem_read_bundle(pem, &b, err);

    if (rc < 0)
        return rc;
    if (SSL_CTX_use_certificate(ctx, b.chain[0]) != 1 || SSL_CTX_use_PrivateKey(ctx, b.key) != 1)
        rc = -EBADMSG;
    for (size_t i = 1; i < b.n && rc == 0; i++)
        if (SSL_CTX_add1_chain_cert(ctx, b.chain[i]) != 1)
            rc = -EBADMSG;
    if (rc < 0)
        br_fail(err, rc, "OpenSSL refuses it: %s", ERR_reason_error_string(ERR_peek_last_error()));
    ERR_clear_error();
    pem_done(&b);
    return rc;
}

int
tls_context_ca(struct tls_context *context, struct slice pem, struct br_err *err)
{
    SSL_CTX *ctx = context->ctx;
    struct pem_bundle b;
    int rc = pem_read_certificates(pem, &b, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < b.n && rc == 0; i++)
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), b.chain[i]) != 1 ||
            SSL_CTX_add_client_CA(ctx, b.chain[i]) != 1)
            rc = br_fail(err, -EBADMSG, "OpenSSL refuses certificate %zu", i + 1);
    ERR_clear_error();
    pem_done(&b);
    if (context->server)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return rc;
}

int
tls_context_system_ca(struct tls_context *context, struct br_err *err)
{
    if (SSL_CTX_set_default_verify_paths(context->ctx) == 1)
        return 0;
    ERR_clear_error();
    return br_fail(err, -ENOENT, "the certificates that this system trusts cannot be found");
}

static struct tls_context *
context_new(const SSL_METHOD *method)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    if (context == NULL)
        abort();
    context->ctx = SSL_CTX_new(method);
    if (context->ctx == NULL)
        abort();
    SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(context->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context->ctx, 0);
    SSL_CTX_set_read_ahead(context->ctx, 1);
    SSL_CTX_set_mode(context->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

struct tls_context *
tls_context_server(void)
{
    struct tls_context *context = context_new(TLS_server_method());

    context->server = true;
    return context;
}

struct tls_context *
tls_context_client(void)
{
    struct tls_context *context = context_new(TLS_client_method());

    SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
    return context;
}

void
tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

SSL *
tls_context_connection(const struct tls_context *context)
{
    SSL *ssl = SSL_new(context->ctx);

    if (ssl == NULL)
        abort();
    return ssl;
}
