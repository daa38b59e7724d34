/*
 * nest_bench.c - what a request costs between a port and its lanes, with nothing around it.
 *
 *   nest_bench [-w WORKERS] [-c IN_FLIGHT] [-s SECONDS] [-u MICROSECONDS_OF_WORK]
 *
 * One process plays the router with a fixed number of requests in flight, the others are workers
 * whose application answers 100 bytes under four fields.  Both sides use nest/wire, as the
 * server does.  System calls are counted where they are made.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "nest/lane.h"
#include "nest/port.h"
#include "nest/wake.h"
#include "nest/wire.h"

struct worker_report {
    struct wake_counts counts;
    uint64_t requests;
};

struct bench {
    unsigned workers;
    unsigned in_flight;
    unsigned seconds;
    unsigned work_us;
    struct nest *nest;
    struct port *port;
    int wakefd;
    uint64_t answered;
    uint64_t polls;
    bool stopping;
    struct worker_report *report; /* shared */
};

static void
fail(const char *what, int rc)
{
    fprintf(stderr, "nest_bench: %s: %s\n", what, strerror(-rc));
    exit(1);
}

/* --- the worker --- */

static void
answer(struct bench *b, struct lane *lane, const struct claim *c)
{
    struct wire_request r;
    struct wire_writer w;
    uint32_t n = 0;
    char *p;
    int chunk;

    if (wire_request_read(c->p, c->n, &r) < 0)
        fail("request", -EBADMSG);
    lane_entered(lane, c);
    if (b->work_us != 0)
        for (int64_t end = clock_us() + b->work_us; clock_us() < end;)
            ;
    chunk = lane_chunk(lane, c, &p);
    if (chunk < 0)
        return;
    wire_response_begin(&w, p, NEST_CHUNK_BYTES, 200);
    wire_response_field(&w, SLICE("content-type"), SLICE("text/plain"));
    wire_response_field(&w, SLICE("content-length"), SLICE("100"));
    wire_response_field(&w, SLICE("cache-control"), SLICE("no-store"));
    wire_response_field(&w, SLICE("X-Bench"), SLICE("nest"));
    wire_response_end(&w, 100, &n);
    memset(p + n, 'x', 100);
    lane_publish(lane, c, chunk, n + 100, PIECE_HEAD | PIECE_END);
}

static void
work(struct bench *b, unsigned index)
{
    struct br_err err = BR_ERR_NONE;
    struct lane *lane;
    struct claim c;
    uint64_t n = 0;

    if (lane_open(b->nest, index, &b->wakefd, 1, &lane, &err) < 0)
        fail(err.text, err.rc);
    for (;;) {
        while (lane_claim(lane, &c)) {
            answer(b, lane, &c);
            n++;
        }
        if (lane_notice(lane))
            break;
        lane_sleep(lane, -1);
    }
    b->report[index] = (struct worker_report){.counts = wake_counts, .requests = n};
    lane_close(lane);
}

/* --- the router --- */

static void
ask(struct bench *b)
{
    static const struct {
        enum field_name id;
        struct slice value;
    } fields[] = {
        {NAME_HOST, {"localhost", 9}},
        {NAME_USER_AGENT, {"bench/1.0", 9}},
        {NAME_ACCEPT, {"*/*", 3}},
        {NAME_ACCEPT_ENCODING, {"gzip, br", 8}},
        {NAME_COOKIE, {"session=0123456789abcdef", 24}},
        {NAME_X_REQUEST_ID, {"0123456789abcdef", 16}},
    };
    int slot = port_slot_take(b->port);
    struct wire_writer w;
    uint32_t n;

    if (slot < 0)
        fail("slot", slot);
    wire_request_begin(&w, port_slot_data(b->port, (uint32_t)slot), NEST_SLOT_BYTES,
                       array_len(fields));
    wire_request_text(&w, TEXT_METHOD, SLICE("GET"));
    wire_request_text(&w, TEXT_TARGET, SLICE("/index?a=1"));
    wire_request_text(&w, TEXT_PATH, SLICE("/index"));
    wire_request_text(&w, TEXT_QUERY, SLICE("a=1"));
    wire_request_text(&w, TEXT_VERSION, SLICE("HTTP/1.1"));
    wire_request_text(&w, TEXT_REMOTE_ADDR, SLICE("127.0.0.1"));
    for (unsigned i = 0; i < array_len(fields); i++)
        wire_request_field(&w, i, fields[i].id, SLICE_NONE, fields[i].value);
    if (wire_request_end(&w, &n) < 0)
        fail("request", -EMSGSIZE);
    port_publish(b->port, (uint32_t)slot, n);
}

static void
on_piece(void *arg, const struct piece *piece)
{
    struct bench *b = arg;
    struct wire_response_head head;
    char copy[1024];
    uint32_t n = br_min(piece->n, (uint32_t)sizeof(copy));

    memcpy(copy, piece->p, n);
    if (wire_response_read(copy, n, &head) < 0 || head.status != 200)
        fail("answer", -EBADMSG);
    port_chunk_done(b->port, piece->lane, piece->chunk);
    port_slot_free(b->port, piece->slot);
    b->answered++;
    if (!b->stopping)
        ask(b);
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    (void)arg, (void)slot, (void)entered;
    fail("a worker died", -ECHILD);
}

static void
turn(struct bench *b)
{
    struct pollfd pfd = {.fd = b->wakefd, .events = POLLIN};

    port_wake(b->port, -1);
    if (port_may_sleep(b->port)) {
        uint64_t n;

        poll(&pfd, 1, -1);
        b->polls += 2;
        if (read(b->wakefd, &n, sizeof(n)) < 0 && errno != EAGAIN)
            fail("eventfd", -errno);
    }
    port_awake(b->port);
    port_collect(b->port);
}

static double
cpu_us(int who)
{
    struct rusage u;

    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
report(struct bench *b, double elapsed_us, double router_us)
{
    struct wake_counts all = wake_counts;
    double n = (double)b->answered;
    double workers_us = cpu_us(RUSAGE_CHILDREN);

    for (unsigned i = 0; i < b->workers; i++) {
        all.futex_waits += b->report[i].counts.futex_waits;
        all.futex_wakes += b->report[i].counts.futex_wakes;
        all.event_writes += b->report[i].counts.event_writes;
    }
    printf("w=%u c=%-3u work=%-3u  %8.0f req/s  cpu/req %6.2f us (router %.2f workers %.2f)  "
           "syscalls/req %.3f (wait %.3f wake %.3f event %.3f poll+read %.3f)\n",
           b->workers, b->in_flight, b->work_us, n * 1e6 / elapsed_us, (router_us + workers_us) / n,
           router_us / n, workers_us / n,
           (double)(all.futex_waits + all.futex_wakes + all.event_writes + b->polls) / n,
           (double)all.futex_waits / n, (double)all.futex_wakes / n, (double)all.event_writes / n,
           (double)b->polls / n);
}

static void
run(struct bench *b)
{
    int64_t start = clock_us();
    double cpu = cpu_us(RUSAGE_SELF);
    int64_t elapsed_us;

    for (unsigned i = 0; i < b->in_flight; i++)
        ask(b);
    while (clock_us() - start < (int64_t)b->seconds * 1000000)
        for (unsigned i = 0; i < 64; i++)
            turn(b);
    elapsed_us = clock_us() - start;
    cpu = cpu_us(RUSAGE_SELF) - cpu;
    b->stopping = true;
    while (port_slots_used(b->port) != 0)
        turn(b);
    for (unsigned i = 0; i < b->workers; i++)
        nest_notify(b->nest, i);
    for (unsigned i = 0; i < b->workers; i++)
        wait(NULL);
    report(b, (double)elapsed_us, cpu);
}

static void
options(struct bench *b, int argc, char **argv)
{
    for (int opt; (opt = getopt(argc, argv, "w:c:s:u:")) != -1;) {
        unsigned value = optarg == NULL ? 0 : (unsigned)atoi(optarg);

        switch (opt) {
        case 'w':
            b->workers = value;
            break;
        case 'c':
            b->in_flight = value;
            break;
        case 's':
            b->seconds = value;
            break;
        case 'u':
            b->work_us = value;
            break;
        default:
            exit(2);
        }
    }
    if (b->workers == 0 || b->workers > NEST_LANES || b->in_flight == 0 ||
        b->in_flight > NEST_SLOTS / 2)
        fail("arguments", -EINVAL);
}

int
main(int argc, char **argv)
{
    static const struct port_ops ops = {.on_piece = on_piece, .on_orphan = on_orphan};
    struct bench b = {.workers = 2, .in_flight = 64, .seconds = 2};
    struct br_err err = BR_ERR_NONE;
    int fd;

    options(&b, argc, argv);
    fd = nest_make();
    if (fd < 0)
        fail("nest", fd);
    if (nest_attach(fd, &b.nest, &err) < 0 || port_open(b.nest, 0, &ops, &b, &b.port, &err) < 0)
        fail(err.text, err.rc);
    b.wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b.report = mmap(NULL, sizeof(*b.report) * NEST_LANES, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < b.workers; i++) {
        pid_t pid = fork();

        if (pid < 0)
            fail("fork", -errno);
        if (pid == 0) {
            work(&b, i);
            _exit(0);
        }
    }
    run(&b);
    return 0;
}
