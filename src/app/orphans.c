/*
 * orphans.c - a prototype that is process 1 of its namespace inherits whose parents died there.
 *
 * Once a second whoever is dead and no worker of ours is reaped.  A signal would tell sooner, but
 * the mask and the handler of SIGCHLD belong to the application.  Children that the application
 * itself starts in the prototype and waits for later than that are reaped here as well: nothing
 * tells them from orphans.  See pid_namespaces(7), waitid(2).
 */
#include "app/prototype.h"

#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 1000

static void
look(struct timer *t)
{
    struct prototype *proto = container_of(t, struct prototype, orphans);
    siginfo_t dead = {0};

    /* A worker among them stops the round: its own event is about to come. */
    while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid != 0 &&
           roster_find_pid(&proto->workers, dead.si_pid) == NULL) {
        waitid(P_PID, (id_t)dead.si_pid, &dead, WEXITED | WNOHANG);
        dead.si_pid = 0;
    }
    loop_timer(proto->task.loop, t, LOOK_MS);
}

void
orphans_begin(struct prototype *proto)
{
    timer_init(&proto->orphans, look);
    if (getpid() == 1)
        loop_timer(proto->task.loop, &proto->orphans, LOOK_MS);
}
