/*
 * process_test.c - the roster, and the descriptors that its processes keep.
 */
#include "process/process.h"

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

#include <fcntl.h>

#include "base/fd.h"

static const struct br_role router = {.id = ROLE_ROUTER, .name = "router", .numbered = true};
static const struct br_role prototype = {.id = ROLE_PROTOTYPE, .name = "prototype"};

static void
processes_are_found_by_what_is_known_of_them(void **state)
{
    struct roster r;
    struct process *p[3];

    (void)state;
    roster_init(&r);
    for (uint32_t i = 0; i < 3; i++) {
        p[i] = roster_new(&r, i < 2 ? &router : &prototype);
        p[i]->index = i < 2 ? i : 0;
        p[i]->pid = 100 + (pid_t)i;
    }
    p[2]->launch = 9;
    assert_ptr_equal(roster_find(&r, ROLE_ROUTER, 1), p[1]);
    assert_null(roster_find(&r, ROLE_ROUTER, 2));
    assert_ptr_equal(roster_find_pid(&r, 102), p[2]);
    assert_ptr_equal(roster_find_launch(&r, ROLE_PROTOTYPE, 9), p[2]);
    assert_null(roster_find_launch(&r, ROLE_PROTOTYPE, 8));
    assert_int_equal(roster_count(&r, ROLE_ROUTER), 2);
    roster_free(&r, p[1]);
    assert_null(roster_find(&r, ROLE_ROUTER, 1));
    assert_int_equal(r.n, 2);
    roster_free(&r, p[0]);
    roster_free(&r, p[2]);
    assert_true(list_empty(&r.all));
}

static int
any_fd(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
kept_descriptors_die_with_their_process(void **state)
{
    struct roster r;
    struct process *p;
    int before = fd_count();

    (void)state;
    roster_init(&r);
    p = roster_new(&r, &prototype);
    p->card_fd = any_fd();
    assert_int_equal(process_keep(p, "nest", any_fd()), 0);
    assert_true(process_kept(p, "nest") >= 0);
    assert_int_equal(process_kept(p, "bell"), -1);
    process_unkeep(p);
    assert_int_equal(process_kept(p, "nest"), -1);
    assert_int_equal(process_keep(p, "bell", any_fd()), 0);
    roster_free(&r, p);
    assert_int_equal(fd_count(), before);
}

static void
what_finds_no_place_is_closed(void **state)
{
    struct roster r;
    struct process *p;
    int before = fd_count();

    (void)state;
    roster_init(&r);
    p = roster_new(&r, &prototype);
    for (int i = 0; i < KEEP_MAX; i++)
        assert_int_equal(process_keep(p, "x", any_fd()), 0);
    assert_int_equal(process_keep(p, "x", any_fd()), -ENOSPC);
    assert_int_equal(fd_count(), before + KEEP_MAX);
    process_unkeep(p);
    assert_int_equal(process_keep(p, "a name that is too long to be kept", any_fd()), -ENOSPC);
    assert_int_equal(process_keep(p, "none", -1), -EBADF);
    assert_int_equal(fd_count(), before);
    roster_free(&r, p);
}

static void
names_in_logs_tell_which_one(void **state)
{
    struct process p = {.role = &router, .index = 3};
    struct process q = {.role = &prototype};

    (void)state;
    assert_string_equal(process_name(&p), "router 3");
    assert_string_equal(process_name(&q), "prototype");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processes_are_found_by_what_is_known_of_them),
        cmocka_unit_test(kept_descriptors_die_with_their_process),
        cmocka_unit_test(what_finds_no_place_is_closed),
        cmocka_unit_test(names_in_logs_tell_which_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
