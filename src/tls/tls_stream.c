/*
 * tls_stream.c - one TLS connection over a socket.
 *
 *   stream --read, write--> SSL --BIO of ours--> recv(2), send(2) with MSG_NOSIGNAL
 *
 * The BIO keeps the errno of the socket, which OpenSSL does not promise to.  A write that the
 * socket did not take whole is a record that is half way out: it must be offered again with the
 * same length, whatever has been queued behind it (SSL_write(3ssl)).
 *
 * RFC 8446, 6.1: close_notify ends one direction.  An end without it may be somebody else's doing,
 * and is an error.
 */
#include "tls/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tls/pem.h"
#include "tls/tls_context.h"

#define FAULT_BYTES 160

struct tls_stream {
    struct stream_filter filter;
    SSL *ssl;
    int fd;
    int error;      /* -errno of the last failed system call */
    size_t pending; /* bytes of a write that waits */
    bool broken;    /* no close_notify may follow */
    char fault[FAULT_BYTES];
};

/* --- the socket --- */

static int
socket_result(BIO *bio, struct tls_stream *t, ssize_t n, bool reading)
{
    BIO_clear_retry_flags(bio);
    if (n >= 0)
        return (int)n;
    t->error = -errno;
    if (errno == EAGAIN && reading)
        BIO_set_retry_read(bio);
    else if (errno == EAGAIN)
        BIO_set_retry_write(bio);
    return -1;
}

static int
socket_read(BIO *bio, char *p, int n)
{
    struct tls_stream *t = BIO_get_data(bio);
    ssize_t got;

    do
        got = recv(t->fd, p, (size_t)n, 0);
    while (got < 0 && errno == EINTR);
    return socket_result(bio, t, got, true);
}

static int
socket_write(BIO *bio, const char *p, int n)
{
    struct tls_stream *t = BIO_get_data(bio);
    ssize_t sent;

    do
        sent = send(t->fd, p, (size_t)n, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return socket_result(bio, t, sent, false);
}

static long
socket_control(br_unused BIO *bio, int command, br_unused long n, br_unused void *p)
{
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO *
socket_bio(struct tls_stream *t)
{
    static BIO_METHOD *method; /* for the life of the process */
    BIO *bio;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        if (method == NULL)
            abort();
        BIO_meth_set_read(method, socket_read);
        BIO_meth_set_write(method, socket_write);
        BIO_meth_set_ctrl(method, socket_control);
    }
    bio = BIO_new(method);
    if (bio == NULL)
        abort();
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- what went wrong --- */

/* The sentence of OpenSSL's queue; of a certificate that did not do, why. */
static void
explain(struct tls_stream *t)
{
    unsigned long why = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(why);
    long verified = SSL_get_verify_result(t->ssl);

    if (ERR_GET_REASON(why) == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK)
        snprintf(t->fault, sizeof(t->fault), "the peer's certificate is refused: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(t->fault, sizeof(t->fault), "%s", reason != NULL ? reason : "TLS failed");
}

/* What a call that returned `result` means: 0 the peer's close_notify, -EAGAIN, or -errno. */
static int
judge(struct tls_stream *t, int result)
{
    int why = SSL_get_error(t->ssl, result);

    t->filter.wants_output = why == SSL_ERROR_WANT_WRITE;
    t->fault[0] = '\0';
    switch (why) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        t->broken = true;
        return t->error < 0 ? t->error : -ECONNRESET;
    default:
        t->broken = true;
        explain(t);
        ERR_clear_error();
        return -EPROTO;
    }
}

/* --- the filter --- */

static ssize_t
tls_read(struct stream_filter *f, char *p, size_t n)
{
    struct tls_stream *t = container_of(f, struct tls_stream, filter);
    size_t got = 0;

    ERR_clear_error();
    t->error = 0;
    t->filter.wants_output = false;
    if (SSL_read_ex(t->ssl, p, n, &got) == 1)
        return (ssize_t)got;
    return judge(t, 0);
}

static ssize_t
tls_write(struct stream_filter *f, const char *p, size_t n)
{
    struct tls_stream *t = container_of(f, struct tls_stream, filter);
    bool wanted = t->filter.wants_output;
    size_t sent = 0;
    int rc;

    if (t->pending > 0)
        n = br_min(n, t->pending);
    ERR_clear_error();
    t->error = 0;
    if (SSL_write_ex(t->ssl, p, n, &sent) == 1) {
        t->pending = 0;
        return (ssize_t)sent;
    }
    rc = judge(t, 0);
    t->filter.wants_output = wanted; /* the read's */
    t->pending = rc == -EAGAIN ? n : 0;
    return rc == 0 ? -EPIPE : rc;
}

/* Behind half a record there is no place for an alert. */
static void
say_goodbye(struct tls_stream *t)
{
    if (t->broken || t->pending > 0 || !SSL_is_init_finished(t->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static void
tls_shutdown(struct stream_filter *f)
{
    struct tls_stream *t = container_of(f, struct tls_stream, filter);

    say_goodbye(t);
    (void)shutdown(t->fd, SHUT_WR);
}

static void
tls_close(struct stream_filter *f, bool abrupt)
{
    struct tls_stream *t = container_of(f, struct tls_stream, filter);

    if (!abrupt && !(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
        say_goodbye(t);
    tls_stream_free(t);
}

static const struct stream_filter_ops ops = {tls_read, tls_write, tls_shutdown, tls_close};

/* --- a connection --- */

struct tls_stream *
tls_stream_new(const struct tls_context *context, int fd)
{
    struct tls_stream *t = calloc(1, sizeof(*t));
    BIO *bio;

    if (t == NULL)
        abort();
    t->filter.ops = &ops;
    t->fd = fd;
    t->ssl = tls_context_connection(context);
    bio = socket_bio(t);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_accept_state(t->ssl);
    return t;
}

struct tls_stream *
tls_stream_new_client(const struct tls_context *context, int fd, const char *host)
{
    struct tls_stream *t = tls_stream_new(context, fd);
    X509_VERIFY_PARAM *want = SSL_get0_param(t->ssl);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(want, host) == 1;

    SSL_set_connect_state(t->ssl);
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* RFC 6066, 3: a server name is no address. */
    if (!is_address && (X509_VERIFY_PARAM_set1_host(want, host, 0) != 1 ||
                        SSL_set_tlsext_host_name(t->ssl, host) != 1))
        abort();
    ERR_clear_error();
    return t;
}

void
tls_stream_free(struct tls_stream *t)
{
    SSL_free(t->ssl);
    free(t);
}

int
tls_stream_handshake(struct tls_stream *t, struct br_err *err)
{
    int result, rc;

    ERR_clear_error();
    t->error = 0;
    t->filter.wants_output = false;
    result = SSL_do_handshake(t->ssl);
    if (result == 1)
        return 0;
    rc = judge(t, result);
    if (rc == -EAGAIN)
        return rc;
    if (t->fault[0] != '\0')
        br_fail(err, -EBADMSG, "%s", t->fault);
    else
        br_fail(err, rc != 0 ? rc : -ECONNRESET, "the peer broke off");
    return rc != 0 ? rc : -ECONNRESET;
}

bool
tls_stream_wants_output(const struct tls_stream *t)
{
    return t->filter.wants_output;
}

struct slice
tls_stream_peer_name(const struct tls_stream *t, struct arena *a)
{
    const X509 *x = SSL_get0_peer_certificate(t->ssl);

    return x == NULL ? SLICE_NONE : pem_name_part(a, X509_get_subject_name(x), NID_commonName);
}

struct stream_filter *
tls_stream_filter(struct tls_stream *t)
{
    return &t->filter;
}

const char *
tls_stream_fault(const struct tls_stream *t)
{
    return t->fault;
}
