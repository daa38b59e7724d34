/*
 * fuzz_json.c - any bytes as JSON, and what is JSON as a configuration.
 *
 * Accepted text is the same value after it was written and read again, in both layouts; a fault
 * lies inside the text and has a sentence.  A tree that is a configuration becomes a generation,
 * and a plan from nothing to it and back.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>

#include "conf/json_write.h"
#include "conf/plan.h"

#define ARENA_MAX (64u << 20)

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static void
check_written(struct json *root, int (*write)(struct buf *b, const struct json *root))
{
    struct json *again = NULL;
    struct arena a;
    struct buf b;
    size_t offset;

    arena_init(&a, 0);
    buf_init(&b, SIZE_MAX);
    must(write(&b, root) == 0);
    must(json_parse(&a, buf_slice(&b), &again, &offset, NULL) == 0);
    must(json_equal(root, again));
    buf_done(&b);
    arena_done(&a);
}

static void
check_fault(struct slice text, size_t offset, const struct br_err *err)
{
    struct json_place place;

    must(offset <= text.n && err->text[0] != '\0');
    if (json_locate(text, offset, &place))
        must(place.line > 0 && place.column > 0);
}

static void
check_plans(struct arena *a, const struct generation *g)
{
    struct generation *empty = generation_new(2, 0);
    struct conf_fault fault;
    struct plan plan;

    must(generation_fill(empty, json_new(&empty->arena, JSON_OBJECT), NULL, &fault) == 0);
    plan_make(a, NULL, g, SLICE_NONE, &plan);
    must(plan.n >= g->n_apps + g->n_listeners);
    plan_make(a, g, empty, SLICE_NONE, &plan);
    must(plan.n >= g->n_apps + g->n_listeners);
    generation_unref(empty);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = slice_make((const char *)data, n);
    struct generation *g = generation_new(1, ARENA_MAX);
    struct br_err err = BR_ERR_NONE;
    struct conf_fault fault;
    struct json *root = NULL;
    size_t offset = SIZE_MAX;
    int rc = json_parse(&g->arena, text, &root, &offset, &err);

    must(rc == 0 || rc == -EBADMSG || rc == -ENOMEM);
    if (rc == -EBADMSG)
        check_fault(text, offset, &err);
    if (rc == 0) {
        must(json_depth(root) <= JSON_DEPTH_MAX);
        check_written(root, json_write);
        check_written(root, json_write_compact);
        if (generation_fill(g, root, NULL, &fault) == 0)
            check_plans(&g->arena, g);
        else
            must(fault.err.text[0] != '\0' && fault.has_path &&
                 (fault.path[0] == '/' || fault.path[0] == '\0'));
    }
    generation_unref(g);
    return 0;
}
