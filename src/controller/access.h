/*
 * access.h - who may use the control API, and how far.
 *
 *   Unix socket   the kernel says who is calling: --control-allow and --control-read name users and
 *                 groups; without them the file's mode decides, and root and main's user where
 *                 there is no file
 *   TCP           nobody says who is calling: each request must carry a token of
 *                 --control-token-file
 */
#ifndef CONTROLLER_ACCESS_H
#define CONTROLLER_ACCESS_H

#include "base/arena.h"
#include "base/err.h"
#include "process/role.h"

enum access {
    ACCESS_NONE,
    ACCESS_READ, /* the numbers of /status, nothing else */
    ACCESS_FULL,
};

struct access_entry;
struct ucred;
struct access_token;

struct access_rules {
    struct arena arena;
    struct access_entry *entries; /* of both lists */
    size_t n_entries;
    struct access_token *tokens;
    size_t n_tokens;
    uid_t main_uid;
    bool listed;    /* a list was given: nobody else */
    bool by_mode;   /* the socket has a file, whose mode and owner the kernel has checked */
    bool by_tokens; /* TCP */
};

/*
 * access_init - read the settings.
 *   token_fd   of the token file; -1: there is none; stays yours
 * 0, or -EBADMSG, -ENOENT with the sentence; access_done in both cases.
 */
int access_init(struct access_rules *rules, const struct settings *settings, int token_fd,
                struct br_err *err);
void access_done(struct access_rules *rules);

/* Open the token file, which nobody but its owner and its group may read or write.  0, and *ret_fd
 * stays -1 when the settings name none; or -errno. */
int access_open_tokens(const struct settings *settings, int *ret_fd, struct br_err *err);

/*
 * access_check - can the rules be read, and is the control socket guarded by any?  For the start of
 * the daemon, before there is a controller.
 */
int access_check(const struct settings *settings, struct br_err *err);

/* Who is at the other end of this Unix socket.  *ret_who: for the log. */
enum access access_of_peer(const struct access_rules *rules, int fd, struct ucred *ret_who);
/* What an Authorization field gives; SLICE_NONE: the request has none. */
enum access access_of_token(const struct access_rules *rules, struct slice authorization);

#endif
