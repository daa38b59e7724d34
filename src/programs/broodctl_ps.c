/*
 * broodctl_ps.c - the process tree: who is whose child, in which role, in which state, how large.
 *
 *   /proc    parents, titles, ages, memory of every process below main
 *   /status  states and requests of the workers, joined by pid
 *
 * Memory of another user's process is for root to see (smaps_rollup, proc(5)); else "-".
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "programs/broodctl_find.h"
#include "programs/broodctl_http.h"
#include "programs/broodctl_out.h"

#define SMAPS_BYTES 4096

struct ps {
    struct arena *arena;
    const struct found_process *list;
    size_t n;
    const struct json *applications;
    struct table table;
    struct json *array; /* with --json, instead of the table */
};

static const struct column columns[] = {
    {"PID", true}, {"ROLE", false},   {"STATE", false}, {"REQUESTS", true},
    {"AGE", true}, {"PRIVATE", true}, {"SHARED", true},
};

struct memory {
    int64_t private_bytes; /* -1: we may not know */
    int64_t shared_bytes;
};

static int64_t
kilobytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    long long n;

    return at != NULL && sscanf(at + strlen(name), " %lld", &n) == 1 ? n * 1024 : 0;
}

static struct memory
memory_of(pid_t pid)
{
    char path[64], text[SMAPS_BYTES];
    br_cleanup(fd_closep) int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return (struct memory){-1, -1};
    text[n] = '\0';
    return (struct memory){
        kilobytes(text, "Private_Clean:") + kilobytes(text, "Private_Dirty:"),
        kilobytes(text, "Shared_Clean:") + kilobytes(text, "Shared_Dirty:"),
    };
}

/* What /status says of a worker, or NULL. */
static const struct json *
worker(const struct ps *ps, pid_t pid)
{
    if (ps->applications == NULL)
        return NULL;
    json_foreach(app, ps->applications)
    {
        const struct json *workers = json_member(app, "workers");

        if (workers == NULL)
            continue;
        json_foreach(w, workers)
        {
            if (json_member_int(w, "pid") == pid)
                return w;
        }
    }
    return NULL;
}

/* The title without what all have in common, and without main's arguments. */
static struct slice
role(const struct found_process *p)
{
    struct slice title = slice_cstr(p->title);

    if (!slice_starts(title, SLICE("brood: ")))
        return title;
    title = slice_sub(title, 7, title.n);
    return slice_starts(title, SLICE("main [")) ? slice_sub(title, 0, 4) : title;
}

static void
add_row(struct ps *ps, const struct found_process *p, unsigned depth, const struct json *w)
{
    const struct json *state = json_member(w, "state");
    struct memory memory = memory_of(p->pid);
    struct slice title = role(p);

    table_cell(&ps->table, PAINT_NONE, "%d", (int)p->pid);
    table_cell(&ps->table, PAINT_NONE, "%*s" SLICE_FMT, (int)(2 * depth), "", SLICE_ARG(title));
    if (state != NULL && state->type == JSON_STRING)
        table_cell(&ps->table, out_state_paint(state->text), SLICE_FMT, SLICE_ARG(state->text));
    else
        table_cell(&ps->table, PAINT_NONE, "-");
    if (w != NULL)
        table_cell(&ps->table, PAINT_NONE, "%lld", (long long)json_member_int(w, "requests"));
    else
        table_cell(&ps->table, PAINT_NONE, "-");
    table_age(&ps->table, br_max(p->age_ms, (int64_t)0));
    table_bytes(&ps->table, memory.private_bytes);
    table_bytes(&ps->table, memory.shared_bytes);
}

static void
add_object(struct ps *ps, const struct found_process *p, const struct json *w)
{
    struct arena *a = ps->arena;
    struct json *object = json_push(ps->array, json_new(a, JSON_OBJECT));
    const struct json *state = json_member(w, "state");
    struct memory memory = memory_of(p->pid);

    json_add(object, SLICE("pid"), json_new_int(a, p->pid));
    json_add(object, SLICE("parent"), json_new_int(a, p->parent));
    json_add(object, SLICE("role"), json_new_string(a, role(p)));
    if (state != NULL)
        json_add(object, SLICE("state"), json_copy(a, state));
    if (w != NULL)
        json_add(object, SLICE("requests"), json_new_int(a, json_member_int(w, "requests")));
    json_add(object, SLICE("age_ms"), json_new_int(a, p->age_ms));
    if (memory.private_bytes >= 0) {
        struct json *sizes = json_add(object, SLICE("memory"), json_new(a, JSON_OBJECT));

        json_add(sizes, SLICE("private"), json_new_int(a, memory.private_bytes));
        json_add(sizes, SLICE("shared"), json_new_int(a, memory.shared_bytes));
    }
}

/* A process and, below it, its children by pid. */
static void
add_tree(struct ps *ps, const struct found_process *p, unsigned depth)
{
    const struct json *w = worker(ps, p->pid);

    if (ps->array != NULL)
        add_object(ps, p, w);
    else
        add_row(ps, p, depth, w);
    for (size_t i = 0; i < ps->n; i++) {
        if (ps->list[i].parent == p->pid)
            add_tree(ps, &ps->list[i], depth + 1);
    }
}

enum ctl_exit
ctl_ps(struct ctl *ctl, br_unused int n, br_unused char **words)
{
    struct ps ps = {.arena = &ctl->arena};
    struct br_err err = BR_ERR_NONE;
    struct found_process *list, main;
    struct ctl_answer answer;
    enum ctl_exit code = http_get(ctl, ps.arena, "/status", &answer);

    if (code != CTL_OK)
        return code;
    if (find_main(ps.arena, ctl->control, &main, &err) < 0 ||
        find_processes(ps.arena, &list, &ps.n, &err) < 0)
        return ctl_fail(CTL_UNREACHABLE, "%s", err.text);
    ps.list = list;
    ps.applications = answer.value == NULL ? NULL : json_member(answer.value, "applications");
    table_init(&ps.table, ps.arena, columns, array_len(columns));
    if (ctl->json)
        ps.array = json_new(ps.arena, JSON_ARRAY);
    add_tree(&ps, &main, 0);
    if (ctl->json)
        out_json(ps.array);
    else
        table_print(&ps.table);
    return CTL_OK;
}
