/*
 * list_test.c - links that know whether they are on a list.
 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct item {
    int id;
    struct list link;
};

static int
sum_in_order(struct list *head)
{
    struct item *item;
    int sum = 0;

    list_foreach (item, head, link)
        sum = sum * 10 + item->id;
    return sum;
}

static void
both_ends_take_items(void **state)
{
    struct item a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_first(&head, struct item, link));
    list_add(&head, &b.link);
    list_add(&head, &a.link);
    list_add_tail(&head, &c.link);
    assert_int_equal(sum_in_order(&head), 123);
    assert_ptr_equal(list_first(&head, struct item, link), &a);
}

static void
removing_twice_is_harmless(void **state)
{
    struct item a = {.id = 1}, b = {.id = 2}, never = {.id = 3};
    struct list head;

    (void)state;
    list_init(&head);
    list_init(&never.link);
    list_add_tail(&head, &a.link);
    list_add_tail(&head, &b.link);
    list_del(&a.link);
    list_del(&a.link);
    list_del(&never.link);
    assert_int_equal(sum_in_order(&head), 2);
}

static void
items_may_go_while_we_walk(void **state)
{
    struct item items[6];
    struct item *item, *next;
    struct list head;

    (void)state;
    list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].id = i;
        list_add_tail(&head, &items[i].link);
    }
    list_foreach_safe (item, next, &head, link)
        if (item->id % 2 == 0)
            list_del(&item->link);
    assert_int_equal(sum_in_order(&head), 135);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_take_items),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(items_may_go_while_we_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
