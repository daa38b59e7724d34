/*
 * interpreter.c - find, ask and name the interpreters of one language.
 *
 *   describe:  PATH: python3, python3.8 … -> "-c print version" -> type, version, path, guest
 *   setup:     home, or type with a version, or PATH -> the path to execute
 *
 * A virtual environment is a home like any other: its bin/python knows where it stands.
 */
#include "modules/interpreter.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/slice.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/*
 * An interpreter that has not told its version by then is left out, and with it a stored
 * configuration that needs it: a machine that is busy starting up gets its time.
 */
#define ASK_MS 30000

static bool
is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static struct slice
search_path(void)
{
    const char *path = getenv("PATH");

    return slice_cstr(path && *path ? path : DEFAULT_PATH);
}

/* DIR/NAME, when it fits and can be executed. */
static bool
program_in(struct slice dir, const char *name, char ret_path[MODULE_PATH_MAX])
{
    char path[MODULE_PATH_MAX];
    int n = snprintf(path, sizeof(path), SLICE_FMT "/%s", SLICE_ARG(dir), name);

    if (dir.n == 0 || dir.p[0] != '/' || n >= (int)sizeof(path) || !is_program(path))
        return false;
    memcpy(ret_path, path, (size_t)n + 1);
    return true;
}

static bool
program_of_path(const char *name, char ret_path[MODULE_PATH_MAX])
{
    struct slice rest = search_path(), dir;

    while (slice_split(&rest, ':', &dir)) {
        if (program_in(dir, name, ret_path))
            return true;
    }
    return false;
}

/* A program itself and no script, such as those that version managers put into PATH. */
static bool
is_elf(const char *path)
{
    char magic[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool elf = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
               memcmp(magic, "\177ELF", sizeof(magic)) == 0;

    if (fd >= 0)
        close(fd);
    return elf;
}

int
interpreter_guest(const struct interpreter *in, const char *modules_dir,
                  char ret_path[MODULE_PATH_MAX], struct br_err *err)
{
    char absolute[PATH_MAX];
    const char *dir = realpath(modules_dir, absolute);

    if (snprintf(ret_path, MODULE_PATH_MAX, "%s/%s", dir ? dir : modules_dir, in->guest) >=
        MODULE_PATH_MAX)
        return br_fail(err, -ENAMETOOLONG, "modules directory \"%s\"", modules_dir);
    return 0;
}

/* ---- setup ---- */

/* What follows the language in "python 3.9", "python3"; empty when nothing does. */
static const char *
version_of(const struct interpreter *in, const char *type)
{
    size_t n = strlen(in->type);

    if (strncmp(type, in->type, n) != 0)
        return "";
    type += n;
    while (*type == ' ')
        type++;
    return type;
}

static int
find_in_home(const struct interpreter *in, const char *home, char ret_path[MODULE_PATH_MAX],
             struct br_err *err)
{
    char absolute[PATH_MAX]; /* relative to the working directory, which is the application's */
    char bin[PATH_MAX + 8];

    if (realpath(home, absolute) == NULL)
        return br_fail(err, -errno, "cannot enter home \"%s\"", home);
    snprintf(bin, sizeof(bin), "%s/bin", absolute);
    if (program_in(slice_cstr(bin), in->program, ret_path) ||
        program_in(slice_cstr(bin), in->stem, ret_path))
        return 0;
    return br_fail(err, -ENOENT, "no \"bin/%s\" in home \"%s\"", in->program, home);
}

/*
 * "3.9" is python3.9 of PATH; "3.9.18" is that too, since no name says more.  "3" and nothing mean
 * the plain one.
 */
static void
name_version(const struct interpreter *in, const char *version, char ret_name[2 * MODULE_TYPE_MAX])
{
    const char *dot = strchr(version, '.');
    size_t n;

    if (dot == NULL) {
        snprintf(ret_name, 2 * MODULE_TYPE_MAX, "%s", in->program);
        return;
    }
    n = (size_t)(dot - version) + 1 + strspn(dot + 1, "0123456789");
    snprintf(ret_name, 2 * MODULE_TYPE_MAX, "%s%.*s", in->stem,
             (int)br_min(n, (size_t)MODULE_TYPE_MAX), version);
}

static int
find_version(const struct interpreter *in, const char *version, char ret_path[MODULE_PATH_MAX],
             struct br_err *err)
{
    char name[2 * MODULE_TYPE_MAX];

    name_version(in, version, name);
    if (program_of_path(name, ret_path))
        return 0;
    return br_fail(err, -ENOENT, "no \"%s\" in PATH", name);
}

int
interpreter_find(const struct interpreter *in, const struct module_setup *s,
                 char ret_path[MODULE_PATH_MAX], struct br_err *err)
{
    const char *home = s->get(s, "home", NULL);

    if (home)
        return find_in_home(in, home, ret_path, err);
    return find_version(in, version_of(in, s->get(s, "type", in->type)), ret_path, err);
}

/* ---- another root ---- */

/* The first of that name in PATH that is the program itself: a script would need its own friends.
 */
static int
find_elf(const struct interpreter *in, const char *version, char ret_path[MODULE_PATH_MAX],
         struct br_err *err)
{
    struct slice rest = search_path(), dir;
    char name[2 * MODULE_TYPE_MAX];

    name_version(in, version, name);
    while (slice_split(&rest, ':', &dir))
        if (program_in(dir, name, ret_path) && is_elf(ret_path))
            return 0;
    return br_fail(err, -ENOENT, "no \"%s\" in PATH", name);
}

/* The library of an interpreter that lies outside the system's: ~/opt/bin/python3 has ~/opt/lib. */
static int
add_library(const char *program, struct module_deps *ret)
{
    char path[PATH_MAX];
    char *slash;

    if (realpath(program, path) == NULL)
        return -errno;
    if (module_deps_add(ret, path) < 0)
        return -ENOSPC;
    for (int up = 0; up < 2; up++)
        if ((slash = strrchr(path, '/')) != NULL)
            *slash = '\0';
    if (strcmp(path, "/usr") == 0 || path[0] == '\0' || strlen(path) + 5 > sizeof(path))
        return 0;
    strcat(path, "/lib");
    return module_deps_add(ret, path);
}

int
interpreter_deps(const struct interpreter *in, const struct module_setup *s,
                 struct module_deps *ret, struct br_err *err)
{
    /* /lib may be a link to /usr/lib in the other root: what it leads to comes first. */
    static const char *const shared[] = {"/usr/lib", "/usr/lib64", "/usr/local/lib",
                                         "/lib",     "/lib64",     "/etc/ld.so.cache"};
    char program[MODULE_PATH_MAX];
    int rc = find_elf(in, version_of(in, s->get(s, "type", in->type)), program, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < array_len(shared) && rc == 0; i++)
        rc = module_deps_add(ret, shared[i]);
    if (rc == 0)
        rc = module_deps_add(ret, program);
    if (rc == 0)
        rc = add_library(program, ret);
    return rc < 0 ? br_fail(err, rc, "the files of \"%s\"", program) : 0;
}

/* ---- describe ---- */

static void br_noreturn
become(const struct interpreter *in, const char *path, int out)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execl(path, path, "-c", in->ask, (char *)NULL);
    _exit(127);
}

/* What it prints, up to the end or ASK_MS.  The number of bytes, or -1. */
static ssize_t
listen_to(int fd, char *text, size_t room)
{
    int64_t until = clock_us() / 1000 + ASK_MS;
    size_t n = 0;

    while (n < room) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t wait = until - clock_us() / 1000;
        ssize_t got;

        if (wait <= 0 || poll(&p, 1, (int)wait) <= 0)
            return -1;
        got = read(fd, text + n, room - n);
        if (got <= 0)
            return got < 0 ? -1 : (ssize_t)n;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

/* Run it once: its version, "" when it does not say one. */
static void
ask_version(const struct interpreter *in, const char *path, char ret_version[MODULE_TYPE_MAX])
{
    char text[MODULE_TYPE_MAX];
    int pipe_fds[2];
    ssize_t n;
    pid_t pid;

    ret_version[0] = '\0';
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0)
        become(in, path, pipe_fds[1]);
    fd_close(&pipe_fds[1]);
    n = pid > 0 ? listen_to(pipe_fds[0], text, sizeof(text) - 1) : -1;
    fd_close(&pipe_fds[0]);
    if (pid > 0 && n < 0)
        kill(pid, SIGKILL);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (n <= 0 || !isdigit((unsigned char)text[0]))
        return;
    text[n] = '\0';
    text[strcspn(text, " \n")] = '\0';
    strcpy(ret_version, text);
}

static bool
is_known(const struct module_list *list, const char *version)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (strcmp(list->version[i].version, version) == 0)
            return true;
    }
    return false;
}

static void
add(const struct interpreter *in, const char *path, const char *guest, struct module_list *list)
{
    char version[MODULE_TYPE_MAX];

    ask_version(in, path, version);
    if (version[0] != '\0' && !is_known(list, version))
        module_list_add(list, in->type, version, path, guest);
}

/* "python3.11", not "python3.11-config" and not "python3". */
static bool
has_version(const struct interpreter *in, const char *name)
{
    size_t n = strlen(in->stem);

    return strncmp(name, in->stem, n) == 0 && strchr(name, '.') != NULL && name[n] != '\0' &&
           strspn(name + n, "0123456789.") == strlen(name + n);
}

static void
add_all_in(const struct interpreter *in, struct slice dir, const char *guest,
           struct module_list *list)
{
    char path[MODULE_PATH_MAX];
    struct dirent *e;
    DIR *d;

    if (snprintf(path, sizeof(path), SLICE_FMT, SLICE_ARG(dir)) >= (int)sizeof(path))
        return;
    d = opendir(path);
    while (d && (e = readdir(d)) != NULL) {
        /* Such a script would take its time to say that its version is not installed. */
        if (has_version(in, e->d_name) && program_in(dir, e->d_name, path) && is_elf(path))
            add(in, path, guest, list);
    }
    if (d)
        closedir(d);
}

int
interpreter_describe(const struct interpreter *in, const char *modules_dir,
                     struct module_list *ret_list, struct br_err *err)
{
    struct slice rest = search_path(), dir;
    char guest[MODULE_PATH_MAX];
    char path[MODULE_PATH_MAX];
    int rc = interpreter_guest(in, modules_dir, guest, err);

    if (rc < 0)
        return rc;
    if (program_of_path(in->program, path))
        add(in, path, guest, ret_list);
    while (slice_split(&rest, ':', &dir))
        add_all_in(in, dir, guest, ret_list);
    return 0;
}
