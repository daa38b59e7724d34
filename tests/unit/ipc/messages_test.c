/*
 * messages_test.c - the table is whole, the talk matrix is the one of the design, the check is
 * strict.
 */
#include "ipc/messages.h"

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

static void
the_talk_matrix_is_the_one_of_the_design(void **state)
{
    /* main, discovery, controller, router, prototype, worker, initial */
    static const char *const talks[ROLES] = {".xxxx.x", "x......", "x..xx..", "x.x.xx.",
                                             "x.xx.x.", "...xx..", "x......"};

    (void)state;
    for (unsigned a = 0; a < ROLES; a++)
        for (unsigned b = 0; b < ROLES; b++)
            if (roles_talk(a, b) != (talks[a][b] == 'x'))
                fail_msg("roles %u and %u", a, b);
}

static void
every_row_says_something_that_can_be_said(void **state)
{
    (void)state;
    for (unsigned type = MSG_NONE + 1; type < MSGS; type++) {
        const struct msg_info *info = &msg_info[type];

        assert_non_null(info->name);
        assert_true(info->doc[0] != '\0');
        assert_true(info->routes != 0);
        assert_true(info->size > 0);
    }
}

static void
an_answer_can_go_back_where_the_question_came_from(void **state)
{
    (void)state;
    for (unsigned type = MSG_NONE + 1; type < MSGS; type++)
        for (unsigned a = 0; a < ROLES; a++)
            for (unsigned b = 0; b < ROLES; b++)
                if (msg_info[type].reply != MSG_NONE && message_may(type, a, b) &&
                    !message_may(msg_info[type].reply, b, a))
                    fail_msg("%s from %u to %u has no way back", msg_info[type].name, a, b);
}

static void
what_does_not_fit_the_row_is_refused(void **state)
{
    struct msg_open open = {.kind = OPEN_LISTENER};
    char *p = (char *)&open;

    (void)state;
    assert_int_equal(message_check(MSG_OPEN, ROLE_ROUTER, ROLE_MAIN, p, sizeof(open), 0), 0);
    assert_int_equal(message_check(MSG_OPEN, ROLE_ROUTER, ROLE_MAIN, p, sizeof(open) - 1, 0),
                     -EPROTO);
    assert_int_equal(message_check(MSG_OPEN, ROLE_ROUTER, ROLE_MAIN, p, sizeof(open) + 1, 0),
                     -EPROTO);
    assert_int_equal(message_check(MSG_OPEN, ROLE_ROUTER, ROLE_MAIN, p, sizeof(open), 1), -EPROTO);
    assert_int_equal(message_check(MSG_OPEN, ROLE_WORKER, ROLE_MAIN, p, sizeof(open), 0), -EPERM);
    assert_int_equal(message_check(MSG_SAVE, ROLE_ROUTER, ROLE_MAIN, p, sizeof(open), 1), -EPERM);
    assert_int_equal(message_check(MSG_NONE, ROLE_ROUTER, ROLE_MAIN, p, 0, 0), -EPROTO);
    assert_int_equal(message_check(MSGS, ROLE_ROUTER, ROLE_MAIN, p, 0, 0), -EPROTO);
    assert_int_equal(message_check(UINT32_MAX, ROLE_ROUTER, ROLE_MAIN, NULL, 0, 0), -EPROTO);
}

static void
texts_end_in_the_payload(void **state)
{
    struct msg_failed failed;
    struct msg_result result;
    struct msg_open open;

    (void)state;
    memset(&failed, 'x', sizeof(failed));
    memset(&result, 'x', sizeof(result));
    memset(&open, 'x', sizeof(open));
    message_check(MSG_PROCESS_FAILED, ROLE_ROUTER, ROLE_MAIN, &failed, sizeof(failed), 0);
    message_check(MSG_DONE, ROLE_MAIN, ROLE_CONTROLLER, &result, sizeof(result), 0);
    message_check(MSG_OPEN, ROLE_ROUTER, ROLE_MAIN, &open, sizeof(open), 0);
    assert_int_equal(strlen(failed.text), sizeof(failed.text) - 1);
    assert_int_equal(strlen(result.text), sizeof(result.text) - 1);
    assert_int_equal(strlen(open.name), sizeof(open.name) - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_talk_matrix_is_the_one_of_the_design),
        cmocka_unit_test(every_row_says_something_that_can_be_said),
        cmocka_unit_test(an_answer_can_go_back_where_the_question_came_from),
        cmocka_unit_test(what_does_not_fit_the_row_is_refused),
        cmocka_unit_test(texts_end_in_the_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
