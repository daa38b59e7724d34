/*
 * check.c - brood --check: read, parse and validate a file, as main and the controller would.
 *
 * All faults are printed, but for those that only come of others: what is inside of a value of the
 * wrong type is not looked at, a value that could not be expanded is complained about once, and
 * while a text is missing nothing is said of what its names would have answered.
 */
#include "programs/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "conf/conf_file.h"
#include "conf/conf_include.h"
#include "conf/conf_store.h"

struct checker {
    struct conf_faults faults;
    struct conf_file file;
    const struct check_sink *sink;
    uint32_t *seen; /* offsets of the faults so far, in the arena of file */
    unsigned n_seen, room;
};

static bool
note_seen(struct checker *k, uint32_t offset)
{
    for (unsigned i = 0; i < k->n_seen; i++)
        if (k->seen[i] == offset && offset != JSON_NOWHERE)
            return true;
    if (k->n_seen == k->room) {
        uint32_t *more = arena_array(&k->file.arena, uint32_t, k->room * 2 + 16);

        if (k->n_seen > 0)
            memcpy(more, k->seen, k->n_seen * sizeof(*more));
        k->seen = more;
        k->room = k->room * 2 + 16;
    }
    k->seen[k->n_seen++] = offset;
    return false;
}

static void
print_fault(void *arg br_unused, const char *place, const char *pointer, const char *what)
{
    fprintf(stderr, "%s: %s%s%s\n", place, pointer, pointer[0] != '\0' ? ": " : "", what);
}

static void
on_fault(struct conf_faults *faults, const struct conf_fault *fault)
{
    struct checker *k = container_of(faults, struct checker, faults);

    if (note_seen(k, fault->offset))
        return;
    k->sink->fault(k->sink->arg, sources_place(&k->file.sources, fault->offset),
                   fault->has_path ? fault->path : "", fault->err.text);
}

static void
include(struct checker *k, const char *path, const char *pattern)
{
    struct br_err err = BR_ERR_NONE;
    br_cleanup(fd_closep) int fd = -1;
    char *files = NULL;
    size_t n = 0;
    int rc = conf_include_read(path, pattern, &fd, &err);

    if (rc == 0)
        rc = fd_read_file(fd, CONF_INCLUDE_BYTES_MAX, &files, &n);
    if (rc == 0)
        conf_file_add(&k->file, slice_make(files, n));
    else
        conf_file_cannot(&k->file, err.text[0] != '\0' ? err.text : strerror(-rc));
    free(files);
}

static void
read_text(struct checker *k, const char *path, struct slice text, enum check_as as)
{
    const char *pattern;

    if (as == CHECK_FILE)
        conf_file_begin(&k->file, path, text, &k->faults);
    else
        conf_file_begin_plain(&k->file, path, text, &k->faults);
    while (conf_file_next_include(&k->file, &pattern))
        include(k, path, pattern);
}

int
check_config(const char *path, const struct conf_modules *(*modules)(void *arg), void *arg,
             enum check_as as, const struct check_sink *sink)
{
    static const struct check_sink to_stderr = {.fault = print_fault};
    struct checker k = {.faults = {.on_fault = on_fault}, .sink = sink != NULL ? sink : &to_stderr};
    struct arena scratch;
    char *text;
    size_t n;
    int rc = fd_read_path(path, CONF_STORE_BYTES_MAX, &text, &n);

    if (rc < 0) {
        k.sink->fault(k.sink->arg, path, "", strerror(-rc));
        return 1;
    }
    arena_init(&scratch, 0);
    read_text(&k, path, slice_make(text, n), as);
    if (k.file.root != NULL && !k.file.partial) {
        bool has_apps = json_get(k.file.root, SLICE("applications")) != NULL;

        validate_all(&scratch, k.file.root, has_apps && modules != NULL ? modules(arg) : NULL,
                     &k.faults);
    }
    if (k.faults.n == 0 && as == CHECK_FILE)
        printf("%s: ok\n", path);
    arena_done(&scratch);
    conf_file_done(&k.file);
    free(text);
    return k.faults.n == 0 ? 0 : 1;
}
