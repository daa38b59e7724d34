/*
 * numbers_test.c - counters of several processes, and reports that lie.
 */
#include "controller/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "peers.h"

static struct peers peers;
static struct list asking;

/* What the fake processes answer, and how often the sum was delivered. */
static struct {
    struct status_router head;
    struct status_app apps[2];
} router_says;
static struct {
    struct status_prototype head;
    struct status_stream stream;
    struct status_worker workers[2];
} prototype_says;
static size_t prototype_bytes;
static bool prototype_seals;
static unsigned delivered;
static unsigned n_routers;
static struct status_router sum;
static struct status_app app;
static uint32_t n_workers;
static struct status_worker first_worker;
static struct status_stream stream;
static bool has_workers;

static int
plain_memfd(const void *p, size_t n)
{
    int fd = fd_memfd("report", 0);

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, p, n), 0);
    return fd;
}

static void
hear(struct channel *ch, struct message *m)
{
    const struct msg_none none = {0};
    bool router = channel_peer(ch)->index > 0;
    const void *p = router ? (const void *)&router_says : (const void *)&prototype_says;
    size_t n = router ? sizeof(router_says) : prototype_bytes;
    int fd = router || prototype_seals ? fd_memfd_sealed("report", p, n) : plain_memfd(p, n);

    assert_int_equal(m->type, MSG_STATUS_ASK);
    assert_int_equal(channel_send(ch, MSG_STATUS, &none, &fd, 1, 0, m->serial), 0);
    peers_note(&peers, "asked; ");
}

static void
on_numbers(void *arg, const struct numbers *n)
{
    const struct status_worker *w;

    (void)arg;
    delivered++;
    n_routers = numbers_routers(n, &sum);
    app = numbers_app(n, 9);
    w = numbers_workers(n, 9, &stream, &n_workers);
    has_workers = w != NULL;
    if (has_workers)
        first_worker = w[0];
}

static struct channel *far_ends[3];

static int
setup(void **state)
{
    static const struct channel_ops ops = {.on_message = hear, .on_gone = peers_gone};
    struct channel *near;

    (void)state;
    peers_init(&peers, NULL);
    list_init(&asking);
    delivered = 0;
    for (unsigned i = 0; i < 3; i++) {
        far_ends[i] = peers_line(&peers, i < 2 ? ROLE_ROUTER : ROLE_PROTOTYPE, i, &ops, &near);
        channel_peer_edit(far_ends[i])->index = i < 2;
        channel_peer_edit(near)->launch = i < 2 ? 0 : 9;
    }
    router_says.head = (struct status_router){.accepted = 5, .requests = 7, .n_apps = 2};
    router_says.apps[0] = (struct status_app){.launch = 8, .total = 1};
    router_says.apps[1] = (struct status_app){.launch = 9, .active = 2, .total = 3};
    prototype_says.head = (struct status_prototype){.launch = 9, .n_workers = 2};
    prototype_says.workers[0] = (struct status_worker){.pid = 77, .state = WORKER_IDLE};
    prototype_bytes = sizeof(prototype_says);
    prototype_seals = true;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        channel_free(far_ends[i]);
    peers_done(&peers);
    return 0;
}

static void
ask(void)
{
    numbers_ask(&peers.task, &asking, on_numbers, NULL);
    peers_settle(&peers);
    assert_int_equal(delivered, 1);
    assert_true(list_empty(&asking));
}

static void
routers_are_summed(void **state)
{
    (void)state;
    ask();
    assert_int_equal(n_routers, 2);
    assert_int_equal(sum.accepted, 10);
    assert_int_equal(sum.requests, 14);
    assert_int_equal(app.active, 4);
    assert_int_equal(app.total, 6);
    assert_true(has_workers);
    assert_int_equal(n_workers, 2);
    assert_int_equal(first_worker.pid, 77);
}

static void
a_router_that_counts_more_than_it_sends_counts_nothing(void **state)
{
    (void)state;
    router_says.head.n_apps = UINT32_MAX;
    ask();
    assert_int_equal(sum.accepted, 10);
    assert_int_equal(app.total, 0);
}

static void
a_prototype_that_lies_about_its_length_is_left_out(void **state)
{
    (void)state;
    prototype_says.head.n_workers = UINT32_MAX;
    ask();
    assert_false(has_workers);
}

static void
a_short_report_is_left_out(void **state)
{
    (void)state;
    prototype_bytes = sizeof(struct status_prototype) - 1;
    ask();
    assert_false(has_workers);
}

static void
a_prototype_speaks_for_its_own_launch_only(void **state)
{
    (void)state;
    prototype_says.head.launch = 8;
    ask();
    assert_true(has_workers);
}

static void
what_is_not_sealed_is_not_read(void **state)
{
    (void)state;
    prototype_seals = false;
    ask();
    assert_false(has_workers);
    assert_int_equal(n_routers, 2);
}

static void
who_waits_no_longer_gets_what_has_come(void **state)
{
    (void)state;
    numbers_ask(&peers.task, &asking, on_numbers, NULL);
    numbers_finish(&asking);
    assert_int_equal(delivered, 1);
    assert_int_equal(n_routers, 0);
    peers_settle(&peers);
    assert_int_equal(delivered, 1);
}

#define A_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(routers_are_summed),
        A_TEST(a_router_that_counts_more_than_it_sends_counts_nothing),
        A_TEST(a_prototype_that_lies_about_its_length_is_left_out),
        A_TEST(a_short_report_is_left_out),
        A_TEST(a_prototype_speaks_for_its_own_launch_only),
        A_TEST(what_is_not_sealed_is_not_read),
        A_TEST(who_waits_no_longer_gets_what_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
