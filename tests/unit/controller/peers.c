/*
 * peers.c - a main, routers and prototypes that do what they are told, on real lines in one loop.
 */
#include "peers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "conf/conf_history.h"
#include "ipc/status.h"

static struct peers *the_peers; /* for on_gone, where the owner is all there is */

void
peers_gone(struct channel *ch)
{
    for (int i = 0; i < PEERS_ROUTERS; i++)
        if (the_peers->routers[i] == ch)
            the_peers->routers[i] = NULL;
    channel_free(ch);
}

void
peers_note(struct peers *p, const char *fmt, ...)
{
    size_t n = strlen(p->story);
    va_list args;

    va_start(args, fmt);
    vsnprintf(p->story + n, sizeof(p->story) - n, fmt, args);
    va_end(args);
}

bool
peers_told(const struct peers *p, const char *noted)
{
    return strstr(p->story, noted) != NULL;
}

static void
peers_result(struct channel *ch, struct message *m, enum msg_type type, uint32_t generation,
             bool refused)
{
    struct msg_result result = {.generation = generation, .rc = refused ? -1 : 0};

    snprintf(result.text, sizeof(result.text), "%s", refused ? "it is not my day" : "");
    assert_int_equal(channel_send(ch, type, &result, NULL, 0, 0, m->serial), 0);
}

/* A listening socket at an address of the kernel's choice, kept in p->control. */
static int
open_control(struct peers *p)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un any = {.sun_family = AF_UNIX};

    p->control_len = sizeof(p->control);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&p->control, &p->control_len), 0);
    return fd;
}

static void
status_answers(struct channel *ch, struct message *m, const void *p, size_t n)
{
    const struct msg_none none = {0};
    int fd = fd_memfd_sealed("status", p, n);

    assert_int_equal(channel_send(ch, MSG_STATUS, &none, &fd, 1, 0, m->serial), 0);
}

/* Number 7 is all that was kept. */
static void
history_answers(struct channel *ch, struct message *m, bool refused)
{
    static const struct conf_history_entry row = {.number = 7, .time_s = 86400, .size = 13};
    static const char text[] = "{\"routes\": []}";
    uint64_t number = ((const struct msg_history *)m->payload)->number;
    struct msg_result result = {.rc = refused ? -EIO : number % 7 == 0 ? 0 : -ENOENT};
    int fd = -1;

    if (refused)
        snprintf(result.text, sizeof(result.text), "it is not my day");
    if (result.rc == 0)
        fd = number == 0 ? fd_memfd_sealed("list", &row, sizeof(row))
                         : fd_memfd_sealed("text", text, strlen(text));
    assert_int_equal(channel_send(ch, MSG_HISTORY, &result, &fd, fd >= 0 ? 1 : 0, 0, m->serial), 0);
}

static void
peers_main_answers(struct peers *p, struct channel *ch, struct message *m, bool refused)
{
    const struct {
        struct status_main head;
        struct status_process processes[2];
    } status = {{.n_processes = p->prototype != 0 ? 2 : 1},
                {{.role = ROLE_CONTROLLER, .restarts = p->restarts},
                 {.role = ROLE_PROTOTYPE, .launch = p->prototype}}};
    const struct msg_launch *launch = m->payload;
    const struct msg_open *open = m->payload;
    const struct msg_result opened = {0};

    switch (m->type) {
    case MSG_OPEN:
        if (open->kind == OPEN_CONTROL) {
            int fd = open_control(p);

            channel_send(ch, MSG_OPENED, &opened, &fd, 1, 0, m->serial);
        } else {
            peers_result(ch, m, MSG_OPENED, 0, refused);
        }
        break;
    case MSG_STATUS_ASK:
        status_answers(ch, m, &status,
                       sizeof(status.head) + status.head.n_processes * sizeof(*status.processes));
        break;
    case MSG_ROUTERS:
    case MSG_ROUTERS_DROP:
    case MSG_SAVE:
    case MSG_KEEP:
    case MSG_REMOVE:
    case MSG_SET_ASIDE:
        peers_result(ch, m, MSG_DONE, 0, refused);
        break;
    case MSG_HISTORY_ASK:
        history_answers(ch, m, refused);
        break;
    case MSG_PROCESS_START:
        if (refused) {
            struct msg_failed failed = {.rc = -1, .text = "ImportError: no such module\n"};

            channel_send(ch, MSG_PROCESS_FAILED, &failed, NULL, 0, 0, m->serial);
        } else {
            struct msg_process ready = {.role = ROLE_PROTOTYPE, .launch = launch->launch};

            channel_send(ch, MSG_PROCESS_READY, &ready, NULL, 0, 0, m->serial);
        }
        break;
    default:
        break;
    }
}

static bool
is_this(const char *wanted, const char *noted)
{
    return wanted != NULL && strcmp(wanted, noted) == 0;
}

static void
peers_hear_main(struct channel *ch, struct message *m)
{
    struct peers *p = channel_owner(ch);
    const struct msg_open *open = m->payload;
    const struct msg_launch *launch = m->payload;
    char noted[600];

    switch (m->type) {
    case MSG_CONF_RUNNING: /* said before each commit: no need to note it */
        fd_close(&p->running);
        p->running = fd_take(&m->fds[0]);
        return;
    case MSG_ROUTERS: /* so are these, unless the test is about them */
    case MSG_ROUTERS_KEEP:
    case MSG_ROUTERS_DROP:
        snprintf(noted, sizeof(noted), "%s", msg_info[m->type].name);
        if (is_this(p->refuse, noted) || is_this(p->ignore, noted))
            break;
        peers_main_answers(p, ch, m, false);
        return;
    case MSG_OPEN:
    case MSG_CLOSE:
        if (open->kind == OPEN_CONTROL)
            snprintf(noted, sizeof(noted), "OPEN control");
        else if (open->kind == OPEN_CERTIFICATES)
            snprintf(noted, sizeof(noted), "OPEN certificates");
        else
            snprintf(noted, sizeof(noted), "%s %s", msg_info[m->type].name, open->name);
        break;
    case MSG_PROCESS_START:
    case MSG_PROCESS_STOP:
        snprintf(noted, sizeof(noted), "%s %u", msg_info[m->type].name + strlen("PROCESS_"),
                 launch->launch);
        break;
    default:
        snprintf(noted, sizeof(noted), "%s", msg_info[m->type].name);
    }
    peers_note(p, "%s; ", noted);
    if (!is_this(p->ignore, noted))
        peers_main_answers(p, ch, m, is_this(p->refuse, noted));
}

static void
peers_hear_router(struct channel *ch, struct message *m)
{
    struct peers *p = channel_owner(ch);
    static const struct status_router numbers = {
        .accepted = 5, .active = 1, .idle = 1, .closed = 3, .requests = 9};
    const struct msg_conf *conf = m->payload;
    char noted[64];

    if (m->type == MSG_STATUS_ASK) {
        status_answers(ch, m, &numbers, sizeof(numbers));
        return;
    }
    snprintf(noted, sizeof(noted), "%s%u %u", msg_info[m->type].name + strlen("CONF_"),
             channel_peer(ch)->index, conf->generation);
    peers_note(p, "%s; ", noted);
    if (is_this(p->ignore, noted))
        return;
    if (m->type == MSG_CONF_PREPARE)
        peers_result(ch, m, MSG_CONF_PREPARED, conf->generation, is_this(p->refuse, noted));
    else if (m->type == MSG_CONF_COMMIT)
        assert_int_equal(channel_send(ch, MSG_CONF_LIVE, conf, NULL, 0, 0, m->serial), 0);
}

/* A line between the controller and a peer of that role: its far end. */
struct channel *
peers_line(struct peers *p, enum role_id role, uint32_t index, const struct channel_ops *ops,
           struct channel **ret_near)
{
    struct peer far = {.role = role, .pid = getpid(), .index = index};
    /* Its own index, so that what it hears can be noted with it. */
    struct peer near = {.role = ROLE_CONTROLLER, .pid = getpid(), .index = index};
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    *ret_near = dispatch_add(p->task.dispatch, fds[0], &far);
    assert_non_null(*ret_near);
    return channel_new(p->task.loop, fds[1], role, &near, ops, p);
}

void
peers_init(struct peers *p, void (*on_peer_gone)(struct task *task, struct channel *ch))
{
    static const struct channel_ops ops = {.on_message = peers_hear_main, .on_gone = peers_gone};

    memset(p, 0, sizeof(*p));
    p->running = -1;
    the_peers = p;
    clock_update();
    p->role =
        (struct br_role){.id = ROLE_CONTROLLER, .name = "controller", .on_peer_gone = on_peer_gone};
    p->settings = (struct settings){.user = "nobody", .tmp_dir = "/tmp"};
    p->task = (struct task){.role = &p->role, .settings = &p->settings, .loop = loop_new()};
    p->task.dispatch = dispatch_new(&p->task);
    p->main = peers_line(p, ROLE_MAIN, 0, &ops, &p->task.parent);
}

struct channel *
peers_add_router(struct peers *p, uint32_t index)
{
    static const struct channel_ops ops = {.on_message = peers_hear_router, .on_gone = peers_gone};
    struct channel *near;

    p->routers[index] = peers_line(p, ROLE_ROUTER, index, &ops, &near);
    return near;
}

void
peers_kill_router(struct peers *p, uint32_t index)
{
    channel_free(p->routers[index]);
    p->routers[index] = NULL;
}

void
peers_retire(struct peers *p, uint32_t index, uint32_t generation)
{
    const struct msg_conf conf = {.generation = generation};

    assert_int_equal(channel_send(p->routers[index], MSG_CONF_RETIRED, &conf, NULL, 0, 0, 0), 0);
}

/* Until nothing moves any more: two turns in a row that found no event. */
void
peers_settle(struct peers *p)
{
    size_t before;
    int quiet = 0;

    for (int turn = 0; turn < 200 && quiet < 6; turn++) {
        before = strlen(p->story);
        assert_true(loop_once(p->task.loop, 5) >= 0);
        quiet = strlen(p->story) == before ? quiet + 1 : 0;
    }
}

void
peers_done(struct peers *p)
{
    p->role.on_peer_gone = NULL;
    dispatch_free(p->task.dispatch);
    channel_free(p->main);
    fd_close(&p->running);
    for (int i = 0; i < PEERS_ROUTERS; i++)
        if (p->routers[i] != NULL)
            channel_free(p->routers[i]);
    loop_free(p->task.loop);
}
