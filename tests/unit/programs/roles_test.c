/*
 * roles_test.c - the process table and the message table agree.
 */
#include "programs/roles.h"

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

#include "ipc/dispatch.h"

/* The prototype of the table only becomes another program, whose row has the handlers. */
static bool
lives_in_brood(enum role_id id)
{
    return id != ROLE_PROTOTYPE;
}

static bool
can_reach(enum msg_type type, enum role_id id)
{
    for (enum role_id from = 0; from < ROLES; from++)
        if (message_may(type, from, id))
            return true;
    return false;
}

static bool
is_an_answer(enum msg_type type)
{
    for (enum msg_type asked = MSG_NONE + 1; asked < MSGS; asked++)
        if (msg_info[asked].reply == type)
            return true;
    return false;
}

/* Answers are handed to whoever asked; all else needs a handler. */
static void
every_message_that_can_reach_a_role_has_a_handler_there(void **state)
{
    (void)state;
    for (enum role_id id = 0; id < ROLES; id++)
        for (enum msg_type type = MSG_NONE + 1; lives_in_brood(id) && type < MSGS; type++)
            if (can_reach(type, id) && !is_an_answer(type) && !dispatch_handles(roles[id], type))
                fail_msg("%s can reach %s, which has no handler", msg_info[type].name,
                         roles[id]->name);
}

static void
no_handler_waits_for_what_cannot_come(void **state)
{
    (void)state;
    for (enum role_id id = 0; id < ROLES; id++) {
        const struct msg_handler *h = roles[id]->on_message;

        for (; h != NULL && h->type != MSG_NONE; h++)
            if (!can_reach(h->type, id))
                fail_msg("%s waits for %s, which cannot reach it", roles[id]->name,
                         msg_info[h->type].name);
    }
}

static void
every_row_is_in_its_place(void **state)
{
    (void)state;
    for (enum role_id id = 0; id < ROLES; id++) {
        assert_non_null(roles[id]);
        assert_int_equal(roles[id]->id, id);
        assert_non_null(roles[id]->name);
    }
}

/* What the message table calls up and down is who forks whom. */
static void
parent_and_child_may_talk_and_the_child_may_say_that_it_is_ready(void **state)
{
    (void)state;
    for (enum role_id id = 0; id < ROLES; id++) {
        enum role_id parent = roles[id]->parent;

        if (id == ROLE_MAIN)
            continue;
        assert_true(message_may(MSG_PROCESS_READY, id, parent));
        assert_true(message_may(MSG_STOP, parent, id));
        for (enum role_id other = 0; other < ROLES; other++)
            if (other != parent)
                assert_false(message_may(MSG_STOP, other, id));
    }
}

static void
who_holds_connections_or_reads_the_control_socket_is_confined(void **state)
{
    (void)state;
    for (enum role_id id = 0; id < ROLES; id++)
        if (roles[id]->user == USER_BROOD)
            assert_true(roles[id]->confined);
    assert_int_equal(roles[ROLE_ROUTER]->user, USER_BROOD);
    assert_int_equal(roles[ROLE_CONTROLLER]->user, USER_BROOD);
    assert_int_equal(roles[ROLE_PROTOTYPE]->user, USER_CARD);
}

static void
clients_are_let_go_before_applications_and_these_before_the_control_api(void **state)
{
    (void)state;
    assert_true(roles[ROLE_ROUTER]->leaves < roles[ROLE_PROTOTYPE]->leaves);
    assert_true(roles[ROLE_PROTOTYPE]->leaves < roles[ROLE_CONTROLLER]->leaves);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_that_can_reach_a_role_has_a_handler_there),
        cmocka_unit_test(no_handler_waits_for_what_cannot_come),
        cmocka_unit_test(every_row_is_in_its_place),
        cmocka_unit_test(parent_and_child_may_talk_and_the_child_may_say_that_it_is_ready),
        cmocka_unit_test(who_holds_connections_or_reads_the_control_socket_is_confined),
        cmocka_unit_test(clients_are_let_go_before_applications_and_these_before_the_control_api),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
