/*
 * main_open.c - listening sockets and access logs by name, kept from the controller's OPEN to its
 * CLOSE.
 *
 *   controller: OPEN name -> bound once, errors are known; main keeps the socket for its own life,
 *                            so that what waits in its queue outlives every router
 *   router:     OPEN name -> a copy; only of what the controller has asked for, so that a router
 *                            taken over by a stranger can make main open nothing new
 *   controller: CLOSE name -> closed, a Unix socket's file is removed
 *
 * Two listeners may overlap: *:80 and 127.0.0.1:80.  bind(2) and listen(2) refuse the second one
 * while the first listens, unless both have SO_REUSEPORT (socket(7)).  Ours have it only for that
 * one call: nobody else of our user can join in.  The second is reserved first, and listens when
 * the controller asks again, right before its commit: a change that fails has taken no connection
 * from the first.  If the first goes, it is hushed before.
 *
 * A controller that came after another one begins with OPEN for all that its configuration needs,
 * and asks for the control socket when it is done: what only its predecessor wanted is closed then.
 */
#include "main/main_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "event/listener.h"
#include "conf/cert_store.h"
#include "conf/conf_history.h"
#include "conf/conf_include.h"
#include "main/main_certs.h"
#include "main/main_control.h"
#include "main/main_given.h"
#include "main/main_heir.h"
#include "main/main_history.h"

#define OPENED_MAX  1024
#define UNIX_PREFIX "unix:"

struct opened {
    struct list link;
    enum open_kind kind;
    int fd; /* OPEN_LISTENER; access logs are opened anew for each asker, since files rotate */
    int backlog;
    bool listens;            /* OPEN_LISTENER: else it is reserved */
    bool hushed;             /* it goes, and is to have no new connection */
    struct activated *given; /* of whose socket ours is a copy, or NULL */
    pid_t wanted_by;         /* the controller that asked last */
    char name[sizeof(((struct msg_open *)NULL)->name)];
};

static struct opened *
find(struct main *m, enum open_kind kind, const char *name)
{
    struct opened *o;

    list_foreach (o, &m->opened, link)
        if (o->kind == kind && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static unsigned
count(const struct main *m)
{
    const struct opened *o;
    unsigned n = 0;

    list_foreach (o, &m->opened, link)
        n++;
    return n;
}

static void
forget(const struct main *m, struct opened *o)
{
    const char *path = o->name + sizeof(UNIX_PREFIX) - 1;

    if (m->owns_paths && o->fd >= 0 && o->given == NULL &&
        strncmp(o->name, UNIX_PREFIX, sizeof(UNIX_PREFIX) - 1) == 0 && *path != '@')
        unlink(path);
    main_given_back(&o->given);
    fd_close(&o->fd);
    list_del(&o->link);
    free(o);
}

/*
 * The standard streams by name are those of main, also where they are sockets or pipes, which
 * cannot be opened by path.  A FIFO without a reader is an error, and no writer ever waits.
 */
static int
open_log(const char *path, int *ret_fd, struct br_err *err)
{
    int fd;

    if (strcmp(path, "/dev/stdout") == 0)
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    else if (strcmp(path, "/dev/stderr") == 0)
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    else
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0)
        return br_fail(err, -errno, "cannot open \"%s\"", path);
    *ret_fd = fd;
    return 0;
}

static void
share_ports(struct main *m, bool on)
{
    struct opened *o;

    list_foreach (o, &m->opened, link)
        if (o->kind == OPEN_LISTENER)
            listener_share_port(o->fd, on);
    main_given_share_ports(m, on);
}

static int
reserve(struct main *m, struct opened *o, struct br_err *err)
{
    int rc;

    share_ports(m, true);
    rc = listener_reserve(o->name, &o->fd, err);
    share_ports(m, false);
    return rc;
}

static int
open_new(struct main *m, struct opened *o, const struct msg_open *order, struct br_err *err)
{
    br_cleanup(fd_closep) int log = -1;
    int rc;

    if (o->kind == OPEN_ACCESS_LOG)
        return open_log(o->name, &log, err);
    rc = main_given_open(m, o->name, &o->fd, &o->given, err);
    o->listens = rc > 0 || !order->reserve;
    if (rc != 0)
        return br_min(rc, 0);
    return order->reserve ? reserve(m, o, err) : listener_open(o->name, order->value, &o->fd, err);
}

/* listen(2) for the first time, or again with another backlog. */
static int
want_listening(struct main *m, struct opened *o, const struct msg_open *order, struct br_err *err)
{
    int rc = 0;

    if (o->listens && (order->reserve || o->hushed)) {
        o->hushed = order->reserve;
        listener_hush(o->fd, o->hushed);
    }
    if (order->reserve || (o->listens && o->backlog == order->value))
        return 0;
    if (!o->listens)
        share_ports(m, true);
    if (listen(o->fd, order->value < 0 ? INT32_MAX : order->value) < 0)
        rc = br_fail(err, -errno, "cannot listen on \"%s\"", o->name);
    if (!o->listens)
        share_ports(m, false);
    o->listens |= rc == 0;
    return rc;
}

/* The controller wants it: open unless it is. */
static int
want(struct main *m, const struct msg_open *order, pid_t pid, struct br_err *err)
{
    enum open_kind kind = (enum open_kind)order->kind;
    struct opened *o = find(m, kind, order->name);
    int rc;

    if (o != NULL) {
        rc = o->kind == OPEN_LISTENER ? want_listening(m, o, order, err) : 0;
        if (rc < 0)
            return rc;
        o->backlog = order->value;
        o->wanted_by = pid;
        return 0;
    }
    if (count(m) == OPENED_MAX)
        return br_fail(err, -EMFILE, "more than %d listeners and logs", OPENED_MAX);
    o = calloc(1, sizeof(*o));
    if (o == NULL)
        return br_fail(err, -ENOMEM, "cannot open \"%s\"", order->name);
    *o = (struct opened){.kind = kind, .fd = -1, .backlog = order->value, .wanted_by = pid};
    memcpy(o->name, order->name, sizeof(o->name));
    list_init(&o->link);
    rc = open_new(m, o, order, err);
    if (rc < 0) {
        free(o);
        return rc;
    }
    list_add_tail(&m->opened, &o->link);
    return 0;
}

static int
copy(int fd, const char *name, int *ret_fd, struct br_err *err)
{
    int dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (dup < 0)
        return br_fail(err, -errno, "cannot pass on \"%s\"", name);
    *ret_fd = dup;
    return 0;
}

/* A copy for a router. */
static int
give(struct main *m, const struct msg_open *order, int *ret_fd, struct br_err *err)
{
    const struct opened *o = find(m, (enum open_kind)order->kind, order->name);

    if (o == NULL)
        return br_fail(err, -EACCES, "\"%s\" is nothing that the controller has asked for",
                       order->name);
    if (o->kind == OPEN_ACCESS_LOG)
        return open_log(o->name, ret_fd, err);
    return copy(o->fd, o->name, ret_fd, err);
}

bool
main_listens(struct main *m, const char *address)
{
    return find(m, OPEN_LISTENER, address) != NULL;
}

int
main_open_listener(struct main *m, const char *address)
{
    const struct opened *o = find(m, OPEN_LISTENER, address);
    int fd = o != NULL ? fcntl(o->fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (o == NULL)
        return -ENOENT;
    return fd < 0 ? -errno : fd;
}

/* What only an earlier controller wanted. */
static void
sweep(struct main *m, pid_t controller)
{
    struct opened *o, *next;

    list_foreach_safe (o, next, &m->opened, link) {
        if (o->wanted_by == controller)
            continue;
        br_log(LOG_NOTICE, "\"%s\" is not wanted any more", o->name);
        forget(m, o);
    }
}

static int
open_control(struct main *m, struct br_err *err)
{
    if (m->control_from != NULL)
        return copy(m->control_from->fd, m->control_from->name, &m->control_fd, err);
    return main_control_open(m->task.settings, &m->control_fd, err);
}

static int
give_control(struct main *m, pid_t controller, int *ret_fd, struct br_err *err)
{
    int rc = 0;

    if (m->task.settings->control == NULL)
        return br_fail(err, -EINVAL, "there is no control address");
    if (m->control_fd < 0)
        rc = open_control(m, err);
    if (rc == 0)
        rc = copy(m->control_fd, m->task.settings->control, ret_fd, err);
    if (rc == 0) {
        sweep(m, controller);
        main_given_tell_unused(m);
    }
    m->control_given |= rc == 0;
    return rc;
}

/* The files beside that of --config, for who parses them. */
static int
include(const struct settings *settings, const char *pattern, int *ret_fd, struct br_err *err)
{
    if (settings->config_path == NULL)
        return br_fail(err, -EINVAL, "there is no configuration file");
    return conf_include_read(settings->config_path, pattern, ret_fd, err);
}

/* Who may close decides what is open, and needs no copy of it. */
static int
serve(struct main *m, const struct channel *ch, const struct msg_open *order, int *ret_fd,
      struct br_err *err)
{
    const struct peer *peer = channel_peer(ch);
    bool decides = message_may(MSG_CLOSE, peer->role, ROLE_MAIN);

    INJECT(main, open_asked);
    switch (order->kind) {
    case OPEN_LISTENER:
    case OPEN_ACCESS_LOG:
        return decides ? want(m, order, peer->pid, err) : give(m, order, ret_fd, err);
    case OPEN_CONTROL:
        if (decides)
            return give_control(m, peer->pid, ret_fd, err);
        return br_fail(err, -EACCES, "the control socket is the controller's");
    case OPEN_CERTIFICATES:
    case OPEN_CERTIFICATE:
        if (decides)
            return main_certs_open(&m->store, order, ret_fd, err);
        return br_fail(err, -EACCES, "certificates are the controller's");
    case OPEN_INCLUDE:
        if (decides)
            return include(m->task.settings, order->name, ret_fd, err);
        return br_fail(err, -EACCES, "the configuration is the controller's");
    default:
        return br_fail(err, -EINVAL, "there is nothing of kind %u to open", order->kind);
    }
}

static struct msg_result
result(int rc, const struct br_err *err)
{
    struct msg_result r = {.rc = rc < 0 ? rc : 0};

    if (rc < 0)
        memcpy(r.text, err->text, br_min(sizeof(r.text), sizeof(err->text)));
    return r;
}

static void
answer_open(struct main *m, struct channel *ch, const struct message *question,
            const struct msg_open *order)
{
    struct br_err err = BR_ERR_NONE;
    int fd = -1;
    int rc = serve(m, ch, order, &fd, &err);
    struct msg_result r = result(rc, &err);

    INJECT(main, opened);
    if (rc < 0)
        br_log(LOG_ERROR, "%s", err.text);
    dispatch_reply(ch, question, MSG_OPENED, &r, &fd, fd >= 0 ? 1 : 0);
    if (rc < 0 && order->kind == OPEN_CONTROL && m->phase == MAIN_STARTING)
        main_give_up(m, "%s", err.text);
}

void
main_open_answer_control(struct main *m, struct channel *ch, const struct message *question)
{
    const struct msg_open order = {.kind = OPEN_CONTROL};

    answer_open(m, ch, question, &order);
}

void
main_on_open(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_open *order = msg->payload;
    struct main *m = main_of(task);

    if (order->kind == OPEN_CONTROL && main_heir_unproved(m) &&
        message_may(MSG_CLOSE, channel_peer(ch)->role, ROLE_MAIN))
        m->control_asked.serial = msg->serial;
    else
        answer_open(m, ch, msg, order);
    main_check_running(m);
}

void
main_on_close(struct task *task, br_unused struct channel *ch, struct message *msg)
{
    const struct msg_open *order = msg->payload;
    struct main *m = main_of(task);
    struct opened *o = find(m, (enum open_kind)order->kind, order->name);

    INJECT(main, close_asked);
    if (o != NULL)
        forget(m, o);
}

static int
check_store(const struct main *m, const struct msg_open *order, struct br_err *err)
{
    if (order->kind != OPEN_CONF && order->kind != OPEN_CERTIFICATE)
        return br_fail(err, -EINVAL, "there is nothing of kind %u to save", order->kind);
    if (m->store.dir < 0)
        return br_fail(err, -ENOENT, "there is no state directory");
    return 0;
}

static void
done(struct channel *ch, const struct message *msg, int rc, const struct br_err *err)
{
    struct msg_result r = result(rc, err);

    if (rc < 0)
        br_log(LOG_ALERT, "%s", err->text);
    dispatch_reply(ch, msg, MSG_DONE, &r, NULL, 0);
}

/* A disk that has no room for all gets back what the first took. */
static int
save_history(struct main *m, int fd, struct br_err *err)
{
    int rc = conf_store_save_foreign(&m->store, err);

    if (rc == 0)
        rc = conf_history_save(&m->store, fd, err);

    if (rc < 0)
        conf_store_drop(&m->store, NULL);
    return rc;
}

static int
save_conf(struct main *m, int fd, struct br_err *err)
{
    int rc = conf_store_save(&m->store, fd, err);

    return rc < 0 ? rc : save_history(m, fd, err);
}

void
main_on_save(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_open *order = msg->payload;
    struct main *m = main_of(task);
    struct br_err err = BR_ERR_NONE;
    int rc = check_store(m, order, &err);

    INJECT(main, save_asked);
    if (rc == 0 && !fd_is_sealed(msg->fds[0]))
        rc = br_fail(&err, -EBADMSG, "what shall be saved is no sealed memory file");
    if (rc == 0 && order->kind == OPEN_CERTIFICATE)
        rc = cert_store_save(&m->store, order->name, msg->fds[0], &err);
    else if (rc == 0)
        rc = save_conf(m, msg->fds[0], &err);
    INJECT(main, saved);
    done(ch, msg, rc, &err);
}

/* The controller could not make sense of it. */
void
main_on_set_aside(struct task *task, struct channel *ch, struct message *msg)
{
    struct main *m = main_of(task);
    struct br_err err = BR_ERR_NONE;
    int rc = check_store(m, msg->payload, &err);

    if (rc == 0)
        rc = conf_store_set_aside(&m->store, &err);
    done(ch, msg, rc, &err);
}

void
main_on_remove(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_open *order = msg->payload;
    struct main *m = main_of(task);
    struct br_err err = BR_ERR_NONE;
    int rc = check_store(m, order, &err);

    if (rc == 0 && order->kind != OPEN_CERTIFICATE)
        rc = br_fail(&err, -EINVAL, "there is nothing of kind %u to remove", order->kind);
    if (rc == 0)
        rc = cert_store_remove(&m->store, order->name, &err);
    if (rc == -ENOENT)
        rc = 0; /* somebody did it by hand */
    done(ch, msg, rc, &err);
}

void
main_on_keep(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_open *order = msg->payload;
    struct main *m = main_of(task);
    struct br_err err = BR_ERR_NONE;
    int rc = check_store(m, order, &err);

    INJECT(main, keep_asked);
    if (rc == 0 && order->kind != OPEN_CONF)
        rc = br_fail(&err, -EINVAL, "there is nothing of kind %u to keep", order->kind);
    if (rc == 0)
        rc = conf_store_keep(&m->store, BROOD_VERSION_NUMBER, &err);
    if (rc == 0)
        main_history_keep(m);
    INJECT(main, kept);
    done(ch, msg, rc, &err);
}

void
main_open_each(const struct main *m, void (*fn)(void *arg, const struct estate_listener *l),
               void *arg)
{
    struct opened *o;

    list_foreach (o, &m->opened, link) {
        const struct estate_listener l = {
            .fd = o->fd, .backlog = o->backlog, .listens = o->listens, .name = o->name};

        if (o->kind == OPEN_LISTENER)
            fn(arg, &l);
    }
}

int
main_open_adopt(struct main *m, const struct estate_listener *l)
{
    struct opened *o = calloc(1, sizeof(*o));
    int fd = l->fd;

    if (o == NULL || strlen(l->name) >= sizeof(o->name)) {
        free(o);
        fd_close(&fd);
        return o == NULL ? -ENOMEM : -ENAMETOOLONG;
    }
    *o = (struct opened){
        .kind = OPEN_LISTENER, .fd = fd, .backlog = l->backlog, .listens = l->listens};
    memcpy(o->name, l->name, strlen(l->name));
    o->given = activation_find(m->task.settings->given, o->name);
    if (o->given != NULL)
        o->given->used = true;
    list_init(&o->link);
    list_add_tail(&m->opened, &o->link);
    return 0;
}

void
main_open_done(struct main *m)
{
    struct opened *o, *next;

    list_foreach_safe (o, next, &m->opened, link)
        forget(m, o);
    if (m->control_fd >= 0 && m->owns_paths && m->control_from == NULL)
        main_control_close(m->task.settings, &m->control_fd);
    fd_close(&m->control_fd);
}
