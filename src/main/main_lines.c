/*
 * main_lines.c - introductions, and what is said to more than one.
 *
 *   p ready:  for each ready q that p may talk to:  CHANNEL_OPEN(q) -> p,  CHANNEL_OPEN(p) -> q,
 *             then the hooks of both roles (a prototype's: NEST_OPEN -> q)
 *   p dead:   CHANNEL_CLOSE(p) and PROCESS_GONE(p) -> each ready q that it could talk to
 *
 * Who may hear what is asked of the message table, so no role is named here.  A pair that cannot be
 * connected (no descriptors, a peer that does not read) is mended by ending one of the two: it
 * comes back by the back-off and is introduced anew, and no list of what is missing has to be kept.
 */
#include "main/main_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/dispatch.h"
#include "main/main_quit.h"
#include "main/main_upgrade.h"

void
main_tell(struct main *m, struct process *p, enum msg_type type, const void *payload, int *fds,
          unsigned n_fds)
{
    int rc;

    if (p->channel == NULL) {
        for (unsigned i = 0; i < n_fds; i++)
            fd_close(&fds[i]);
        return;
    }
    rc = dispatch_tell(p->channel, type, payload, fds, n_fds);
    if (rc == -ENOBUFS) {
        br_log(LOG_ALERT, "%s (process %d) does not read what it is told", process_name(p),
               (int)p->pid);
        main_kill(m, p);
    }
}

static bool
listens(const struct process *p)
{
    return p->life.state == PROC_READY || p->life.state == PROC_DRAINING;
}

struct msg_process
main_about(const struct process *p, int status)
{
    return (struct msg_process){
        .role = p->role->id,
        .pid = p->pid,
        .index = p->index,
        .launch = p->launch,
        .instance = p->instance,
        .status = status,
    };
}

/* To p: a line to q. */
static void
open_line(struct main *m, struct process *p, const struct process *q, int *fd)
{
    struct msg_process about = main_about(q, 0);

    main_tell(m, p, MSG_CHANNEL_OPEN, &about, fd, 1);
}

static void
call_hook(struct main *m, struct process *p, struct process *peer)
{
    if (p->role->introduce != NULL && peer->channel != NULL)
        p->role->introduce(&m->task, p, peer->channel);
}

static int
connect_pair(struct main *m, struct process *p, struct process *q)
{
    int fds[2];
    int rc = INJECT(main, introduce) < 0 ? -errno : channel_pair(fds);

    if (rc < 0)
        return rc;
    open_line(m, p, q, &fds[0]);
    INJECT(main, introduced_one);
    open_line(m, q, p, &fds[1]);
    call_hook(m, p, q);
    call_hook(m, q, p);
    return 0;
}

/* It cannot work without what it is not told: it ends, and comes back by the back-off. */
static void
leave_unmet(struct main *m, struct process *p, const char *what, int rc)
{
    br_log(LOG_ALERT, "%s ends, since it cannot be given %s: %s", process_name(p), what,
           strerror(-rc));
    p->unmet = true;
    main_kill(m, p);
}

/* Something that we keep for all who may hear it; kept_fd -1: not there yet. */
static void
tell_kept(struct main *m, struct process *p, enum msg_type type, const void *payload, int kept_fd)
{
    int fd;

    if (kept_fd < 0 || !message_may(type, ROLE_MAIN, p->role->id))
        return;
    fd = fcntl(kept_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        main_tell(m, p, type, payload, &fd, 1);
    else
        leave_unmet(m, p, "what main keeps for it", -errno);
}

/* The descriptor of what is kept, or -errno; -ENOENT: nothing. */
static int
stored_fd(struct main *m, struct conf_kept *ret_kept)
{
    const char *path = m->task.settings->config_path;
    struct br_err err = BR_ERR_NONE;
    int fd = -1;
    int rc = 0;

    if (path != NULL) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        rc = fd < 0 ? br_fail(&err, -errno, "cannot open \"%s\"", path) : 0;
    } else if (m->store.dir >= 0) {
        rc = conf_store_read(&m->store, &fd, ret_kept, &err);
    } else {
        rc = -ENOENT;
    }
    if (rc < 0 && err.text[0] != '\0')
        br_log(LOG_ERROR, "%s", err.text);
    return rc < 0 ? rc : fd;
}

static bool
tell_stored(struct main *m, struct process *p, uint32_t reload)
{
    struct msg_stored stored = {.reload = reload};
    struct conf_kept kept = {0};
    int fd;

    if (!message_may(MSG_CONF_STORED, ROLE_MAIN, p->role->id))
        return false;
    fd = stored_fd(m, &kept);
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
        leave_unmet(m, p, "the stored configuration", fd); /* else it would take it for damaged */
        return false;
    }
    if (kept.was_open)
        br_log(LOG_WARN, "the stored configuration could be read by others; now it cannot");
    stored.version = kept.version;
    stored.unit = kept.unit;
    if (fd < 0 && (fd != -ENOENT || m->task.settings->config_path != NULL))
        stored.rc = fd;
    main_tell(m, p, MSG_CONF_STORED, &stored, &fd, fd >= 0 ? 1 : 0);
    return true;
}

void
main_introduce(struct main *m, struct process *p)
{
    const struct msg_conf running = {.generation = m->running};
    struct process *q;
    int rc;

    tell_kept(m, p, MSG_MODULES, NULL, m->modules_fd);
    list_foreach (q, &m->children.all, link) {
        if (q == p || q->life.state != PROC_READY || !roles_talk(p->role->id, q->role->id))
            continue;
        rc = connect_pair(m, p, q);
        if (rc < 0) {
            leave_unmet(m, p, "lines to its peers", rc);
            return;
        }
    }
    tell_kept(m, p, MSG_CONF_RUNNING, &running, m->running_fd);
    main_upgrade_tell(m, p);
    tell_stored(m, p, 0);
}

void
main_announce_death(struct main *m, struct process *p, int status)
{
    struct msg_process about = main_about(p, status);
    struct process *q;

    list_foreach (q, &m->children.all, link) {
        if (q == p || !listens(q) || !roles_talk(p->role->id, q->role->id))
            continue;
        main_tell(m, q, MSG_CHANNEL_CLOSE, &about, NULL, 0);
        if (message_may(MSG_PROCESS_GONE, ROLE_MAIN, q->role->id))
            main_tell(m, q, MSG_PROCESS_GONE, &about, NULL, 0);
    }
}

void
main_tell_failed(struct main *m, const struct msg_failed *failed)
{
    struct process *q;

    list_foreach (q, &m->children.all, link)
        if (listens(q) && message_may(MSG_PROCESS_FAILED, ROLE_MAIN, q->role->id))
            main_tell(m, q, MSG_PROCESS_FAILED, failed, NULL, 0);
}

bool
main_tell_stored(struct main *m, uint32_t reload)
{
    struct process *q;
    bool told = false;

    list_foreach (q, &m->children.all, link)
        if (q->life.state == PROC_READY)
            told |= tell_stored(m, q, reload);
    return told;
}

void
main_tell_logs(struct main *m)
{
    struct process *q;

    list_foreach (q, &m->children.all, link) {
        int fd = q->channel != NULL ? fcntl(log_fd(), F_DUPFD_CLOEXEC, 0) : -1;

        if (fd >= 0)
            main_tell(m, q, MSG_LOG_REOPEN, NULL, &fd, 1);
        else if (q->channel != NULL)
            br_log(LOG_ERROR, "%s keeps its logs: %s", process_name(q), strerror(errno));
    }
}
