/*
 * main_estate.h - what an old main leaves to the next one in a binary upgrade.
 */
#ifndef MAIN_MAIN_ESTATE_H
#define MAIN_MAIN_ESTATE_H

#include "base/buf.h"
#include "base/err.h"
#include "process/activation.h"
#include "process/role.h"

/* The environment variable: the number of a descriptor with the text below. */
#define ESTATE_VARIABLE "BROOD_UPGRADE"

struct estate_listener {
    int fd;
    int backlog;
    bool listens;
    char *name;
};

/* All descriptors are open and close-on-exec. */
struct estate {
    pid_t old;
    int ready_fd; /* where the old main waits for a newline, or for the reason of our failure */
    int pid_fd;   /* the pid file and its lock */
    int control_fd;
    struct estate_listener *listeners;
    size_t n;
    struct activation *given; /* sockets of the service manager, or NULL */
};

/* --- the old main: one call for each, in any order, behind estate_begin --- */

void estate_begin(struct buf *text);
/* "ready", "pidfile", "control" */
void estate_put(struct buf *text, const char *what, int fd);
/* A listening socket that a service manager opened, and its name there. */
void estate_put_given(struct buf *text, int fd, const char *name);
void estate_put_listener(struct buf *text, const struct estate_listener *listener);

/* --- the new one --- */

/*
 * estate_take - what our parent left us, if it is a brood that is being upgraded.
 *
 * The variable is gone afterwards.  1: *ret_estate, which estate_done frees; 0: there is none;
 * -errno: there is one that we cannot enter upon, and nothing of it is kept.
 */
int estate_take(struct estate **ret_estate, struct br_err *err);
/* Closes what nobody has taken. */
void estate_done(struct estate *estate);

#endif
