/*
 * toys.h - main with toy roles under it: each does what the test writes into shared memory.
 *
 *   test --fork--> main_run(toy roles) --forks--> discovery, controller, routers, prototypes
 *     `----------- struct stage, shared by all ------------'
 *
 * The toy controller takes orders from the stage and puts there what main answered.  Nothing waits
 * for luck: the test waits until something is so, or fails after WAIT_MS.
 */
#ifndef TESTS_MAIN_TOYS_H
#define TESTS_MAIN_TOYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ipc/messages.h"

#define WAIT_MS     15000
#define TOY_ROUTERS 2

enum order {
    ORDER_NONE,
    ORDER_START,
    ORDER_STOP,
    ORDER_OPEN,
    ORDER_CLOSE,
    ORDER_SAVE,
    ORDER_KEEP,
    ORDER_STATUS
};

struct answer {
    atomic_int here; /* the rest is filled in */
    enum msg_type type;
    int32_t rc;
    uint32_t launch;
    uint32_t instance;
    unsigned n_fds;
    unsigned numbers; /* STATUS: how many processes */
    char text[1024];
};

struct stage {
    /* What toys shall do. */
    atomic_int controller_fails; /* in its setup */
    atomic_int router_dies;      /* in its setup, without a word */
    atomic_int deaf;             /* prototypes do not hear STOP and DRAIN */
    atomic_int drain_ms;         /* how long a router takes to drain */

    /* An order to one toy. */
    atomic_int order;      /* to the controller */
    atomic_int ask_router; /* router 0 asks main for stage->open */
    uint32_t launch;
    char what[32]; /* of START: "ready", "fail", "exit", "crash", "hang", "once" */
    struct msg_open open;
    struct answer answer;

    /* What toys saw. */
    atomic_int controller;           /* pid of the toy that knows these routers */
    atomic_int routers[TOY_ROUTERS]; /* pid of the one at the end of that line, by index */
    atomic_int router;               /* pid of the router 0 that knows this prototype */
    atomic_int prototype;
    atomic_int introduced;    /* calls of the prototype's introduce */
    atomic_int stored;        /* CONF_STORED at the controller */
    atomic_int news_ready;    /* PROCESS_READY that nobody asked for */
    atomic_int news_failed;   /* PROCESS_FAILED at router 0 */
    atomic_int gone;          /* PROCESS_GONE at the controller */
    atomic_int reopened;      /* LOG_REOPEN at routers */
    atomic_int last_instance; /* of a prototype that was started */
    atomic_int starts;        /* of routers */
    atomic_int ticket;        /* counts departures */
    atomic_int router_left;   /* its ticket */
    atomic_int prototype_left;
};

struct scene {
    pid_t main;
    int ready; /* reading end */
    char dir[64];
    struct stage *stage;
    struct settings settings;
};

/* The stage and a directory, for what must be known before the start; scene_begin does it if need
 * be. */
void scene_prepare(struct scene *s);
/* Start main; scene_wait_ready, or scene_exit_code for one that does not come up. */
void scene_begin(struct scene *s);
void scene_wait_ready(struct scene *s);
/* What main wrote for who waits, until its end of the pipe is closed. */
void scene_word(struct scene *s, char *ret_text, size_t room);
/* Wait for main's end. */
int scene_exit_code(struct scene *s);
/* SIGTERM, exit code 0, nobody left. */
void scene_end(struct scene *s);
/* Free what the scene has; main is dead. */
void scene_clear(struct scene *s);

/* One story: if it fails, its main ends, and with main all toys. */
#define scene_test(story) cmocka_unit_test_teardown(story, scene_abandon)
int scene_abandon(void **state);

/* The child of main with that title ("router", "controller", "\"toy\" prototype"), or 0. */
pid_t scene_pid(const struct scene *s, const char *title);
unsigned scene_children(const struct scene *s);
bool scene_is_child(const struct scene *s, pid_t pid);

/*
 * How many routers the controller has a line to, and whether router 0 has one to the prototype.
 * Only who is alive counts, on both ends: what a toy has not noticed yet, or a dead one wrote, is
 * not so.
 */
unsigned scene_routers(const struct scene *s);
bool scene_prototype(const struct scene *s);
int scene_fds(const struct scene *s);

/* Give an order and wait for the answer. */
const struct answer *scene_order(struct scene *s, enum order order);
const struct answer *scene_start(struct scene *s, uint32_t launch, const char *what);
const struct answer *scene_ask_router(struct scene *s);

/* Wait until it is so; the test fails with the text when it never is. */

#define wait_until(what)                         \
    do {                                         \
        int64_t end_ = stage_now_ms() + WAIT_MS; \
        while (!(what)) {                        \
            if (stage_now_ms() > end_)           \
                fail_msg("never: %s", #what);    \
            stage_nap();                         \
        }                                        \
    } while (0)

int64_t stage_now_ms(void);
void stage_nap(void);

#endif
