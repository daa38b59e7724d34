/*
 * main_given.c - listening sockets that a service manager opened for us.
 *
 *   [ web *:80 ]     <- a listener "*:80" of the configuration gets a copy
 *   [ control … ]    <- the control socket: called so, or bound to the address of --control
 *   [ spare *:81 ]   <- nobody: kept, since what the manager holds, we could not bind later
 *
 * Who connects to one that nobody has waits in its queue, as while brood is not running.
 */
#include "main/main_given.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "event/listener.h"

void
main_given_begin(struct main *m)
{
    struct activation *a = m->task.settings->given;

    for (unsigned i = 0; a != NULL && i < a->n; i++) {
        struct activated *s = &a->list[i];

        if (s->address[0] == '\0') {
            br_log(LOG_WARN,
                   "socket \"%s\" of the service manager is closed: it is no listening stream "
                   "socket of TCP or Unix",
                   s->name);
            fd_close(&s->fd);
            continue;
        }
        br_log(LOG_NOTICE, "socket \"%s\" of the service manager listens on %s", s->name,
               s->address);
    }
    if (m->task.settings->control != NULL)
        m->control_from = activation_control(a, m->task.settings->control);
    if (m->control_from != NULL)
        m->control_from->used = true;
}

void
main_given_tell_unused(struct main *m)
{
    struct activation *a = m->task.settings->given;

    for (unsigned i = 0; a != NULL && !m->given_told && i < a->n; i++)
        if (a->list[i].fd >= 0 && !a->list[i].used)
            br_log(LOG_WARN,
                   "no listener uses socket \"%s\" of the service manager (%s): it waits for one",
                   a->list[i].name, a->list[i].address);
    m->given_told = true;
}

int
main_given_open(struct main *m, const char *address, int *ret_fd, struct activated **ret_given,
                struct br_err *err)
{
    struct activated *s = activation_find(m->task.settings->given, address);
    int fd = s != NULL ? fcntl(s->fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (s == NULL)
        return 0;
    if (fd < 0)
        return br_fail(err, -errno, "cannot take socket \"%s\" of the service manager for \"%s\"",
                       s->name, address);
    listener_prepare(fd);
    s->used = true;
    *ret_fd = fd;
    *ret_given = s;
    return 1;
}

void
main_given_back(struct activated **given)
{
    if (*given == NULL)
        return;
    listener_hush((*given)->fd, false); /* the filter is the socket's, whoever has a copy */
    (*given)->used = false;
    *given = NULL;
}

void
main_given_share_ports(const struct main *m, bool on)
{
    const struct activation *a = m->task.settings->given;

    for (unsigned i = 0; a != NULL && i < a->n; i++)
        if (a->list[i].fd >= 0 && !a->list[i].used)
            listener_share_port(a->list[i].fd, on);
}
