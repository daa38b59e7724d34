/*
 * fake_brood.c - main and router in one small process: see fake_brood.h.
 */
#include "fake_brood.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/prototype_role.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/spawn.h"
#include "nest/port.h"

#define LAUNCH      7
#define INSTANCE    1
#define DEADLINE_MS 20000
#define PAUSED_MAX  64

struct fake {
    struct task main;
    struct task router;
    struct settings settings;
    struct roster processes;
    struct process *prototype;
    struct nest *nest;
    struct port *port;
    struct watch wake;
    int wakefd;
    int bell;
    bool told;
    bool dead;
    int status;
    char failure[2048];
    struct answer *by_slot[NEST_SLOTS];
    int body_of[NEST_SLOTS]; /* descriptor, or -1 */
    const char *server_name;
    unsigned pause_after;
    bool pausing;
    struct piece paused[PAUSED_MAX];
    unsigned n_paused;
    struct status_prototype *status_text;
};

/* ---- main ---- */

/* The line between router and prototype, as main makes it once the prototype is ready. */
static void
connect_router(struct fake *f)
{
    struct msg_process m = {.role = ROLE_ROUTER, .pid = getpid()};
    struct peer peer = {
        .role = ROLE_PROTOTYPE, .pid = f->prototype->pid, .launch = LAUNCH, .instance = INSTANCE};
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    assert_non_null(dispatch_add(f->router.dispatch, fds[0], &peer));
    assert_int_equal(dispatch_tell(f->prototype->channel, MSG_CHANNEL_OPEN, &m, &fds[1], 1), 0);
}

static void
on_ready(struct task *task, struct channel *ch br_unused, struct message *m br_unused)
{
    struct fake *f = task->data;

    f->told = true;
    connect_router(f);
}

static void
on_failed(struct task *task, struct channel *ch br_unused, struct message *m)
{
    struct fake *f = task->data;
    const struct msg_failed *failed = m->payload;

    f->told = true;
    snprintf(f->failure, sizeof(f->failure), "%s", failed->text);
}

static void
on_created(struct task *task br_unused, struct channel *ch, struct message *m)
{
    struct msg_none none = {0};

    dispatch_reply(ch, m, MSG_PROCESS_GO, &none, NULL, 0);
}

static const struct msg_handler main_handlers[] = {
    {MSG_PROCESS_READY, on_ready},
    {MSG_PROCESS_FAILED, on_failed},
    {MSG_PROCESS_CREATED, on_created},
    {MSG_NONE, NULL},
};

static const struct br_role main_role = {
    .id = ROLE_MAIN, .name = "main", .on_message = main_handlers};

static const struct br_role prototype_role = {
    .id = ROLE_PROTOTYPE,
    .name = "prototype",
    .parent = ROLE_MAIN,
    .user = USER_CARD,
    .outside_work = true,
    .prefork = prototype_prefork,
    .setup = prototype_setup,
};

static void
on_death(struct task *task, struct process *p br_unused, int status)
{
    struct fake *f = task->data;

    f->dead = true;
    f->status = status;
}

/* ---- router ---- */

static void
on_body_ask(struct task *task, struct channel *ch, struct message *m)
{
    struct fake *f = task->data;
    struct msg_slot slot = *(struct msg_slot *)m->payload;
    int fd = slot.slot < NEST_SLOTS ? fcntl(f->body_of[slot.slot], F_DUPFD_CLOEXEC, 3) : -1;

    dispatch_reply(ch, m, MSG_BODY_FILE, &slot, &fd, fd >= 0 ? 1 : 0);
}

static const struct msg_handler router_handlers[] = {
    {MSG_BODY_ASK, on_body_ask},
    {MSG_NONE, NULL},
};

static const struct br_role router_role = {
    .id = ROLE_ROUTER, .name = "router", .on_message = router_handlers};

static void
read_head(struct answer *a, const char *p, uint32_t n, uint32_t *ret_n)
{
    struct wire_response_head head;
    struct slice name, value;
    uint32_t at = 0;

    assert_int_equal(wire_response_read(p, n, &head), 0);
    while (wire_response_next(p, &head, &at, &name, &value) == 1)
        buf_printf(&a->fields, SLICE_FMT ": " SLICE_FMT "\n", SLICE_ARG(name), SLICE_ARG(value));
    a->status = head.status;
    a->length = head.body_length;
    *ret_n = head.n;
}

static void
on_piece(void *arg, const struct piece *piece)
{
    struct fake *f = arg;
    struct answer *a = f->by_slot[piece->slot];
    uint32_t head_n = 0;

    assert_non_null(a);
    a->pieces++;
    a->lane = piece->lane;
    if (piece->flags & PIECE_HEAD)
        read_head(a, piece->p, piece->n, &head_n);
    buf_append(&a->body, piece->p + head_n, piece->n - head_n);
    if (piece->n > 0 && f->pausing && a->pieces >= f->pause_after) {
        assert_true(f->n_paused < PAUSED_MAX);
        f->paused[f->n_paused++] = *piece;
    } else if (piece->n > 0) {
        port_chunk_done(f->port, piece->lane, piece->chunk);
    }
    if (piece->flags & (PIECE_END | PIECE_ABORT)) {
        a->done = true;
        a->aborted = (piece->flags & PIECE_ABORT) != 0;
        f->by_slot[piece->slot] = NULL;
        fd_close(&f->body_of[piece->slot]);
        port_slot_free(f->port, piece->slot);
    }
}

static void
on_orphan(void *arg, uint32_t slot, bool entered)
{
    struct fake *f = arg;
    struct answer *a = f->by_slot[slot];

    assert_non_null(a);
    a->done = true;
    a->orphaned = true;
    a->entered = entered;
    f->by_slot[slot] = NULL;
    port_slot_free(f->port, slot);
}

static const struct port_ops port_ops = {.on_piece = on_piece, .on_orphan = on_orphan};

static void
on_wake(struct watch *w br_unused, uint32_t events br_unused)
{
}

static bool
before_wait(void *arg)
{
    struct fake *f = arg;

    return f->port == NULL || port_may_sleep(f->port);
}

static void
after_wait(void *arg)
{
    struct fake *f = arg;

    if (f->port == NULL)
        return;
    port_awake(f->port);
    port_collect(f->port);
}

static void
turn_end(void *arg)
{
    struct fake *f = arg;

    if (f->port)
        port_wake(f->port, f->bell);
}

/* ---- setting up ---- */

static int
make_card(const struct pair *pairs)
{
    const char *preload = getenv("BROOD_TEST_PRELOAD");
    char text[512];
    struct buf b;
    int fd;

    launch_begin(&b);
    launch_put(&b, "name", SLICE("test"));
    launch_put(&b, "type", SLICE("python"));
    launch_put(&b, "module", SLICE("python.module.so"));
    for (; pairs->key; pairs++)
        launch_put(&b, pairs->key, slice_cstr(pairs->value));
    if (preload) {
        snprintf(text, sizeof(text), "LD_PRELOAD=%s", preload);
        launch_put(&b, "environment", slice_cstr(text));
        launch_put(&b, "environment", SLICE("ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=1"));
    }
    assert_int_equal(launch_end(&b, &fd), 0);
    return fd;
}

static void
open_tasks(struct fake *f)
{
    struct loop_hooks hooks = {f, before_wait, after_wait, turn_end};

    f->main = (struct task){.role = &main_role, .settings = &f->settings, .data = f};
    f->main.loop = loop_new();
    assert_non_null(f->main.loop);
    loop_set_hooks(f->main.loop, &hooks);
    f->router = (struct task){
        .role = &router_role, .settings = &f->settings, .loop = f->main.loop, .data = f};
    f->main.dispatch = dispatch_new(&f->main);
    f->router.dispatch = dispatch_new(&f->router);
}

static void
open_port(struct fake *f)
{
    struct br_err err = BR_ERR_NONE;

    assert_int_equal(nest_attach(process_kept(f->prototype, "nest"), &f->nest, &err), 0);
    assert_int_equal(port_open(f->nest, 0, &port_ops, f, &f->port, &err), 0);
    f->bell = process_kept(f->prototype, "bell");
    assert_int_equal(loop_add(f->main.loop, &f->wake, f->wakefd, EPOLLIN | EPOLLET, on_wake), 0);
}

struct fake *
fake_start(const struct pair *pairs)
{
    static struct spawn_how how = {.on_death = on_death};
    struct fake *f = calloc(1, sizeof(*f));
    struct br_err err = BR_ERR_NONE;
    int card = make_card(pairs);

    for (unsigned i = 0; i < NEST_SLOTS; i++)
        f->body_of[i] = -1;
    assert_non_null(getenv("BROOD_MODULES"));
    f->settings.modules_dir = strdup(getenv("BROOD_MODULES")); /* the title takes the environment */
    f->settings.routers = 1;
    f->server_name = "example.org";
    f->settings.ready_fd = -1;
    clock_update();
    open_tasks(f);
    roster_init(&f->processes);
    f->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->prototype = roster_new(&f->processes, &prototype_role);
    f->prototype->launch = LAUNCH;
    f->prototype->instance = INSTANCE;
    assert_int_equal(launch_read(card, &f->prototype->card, &err), 0);
    process_keep(f->prototype, "card", card);
    process_keep(f->prototype, "wake0", fcntl(f->wakefd, F_DUPFD_CLOEXEC, 3));
    if (spawn(&f->main, f->prototype, &how, &err) < 0)
        fail_msg("%s", err.text);
    open_port(f);
    return f;
}

void
fake_set_server_name(struct fake *f, const char *name)
{
    f->server_name = name;
}

static bool
is_told(void *arg)
{
    struct fake *f = arg;

    return f->told || f->dead;
}

const char *
fake_wait_ready(struct fake *f)
{
    fake_run_until(f, is_told, f);
    if (!f->told)
        return "it died without a word";
    return f->failure[0] ? f->failure : NULL;
}

void
fake_turn(struct fake *f, int wait_ms)
{
    turn_end(f);
    loop_once(f->main.loop, wait_ms);
}

void
fake_run_until(struct fake *f, bool (*done)(void *arg), void *arg)
{
    int64_t until = clock_us() / 1000 + DEADLINE_MS;

    while (!done(arg)) {
        if (clock_us() / 1000 > until)
            fail_msg("nothing happened for %d ms", DEADLINE_MS);
        fake_turn(f, 100);
    }
}

static bool
is_dead(void *arg)
{
    struct fake *f = arg;

    return f->dead;
}

int
fake_wait_death(struct fake *f)
{
    fake_run_until(f, is_dead, f);
    return f->status;
}

void
fake_free(struct fake *f)
{
    if (!f->dead) {
        kill(f->prototype->pid, SIGKILL);
        fake_wait_death(f);
    }
    for (unsigned i = 0; i < NEST_SLOTS; i++) {
        if (f->by_slot[i])
            answer_free(f->by_slot[i]);
        fd_close(&f->body_of[i]);
    }
    loop_del(f->main.loop, &f->wake);
    dispatch_free(f->router.dispatch);
    dispatch_free(f->main.dispatch);
    port_close(f->port);
    f->port = NULL;
    nest_detach(f->nest);
    roster_free(&f->processes, f->prototype);
    loop_free(f->main.loop);
    fd_close(&f->wakefd);
    free(f->status_text);
    free((char *)f->settings.modules_dir);
    free(f);
}

/* ---- requests ---- */

static unsigned
count_fields(const char *text)
{
    unsigned n = 0;

    for (; text && *text; text++)
        n += *text == '\n';
    return n;
}

static void
put_fields(struct wire_writer *w, const char *text)
{
    struct slice rest = slice_cstr(text ? text : ""), line;

    for (unsigned i = 0; slice_split(&rest, '\n', &line) && line.n > 0; i++) {
        size_t colon = slice_find(line, 0, ':');
        struct slice name = slice_sub(line, 0, colon);

        wire_request_field(w, i, field_name_find(name.p, name.n), name,
                           slice_trim(slice_sub(line, colon + 1, line.n)));
    }
}

static uint32_t
put_request(struct fake *f, const struct request *r, uint32_t slot, struct slice body)
{
    struct slice target = slice_cstr(r->target ? r->target : "/");
    size_t mark = slice_find(target, 0, '?');
    struct wire_writer w;
    uint32_t flags = (r->tls ? WIRE_TLS : 0) | (r->body ? WIRE_HAS_BODY : 0);
    uint32_t n;
    char *to;

    wire_request_begin(&w, port_slot_data(f->port, slot), NEST_SLOT_BYTES, count_fields(r->fields));
    wire_request_text(&w, TEXT_METHOD, slice_cstr(r->method ? r->method : "GET"));
    wire_request_text(&w, TEXT_TARGET, target);
    wire_request_text(&w, TEXT_PATH, r->path ? slice_cstr(r->path) : slice_sub(target, 0, mark));
    wire_request_text(&w, TEXT_QUERY, slice_sub(target, mark + 1, target.n));
    wire_request_text(&w, TEXT_VERSION, SLICE("HTTP/1.1"));
    wire_request_text(&w, TEXT_REMOTE_ADDR, SLICE("192.0.2.1"));
    wire_request_text(&w, TEXT_REMOTE_PORT, SLICE("54321"));
    wire_request_text(&w, TEXT_LOCAL_ADDR, SLICE("127.0.0.1"));
    wire_request_text(&w, TEXT_LOCAL_PORT, SLICE("8080"));
    wire_request_text(&w, TEXT_SERVER_NAME, slice_cstr(f->server_name));
    put_fields(&w, r->fields);
    wire_request_flags(&w, flags | (r->body_in_file ? WIRE_BODY_FILE : 0), body.n);
    if (body.n > 0 && !r->body_in_file) {
        to = wire_request_body(&w, (uint32_t)body.n);
        assert_non_null(to);
        memcpy(to, body.p, body.n);
    }
    assert_int_equal(wire_request_end(&w, &n), 0);
    return n;
}

struct answer *
fake_send(struct fake *f, const struct request *r)
{
    struct slice body =
        r->body ? slice_make(r->body, r->body_n ? r->body_n : strlen(r->body)) : SLICE_NONE;
    struct answer *a = calloc(1, sizeof(*a));
    int slot = port_slot_take(f->port);

    assert_true(slot >= 0);
    buf_init(&a->fields, 1 << 20);
    buf_init(&a->body, 1 << 28);
    a->slot = (uint32_t)slot;
    a->length = -1;
    f->by_slot[slot] = a;
    f->pause_after = r->pause_after;
    f->pausing = r->pause_after > 0;
    if (r->body_in_file)
        f->body_of[slot] = fd_memfd_sealed("body", body.p, body.n);
    port_publish(f->port, a->slot, put_request(f, r, a->slot, body));
    return a;
}

void
answer_free(struct answer *a)
{
    buf_done(&a->fields);
    buf_done(&a->body);
    free(a);
}

static bool
answer_done(void *arg)
{
    struct answer *a = arg;

    return a->done;
}

void
fake_wait(struct fake *f, struct answer *a)
{
    fake_run_until(f, answer_done, a);
    buf_putc(&a->body, '\0');
    a->body.n--;
}

struct answer *
fake_ask(struct fake *f, const struct request *r)
{
    struct answer *a = fake_send(f, r);

    fake_wait(f, a);
    return a;
}

struct answer *
fake_get(struct fake *f, const char *target)
{
    struct request r = {.target = target};

    return fake_ask(f, &r);
}

void
fake_cancel(struct fake *f, struct answer *a)
{
    port_cancel(f->port, a->slot);
}

void
fake_resume(struct fake *f)
{
    f->pausing = false;
    for (unsigned i = 0; i < f->n_paused; i++)
        port_chunk_done(f->port, f->paused[i].lane, f->paused[i].chunk);
    f->n_paused = 0;
}

void
fake_stuck(struct fake *f, struct answer *a)
{
    struct msg_lane m = {.lane = (uint32_t)port_slot_lane(f->port, a->slot),
                         .slot = a->slot,
                         .generation = port_slot_generation(f->port, a->slot)};
    struct channel *ch = dispatch_find_launch(f->router.dispatch, ROLE_PROTOTYPE, LAUNCH, INSTANCE);

    assert_non_null(ch);
    dispatch_tell(ch, MSG_LANE_STUCK, &m, NULL, 0);
}

void
fake_drain(struct fake *f)
{
    struct msg_drain m = {0};

    dispatch_tell(f->prototype->channel, MSG_DRAIN, &m, NULL, 0);
}

void
fake_stop(struct fake *f)
{
    struct msg_none m = {0};

    dispatch_tell(f->prototype->channel, MSG_STOP, &m, NULL, 0);
}

/* ---- status ---- */

static const struct br_role controller_role = {.id = ROLE_CONTROLLER, .name = "controller"};

static void
on_status(struct task *task, void *arg br_unused, struct message *m, int rc)
{
    struct fake *f = task->data;
    char *text;
    size_t n;

    assert_int_equal(rc, 0);
    assert_int_equal(fd_read_file(m->fds[0], 1 << 20, &text, &n), 0);
    f->status_text = (struct status_prototype *)text;
}

static bool
has_status(void *arg)
{
    struct fake *f = arg;

    return f->status_text != NULL;
}

unsigned
fake_status(struct fake *f, struct status_worker workers[NEST_LANES])
{
    struct task controller = {.role = &controller_role, .settings = &f->settings, .data = f};
    struct msg_process m = {.role = ROLE_CONTROLLER, .pid = getpid()};
    struct peer peer = {
        .role = ROLE_PROTOTYPE, .pid = f->prototype->pid, .launch = LAUNCH, .instance = INSTANCE};
    struct msg_none none = {0};
    struct channel *ch;
    unsigned n;
    int fds[2];

    controller.loop = f->main.loop;
    controller.dispatch = dispatch_new(&controller);
    assert_int_equal(channel_pair(fds), 0);
    ch = dispatch_add(controller.dispatch, fds[0], &peer);
    assert_non_null(ch);
    dispatch_tell(f->prototype->channel, MSG_CHANNEL_OPEN, &m, &fds[1], 1);
    free(f->status_text);
    f->status_text = NULL;
    assert_int_equal(dispatch_ask(ch, MSG_STATUS_ASK, &none, NULL, 0, 5000, on_status, NULL), 0);
    fake_run_until(f, has_status, f);
    n = f->status_text->n_workers;
    assert_true(n <= NEST_LANES);
    memcpy(workers, (const char *)(f->status_text + 1) + sizeof(struct status_stream),
           n * sizeof(*workers));
    dispatch_free(controller.dispatch);
    fake_turn(f, 0);
    return n;
}

pid_t
fake_pid(const struct fake *f)
{
    return f->prototype->pid;
}

const char *
answer_field(const struct answer *a, const char *name)
{
    static char value[4096];
    struct slice rest = buf_slice(&a->fields), line;

    while (slice_split(&rest, '\n', &line)) {
        size_t colon = slice_find(line, 0, ':');

        if (!slice_ieq(slice_sub(line, 0, colon), slice_cstr(name)))
            continue;
        snprintf(value, sizeof(value), SLICE_FMT, SLICE_ARG(slice_sub(line, colon + 2, line.n)));
        return value;
    }
    return NULL;
}

const char *
answer_body(struct answer *a)
{
    return a->body.p ? a->body.p : "";
}
