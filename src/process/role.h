/*
 * role.h - what a kind of process is, as one row, and what a running one holds.
 *
 * The rows stand in programs/roles.c, the only list of them.
 */
#ifndef PROCESS_ROLE_H
#define PROCESS_ROLE_H

#include <sys/types.h>

#include "base/err.h"

enum role_id {
    ROLE_MAIN,
    ROLE_DISCOVERY,
    ROLE_CONTROLLER,
    ROLE_ROUTER,
    ROLE_PROTOTYPE,
    ROLE_WORKER,
    ROLE_INITIAL,
    ROLES,
};

#define ROLE_BIT(role) (1u << (role))

enum respawn {
    RESPAWN_NEVER,
    RESPAWN_ONCE,
    RESPAWN_ALWAYS,
    RESPAWN_JUST_SPAWNED, /* as always, and the quit of the older generation does not touch it */
    RESPAWN_DETACHED,     /* the next main, in a binary upgrade: not ours to end */
};

enum role_user {
    USER_KEEP,  /* main's own */
    USER_BROOD, /* --user, --group */
    USER_CARD,  /* named by the launch card */
};

/* Which routers' eventfds ("wake0", …) main lets it inherit. */
enum role_wakes { WAKES_NONE, WAKES_OWN, WAKES_ALL };

struct activation;
struct creds;
struct loop;
struct dispatch;
struct channel;
struct process;
struct task;
struct msg_handler;
struct notify;
struct arena;

/* Command line and build-time paths, read once by programs/brood and inherited by fork. */
struct settings {
    const char *control;      /* address of the control socket */
    unsigned control_mode;    /* 0600 */
    const char *control_user; /* NULL: main's */
    const char *control_group;
    const char *control_allow; /* lists of users and groups, see controller/access.h; or NULL */
    const char *control_read;
    const char *control_tokens; /* paths of files, or NULL */
    const char *control_certificate;
    const char *control_client_ca;
    const char *pid_path;
    const char *log_path; /* NULL: stderr */
    const char *modules_dir;
    const char *state_dir;
    const char *tmp_dir;
    const char *user;
    const char *group;
    const char *config_path; /* --config, or NULL */
    const char *initial_dir; /* --initial, or NULL */
    const char *title_args;  /* the arguments, for main's title */
    const char *program;     /* absolute path of what was started, whatever it is by now */
    const char *const *argv; /* with these arguments */
    unsigned routers;        /* how many, resolved */
    uint64_t nofile;   /* soft limit of descriptors that applications begin with, 0: as main */
    unsigned grace_ms; /* how long draining may last at QUIT and for a retired application */
    bool foreground;
    bool privileged; /* main may change ids */
    uid_t uid;       /* resolved --user, --group */
    gid_t gid;
    const struct creds *creds;    /* the same, with all groups; NULL: nobody changes ids */
    const struct notify *manager; /* main: the service manager that started us, or NULL */
    struct activation *given;     /* main: listening sockets from it, or NULL */
    int pid_fd;                   /* the pid file, locked */
    bool held;    /* the next main of an upgrade: nobody accepts before it has proved itself */
    int ready_fd; /* -1, or a pipe to who waits for the start: a newline, or the reason it failed */
};

struct br_role {
    enum role_id id;
    const char *name;
    const char *title; /* what ps shows after "brood: ", NULL: name */
    enum role_id parent;
    enum role_user user;
    enum respawn respawn;
    bool outside_work; /* its setup stops at CREATED until the parent says PROCESS_GO */
    bool keep_foreign; /* a fork of an application: descriptors that are not ours stay open */
    bool confined;     /* no new privileges, no capabilities, no core, not traceable by its user */
    bool numbered;     /* there are several: the name in logs has the index behind it */
    enum role_wakes wakes;
    unsigned leaves; /* graceful quit: all of 1 are gone before 2 are told to drain, and so on */

    /* In the parent, right before fork: descriptors and data for the child into process->keep. */
    int (*prefork)(struct task *task, struct process *process, struct br_err *err);
    /* In the parent, for each pair of a ready process of this role and a peer that it has a line
     * with (whichever came last): what that peer must be told beside CHANNEL_OPEN.  May be NULL. */
    void (*introduce)(struct task *task, struct process *process, struct channel *peer);
    /* In the child: all that may fail or needs the parent's help. */
    int (*setup)(struct task *task, struct process *process, struct br_err *err);
    /* In the child: the role's loop.  Returns the exit code. */
    int (*start)(struct task *task, void *data);

    /* Rows of {type, handler}, ended by {0}; see ipc/dispatch.h. */
    const struct msg_handler *on_message;
    /* A line to a peer appeared, or is dead (told before it is freed).  May be NULL. */
    void (*on_peer)(struct task *task, struct channel *ch);
    void (*on_peer_gone)(struct task *task, struct channel *ch);
    /* It was told something, and could not take the descriptors that came with it.  May be NULL. */
    void (*on_lost)(struct task *task);
};

/* What a running process of any role holds: handed to every function of the role. */
struct task {
    const struct br_role *role;
    uint32_t index;    /* which of the role's processes: router 0..n-1; a worker's lane */
    uint32_t launch;   /* prototype, worker: the launch they belong to, else 0 */
    uint32_t instance; /* prototype, worker: which start of that launch */
    const struct settings *settings;
    struct loop *loop;
    unsigned filters;          /* prototype: what process/confine has taken away, CONFINED_ */
    struct dispatch *dispatch; /* every line this process has */
    struct channel *parent;    /* NULL in main */
    void *data;                /* the role's own, set by its setup */
};

#endif
