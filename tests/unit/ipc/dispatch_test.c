/*
 * dispatch_test.c - introductions, who may make them, questions and their three ends.
 */
#include "ipc/dispatch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"

#define PROTOTYPE_PID 4000

static unsigned came, went, handled, answered;
static int answer_rc;
static struct channel *last_peer;

static void
on_peer(struct task *task, struct channel *ch)
{
    (void)task;
    came++;
    last_peer = ch;
}

static void
on_peer_gone(struct task *task, struct channel *ch)
{
    (void)task, (void)ch;
    went++;
}

static void
on_commit(struct task *task, struct channel *ch, struct message *m)
{
    struct msg_conf conf = *(struct msg_conf *)m->payload;

    (void)task;
    handled++;
    if (m->serial != 0)
        dispatch_reply(ch, m, MSG_CONF_LIVE, &conf, NULL, 0);
}

static const struct msg_handler router_messages[] = {{MSG_CONF_COMMIT, on_commit}, {0}};

static const struct br_role router_role = {
    .id = ROLE_ROUTER,
    .name = "router",
    .on_message = router_messages,
    .on_peer = on_peer,
    .on_peer_gone = on_peer_gone,
};
static const struct br_role main_role = {.id = ROLE_MAIN, .name = "main"};
static const struct br_role controller_role = {.id = ROLE_CONTROLLER, .name = "controller"};

/* One process plays all: each task has its own dispatch, on one loop. */
struct house {
    struct loop *loop;
    struct task main, router, controller;
    struct channel *to_router; /* main's */
    int fds_before;
};

static void
join(struct task *a, struct task *b, struct channel **ret_a, struct channel **ret_b)
{
    struct peer peer_a = {.role = a->role->id, .pid = getpid()};
    struct peer peer_b = {.role = b->role->id, .pid = getpid()};
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    *ret_a = dispatch_add(a->dispatch, fds[0], &peer_b);
    *ret_b = dispatch_add(b->dispatch, fds[1], &peer_a);
}

static int
setup(void **state)
{
    static struct house h;
    struct task *tasks[] = {&h.main, &h.router, &h.controller};
    const struct br_role *roles[] = {&main_role, &router_role, &controller_role};

    came = went = handled = answered = 0;
    answer_rc = 0;
    clock_update();
    h = (struct house){.loop = loop_new(), .fds_before = fd_count()};
    for (int i = 0; i < 3; i++) {
        *tasks[i] = (struct task){.role = roles[i], .loop = h.loop};
        tasks[i]->dispatch = dispatch_new(tasks[i]);
    }
    join(&h.main, &h.router, &h.to_router, &h.router.parent);
    *state = &h;
    return 0;
}

static int
teardown(void **state)
{
    struct house *h = *state;

    dispatch_free(h->main.dispatch);
    dispatch_free(h->router.dispatch);
    dispatch_free(h->controller.dispatch);
    loop_free(h->loop);
    return fd_count() == h->fds_before - 1 ? 0 : -1; /* the loop's own was counted */
}

static void
turn(struct house *h)
{
    for (int i = 0; i < 4; i++)
        loop_once(h->loop, 0);
}

static void
introduce(struct channel *by, const struct msg_process *about, int *ret_other)
{
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    assert_int_equal(dispatch_tell(by, MSG_CHANNEL_OPEN, about, &fds[0], 1), 0);
    *ret_other = fds[1];
}

static void
main_introduces_and_takes_away(void **state)
{
    struct house *h = *state;
    struct msg_process about = {.role = ROLE_CONTROLLER, .pid = 77};
    br_cleanup(fd_closep) int other = -1;

    introduce(h->to_router, &about, &other);
    turn(h);
    assert_int_equal(came, 1);
    assert_ptr_equal(dispatch_find(h->router.dispatch, ROLE_CONTROLLER, 0), last_peer);
    assert_ptr_equal(dispatch_find_pid(h->router.dispatch, 77), last_peer);
    assert_int_equal(dispatch_tell(h->to_router, MSG_CHANNEL_CLOSE, &about, NULL, 0), 0);
    turn(h);
    assert_int_equal(went, 1);
    assert_null(dispatch_find(h->router.dispatch, ROLE_CONTROLLER, 0));
}

static void
nobody_is_introduced_to_whom_he_may_not_talk(void **state)
{
    struct house *h = *state;
    struct msg_process about = {.role = ROLE_ROUTER, .pid = 77, .index = 1};
    struct msg_process unknown = {.role = 9999, .pid = 78};
    br_cleanup(fd_closep) int other = -1;
    br_cleanup(fd_closep) int third = -1;

    introduce(h->to_router, &about, &other);
    introduce(h->to_router, &unknown, &third);
    turn(h);
    assert_int_equal(came, 0);
}

/* A line of the router to a prototype, whose side the test plays. */
static struct channel *
prototype_of(struct house *h, uint32_t launch, struct task *prototype)
{
    static const struct br_role role = {.id = ROLE_PROTOTYPE, .name = "prototype"};
    struct peer peer = {.role = ROLE_PROTOTYPE, .pid = getpid(), .launch = launch, .instance = 1};
    struct peer router = {.role = ROLE_ROUTER, .pid = getpid()};
    int fds[2];

    *prototype = (struct task){.role = &role, .loop = h->loop};
    prototype->dispatch = dispatch_new(prototype);
    assert_int_equal(channel_pair(fds), 0);
    assert_non_null(dispatch_add(h->router.dispatch, fds[0], &peer));
    return dispatch_add(prototype->dispatch, fds[1], &router);
}

static void
a_prototype_introduces_its_own_workers_only(void **state)
{
    struct house *h = *state;
    struct task prototype;
    struct channel *line = prototype_of(h, 3, &prototype);
    struct msg_process liars[] = {
        {.role = ROLE_CONTROLLER, .pid = 77},
        {.role = ROLE_MAIN, .pid = 77},
        {.role = ROLE_PROTOTYPE, .pid = 77, .launch = 3, .instance = 1},
        {.role = ROLE_WORKER, .pid = 77, .launch = 4, .instance = 1},
        {.role = ROLE_WORKER, .pid = 77, .launch = 3, .instance = 2},
    };
    struct msg_process mine = {.role = ROLE_WORKER, .pid = 77, .launch = 3, .instance = 1};
    br_cleanup(fd_closep) int other = -1;

    for (size_t i = 0; i < array_len(liars); i++) {
        br_cleanup(fd_closep) int end = -1;

        introduce(line, &liars[i], &end);
        turn(h);
        assert_int_equal(came, 0);
    }
    introduce(line, &mine, &other);
    turn(h);
    assert_int_equal(came, 1);
    assert_ptr_equal(dispatch_find_launch(h->router.dispatch, ROLE_WORKER, 3, 1), last_peer);
    dispatch_free(prototype.dispatch);
}

static void
a_prototype_takes_away_its_own_workers_only(void **state)
{
    struct house *h = *state;
    struct task prototype;
    struct channel *line = prototype_of(h, 3, &prototype);
    struct msg_process other_app = {.role = ROLE_WORKER, .pid = 77, .launch = 4, .instance = 1};
    struct msg_process lie = {.role = ROLE_WORKER, .pid = 77, .launch = 3, .instance = 1};
    struct peer worker = {.role = ROLE_WORKER, .pid = 77, .launch = 4, .instance = 1};
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    assert_non_null(dispatch_add(h->router.dispatch, fds[0], &worker));
    dispatch_tell(line, MSG_CHANNEL_CLOSE, &other_app, NULL, 0);
    dispatch_tell(line, MSG_CHANNEL_CLOSE, &lie, NULL, 0);
    turn(h);
    assert_int_equal(went, 0);
    assert_non_null(dispatch_find_pid(h->router.dispatch, 77));
    fd_close(&fds[1]);
    dispatch_free(prototype.dispatch);
}

static void
on_answer(struct task *task, void *arg, struct message *m, int rc)
{
    (void)task;
    answered++;
    answer_rc = rc;
    if (m != NULL)
        assert_int_equal(((struct msg_conf *)m->payload)->generation, 7);
    if (arg != NULL)
        dispatch_drop(task->dispatch, arg);
}

static struct channel *
controller_line(struct house *h)
{
    struct channel *ours, *theirs;

    join(&h->controller, &h->router, &ours, &theirs);
    return ours;
}

static int
ask(struct channel *ch, int wait_ms, void *arg)
{
    struct msg_conf conf = {.generation = 7};

    return dispatch_ask(ch, MSG_CONF_COMMIT, &conf, NULL, 0, wait_ms, on_answer, arg);
}

static void
an_answer_comes_once(void **state)
{
    struct house *h = *state;
    struct channel *ch = controller_line(h);

    assert_int_equal(ask(ch, -1, NULL), 0);
    assert_int_equal(answered, 0);
    turn(h);
    assert_int_equal(handled, 1);
    assert_int_equal(answered, 1);
    assert_int_equal(answer_rc, 0);
}

static void
a_late_answer_is_none(void **state)
{
    struct house *h = *state;
    struct peer peer = {.role = ROLE_ROUTER, .pid = getpid()};
    struct channel *ch;
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    ch = dispatch_add(h->controller.dispatch, fds[0], &peer);
    assert_int_equal(ask(ch, 1, NULL), 0);
    while (answered == 0)
        loop_once(h->loop, 10);
    assert_int_equal(answer_rc, -ETIMEDOUT);
    fd_close(&fds[1]);
}

static void
a_dead_peer_answers_with_epipe_also_when_the_answer_drops_the_line(void **state)
{
    struct house *h = *state;
    struct peer peer = {.role = ROLE_ROUTER, .pid = getpid()};
    struct channel *ch;
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    ch = dispatch_add(h->controller.dispatch, fds[0], &peer);
    ask(ch, -1, ch);
    ask(ch, 1000, ch);
    fd_close(&fds[1]);
    turn(h);
    assert_int_equal(answered, 2);
    assert_int_equal(answer_rc, -EPIPE);
    assert_null(dispatch_find(h->controller.dispatch, ROLE_ROUTER, 0));
}

static void
what_is_forgotten_is_not_called(void **state)
{
    struct house *h = *state;
    struct channel *ch = controller_line(h);

    ask(ch, 0, ch);
    dispatch_forget(h->controller.dispatch, ch);
    turn(h);
    assert_int_equal(handled, 1);
    assert_int_equal(answered, 0);
}

static void
an_answer_of_another_kind_is_not_taken(void **state)
{
    struct house *h = *state;
    struct peer router = {.role = ROLE_ROUTER, .pid = getpid()};
    struct peer controller = {.role = ROLE_CONTROLLER, .pid = getpid()};
    struct channel *ch, *theirs;
    struct msg_conf conf = {.generation = 7};
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    ch = dispatch_add(h->controller.dispatch, fds[0], &router);
    theirs = channel_new(NULL, fds[1], ROLE_ROUTER, &controller, NULL, NULL);
    ask(ch, -1, NULL);
    channel_send(theirs, MSG_CONF_RETIRED, &conf, NULL, 0, 0, 1);
    turn(h);
    assert_int_equal(answered, 0);
    channel_send(theirs, MSG_CONF_LIVE, &conf, NULL, 0, 0, 1);
    turn(h);
    assert_int_equal(answered, 1);
    channel_free(theirs);
}

static void
drop_it(struct channel *ch, void *arg)
{
    struct house *h = arg;

    dispatch_drop(h->controller.dispatch, ch);
}

static void
drop_all(struct channel *ch, void *arg)
{
    struct house *h = arg;

    dispatch_each(h->controller.dispatch, ROLE_ROUTER, drop_it, h);
    (void)ch;
}

static void
lines_may_be_dropped_while_they_are_walked(void **state)
{
    struct house *h = *state;

    for (int i = 0; i < 3; i++)
        controller_line(h);
    assert_int_equal(dispatch_each(h->controller.dispatch, ROLE_ROUTER, drop_all, h), 1);
    assert_int_equal(dispatch_each(h->controller.dispatch, ROLE_ROUTER, drop_it, h), 0);
}

static void
a_bound_slot_follows_the_line(void **state)
{
    struct house *h = *state;
    struct channel *slot = NULL;
    struct channel *ch = controller_line(h);

    dispatch_bind(ch, &slot);
    assert_ptr_equal(slot, ch);
    dispatch_drop(h->controller.dispatch, ch);
    assert_null(slot);
}

static void
stop_and_the_parents_end_leave_the_loop(void **state)
{
    struct house *h = *state;

    dispatch_tell(h->to_router, MSG_STOP, NULL, NULL, 0);
    turn(h);
    assert_true(loop_stopped(h->loop));
    loop_run(h->loop); /* takes the stop */
    dispatch_drop(h->main.dispatch, h->to_router);
    turn(h);
    assert_true(loop_stopped(h->loop));
    assert_null(h->router.parent);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(main_introduces_and_takes_away),
        T(nobody_is_introduced_to_whom_he_may_not_talk),
        T(a_prototype_introduces_its_own_workers_only),
        T(a_prototype_takes_away_its_own_workers_only),
        T(an_answer_comes_once),
        T(a_late_answer_is_none),
        T(a_dead_peer_answers_with_epipe_also_when_the_answer_drops_the_line),
        T(what_is_forgotten_is_not_called),
        T(an_answer_of_another_kind_is_not_taken),
        T(lines_may_be_dropped_while_they_are_walked),
        T(a_bound_slot_follows_the_line),
        T(stop_and_the_parents_end_leave_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
