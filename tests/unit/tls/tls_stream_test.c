/*
 * tls_stream_test.c - both ends of TLS over a socketpair: streams in one loop.
 */
#include "tls/tls_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "certs.h"
#include "tls/tls_accept.h"
#include "tls/tls_context.h"

#define LARGE   (3u << 20)
#define WAIT_MS 10000

struct end {
    struct stream stream;
    char *got;
    size_t n;
};

struct fixture {
    struct loop *loop;
    struct tls_context *server, *client, *nobody;
    struct tls_acceptor acceptor;
    struct end ends[2]; /* the server's and the client's */
    unsigned secured, plain;
    char why[200];
    char name[64];
};

static struct fixture *fx;

static void
on_stream(struct stream *s)
{
    struct end *e = container_of(s, struct end, stream);
    ssize_t n;

    while (s->readable && s->failed == 0 && e->n < LARGE &&
           (n = stream_read(s, e->got + e->n, LARGE - e->n)) > 0)
        e->n += (size_t)n;
    if (s->queued > 0)
        (void)stream_flush(s, false);
}

static void
end_open(unsigned which, int fd, struct tls_stream *t)
{
    struct end *e = &fx->ends[which];

    stream_init(&e->stream, fx->loop, fd, on_stream);
    stream_set_filter(&e->stream, tls_stream_filter(t));
    assert_int_equal(stream_watch(&e->stream), 0);
}

static void
on_secured(struct tls_acceptor *a, int fd, struct tls_stream *t, const struct tls_peer *peer)
{
    struct arena arena;
    struct slice name;

    (void)a;
    (void)peer;
    arena_init(&arena, 0);
    name = tls_stream_peer_name(t, &arena);
    memcpy(fx->name, name.n > 0 ? name.p : "", name.n);
    arena_done(&arena);
    fx->secured++;
    end_open(0, fd, t);
}

static void
on_plain(struct tls_acceptor *a, int fd, const struct tls_peer *peer)
{
    (void)a;
    (void)peer;
    fx->plain++;
    close(fd);
}

static void
on_failed(struct tls_acceptor *a, const struct tls_peer *peer, const char *why)
{
    (void)a;
    (void)peer;
    strncpy(fx->why, why, sizeof(fx->why) - 1);
}

static const struct tls_accept_ops ops = {on_secured, on_plain, on_failed};

static void
fill(struct tls_context *context, const char *name, EVP_PKEY *ca_key, X509 *ca)
{
    EVP_PKEY *key = certs_key_ec();
    X509 *x = certs_make(name, key, ca, ca_key, "DNS:server.example");
    BIO *pem = BIO_new(BIO_s_mem()), *trust = BIO_new(BIO_s_mem());

    certs_put(pem, x);
    certs_put_key(pem, key);
    certs_put(trust, ca);
    assert_int_equal(tls_context_bundle(context, certs_text(pem), NULL), 0);
    assert_int_equal(tls_context_ca(context, certs_text(trust), NULL), 0);
    BIO_free(pem);
    BIO_free(trust);
    X509_free(x);
    EVP_PKEY_free(key);
}

static int
setup(void **state)
{
    EVP_PKEY *ca_key = certs_key_ec();
    X509 *ca = certs_make("Root", ca_key, NULL, NULL, NULL);
    BIO *trust = BIO_new(BIO_s_mem());

    fx = calloc(1, sizeof(*fx));
    fx->loop = loop_new();
    fx->server = tls_context_server();
    fx->client = tls_context_client();
    fx->nobody = tls_context_client();
    fill(fx->server, "server", ca_key, ca);
    fill(fx->client, "admin", ca_key, ca);
    certs_put(trust, ca);
    assert_int_equal(tls_context_ca(fx->nobody, certs_text(trust), NULL), 0);
    tls_acceptor_init(&fx->acceptor, fx->loop, fx->server, &ops, WAIT_MS);
    for (unsigned i = 0; i < 2; i++) {
        fx->ends[i].stream.fd = -1;
        fx->ends[i].got = malloc(LARGE);
    }
    BIO_free(trust);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    *state = fx;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        stream_close(&fx->ends[i].stream, false);
        free(fx->ends[i].got);
    }
    tls_acceptor_done(&fx->acceptor);
    loop_once(fx->loop, 0);
    tls_context_free(fx->server);
    tls_context_free(fx->client);
    tls_context_free(fx->nobody);
    loop_free(fx->loop);
    free(fx);
    return 0;
}

/* One end goes to the acceptor, the other is returned. */
static int
knock(void)
{
    struct sockaddr nobody = {.sa_family = AF_UNIX};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    tls_accept(&fx->acceptor, fds[0], &nobody, sizeof(nobody));
    return fds[1];
}

/* Turns of the loop until *n is at least `least`. */
static void
turn_until(const size_t *n, size_t least)
{
    int64_t end = clock_ms() + WAIT_MS;

    while (*n < least) {
        loop_once(fx->loop, 10);
        clock_update();
        assert_true(clock_ms() < end);
    }
}

/* The client's handshake, as far as it goes. */
static int
shake(struct tls_stream *t, struct br_err *err)
{
    int64_t end = clock_ms() + WAIT_MS;
    int rc;

    while ((rc = tls_stream_handshake(t, err)) == -EAGAIN) {
        loop_once(fx->loop, 10);
        clock_update();
        assert_true(clock_ms() < end);
    }
    return rc;
}

static void
connect_both(void)
{
    int fd = knock();
    struct tls_stream *t = tls_stream_new_client(fx->client, fd, "server.example");

    assert_int_equal(shake(t, NULL), 0);
    end_open(1, fd, t);
    while (fx->secured == 0)
        loop_once(fx->loop, 10);
}

static void
bytes_go_both_ways_one_by_one(void **state)
{
    static const char text[] = "every byte is a record";
    struct stream *s;

    (void)state;
    connect_both();
    assert_string_equal(fx->name, "admin");
    s = &fx->ends[1].stream;
    for (size_t i = 0; i < sizeof(text); i++) {
        stream_copy(s, text + i, 1);
        assert_int_equal(stream_flush(s, false), 1);
    }
    turn_until(&fx->ends[0].n, sizeof(text));
    assert_memory_equal(fx->ends[0].got, text, sizeof(text));
    s = &fx->ends[0].stream;
    stream_copy(s, text, 5);
    stream_ref(s, text + 5, sizeof(text) - 5, NULL, NULL);
    assert_int_equal(stream_flush(s, false), sizeof(text));
    turn_until(&fx->ends[1].n, sizeof(text));
    assert_memory_equal(fx->ends[1].got, text, sizeof(text));
}

/* More than the socket takes: what waits counts as queued to the byte, pieces keep their order. */
static void
large_output_waits_for_the_reader(void **state)
{
    struct stream *s;
    char *body = malloc(LARGE);
    size_t half = LARGE / 2, sent;
    int fd;

    (void)state;
    for (size_t i = 0; i < LARGE; i++)
        body[i] = (char)(i * 31 + i / 251);
    fd = fd_memfd_sealed("half", body + half, LARGE - half);
    assert_true(fd >= 0);
    connect_both();
    s = &fx->ends[0].stream;
    stream_copy(s, body, 7);
    stream_ref(s, body + 7, half - 7, NULL, NULL);
    stream_file(s, fd, 0, LARGE - half);
    sent = stream_flush(s, false);
    assert_in_range(sent, 1, LARGE - 1);
    assert_int_equal(s->queued, LARGE - sent);
    assert_int_equal(stream_flush(s, false), 0); /* nobody has read */
    turn_until(&fx->ends[1].n, LARGE);
    assert_memory_equal(fx->ends[1].got, body, LARGE);
    assert_int_equal(s->queued, 0);
    free(body);
}

static void
a_half_close_leaves_the_other_half(void **state)
{
    struct end *server = &fx->ends[0], *client = &fx->ends[1];
    size_t ended = 0;

    (void)state;
    connect_both();
    stream_shutdown(&client->stream);
    for (int i = 0; i < 100 && !server->stream.ended; i++)
        loop_once(fx->loop, 10);
    ended = server->stream.ended;
    assert_int_equal(ended, 1);
    assert_int_equal(server->stream.failed, 0);
    stream_copy(&server->stream, "still", 5);
    assert_int_equal(stream_flush(&server->stream, false), 5);
    turn_until(&client->n, 5);
    assert_memory_equal(client->got, "still", 5);
}

static void
an_end_without_close_notify_is_an_error(void **state)
{
    struct stream *s = &fx->ends[0].stream;

    (void)state;
    connect_both();
    shutdown(fx->ends[1].stream.fd, SHUT_WR);
    for (int i = 0; i < 100 && s->failed == 0; i++)
        loop_once(fx->loop, 10);
    assert_false(s->ended);
    assert_true(s->failed < 0);
}

static void
without_a_certificate_the_handshake_fails(void **state)
{
    int fd = knock();
    struct tls_stream *t = tls_stream_new_client(fx->nobody, fd, "server.example");
    struct stream_filter *f = tls_stream_filter(t);
    char byte;
    ssize_t n = -EAGAIN;

    (void)state;
    (void)shake(t, NULL); /* TLS 1.3: the server's verdict comes afterwards */
    for (int i = 0; i < 100 && n == -EAGAIN; i++) {
        loop_once(fx->loop, 10);
        n = f->ops->read(f, &byte, 1);
    }
    assert_int_equal(n, -EPROTO);
    assert_non_null(strstr(tls_stream_fault(t), "certificate required"));
    assert_string_equal(fx->why, "peer did not return a certificate");
    assert_int_equal(fx->secured, 0);
    tls_stream_free(t);
    close(fd);
}

static void
the_name_of_the_server_is_verified(void **state)
{
    int fd = knock();
    struct tls_stream *t = tls_stream_new_client(fx->client, fd, "other.example");
    struct br_err err = BR_ERR_NONE;

    (void)state;
    assert_int_equal(shake(t, &err), -EPROTO);
    assert_string_equal(err.text, "the peer's certificate is refused: hostname mismatch");
    tls_stream_free(t);
    close(fd);
}

static void
silence_ends_at_the_deadline(void **state)
{
    int silent, slow;
    char byte;

    (void)state;
    fx->acceptor.timeout_ms = 300;
    silent = knock();
    slow = knock();
    assert_int_equal(send(slow, "\x16\x03", 2, 0), 2);
    for (int i = 0; i < 100 && fx->why[0] == '\0'; i++)
        loop_once(fx->loop, 10);
    assert_string_equal(fx->why, "no handshake came in time");
    loop_once(fx->loop, 50);
    assert_int_equal(recv(silent, &byte, 1, 0), 0);
    assert_int_equal(recv(slow, &byte, 1, 0), 0);
    close(silent);
    close(slow);
}

static void
http_in_clear_is_handed_over_and_garbage_is_not(void **state)
{
    int plain = knock(), garbage = knock();

    (void)state;
    assert_int_equal(send(plain, "GET / HTTP/1.1\r\n", 16, 0), 16);
    assert_int_equal(send(garbage, "\x16garbage, not a handshake", 25, 0), 25);
    for (int i = 0; i < 100 && (fx->plain == 0 || fx->why[0] == '\0'); i++)
        loop_once(fx->loop, 10);
    assert_int_equal(fx->plain, 1);
    assert_true(fx->why[0] != '\0');
    assert_int_equal(fx->secured, 0);
    close(plain);
    close(garbage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_go_both_ways_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(large_output_waits_for_the_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(a_half_close_leaves_the_other_half, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_without_close_notify_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_certificate_the_handshake_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_of_the_server_is_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(http_in_clear_is_handed_over_and_garbage_is_not, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
