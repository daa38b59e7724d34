/*
 * main_state.h - what main holds; shared by the units of this room only.
 */
#ifndef MAIN_MAIN_STATE_H
#define MAIN_MAIN_STATE_H

#include "conf/conf_store.h"
#include "ipc/dispatch.h"
#include "ipc/messages.h"
#include "process/creds.h"
#include "process/process.h"

enum main_phase {
    MAIN_STARTING, /* until every core role is ready and the control socket listens */
    MAIN_RUNNING,
    MAIN_DELAYING, /* QUIT: all serve on, but readiness is red */
    MAIN_DRAINING, /* then role after role finishes what is under way */
    MAIN_STOPPING, /* TERM, INT: everybody leaves now */
    MAIN_PHASES,
};

/* Routers that were made with the same settings. */
struct cohort {
    uint32_t number; /* 0: none */
    struct msg_routers how;
    struct creds creds; /* of how.own_ids */
};

/* What signals asked for and main has not done yet. */
struct orders {
    bool terminate;
    bool quit;
    bool reload;
    bool reopen;
    bool upgrade;
    bool wind_down; /* WINCH: in an upgrade, the routers drain now */
};

/* What has become of the last upgrade. */
enum upgrade_state {
    UPGRADE_NONE,
    UPGRADE_PAUSING, /* the controller is about to leave */
    UPGRADE_PROVING, /* the next main runs beside us */
    UPGRADE_FAILED,  /* it did not prove itself, see reason */
    UPGRADE_DONE,    /* it did: it is main now, and in it, we are */
};

/* main_upgrade: the next main as the old one sees it. */
struct upgrade {
    enum upgrade_state state;
    pid_t pid;
    struct child child;
    struct watch word; /* the pipe in which it says that it is ready, or why not */
    int word_fd;
    struct timer timer;
    bool wound_down; /* our routers drain already */
    char said[1024];
    size_t n;
    char reason[1024];
};

struct main {
    struct task task;
    const struct br_role *const *roles;
    enum main_phase phase;
    struct roster children;
    int modules_fd;               /* discovery's report, -1 until it came */
    int wakefds[MSG_ROUTERS_MAX]; /* one eventfd per router index, for our whole life */
    struct conf_store store;
    struct list remains;            /* main_after */
    struct list opened;             /* main_open: listeners and access logs by name */
    bool first;                     /* --initial is still to be done before we are RUNNING */
    int running_fd;                 /* CONF_RUNNING of the last controller, -1: none yet */
    uint32_t running;               /* its generation */
    int control_fd;                 /* -1: the control socket is not open yet */
    struct activated *control_from; /* it is that of the service manager, or NULL */
    bool control_given;             /* the controller has booted and listens there */
    bool owns_paths;                /* files of sockets are ours to remove */
    struct upgrade upgrade;
    struct settings own_settings; /* main_heir: those of the command line, held or not */
    struct message control_asked; /* main_heir: the controller's question for the control socket */
    bool proof_asked;             /* main_heir: PROVE is under way */
    struct watch old_main;        /* main_heir: pidfd of the main before, fd -1: it is gone */
    struct cohort cohort;         /* the routers */
    struct cohort next;           /* those that shall take their place; number 0: none */
    uint32_t next_asked;          /* serial of the question about them, 0: answered */
    uint32_t cohorts;             /* how many there were */
    struct orders orders;         /* look_at_orders */
    struct timer watchdog;        /* main_manager: that of the service manager is fed */
    uint32_t reload;              /* main_manager: the one under way, 0: none */
    uint32_t reloads;             /* how many there were */
    bool groups_noted;            /* main_after: there is a note of control groups on disk */
    bool given_told;              /* main_given: who uses its sockets has been looked at */
    struct timer patience;        /* the end's next phase: drain, stop, kill */
    int exit_code;
};

static inline struct main *
main_of(struct task *task)
{
    return task->data;
}

/* The one setter of phase.  -EPROTO when it is later than that already. */
int main_move(struct main *m, enum main_phase to);
/* Something may have become ready: is that all?  Then RUNNING, and who waits is told. */
void main_check_running(struct main *m);
/* The start cannot succeed: say why, and leave with exit code 1. */
void main_give_up(struct main *m, const char *fmt, ...) br_printf(2, 3);

#endif
