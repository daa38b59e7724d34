/*
 * front_periodic.c - a program that is run now and then: by an interval, or by the calendar.
 *
 *   due --> runs? --no--> start          yes: left out, unless runs may overlap
 *
 * An interval counts from the commit, by the monotonic clock, and its first run is at once.  The
 * calendar is the wall clock's: it is looked at once a minute at least, so that a clock that was
 * set is noticed.  What was due while nobody supervised is not made up for.
 */
#include "app/front.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS  60000
#define ENV_MAX  3
#define JOBS_MAX 64 /* that overlap */

struct periodic {
    struct front *front;
    struct timer timer;
    struct calendar calendar;
    bool by_calendar;
    bool overlap;
    int64_t every_ms;
    int64_t due_ms; /* monotonic */
    int64_t due_s;  /* by the calendar */
    uint64_t started;
    uint64_t skipped;
    int last_status;
};

struct job {
    struct run run;
    struct periodic *periodic;
};

static void
on_job_end(struct run *r, int status)
{
    struct job *job = container_of(r, struct job, run);
    struct front *f = r->front;
    char text[64];

    job->periodic->last_status = status;
    br_log(status == 0 ? LOG_INFO : LOG_ERROR, "\"%s\": process %d %s", f->name, (int)r->child.pid,
           run_status_text(status, text));
    loop_free_later(f->task->loop, free, job);
}

static int
job_start(struct periodic *p, struct br_err *err)
{
    struct front *f = p->front;
    struct program_fd fds[FRONT_LISTEN_MAX];
    const char *env[ENV_MAX] = {NULL};
    struct run_start how = {.fds = fds, .env = env};
    struct activation act;
    struct job *job = calloc(1, sizeof(*job));
    int rc;

    if (job == NULL)
        return br_fail(err, -ENOMEM, "cannot start \"%s\"", f->executable);
    job->periodic = p;
    run_activate(f, &act, fds, env, &how);
    rc = run_start(f, &job->run, &how, on_job_end, err);
    if (rc < 0)
        free(job);
    else
        p->started++;
    return rc;
}

static void
run_or_skip(struct periodic *p)
{
    struct front *f = p->front;
    struct br_err err = BR_ERR_NONE;

    if (f->n_runs >= (p->overlap ? JOBS_MAX : 1u)) {
        p->skipped++;
        br_log(LOG_NOTICE, "\"%s\": a run is left out, the one before goes on", f->name);
    } else if (job_start(p, &err) < 0) {
        br_log(LOG_ERROR, "\"%s\": %s", f->name, err.text);
    }
}

static void
arm(struct periodic *p)
{
    struct timers *timers = loop_timers(p->front->task->loop);
    int64_t wait_ms;

    if (!p->by_calendar) {
        timer_set(timers, &p->timer, p->due_ms);
        return;
    }
    if (p->due_s < 0)
        return; /* never again */
    wait_ms = (p->due_s - (int64_t)time(NULL)) * 1000;
    timer_set(timers, &p->timer,
              clock_ms() + br_min(br_max(wait_ms, (int64_t)0), (int64_t)LOOK_MS));
}

/* Whole intervals that were slept through are one. */
static void
next_interval(struct periodic *p)
{
    int64_t late = clock_ms() - p->due_ms;

    p->due_ms += (late / p->every_ms + 1) * p->every_ms;
}

static void
on_time(struct timer *t)
{
    struct periodic *p = container_of(t, struct periodic, timer);
    int64_t now = (int64_t)time(NULL);

    if (!p->by_calendar) {
        run_or_skip(p);
        next_interval(p);
    } else if (now >= p->due_s) {
        run_or_skip(p);
        p->due_s = calendar_next(&p->calendar, now);
    } else {
        p->due_s = calendar_next(&p->calendar, now); /* the clock may have been set back */
    }
    arm(p);
}

static int
periodic_open(struct front *f, struct br_err *err)
{
    const char *calendar = launch_get(f->card, "calendar", NULL);
    struct periodic *p = calloc(1, sizeof(*p));
    int rc = 0;

    if (p == NULL)
        return br_fail(err, -ENOMEM, "cannot supervise a program");
    f->data = p;
    p->front = f;
    p->by_calendar = calendar != NULL;
    p->every_ms = launch_int(f->card, "every_ms", 0);
    p->overlap = launch_int(f->card, "overlap", 0) != 0;
    p->last_status = -1;
    timer_init(&p->timer, on_time);
    if (calendar != NULL)
        rc = calendar_parse(slice_cstr(calendar), &p->calendar, err);
    return rc < 0 ? rc : run_check(f, err);
}

static void
periodic_live(struct front *f)
{
    struct periodic *p = f->data;

    p->due_ms = clock_ms();
    if (p->by_calendar)
        p->due_s = calendar_next(&p->calendar, (int64_t)time(NULL));
    arm(p);
}

/* What runs may finish. */
static void
periodic_drain(struct front *f)
{
    struct periodic *p = f->data;

    loop_timer_cancel(f->task->loop, &p->timer);
}

static int64_t
next_run(const struct periodic *p)
{
    if (!timer_is_set(&p->timer))
        return 0;
    if (p->by_calendar)
        return p->due_s;
    return (int64_t)time(NULL) + (p->due_ms - clock_ms()) / 1000;
}

static void
periodic_numbers(const struct front *f, struct status_front *ret_sums,
                 struct status_program *ret_rows, uint32_t *ret_n)
{
    const struct periodic *p = f->data;
    const struct run *r;
    uint32_t n = 0;

    *ret_sums = (struct status_front){.started = p->started,
                                      .skipped = p->skipped,
                                      .next = next_run(p),
                                      .last_status = p->last_status};
    list_foreach (r, &f->runs, link) {
        if (n < *ret_n)
            run_number(r, &ret_rows[n++]);
    }
    *ret_n = n;
}

const struct front_kind front_periodic = {
    .open = periodic_open,
    .live = periodic_live,
    .drain = periodic_drain,
    .numbers = periodic_numbers,
};
