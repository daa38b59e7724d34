/*
 * app_test.c - requests through an application: order, answers, deaths, what may run again.
 *
 * The test is main, prototype and the one worker; it buries its own lane to play a death.
 */
#include "router/app_queue.h"
#include "service.h"

#define APP_CONF(limits)                                                                     \
    "{\"listeners\": {\"*:80\": {\"pass\": \"applications/a\"}}, \"applications\": {\"a\": " \
    "{\"type\": \"python\", \"module\": \"m\"" limits "}}}"

#define LAUNCH   7
#define LAUNCHES "\"a\": 7"

static void
configure_app(struct service *s)
{
    service_configure(s, 1, APP_CONF(""), LAUNCHES);
}

static void
send_get(struct service *s, struct client *c, const char *path)
{
    char text[256];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: Some.Host:8\r\nX-One: 1\r\n\r\n", path);
    client_connect(s, c, "*:80");
    client_say(c, text);
}

static void
send_post(struct service *s, struct client *c, const char *body)
{
    char text[512];

    snprintf(text, sizeof(text), "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    client_connect(s, c, "*:80");
    client_say(c, text);
}

static unsigned
status_and_close(struct service *s, struct client *c)
{
    unsigned status = client_reply(s, c, false).status;

    client_close(c);
    return status;
}

/* The lane's owner dies; another takes the lane over. */
static void
lane_dies(struct service *s)
{
    struct br_err err = BR_ERR_NONE;

    lane_close(s->lane);
    nest_bury(s->nest, 0, &s->wake_fd, 1);
    assert_int_equal(lane_open(s->nest, 0, &s->wake_fd, 1, &s->lane, &err), 0);
}

static struct slice
field_of(const struct wire_request *r, const char *name)
{
    for (unsigned i = 0; i < r->n_fields; i++) {
        struct slice n, v;
        unsigned id;

        assert_int_equal(wire_request_field_read(r, i, &id, &n, &v), 0);
        if (slice_ieq(n, slice_cstr(name)))
            return v;
    }
    return SLICE_NONE;
}

static void
an_application_sees_the_request_and_answers(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct client c;
    struct claim claim;
    struct reply r;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/a%20b?x=1");
    app_take(s, &claim, &w);
    assert_slice(w.text[TEXT_METHOD], "GET");
    assert_slice(w.text[TEXT_TARGET], "/a%20b?x=1");
    assert_slice(w.text[TEXT_PATH], "/a b");
    assert_slice(w.text[TEXT_QUERY], "x=1");
    assert_slice(w.text[TEXT_VERSION], "HTTP/1.1");
    assert_slice(w.text[TEXT_REMOTE_ADDR], "127.0.0.1");
    assert_slice(w.text[TEXT_LOCAL_ADDR], "127.0.0.1");
    assert_slice(w.text[TEXT_SERVER_NAME], "some.host");
    assert_slice(w.text[TEXT_APP_TARGET], "");
    assert_slice(field_of(&w, "host"), "Some.Host:8");
    assert_slice(field_of(&w, "x-one"), "1");
    assert_int_equal(w.n_fields, 2);
    assert_int_equal(w.flags, 0);

    app_answer(s, &claim, 201, "X-Answer", "yes", "hello");
    r = client_reply(s, &c, false);
    assert_int_equal(r.status, 201);
    assert_slice(reply_field(&r, "X-Answer"), "yes");
    assert_slice(reply_field(&r, "Content-Length"), "5");
    assert_slice(r.body, "hello");
    client_close(&c);
}

static void
a_small_body_travels_with_its_head(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_post(s, &c, "some body");
    app_take(s, &claim, &w);
    assert_int_equal(w.flags, WIRE_HAS_BODY);
    assert_int_equal(w.body_length, 9);
    assert_slice(w.body, "some body");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

static void
a_chunked_body_arrives_plain(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    client_connect(s, &c, "*:80");
    client_say(&c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    app_take(s, &claim, &w);
    assert_slice(w.body, "abcde");
    assert_int_equal(w.body_length, 5);
    assert_null(field_of(&w, "transfer-encoding").p);
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

static void
ask_for_body(struct service *s, const struct claim *claim, uint32_t generation)
{
    const struct msg_slot ask = {.slot = claim->slot, .generation = generation};

    s->body_came = false;
    assert_int_equal(channel_send(s->worker_end, MSG_BODY_ASK, &ask, NULL, 0, 5, 0), 0);
    service_until(s, s->body_came);
}

static void
a_large_body_is_a_descriptor_that_one_asks_for(void **state)
{
    static char body[100001];
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;
    char head[128];
    char *got;
    size_t n;

    memset(body, 'b', sizeof(body) - 1);
    configure_app(s);
    service_app(s, LAUNCH, 1);
    s->worker_end = service_line(s, ROLE_WORKER, &worker_ops, LAUNCH, 1);
    snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
    client_connect(s, &c, "*:80");
    client_say(&c, head);
    client_say(&c, body);
    app_take(s, &claim, &w);
    assert_int_equal(w.flags, WIRE_HAS_BODY | WIRE_BODY_FILE);
    assert_int_equal(w.body_length, 100000);

    ask_for_body(s, &claim, claim.generation);
    assert_int_equal(s->body.size, 100000);
    assert_true(s->body_fd >= 0);
    assert_int_equal(fd_read_file(s->body_fd, 200000, &got, &n), 0);
    assert_int_equal(n, 100000);
    assert_memory_equal(got, body, n);
    free(got);
    fd_close(&s->body_fd);

    ask_for_body(s, &claim, claim.generation + 1);
    assert_int_equal(s->body_fd, -1);

    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
    ask_for_body(s, &claim, claim.generation);
    assert_int_equal(s->body_fd, -1);
}

static void
a_long_answer_comes_in_pieces_and_gives_its_chunks_back(void **state)
{
    enum { PIECES = 100, BYTES = 30000 };
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;
    struct reply r;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/");
    app_take(s, &claim, &w);
    for (int i = 0; i < PIECES; i++) {
        uint32_t n = 0;
        char *p;
        int chunk = -EAGAIN;

        service_until(s, (client_read(&c), chunk = lane_chunk_try(s->lane, &claim, &p)) >= 0);
        if (i == 0)
            n = app_head(p, 200, NULL, NULL, PIECES * BYTES);
        memset(p + n, 'a' + i % 26, BYTES);
        lane_publish(s->lane, &claim, chunk, n + BYTES,
                     (i == 0 ? PIECE_HEAD : 0) | (i == PIECES - 1 ? PIECE_END : 0));
    }
    r = client_reply(s, &c, false);
    assert_int_equal(r.body.n, PIECES * BYTES);
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(r.body.p[i * BYTES], 'a' + i % 26);
        assert_int_equal(r.body.p[i * BYTES + BYTES - 1], 'a' + i % 26);
    }
    client_close(&c);
}

static void
a_client_that_reads_nothing_holds_the_lane_not_memory(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;
    unsigned n = 0;
    char *p;
    int chunk, small = 4096;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/");
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    app_take(s, &claim, &w);
    for (unsigned idle = 0; idle < 20;) {
        chunk = lane_chunk_try(s->lane, &claim, &p);
        if (chunk >= 0) {
            uint32_t head = n == 0 ? app_head(p, 200, NULL, NULL, -1) : 0;

            memset(p + head, 'x', NEST_CHUNK_BYTES - head);
            lane_publish(s->lane, &claim, chunk, NEST_CHUNK_BYTES, n++ == 0 ? PIECE_HEAD : 0);
            idle = 0;
        } else {
            idle++;
        }
        service_turn(s);
    }
    assert_true(n < 400); /* kernel buffers and 16 chunks, then it stands */
    client_close(&c);
    service_until(s, lane_cancelled(s->lane, &claim));
    service_until(s, (chunk = lane_chunk_try(s->lane, &claim, &p)) == -ECONNRESET);
    lane_publish(s->lane, &claim, -1, 0, PIECE_END | PIECE_ABORT);
    send_get(s, &c, "/again");
    app_take(s, &claim, &w);
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

static void
requests_wait_until_an_instance_is_ready(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client one, two;

    configure_app(s);
    send_get(s, &one, "/1");
    service_until(s, service_router(s)->server.counters.active == 1);
    send_get(s, &two, "/2");
    service_until(s, service_router(s)->server.counters.active == 2);
    service_app(s, LAUNCH, 1);
    app_take(s, &claim, &w);
    assert_slice(w.text[TEXT_PATH], "/1");
    app_answer(s, &claim, 200, NULL, NULL, "");
    app_take(s, &claim, &w);
    assert_slice(w.text[TEXT_PATH], "/2");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &one), 200);
    assert_int_equal(status_and_close(s, &two), 200);
}

static void
an_application_that_cannot_start_fails_those_who_wait(void **state)
{
    struct service *s = *state;
    const struct msg_failed failed = {.process = {.role = ROLE_PROTOTYPE, .launch = LAUNCH},
                                      .rc = -1};
    struct client c;

    configure_app(s);
    send_get(s, &c, "/");
    service_until(s, service_router(s)->server.counters.active == 1);
    assert_int_equal(channel_send(s->main_end, MSG_PROCESS_FAILED, &failed, NULL, 0, 0, 0), 0);
    assert_int_equal(status_and_close(s, &c), 503);
}

static void
one_that_has_worked_is_waited_for(void **state)
{
    struct service *s = *state;
    const struct msg_failed failed = {.process = {.role = ROLE_PROTOTYPE, .launch = LAUNCH},
                                      .rc = -1};
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    service_until(s, app_queue_link(service_router(s), LAUNCH, 1) != NULL);
    service_tell_gone(s, LAUNCH, 1);
    service_until(s, app_queue_link(service_router(s), LAUNCH, 1) == NULL);
    service_app_leave(s);
    send_get(s, &c, "/");
    service_until(s, service_router(s)->server.counters.active == 1);
    assert_int_equal(channel_send(s->main_end, MSG_PROCESS_FAILED, &failed, NULL, 0, 0, 0), 0);
    service_app(s, LAUNCH, 2); /* on the same line: after the failure */
    app_take(s, &claim, &w);
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

static void
a_client_that_leaves_the_line_is_never_run(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client one, two;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    service_until(s, service_router(s)->queues.next != &service_router(s)->queues);
    send_get(s, &one, "/leaves");
    service_until(s, service_router(s)->server.counters.active == 1);
    /* a reset, not an end of file: that alone could be a client which waits */
    setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    client_close(&one);
    service_until(s, service_router(s)->server.counters.active == 0);
    send_get(s, &two, "/stays");
    app_take(s, &claim, &w);
    assert_slice(w.text[TEXT_PATH], "/stays");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &two), 200);
}

static void
half_a_close_is_a_close_once_the_request_has_waited(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client one, two;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &one, "/half");
    shutdown(one.fd, SHUT_WR);
    app_take(s, &claim, &w); /* in time: it gets its answer */
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &one), 200);

    send_get(s, &two, "/leaves");
    service_until(s, service_router(s)->server.counters.active == 1);
    client_close(&two);
    service_until(s, service_router(s)->server.counters.active == 0);
    assert_false(lane_claim(s->lane, &claim));
}

static void
a_request_that_was_not_entered_goes_to_another_worker(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_post(s, &c, "body");
    app_take(s, &claim, &w);
    lane_dies(s);
    app_take(s, &claim, &w);
    assert_slice(w.body, "body");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

static void
a_request_that_was_entered_runs_again_only_if_its_method_allows(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client get, post;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &get, "/");
    app_take(s, &claim, &w);
    lane_entered(s->lane, &claim);
    lane_dies(s);
    app_take(s, &claim, &w);
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &get), 200);

    send_post(s, &post, "body");
    app_take(s, &claim, &w);
    lane_entered(s->lane, &claim);
    lane_dies(s);
    assert_int_equal(status_and_close(s, &post), 503);
}

static void
a_request_that_kills_every_worker_is_given_up(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/killer");
    for (int i = 0; i < 3; i++) {
        app_take(s, &claim, &w);
        lane_dies(s);
    }
    assert_int_equal(status_and_close(s, &c), 503);
}

static void
a_death_after_the_head_cuts_the_answer(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;
    struct reply r;
    char *p;
    int chunk;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/");
    app_take(s, &claim, &w);
    lane_entered(s->lane, &claim);
    chunk = lane_chunk(s->lane, &claim, &p);
    lane_publish(s->lane, &claim, chunk, app_head(p, 200, NULL, NULL, 1000), PIECE_HEAD);
    r = client_reply(s, &c, true);
    assert_int_equal(r.status, 200);
    lane_dies(s);
    service_until(s, (client_read(&c), c.eof));
    client_close(&c);
}

static void
give_up(struct service *s, const char *head, uint32_t n, uint32_t flags)
{
    struct wire_request w;
    struct claim claim;
    char *p;
    int chunk;

    app_take(s, &claim, &w);
    chunk = lane_chunk(s->lane, &claim, &p);
    memcpy(p, head, n);
    lane_publish(s->lane, &claim, chunk, n, flags);
}

static void
no_proper_answer_is_a_503(void **state)
{
    char head[NEST_CHUNK_BYTES];
    struct service *s = *state;
    struct client c;
    uint32_t n;

    configure_app(s);
    service_app(s, LAUNCH, 1);

    send_get(s, &c, "/gives-up");
    give_up(s, "", 0, PIECE_ABORT);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/no-head");
    give_up(s, "body", 4, PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/short-head");
    give_up(s, "head", 4, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/splits");
    n = app_head(head, 200, "X", "a\r\nSet-Cookie: b", -1);
    give_up(s, head, n, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/bad-name");
    n = app_head(head, 200, "X Y", "a", -1);
    give_up(s, head, n, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/status-99");
    n = app_head(head, 99, NULL, NULL, -1);
    give_up(s, head, n, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/interim");
    n = app_head(head, 103, NULL, NULL, -1);
    give_up(s, head, n, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);

    send_get(s, &c, "/lies-about-length");
    n = app_head(head, 200, NULL, NULL, -1);
    memcpy(head, &(uint32_t){NEST_CHUNK_BYTES + 1}, 4);
    give_up(s, head, n, PIECE_HEAD | PIECE_END);
    assert_int_equal(status_and_close(s, &c), 503);
}

static void
a_dead_instance_hands_over_to_the_next(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client queued, claimed, posted;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &claimed, "/claimed");
    app_take(s, &claim, &w);
    send_post(s, &posted, "x");
    app_take(s, &claim, &w);
    send_get(s, &queued, "/queued");
    service_until(s, service_router(s)->server.counters.active == 3);
    service_tell_gone(s, LAUNCH, 1);
    assert_int_equal(status_and_close(s, &posted), 503); /* perhaps it ran */
    service_app_leave(s);

    service_app(s, LAUNCH, 2);
    for (int i = 0; i < 2; i++) {
        app_take(s, &claim, &w);
        app_answer(s, &claim, 200, NULL, NULL, "");
    }
    assert_int_equal(status_and_close(s, &claimed), 200);
    assert_int_equal(status_and_close(s, &queued), 200);
}

/* The configuration again, the application under a new launch: what a restart does. */
static void
restart_app(struct service *s, uint32_t generation)
{
    service_configure(s, generation, APP_CONF(""), "\"a\": 8");
}

static void
old_instance_leaves(struct service *s)
{
    service_app_leave(s);
    service_tell_gone(s, LAUNCH, 1);
}

/* Its prototype saw nothing wait and left; at that moment the request came into the nest. */
static void
a_request_behind_the_last_worker_goes_to_the_next_launch(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_post(s, &c, "body");
    service_until(s, service_router(s)->server.counters.active == 1);
    restart_app(s, 2);
    assert_int_equal(s->retired, 0);
    old_instance_leaves(s);
    service_app(s, LAUNCH + 1, 2);
    app_take(s, &claim, &w);
    assert_slice(w.body, "body");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
    service_until(s, s->retired == 1);
}

static void
a_body_that_ends_after_its_launch_goes_to_the_next(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    client_connect(s, &c, "*:80");
    client_say(&c, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    service_until(s, service_router(s)->server.counters.active == 1);
    restart_app(s, 2);
    old_instance_leaves(s);
    service_until(s, app_queue_link(service_router(s), LAUNCH, 1) == NULL);
    service_app(s, LAUNCH + 1, 2);
    client_say(&c, "dy");
    app_take(s, &claim, &w);
    assert_slice(w.body, "body");
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 200);
}

/* The application does not come back; its user configures a better one. */
static void
those_who_wait_for_a_replaced_launch_get_the_new_one(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client one, two;

    configure_app(s);
    send_get(s, &one, "/1");
    service_until(s, service_router(s)->server.counters.active == 1);
    send_get(s, &two, "/2");
    service_until(s, service_router(s)->server.counters.active == 2);
    restart_app(s, 2);
    service_app(s, LAUNCH + 1, 2);
    for (int i = 1; i <= 2; i++) {
        app_take(s, &claim, &w);
        assert_slice(w.text[TEXT_PATH], i == 1 ? "/1" : "/2");
        app_answer(s, &claim, 200, NULL, NULL, "");
    }
    assert_int_equal(status_and_close(s, &one), 200);
    assert_int_equal(status_and_close(s, &two), 200);
    service_until(s, s->retired == 1);
}

static void
a_removed_application_leaves_nobody_waiting(void **state)
{
    struct service *s = *state;
    struct client queued, uploads;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &queued, "/");
    service_until(s, service_router(s)->server.counters.active == 1);
    client_connect(s, &uploads, "*:80");
    client_say(&uploads, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo");
    service_until(s, service_router(s)->server.counters.active == 2);
    service_configure(s, 2, "{\"listeners\": {\"*:80\": {\"pass\": \"routes\"}}, \"routes\": []}",
                      "");
    old_instance_leaves(s);
    assert_int_equal(status_and_close(s, &queued), 503);
    client_say(&uploads, "dy");
    assert_int_equal(status_and_close(s, &uploads), 503);
    service_until(s, s->retired == 1);
}

static void
a_complete_answer_survives_its_instance(void **state)
{
    enum { PIECES = NEST_CHUNKS };
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;
    struct client c;
    struct reply r;
    struct app_link *at;
    int small = 65536;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    setsockopt(service_socket(s, "*:80")->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    send_get(s, &c, "/");
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    app_take(s, &claim, &w);
    for (int i = 0; i < PIECES; i++) {
        uint32_t n = 0;
        char *p;
        int chunk = lane_chunk_try(s->lane, &claim, &p);

        assert_true(chunk >= 0);
        if (i == 0)
            n = app_head(p, 200, NULL, NULL, -1);
        memset(p + n, 'a' + i, NEST_CHUNK_BYTES - n);
        lane_publish(s->lane, &claim, chunk, NEST_CHUNK_BYTES,
                     (i == 0 ? PIECE_HEAD : 0) | (i == PIECES - 1 ? PIECE_END : 0));
    }
    at = app_queue_link(service_router(s), LAUNCH, 1);
    service_until(s, port_slots_used(at->port) == 0);
    assert_true(at->n_held > 0); /* the connection has not sent all of it */
    service_tell_gone(s, LAUNCH, 1);
    service_until(s, app_queue_link(service_router(s), LAUNCH, 1) == NULL);
    service_app_leave(s);
    r = client_reply(s, &c, false);
    assert_true(slice_ends(r.body, SLICE("\r\n0\r\n\r\n")));
    assert_int_equal(r.body.p[r.body.n - 8], (char)('a' + PIECES - 1));
    assert_true(r.body.n > (PIECES - 1) * NEST_CHUNK_BYTES);
    client_close(&c);
}

static void
more_requests_than_slots_wait_in_line(void **state)
{
    enum { CLIENTS = NEST_SLOTS + 40 };
    static struct client clients[CLIENTS];
    struct service *s = *state;
    struct wire_request w;
    struct claim claim;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    for (int i = 0; i < CLIENTS; i++) {
        send_get(s, &clients[i], "/");
        service_until(s, service_router(s)->server.counters.active == (uint64_t)i + 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        app_take(s, &claim, &w);
        app_answer(s, &claim, 200, NULL, NULL, "");
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(status_and_close(s, &clients[i]), 200);
}

static void
a_time_limit_ends_a_request_and_cancels_it(void **state)
{
    struct service *s = *state;
    struct wire_request w;
    struct claim claim, next;
    struct client c;
    char *p;

    service_configure(s, 1, APP_CONF(", \"limits\": {\"timeout\": 1}"), LAUNCHES);
    service_app(s, LAUNCH, 1);
    send_get(s, &c, "/slow");
    app_take(s, &claim, &w);
    assert_int_equal(status_and_close(s, &c), 503);
    send_get(s, &c, "/next");
    app_take(s, &next, &w);
    assert_true(lane_cancelled(s->lane, &claim));
    assert_int_equal(lane_chunk_try(s->lane, &claim, &p), -ECONNRESET);
    lane_publish(s->lane, &claim, -1, 0, PIECE_END | PIECE_ABORT);
    app_answer(s, &next, 202, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &c), 202);
}

static void
the_status_counts(void **state)
{
    const struct msg_none none = {0};
    struct service *s = *state;
    const struct status_app *app;
    struct wire_request w;
    struct claim claim;
    struct client one, two;

    configure_app(s);
    service_app(s, LAUNCH, 1);
    send_get(s, &one, "/");
    app_take(s, &claim, &w);
    app_answer(s, &claim, 200, NULL, NULL, "");
    assert_int_equal(status_and_close(s, &one), 200);
    send_get(s, &two, "/");
    service_until(s, service_router(s)->server.counters.active == 1);
    assert_int_equal(channel_send(s->controller_end, MSG_STATUS_ASK, &none, NULL, 0, 9, 0), 0);
    service_until(s, s->status != NULL);
    app = (const struct status_app *)(s->status + 1);
    assert_int_equal(s->status->accepted, 2);
    assert_int_equal(s->status->active, 1);
    assert_int_equal(s->status->requests, 2);
    assert_int_equal(s->status->generation, 1);
    assert_int_equal(s->status->n_apps, 1);
    assert_int_equal(app->launch, LAUNCH);
    assert_int_equal(app->total, 2);
    assert_int_equal(app->active, 1);
    assert_int_equal(app->waiting, 1);
    client_close(&two);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, service_start, service_stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_application_sees_the_request_and_answers),
        TEST(a_small_body_travels_with_its_head),
        TEST(a_chunked_body_arrives_plain),
        TEST(a_large_body_is_a_descriptor_that_one_asks_for),
        TEST(a_long_answer_comes_in_pieces_and_gives_its_chunks_back),
        TEST(a_client_that_reads_nothing_holds_the_lane_not_memory),
        TEST(requests_wait_until_an_instance_is_ready),
        TEST(an_application_that_cannot_start_fails_those_who_wait),
        TEST(one_that_has_worked_is_waited_for),
        TEST(a_client_that_leaves_the_line_is_never_run),
        TEST(half_a_close_is_a_close_once_the_request_has_waited),
        TEST(a_request_that_was_not_entered_goes_to_another_worker),
        TEST(a_request_that_was_entered_runs_again_only_if_its_method_allows),
        TEST(a_request_that_kills_every_worker_is_given_up),
        TEST(a_death_after_the_head_cuts_the_answer),
        TEST(no_proper_answer_is_a_503),
        TEST(a_dead_instance_hands_over_to_the_next),
        TEST(a_request_behind_the_last_worker_goes_to_the_next_launch),
        TEST(a_body_that_ends_after_its_launch_goes_to_the_next),
        TEST(those_who_wait_for_a_replaced_launch_get_the_new_one),
        TEST(a_removed_application_leaves_nobody_waiting),
        TEST(a_complete_answer_survives_its_instance),
        TEST(more_requests_than_slots_wait_in_line),
        TEST(a_time_limit_ends_a_request_and_cancels_it),
        TEST(the_status_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
