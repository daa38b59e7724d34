/*
 * fake_brood.h - plays main and router for one application, so that a guest can be tested without
 * either: it forks the prototype as main does and speaks to its workers through a real nest.
 *
 * The program under test is the real chain: prototype_setup, the language module, the user's
 * interpreter, the guest.  One process, one loop, two tasks.
 */
#ifndef TESTS_APP_FAKE_BROOD_H
#define TESTS_APP_FAKE_BROOD_H

#include "base/buf.h"
#include "ipc/status.h"
#include "nest/nest.h"
#include "nest/wire.h"
#include "process/launch.h"

struct fake;

/* Keys and values of the launch card beside name, launch and module. */
struct pair {
    const char *key;
    const char *value;
};

/* Fork the prototype; pairs end with {NULL, NULL}.  Never NULL. */
struct fake *fake_start(const struct pair *pairs);
/* Wait for its report: NULL when READY, else the reason it gave. */
const char *fake_wait_ready(struct fake *f);
/* Kills what still lives, checks nothing. */
void fake_free(struct fake *f);

/* What the next requests say in SERVER_NAME; kept, not copied. */
void fake_set_server_name(struct fake *f, const char *name);

struct request {
    const char *method; /* NULL: GET */
    const char *target; /* NULL: "/" */
    const char *path;   /* NULL: the target up to '?' */
    const char *fields; /* "Name: value\n…", or NULL */
    const char *body;   /* NULL: none */
    size_t body_n;      /* 0: strlen(body) */
    bool body_in_file;
    bool tls;
    unsigned
        pause_after; /* pieces after which no chunk is given back until fake_resume; 0: never */
};

struct answer {
    bool done;
    bool aborted;
    bool orphaned;   /* its worker died */
    bool entered;    /* and may have run it */
    unsigned status; /* 0: no head */
    unsigned pieces;
    int64_t length;    /* Content-Length, or -1 */
    struct buf fields; /* "Name: value\n" each */
    struct buf body;   /* NUL-terminated after it is done */
    unsigned lane;
    uint32_t slot;
};

/* Queue it; the answer fills while the fake runs.  Freed by answer_free, or by fake_free. */
struct answer *fake_send(struct fake *f, const struct request *r);
void answer_free(struct answer *a);
/* Send and wait for the end. */
struct answer *fake_ask(struct fake *f, const struct request *r);
struct answer *fake_get(struct fake *f, const char *target);

/* Run the loop until done(arg) or ten seconds have passed: then the test fails. */
void fake_run_until(struct fake *f, bool (*done)(void *arg), void *arg);
void fake_wait(struct fake *f, struct answer *a);
/* One turn of the loop. */
void fake_turn(struct fake *f, int wait_ms);
/* The client of this answer went away. */
void fake_cancel(struct fake *f, struct answer *a);
/* Give back the chunks held by pause_after. */
void fake_resume(struct fake *f);
/* The limit of that request is over. */
void fake_stuck(struct fake *f, struct answer *a);

/* Messages of main. */
void fake_drain(struct fake *f);
void fake_stop(struct fake *f);
/* Wait until the prototype is reaped; its wait status. */
int fake_wait_death(struct fake *f);
/* STATUS_ASK: the worker table; how many. */
unsigned fake_status(struct fake *f, struct status_worker workers[NEST_LANES]);

pid_t fake_pid(const struct fake *f);
/* The value of the first field of that name in an answer, as a C string that lives until the next.
 */
const char *answer_field(const struct answer *a, const char *name);
const char *answer_body(struct answer *a);

#endif
