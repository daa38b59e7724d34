/*
 * scale.h - how many workers now: a pure function of the rules, the workers and the clock.
 *
 *   rules (max, spare, idle_timeout) + workers + requests waiting  ->  start k, retire one, look
 * again at t
 *
 * The rules: start one when there are more requests than processes, or fewer than `spare` idle
 * ones; retire the longest idle when more than `spare` are idle and it has been so for
 * `idle_timeout`.  `processes: N` is max = spare = N.
 */
#ifndef APP_SCALE_H
#define APP_SCALE_H

#include "base/attr.h"

struct scale_rules {
    unsigned max;
    unsigned spare;
    int64_t idle_timeout_ms;
};

enum scale_state { SCALE_STARTING, SCALE_IDLE, SCALE_BUSY, SCALE_DRAINING };

struct scale_worker {
    enum scale_state state;
    unsigned held;         /* requests in its hands: more than one with threads */
    int64_t idle_since_ms; /* when SCALE_IDLE */
};

struct scale_view {
    const struct scale_worker *workers;
    unsigned n_workers;
    unsigned waiting; /* requests that nobody has taken */
    int64_t now_ms;
    int64_t hold_until_ms; /* back-off after quick deaths: start nothing before */
    bool draining;         /* the instance is retired: only what still waits is served */
};

struct scale_plan {
    unsigned start;
    int retire;      /* index into workers, or -1 */
    int64_t look_ms; /* ask again at this time, or -1: at the next event */
};

struct scale_plan scale_decide(const struct scale_rules *rules, const struct scale_view *view);

#endif
