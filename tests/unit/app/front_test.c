/*
 * front_test.c - messages that a prototype hears before it is a supervisor.
 */
#include "app/front_role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A reopen of the logs reaches whoever waits for the outside work. */
static void
what_comes_before_there_is_a_supervisor_harms_nobody(void **state)
{
    static uint64_t payload[MSG_PAYLOAD_MAX / 8];
    struct task task = {.data = NULL};
    struct message m = {.payload = payload};
    const struct msg_handler *h;

    (void)state;
    for (h = front_messages; h->type != MSG_NONE; h++) {
        m.type = h->type;
        h->fn(&task, NULL, &m);
    }
    assert_ptr_not_equal(h, front_messages);
    assert_null(task.data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_before_there_is_a_supervisor_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
