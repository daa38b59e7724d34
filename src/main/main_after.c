/*
 * main_after.c - the last step of an application's life: its cgroup goes.
 *
 * A prototype that was killed is reaped before the workers that die with it, and a group with
 * processes in it cannot be removed: so it is tried again, a few times.
 *
 * A main that is killed removes nothing, but the next one does: the groups that there are stand in
 *
 *   STATE/cgroups:  14 /sys/fs/cgroup/apps/blog      how much of it was there before us, and it
 */
#include "main/main_after.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "process/cgroup.h"

#define AGAIN_MS  50
#define TRIES_MAX 100

#define NOTE_NAME      "cgroups"
#define NOTE_NEW       "cgroups.new"
#define NOTE_BYTES_MAX (4u * 1024 * 1024)

struct remains {
    struct list link;
    struct timer timer;
    struct main *main;
    struct cgroup_place place;
    unsigned tries;
};

/* --- what is noted --- */

static void
put_place(struct buf *b, const struct cgroup_place *place)
{
    buf_printf(b, "%zu %s\n", place->base, place->path);
}

static void
put_all(struct main *m, struct buf *b)
{
    const struct process *p;
    const struct remains *r;
    struct cgroup_place place;

    list_foreach (p, &m->children.all, link)
        if (p->card != NULL && cgroup_place(p->card, &place) == 0)
            put_place(b, &place);
    list_foreach (r, &m->remains, link)
        put_place(b, &r->place);
}

static int
write_note(struct main *m, const struct buf *text)
{
    br_cleanup(fd_closep) int fd =
        openat(m->store.dir, NOTE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = fd < 0 ? -errno : fd_write_all(fd, text->p, text->n);

    if (rc == 0 && renameat(m->store.dir, NOTE_NEW, m->store.dir, NOTE_NAME) < 0)
        rc = -errno;
    return rc;
}

void
main_after_note(struct main *m)
{
    struct buf text;
    int rc;

    if (m->store.dir < 0 || !m->owns_paths)
        return;
    buf_init(&text, NOTE_BYTES_MAX);
    put_all(m, &text);
    if (text.n > 0) {
        rc = text.error != 0 ? text.error : write_note(m, &text);
        m->groups_noted = true;
        if (rc < 0)
            br_log(LOG_WARN,
                   "control groups cannot be noted, and would stay if brood is killed: %s",
                   strerror(-rc));
    } else if (m->groups_noted) {
        unlinkat(m->store.dir, NOTE_NAME, 0);
        m->groups_noted = false;
    }
    buf_done(&text);
}

/* --- removing --- */

static void
drop(struct remains *r)
{
    loop_timer_cancel(r->main->task.loop, &r->timer);
    list_del(&r->link);
    free(r);
}

/* The path is written over as its parents are tried, so each time with a copy. */
static int
remove_group(const struct cgroup_place *place)
{
    struct cgroup_place copy = *place;

    return cgroup_remove_at(&copy);
}

static void
try_again(struct timer *t)
{
    struct remains *r = container_of(t, struct remains, timer);
    struct main *m = r->main;

    if (remove_group(&r->place) == 0) {
        drop(r);
        main_after_note(m);
    } else if (++r->tries < TRIES_MAX) {
        loop_timer(r->main->task.loop, &r->timer, AGAIN_MS);
    } else {
        br_log(LOG_WARN, "control group \"%s\" stays: there are processes in it", r->place.path);
        drop(r);
    }
}

static void
remove_later(struct main *m, const struct cgroup_place *place)
{
    struct remains *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return;
    r->main = m;
    r->place = *place;
    list_add_tail(&m->remains, &r->link);
    timer_init(&r->timer, try_again);
    loop_timer(m->task.loop, &r->timer, AGAIN_MS);
}

void
main_forget(struct main *m, struct process *p)
{
    struct cgroup_place place;
    bool has_group = p->card != NULL && cgroup_place(p->card, &place) == 0;

    if (has_group && remove_group(&place) == -EBUSY)
        remove_later(m, &place);
    roster_free(&m->children, p);
    if (has_group)
        main_after_note(m);
}

/* --- what a main before us left --- */

static void
sweep_line(struct main *m, struct slice line)
{
    struct cgroup_place place;
    struct slice base;
    uint64_t n;

    if (!slice_split(&line, ' ', &base) || slice_u64(base, &n) < 0 || line.n == 0 ||
        line.n >= sizeof(place.path) || n > line.n || line.p[0] != '/')
        return;
    snprintf(place.path, sizeof(place.path), SLICE_FMT, SLICE_ARG(line));
    place.base = n;
    br_log(LOG_NOTICE, "control group \"%s\" of a brood that was killed is removed", place.path);
    if (remove_group(&place) == -EBUSY)
        remove_later(m, &place);
}

void
main_after_sweep(struct main *m)
{
    br_cleanup(fd_closep) int fd = -1;
    struct slice rest, line;
    char *text;
    size_t n;

    if (m->store.dir < 0 || !m->owns_paths)
        return;
    fd = openat(m->store.dir, NOTE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fd_read_file(fd, NOTE_BYTES_MAX, &text, &n) < 0)
        return;
    rest = slice_make(text, n);
    while (slice_split(&rest, '\n', &line))
        sweep_line(m, line);
    free(text);
    m->groups_noted = true;
    main_after_note(m);
}

void
main_after_done(struct main *m)
{
    struct remains *r, *next;

    list_foreach_safe (r, next, &m->remains, link) {
        remove_group(&r->place);
        drop(r);
    }
}
