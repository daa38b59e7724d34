/*
 * rundir.h - the directory of sockets and locks, one a user, which nobody else may have touched.
 *
 *   $XDG_RUNTIME_DIR/brood-interp
 *   /run/user/UID/brood-interp
 *   /run/brood-interp/UID               if an administrator made it
 *   HOME/.brood-interp/NODE             HOME from the password file
 *   /tmp/brood-interp-UID
 *
 * The first whose parent is there and right is the one; rundir_find only looks, rundir_make
 * (rundir_make.c) also makes it.  Accepted only when the directory itself, opened without
 * following a link, is ours and closed to group and others.
 */
#ifndef INTERP_RUNDIR_H
#define INTERP_RUNDIR_H

#include <sys/types.h>
#include <sys/un.h>

#include "base/err.h"
#include "interp/identity.h"

#define RUNDIR_PATH_MAX 4096
#define RUNDIR_NAME_MAX 96 /* of socket and lock, with its letter and a NUL */

struct rundir {
    int fd; /* O_PATH; -1: none */
    char path[RUNDIR_PATH_MAX];
};

/* Candidates in order: false after the last.  make_parent: the candidate's parent is ours to make.
 */
struct rundir_candidate {
    char parent[RUNDIR_PATH_MAX]; /* must be a directory */
    char path[RUNDIR_PATH_MAX];
    bool owned_parent; /* parent must be ours and closed to others */
    bool make_parent;  /* it may be made, 0700 */
    bool make;         /* the directory itself may be made */
};
bool rundir_candidate(unsigned n, uid_t uid, struct rundir_candidate *ret);

/* The part of rundir_candidate that asks the password file: HOME of uid, or false. */
bool rundir_home(uid_t uid, char *ret_path, size_t room);

/* Does this candidate's parent allow it?  false: the next one's turn. */
bool rundir_allowed(const struct rundir_candidate *c, uid_t uid);

/* Open it, check it.  0; -EPERM: there, and not ours alone; -ENOENT, or another -errno. */
int rundir_open(const char *path, uid_t uid, struct rundir *ret);

/* The first allowed candidate, opened.  -ENOENT when it has to be made first. */
int rundir_find(uid_t uid, struct rundir *ret);
void rundir_close(struct rundir *dir);

/* The same, making what is not there. */
int rundir_make(uid_t uid, struct rundir *ret, struct br_err *err);

/* The standing that -g compares with, from the file "standing"; false: not recorded. */
bool rundir_ordinary(const struct rundir *dir, char ret_hex[IDENTITY_STANDING + 1]);

/* Room for the identity in the name of a socket there. */
size_t rundir_room(const struct rundir *dir);

/*
 * The address of a socket there.  A path that does not fit goes by way of /proc/self/fd.
 * 0 or -ENAMETOOLONG.
 */
int rundir_address(const struct rundir *dir, const char *name, struct sockaddr_un *ret_address);

#endif
