/* test_module.c - a language "good" of two versions, for module_load_test and discovery's. */
#include "abi/module.h"

#include <errno.h>
#include <stdlib.h>

#ifndef TEST_ABI
#define TEST_ABI MODULE_ABI
#endif

static int
describe(const char *modules_dir, struct module_list *ret_list, struct br_err *err)
{
    if (getenv("TEST_MODULE_FAILS") != NULL)
        return br_fail(err, -EBADMSG, "it does not want to");
    (void)modules_dir;
    module_list_add(ret_list, "good", "2.0", "/usr/bin/\"good\\", "");
    return module_list_add(ret_list, "good", "1.0", "", "/lib/good\n");
}

static int
setup(const struct module_setup *s, struct br_err *err)
{
    return br_fail(err, -ENOSYS, "\"%s\"", s->get(s, "name", "?"));
}

BR_MODULE = {.abi = TEST_ABI, .name = "good", .describe = describe, .setup = setup};
