/*
 * corpus_test.c - tests/json replayed: y_ and d_ files are accepted, n_ files refused; what is
 * accepted survives writing and reading, and no prefix of it does harm.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "conf/json.h"

#include "fixture.h"

typedef void file_fn(struct arena *a, const char *name, struct slice text);

static bool
is_accepted_kind(const char *name)
{
    return name[0] == 'y' || name[0] == 'd';
}

/* Each file of the corpus, in an arena of its own; how many there were. */
static unsigned
each_file(file_fn *fn)
{
    DIR *dir = opendir(CORPUS);
    unsigned n = 0;

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[512], *text;
        struct arena a;
        size_t length;

        if (!slice_ends(slice_cstr(e->d_name), SLICE(".json")))
            continue;
        snprintf(path, sizeof path, "%s/%s", CORPUS, e->d_name);
        assert_int_equal(fd_read_path(path, 1 << 20, &text, &length), 0);
        arena_init(&a, 0);
        fn(&a, e->d_name, slice_make(text, length));
        arena_done(&a);
        free(text);
        n++;
    }
    closedir(dir);
    return n;
}

static void
check_verdict(struct arena *a, const char *name, struct slice text)
{
    struct br_err err = BR_ERR_NONE;
    struct json *root = NULL;
    size_t offset = SIZE_MAX;
    int rc = json_parse(a, text, &root, &offset, &err);

    if (is_accepted_kind(name) && rc != 0)
        fail_msg("%s is refused: %s", name, err.text);
    if (!is_accepted_kind(name) && rc != -EBADMSG)
        fail_msg("%s is accepted", name);
    if (rc != 0 && offset > text.n)
        fail_msg("%s: the fault is at %zu of %zu", name, offset, text.n);
}

static void
every_file_is_judged_as_its_name_says(void **state)
{
    (void)state;
    assert_true(each_file(check_verdict) >= 150);
}

static struct json *
parse_again(struct arena *a, const char *name, const struct buf *b)
{
    struct br_err err = BR_ERR_NONE;
    struct json *root = NULL;
    size_t offset;

    if (json_parse(a, buf_slice(b), &root, &offset, &err) < 0)
        fail_msg("%s, written: %s", name, err.text);
    return root;
}

static void
check_round_trip(struct arena *a, const char *name, struct slice text)
{
    struct json *root = NULL;
    struct buf compact, pretty;
    size_t offset;

    if (!is_accepted_kind(name) || json_parse(a, text, &root, &offset, NULL) < 0)
        return;
    buf_init(&compact, SIZE_MAX);
    buf_init(&pretty, SIZE_MAX);
    json_write_compact(&compact, root);
    json_write(&pretty, root);
    if (!json_equal(root, parse_again(a, name, &compact)) ||
        !json_equal(root, parse_again(a, name, &pretty)) || !json_equal(root, json_copy(a, root)))
        fail_msg("%s is another value when it was written and read", name);
    buf_done(&compact);
    buf_done(&pretty);
}

static void
what_is_accepted_survives_a_round_trip(void **state)
{
    (void)state;
    each_file(check_round_trip);
}

/* Any prefix is judged without harm; the sanitizers see what is read beyond it. */
static void
check_prefixes(struct arena *a, const char *name, struct slice text)
{
    if (text.n > 2000)
        return;
    for (size_t n = 0; n < text.n; n++) {
        char *prefix = malloc(n + 1);
        struct json *root = NULL;
        size_t offset = SIZE_MAX;
        int rc;

        memcpy(prefix, text.p, n);
        rc = json_parse(a, slice_make(prefix, n), &root, &offset, NULL);
        if (rc != 0 && (rc != -EBADMSG || offset > n))
            fail_msg("%s, cut at %zu: %d, at %zu", name, n, rc, offset);
        free(prefix);
    }
}

static void
every_file_can_be_cut_anywhere(void **state)
{
    (void)state;
    each_file(check_prefixes);
}

/* A container is open until its last byte. */
static void
no_proper_prefix_of_an_object_is_accepted(void **state)
{
    static const char text[] = "{\"a\":[1,-2.5e3,\"\\u00e9\\uD834\\uDD1E\",{\"b\":null}],"
                               "/* c */\"d\":{\"\":[true,false,],},}";
    struct arena *a = *state;

    tree_of(a, text);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct json *root = NULL;
        size_t offset;

        assert_int_equal(json_parse(a, slice_make(text, n), &root, &offset, NULL), -EBADMSG);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_judged_as_its_name_says),
        cmocka_unit_test(what_is_accepted_survives_a_round_trip),
        cmocka_unit_test(every_file_can_be_cut_anywhere),
        arena_test(no_proper_prefix_of_an_object_is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
