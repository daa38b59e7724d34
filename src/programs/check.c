/*
 * check.c - brood --check: parse and validate a file, as the controller would.
 *
 * Which languages this machine has is not looked at: a configuration may be checked elsewhere.
 */
#include "programs/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "conf/conf_store.h"
#include "conf/validate.h"

static void
complain(const char *path, struct slice text, size_t offset, const char *what)
{
    struct json_place place;

    if (offset != JSON_NOWHERE && json_locate(text, offset, &place))
        fprintf(stderr, "%s:%u:%u: %s\n", path, place.line, place.column, what);
    else
        fprintf(stderr, "%s: %s\n", path, what);
}

static int
check_text(struct arena *a, const char *path, struct slice text)
{
    struct br_err err = BR_ERR_NONE;
    struct conf_fault fault = {.offset = JSON_NOWHERE};
    size_t offset = JSON_NOWHERE;
    struct json *root;

    if (json_parse(a, text, &root, &offset, &err) < 0) {
        complain(path, text, offset, err.text);
        return 1;
    }
    if (validate(a, root, NULL, &fault) < 0) {
        complain(path, text, fault.offset, fault.err.text);
        return 1;
    }
    return 0;
}

int
check_config(const char *path)
{
    struct arena a;
    char *text;
    size_t n;
    int rc = fd_read_path(path, CONF_STORE_BYTES_MAX, &text, &n);

    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(-rc));
        return 1;
    }
    arena_init(&a, 0);
    rc = check_text(&a, path, slice_make(text, n));
    arena_done(&a);
    free(text);
    return rc;
}
