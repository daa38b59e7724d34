/*
 * access.h - who may use the control API, and how far.
 *
 *   Unix socket   the kernel says who is calling: --control-allow and --control-read name users and
 *                 groups; without them the file's mode decides, and root and main's user where
 *                 there is no file
 *   TCP           nobody says who is calling: each request must carry a token of
 *                 --control-token-file, or the client has shown a certificate that one of
 *                 --control-client-ca has signed, or with both options both; the lists name
 *                 common names of certificates
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
struct access_files;
struct access_token;
struct tls_context;
struct ucred;

struct access_rules {
    struct arena arena;
    struct access_entry *entries; /* of both lists */
    size_t n_entries;
    struct access_token *tokens;
    size_t n_tokens;
    uid_t main_uid;
    struct tls_context *tls; /* NULL: in clear */
    bool listed;             /* a list was given: nobody else */
    bool by_mode;        /* the socket has a file, whose mode and owner the kernel has checked */
    bool by_network;     /* TCP */
    bool by_certificate; /* of clients */
};

/*
 * access_init - read the settings, and the files, which stay yours.
 * 0, or -EBADMSG, -ENOENT with the sentence; access_done in both cases.
 */
int access_init(struct access_rules *rules, const struct settings *settings,
                const struct access_files *files, struct br_err *err);
void access_done(struct access_rules *rules);

/*
 * access_check - can the rules be read, and is the control socket guarded by any?  For the start of
 * the daemon, before there is a controller.
 */
int access_check(const struct settings *settings, struct br_err *err);

/* Who is at the other end of this Unix socket.  *ret_who: for the log. */
enum access access_of_peer(const struct access_rules *rules, int fd, struct ucred *ret_who);
/* What a certificate with this common name gives, where there are no tokens. */
enum access access_of_name(const struct access_rules *rules, struct slice name);
/* What an Authorization field gives; SLICE_NONE: the request has none. */
enum access access_of_token(const struct access_rules *rules, struct slice authorization);

#endif
