/*
 * broodctl_find.c - brood's processes as /proc shows them.
 *
 *   "brood: main [/usr/sbin/brood --control unix:/run/b.sock --log /var/log/b.log]"
 *                                 find_option("--control")   find_option("--log")
 *
 * Titles repeat main's arguments for this purpose.  Anybody can give a process any title, so that
 * one is believed only of processes of root and of our own user: else a stranger's socket could be
 * handed the configuration.  A title that lost its end (no ']') says nothing.
 */
#include "programs/broodctl_find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define TITLE_BYTES 8192
#define MAIN_TITLE  "brood: main ["

struct snapshot {
    struct arena *arena;
    struct found_process *list;
    size_t n;
    size_t room;
    int64_t now_ms; /* since boot */
};

/* Up to room - 1 bytes of /proc/PID/NAME, NUL-terminated; how many, or -1. */
static ssize_t
read_proc(pid_t pid, const char *name, char *text, size_t room)
{
    char path[64];
    ssize_t n;
    br_cleanup(fd_closep) int fd = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, room - 1);
    if (n >= 0)
        text[n] = '\0';
    return n;
}

/* Words of a command line are separated by NUL, a title is followed by some. */
static const char *
read_title(struct arena *a, pid_t pid)
{
    char text[TITLE_BYTES];
    ssize_t n = read_proc(pid, "cmdline", text, sizeof(text));

    while (n > 0 && (text[n - 1] == '\0' || text[n - 1] == ' '))
        n--;
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\0')
            text[i] = ' ';
    }
    return arena_cstr(a, slice_make(text, (size_t)br_max(n, (ssize_t)0)));
}

/* proc(5): the name in parentheses may hold anything; state and parent follow it, start is
 * field 22. */
static bool
read_stat(struct snapshot *s, struct found_process *p)
{
    char text[1024];
    const char *at;
    unsigned long long start;
    int parent;

    if (read_proc(p->pid, "stat", text, sizeof(text)) < 0)
        return false;
    at = strrchr(text, ')');
    if (at == NULL || sscanf(at, ") %*c %d", &parent) != 1)
        return false;
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, "%llu", &start) != 1)
        return false;
    p->parent = parent;
    p->age_ms = s->now_ms - (int64_t)(start * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    return true;
}

static void
add_process(struct snapshot *s, pid_t pid)
{
    struct found_process p = {.pid = pid};
    struct stat st;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (stat(path, &st) < 0 || !read_stat(s, &p))
        return;
    p.uid = st.st_uid;
    p.title = read_title(s->arena, pid);
    if (s->n == s->room) {
        struct found_process *more = arena_array(s->arena, struct found_process, 2 * s->room + 256);

        if (s->n > 0)
            memcpy(more, s->list, s->n * sizeof(p));
        s->list = more;
        s->room = 2 * s->room + 256;
    }
    s->list[s->n++] = p;
}

static int
by_pid(const void *a, const void *b)
{
    const struct found_process *left = a, *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

int
find_processes(struct arena *a, struct found_process **ret_list, size_t *ret_n, struct br_err *err)
{
    struct snapshot s = {.arena = a};
    struct timespec now;
    DIR *dir = opendir("/proc");

    if (dir == NULL)
        return br_fail(err, -errno, "cannot read /proc");
    clock_gettime(CLOCK_BOOTTIME, &now);
    s.now_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0]))
            add_process(&s, (pid_t)strtol(entry->d_name, NULL, 10));
    }
    closedir(dir);
    if (s.n > 0)
        qsort(s.list, s.n, sizeof(*s.list), by_pid);
    *ret_list = s.list;
    *ret_n = s.n;
    return 0;
}

static bool
is_main(const struct found_process *p)
{
    struct slice title = slice_cstr(p->title);

    return (p->uid == 0 || p->uid == geteuid()) && slice_starts(title, SLICE(MAIN_TITLE)) &&
           slice_ends(title, SLICE("]"));
}

/* What stands behind the option, after a space or '='; the last one counts.  false: not there. */
static bool
option_value(const struct found_process *main, const char *option, struct slice *ret_value)
{
    struct slice name = slice_cstr(option);
    struct slice rest = slice_cstr(main->title), word, value = SLICE_NONE;
    bool found = false;

    rest.n--; /* ']' */
    while (slice_split(&rest, ' ', &word)) {
        if (slice_eq(word, name)) {
            found = true;
            if (!slice_split(&rest, ' ', &value))
                value = SLICE_NONE;
        } else if (word.n > name.n && slice_starts(word, name) && word.p[name.n] == '=') {
            found = true;
            value = slice_sub(word, name.n + 1, word.n);
        }
    }
    *ret_value = value;
    return found;
}

bool
find_has_option(const struct found_process *main, const char *option)
{
    struct slice value;

    return option_value(main, option, &value);
}

const char *
find_option(struct arena *a, const struct found_process *main, const char *option,
            const char *usual)
{
    char cwd[PATH_MAX], link[64];
    struct slice value, path, scheme = SLICE("");
    ssize_t n;

    if (!option_value(main, option, &value) || value.n == 0)
        return usual;
    if (slice_starts(value, SLICE("unix:")))
        scheme = SLICE("unix:");
    path = slice_sub(value, scheme.n, value.n);
    if (path.n == 0 || path.p[0] == '/' || path.p[0] == '@' ||
        (scheme.n == 0 && strcmp(option, "--control") == 0))
        return arena_cstr(a, value);
    snprintf(link, sizeof(link), "/proc/%d/cwd", (int)main->pid);
    n = readlink(link, cwd, sizeof(cwd));
    if (n < 0)
        return arena_cstr(a, value);
    return arena_printf(a, SLICE_FMT "%.*s/" SLICE_FMT, SLICE_ARG(scheme), (int)n, cwd,
                        SLICE_ARG(path));
}

static const char *
control_of(struct arena *a, const struct found_process *main)
{
    return find_option(a, main, "--control", DEFAULT_CONTROL);
}

/* A child that was just forked still shows its parent's title. */
static bool
is_child_of_main(const struct found_process *list, size_t n, const struct found_process *p)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].pid == p->parent)
            return is_main(&list[i]);
    }
    return false;
}

/* The mains among n processes move to the front; how many. */
static size_t
keep_mains(struct found_process *list, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_main(&list[i]) && !is_child_of_main(list, n, &list[i])) {
            struct found_process p = list[i];

            list[i] = list[kept];
            list[kept++] = p;
        }
    }
    return kept;
}

/* The main with that socket; without an address the only one, or that with the usual socket. */
static const struct found_process *
choose(struct arena *a, const struct found_process *mains, size_t n, const char *address)
{
    if (address == NULL && n == 1)
        return mains;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(control_of(a, &mains[i]), address != NULL ? address : DEFAULT_CONTROL) == 0)
            return &mains[i];
    }
    return NULL;
}

int
find_control(struct arena *a, const char **ret_address, struct br_err *err)
{
    struct found_process *list = NULL;
    const struct found_process *main;
    size_t n = 0;

    /* Without /proc there is still the usual place. */
    if (find_processes(a, &list, &n, NULL) == 0)
        n = keep_mains(list, n);
    main = choose(a, list, n, NULL);
    if (n > 1 && main == NULL) {
        const char *addresses = "";

        for (size_t i = 0; i < n; i++)
            addresses = arena_printf(a, "%s\n  --control %s", addresses, control_of(a, &list[i]));
        return br_fail(err, -EBADMSG, "%zu broods run here, say which one:%s", n, addresses);
    }
    *ret_address = main != NULL ? control_of(a, main) : DEFAULT_CONTROL;
    return 0;
}

int
find_main(struct arena *a, const char *address, struct found_process *ret_main, struct br_err *err)
{
    struct found_process *list = NULL;
    const struct found_process *main;
    size_t n = 0;
    int rc = find_processes(a, &list, &n, err);

    if (rc < 0)
        return rc;
    main = choose(a, list, keep_mains(list, n), address);
    if (main == NULL) {
        br_fail(err, -EBADMSG, "no brood runs here%s%s", address != NULL ? " with --control " : "",
                address != NULL ? address : "");
        return -ESRCH;
    }
    *ret_main = *main;
    return 0;
}
