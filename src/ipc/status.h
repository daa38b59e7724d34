/*
 * status.h - the numbers that STATUS carries in its sealed memfd.
 *
 *   router:     struct status_router, then n_apps times struct status_app
 *   prototype:  struct status_prototype, struct status_stream, then n_workers times struct
 *               status_worker
 *               of a program: struct status_prototype, struct status_front, then n_workers times
 *               struct status_program
 *   main:       struct status_main, then n_processes times struct status_process
 */
#ifndef IPC_STATUS_H
#define IPC_STATUS_H

#include <stdint.h>

struct status_router {
    uint64_t accepted;
    uint64_t active;
    uint64_t idle;
    uint64_t closed;
    uint64_t requests;
    uint32_t generation;
    uint32_t n_apps;
};

struct status_app {
    uint32_t launch;
    uint32_t waiting; /* in line or queued in the nest, not yet answered */
    uint32_t active;  /* waiting ones and those being answered */
    uint32_t unused;
    uint64_t total;
};

enum status_worker_state { WORKER_STARTING, WORKER_IDLE, WORKER_BUSY, WORKER_DRAINING };

struct status_prototype {
    uint32_t launch;
    uint32_t instance;
    uint32_t n_workers;
    uint32_t max;
    int32_t pid;
    uint32_t filters; /* bits CONFINED_ of process/confine.h */
};

/* Sums of a stream application; of others all 0. */
struct status_stream {
    uint64_t accepted;
    uint64_t active;  /* handed to workers */
    uint64_t waiting; /* for one */
    uint64_t lost;    /* with workers that died */
};

struct status_worker {
    int32_t pid;
    uint32_t state;         /* enum status_worker_state */
    uint64_t requests;      /* or connections, ever */
    uint64_t active;        /* those in its hands */
    uint64_t private_bytes; /* Private_Clean + Private_Dirty of smaps_rollup */
    uint64_t shared_bytes;  /* Shared_Clean + Shared_Dirty */
    uint64_t age_ms;
    uint64_t start_us; /* from fork to READY */
};

/* Sums of an application that is a program. */
struct status_front {
    uint64_t accepted;   /* inetd: connections that got a program */
    uint64_t refused;    /* over per_source, or the program could not be started */
    uint64_t started;    /* programs, ever */
    uint64_t skipped;    /* periodic: runs left out because the one before went on */
    int64_t next;        /* periodic: seconds since 1970 of the next run, 0: none */
    int32_t last_status; /* periodic, inetd: of the program that ended last, as waitpid(2); -1: none
                            did */
    uint32_t unused;
};

enum status_run_state {
    RUN_STARTING, /* executed, not ready yet */
    RUN_RUNNING,
    RUN_STOPPING,
    RUN_WAITING, /* dead, starts again in a while */
    RUN_ENDED,   /* dead, stays so */
};

struct status_program {
    int32_t pid;    /* 0: none now */
    uint32_t state; /* enum status_run_state */
    uint32_t restarts;
    int32_t last_status; /* of the life before, as waitpid(2); -1: there was none */
    uint64_t age_ms;
};

struct status_main {
    uint32_t n_processes;
    uint32_t unused;
};

struct status_process {
    int32_t pid;
    uint32_t role;
    uint32_t index;
    uint32_t launch;
    uint32_t state; /* enum proc_state of process/lifecycle.h */
    uint32_t restarts;
    uint64_t age_ms;
};

#endif
