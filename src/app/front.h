/*
 * front.h - an application that is a program: what its supervisor consists of.
 *
 *   main ==line== supervisor (the prototype, which stays brood's own code)
 *                 |-- program   with a socket or nothing as its standard input
 *                 `-- program
 *
 *   front_role.c     birth, messages of main, the end
 *   front_run.c      one running program: start, stop, death
 *   front_output.c   what they write, to a file or to the error log
 *   front_ready.c    when one says that it is ready
 *   front_command.c  `command`: n copies that are kept running
 *   front_periodic.c `command` that is run now and then
 *   front_inetd.c    `inetd`: one for each connection
 *   front_idle.c     is such a connection idle
 *
 * The supervisor accepts from the listening sockets itself: no router is on the way, so the death
 * of one loses nothing, and what waits in the socket's queue outlives the supervisor in main.
 */
#ifndef APP_FRONT_H
#define APP_FRONT_H

#include "event/loop.h"
#include "ipc/status.h"
#include "process/launch.h"
#include "process/program.h"
#include "process/role.h"

#define FRONT_LISTEN_MAX 32

struct front;
struct run;

/* A kind of application: what it does with its programs. */
struct front_kind {
    /* In setup: read the card, check, start what need not wait.  0 or -errno. */
    int (*open)(struct front *f, struct br_err *err);
    /* What the launch is for is committed.  Once. */
    void (*live)(struct front *f);
    /* Begin nothing more; what runs may finish, or is told to end.  Once. */
    void (*drain)(struct front *f);
    /* Rows for what runs, and the sums. */
    void (*numbers)(const struct front *f, struct status_front *ret_sums,
                    struct status_program *ret_rows, uint32_t *ret_n);
};

extern const struct front_kind front_command;
extern const struct front_kind front_periodic;
extern const struct front_kind front_inetd;

/* Two pipes that all programs share, so that where they lead to can change. */
struct front_output {
    struct front_pipe {
        struct watch watch;
        int in;  /* the programs' end */
        int out; /* ours */
        int to;  /* STDOUT_FILENO, STDERR_FILENO: where it goes on to */
        bool failing;
    } pipes[2];
};

struct front {
    struct task *task;
    const struct launch *card;
    const char *name;
    const struct front_kind *kind;
    struct front_output output;
    int listen[FRONT_LISTEN_MAX]; /* from main; ours */
    unsigned n_listen;
    uint32_t staying; /* when draining: bit i, others accept from listen[i] */
    const char *executable;
    const char **argv;
    int stop_signal;
    int64_t stop_grace_ms;
    struct list runs; /* all that run */
    unsigned n_runs;
    struct timer grace; /* draining ends */
    struct timer orphans;
    bool live;
    bool draining;
    void *data; /* the kind's own */
};

/* front_role.c: a run ended, a drain began: leave when nothing is left. */
void front_settle(struct front *f);

/* ---- front_run.c ---- */

/* A program that runs; embedded by its owner. */
struct run {
    struct list link;
    struct front *front;
    struct child child;
    struct timer timer; /* to the next, harder signal */
    pid_t pid;          /* 0: does not run */
    int64_t since_ms;
    bool stopping;
    bool asked; /* stop was asked for by us: its status is no failure of its own */
    void (*on_end)(struct run *r, int status);
};

/* What differs from one start to the next. */
struct run_start {
    const struct program_fd *fds; /* standard output and error are added where they are not here */
    unsigned n_fds;
    const char *const *env; /* NAME=VALUE to add, NULL at the end; may be NULL */
    char *own_pid;          /* as in struct program */
};

/* Listening sockets for a program, as sd_listen_fds(3) has them: from descriptor 3 on. */
struct activation {
    char count[24];
    char pid[sizeof("LISTEN_PID=") + PROGRAM_PID_BYTES];
};

/* Adds what the application's listeners need to how (whose arrays have room), and to env. */
void run_activate(const struct front *f, struct activation *act, struct program_fd *fds,
                  const char **env, struct run_start *how);

/* 0: on_end will be called, once; -errno with the reason. */
int run_start(struct front *f, struct run *r, const struct run_start *how,
              void (*on_end)(struct run *r, int status), struct br_err *err);
/* The stop signal to it and what it started, SIGKILL after grace_ms. */
void run_stop(struct run *r, int64_t grace_ms);
/* All of them. */
void runs_stop(struct front *f, int64_t grace_ms);
/* "exited with code 1", "was ended by signal 9 (SIGKILL)". */
const char *run_status_text(int status, char text[64]);
/* One row of the status. */
void run_number(const struct run *r, struct status_program *row);
/* Can the program be executed, as far as one can tell? */
int run_check(const struct front *f, struct br_err *err);

/* ---- front_output.c ---- */

int output_open(struct front *f, struct br_err *err);
/* The programs' end of standard output (1) or error (2). */
int output_fd(const struct front *f, int number);
/* Pass on what is still in the pipes. */
void output_flush(struct front *f);

/* ---- front_ready.c ---- */

enum ready_kind { READY_START, READY_FD, READY_NOTIFY };

struct ready {
    struct watch watch;
    struct loop *loop;
    enum ready_kind kind;
    int fd;       /* ours, -1: not waited for */
    char env[64]; /* NOTIFY_SOCKET=@… */
    void (*on_ready)(struct ready *ready);
};

/* What the text of `ready` means; *ret_number: of "fd:N". */
enum ready_kind ready_parse(const char *text, int *ret_number);
/*
 * Begin to listen for it.  READY_FD: *ret_fd is for the program, and yours to close; else -1.
 * on_ready is told at most once; then, or before anew, ready_close.
 */
int ready_open(struct ready *ready, struct loop *loop, enum ready_kind kind,
               void (*on_ready)(struct ready *ready), int *ret_fd, struct br_err *err);
void ready_close(struct ready *ready);

/* ---- front_idle.c ---- */

struct idle {
    struct timer timer;
    struct loop *loop; /* NULL: not watched */
    int fd;
    uint64_t in; /* bytes, as of the last look */
    uint64_t out;
    int64_t since_ms; /* no byte came or got through */
    int64_t limit_ms;
    void (*on_idle)(struct idle *idle);
};

/*
 * Look at that TCP socket, which stays the caller's and open until idle_end: on_idle is called,
 * once, when no byte came or got through for limit_ms.  0, or -errno: it is none.
 */
int idle_begin(struct idle *idle, struct loop *loop, int fd, int64_t limit_ms,
               void (*on_idle)(struct idle *idle));
/* Also of one that was never begun, all zero. */
void idle_end(struct idle *idle);

#endif
