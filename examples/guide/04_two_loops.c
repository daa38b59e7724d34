/*
 * 04_two_loops.c - one signal, two loops in two threads: each sees each.
 *
 *   ./04_two_loops & kill -USR1 PID ... kill -TERM PID
 */
#include <brood/brood.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct counter {
    struct br_loop *loop;
    const char *name;
    int seen;
    struct br_wakeup *started; /* of the other loop */
};

static void
on_usr1(struct br_signal *sig, int signo, void *arg)
{
    struct counter *c = arg;

    (void)sig;
    (void)signo;
    c->seen++;
}

static void
on_term(struct br_signal *sig, int signo, void *arg)
{
    struct counter *c = arg;

    (void)sig;
    (void)signo;
    br_loop_stop(c->loop);
}

static int
watch(struct counter *c)
{
    return br_signal_new(c->loop, SIGUSR1, on_usr1, c) != NULL &&
           br_signal_new(c->loop, SIGTERM, on_term, c) != NULL;
}

static void *
run_thread(void *arg)
{
    struct counter *c = arg;
    int ok = watch(c);

    br_wake(c->started); /* the only call that another thread may make */
    if (ok)
        br_loop_run(c->loop);
    return NULL;
}

static void
on_started(struct br_wakeup *wakeup, void *arg)
{
    (void)arg;
    printf("%d listens\n", (int)getpid());
    fflush(stdout);
    br_wakeup_free(wakeup);
}

int
main(void)
{
    struct counter first = {br_loop_new(), "first", 0, NULL};
    struct counter second = {br_loop_new(), "second", 0, NULL};
    pthread_t thread;

    if (first.loop == NULL || second.loop == NULL || !watch(&first))
        return 1;
    second.started = br_wakeup_new(first.loop, on_started, NULL);
    if (second.started == NULL || pthread_create(&thread, NULL, run_thread, &second) != 0)
        return 1;
    br_loop_run(first.loop);
    pthread_join(thread, NULL);
    printf("%s %d, %s %d\n", first.name, first.seen, second.name, second.seen);
    br_loop_free(first.loop);
    br_loop_free(second.loop);
    return 0;
}
