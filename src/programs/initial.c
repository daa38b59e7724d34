/*
 * initial.c - the process of a first start.
 *
 *   DIR, sorted --> for each kind of file --> for each file --> PUT over the control socket, or run
 *
 * It talks to the controller as every client does, so whatever is refused is refused in the same
 * words.  A start that was cut off is repeated from the beginning: a certificate that is there
 * already was uploaded then.
 */
#include "programs/initial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_store.h"
#include "programs/broodctl.h"
#include "programs/control_http.h"

struct first {
    struct arena arena;
    struct ctl ctl;
    const char *dir;
    struct dirent **entries; /* sorted by name */
    int n;
};

/* One kind of files. */
struct kind {
    const char *suffix;
    int (*take)(struct first *f, const char *name, const char *path, struct br_err *err);
};

static const char *
detail_of(struct first *f, const struct ctl_answer *answer)
{
    static const char *const names[] = {"error", "path", "detail"};
    const char *text = "";

    for (size_t i = 0; i < array_len(names); i++) {
        const struct json *value =
            answer->value != NULL ? json_get(answer->value, slice_cstr(names[i])) : NULL;

        if (value != NULL && value->type == JSON_STRING && value->text.n > 0)
            text = arena_printf(&f->arena, "%s%s" SLICE_FMT, text, *text != '\0' ? " " : "",
                                SLICE_ARG(value->text));
    }
    return text;
}

/* Line and column, for who has the file open. */
static const char *
place_of(struct first *f, const struct ctl_answer *answer, const char *path)
{
    const struct json *location =
        answer->value != NULL ? json_get(answer->value, SLICE("location")) : NULL;
    const struct json *line = location != NULL ? json_get(location, SLICE("line")) : NULL;
    const struct json *column = location != NULL ? json_get(location, SLICE("column")) : NULL;

    if (line == NULL || column == NULL)
        return path;
    return arena_printf(&f->arena, "%s:" SLICE_FMT ":" SLICE_FMT, path, SLICE_ARG(line->text),
                        SLICE_ARG(column->text));
}

static int
put(struct first *f, const char *target, const char *path, struct ctl_answer *ret,
    struct br_err *err)
{
    struct ctl_request request = {.method = "PUT", .target = target};
    char *text = NULL;
    size_t n = 0;
    int rc = fd_read_path(path, CONF_STORE_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(err, rc, "cannot read \"%s\"", path);
    request.body = slice_make(text, n);
    rc = http_exchange(&f->ctl, &f->arena, &request, ret, err);
    free(text);
    return rc;
}

static int
judge(struct first *f, const struct ctl_answer *answer, const char *path, struct br_err *err)
{
    if (answer->status / 100 == 2) {
        br_log(LOG_NOTICE, "initial: \"%s\" is applied", path);
        return 0;
    }
    return br_fail(err, -EBADMSG, "%s: %s", place_of(f, answer, path), detail_of(f, answer));
}

static int
take_json(struct first *f, const char *name br_unused, const char *path, struct br_err *err)
{
    struct ctl_answer answer;
    int rc = put(f, "/config", path, &answer, err);

    return rc < 0 ? rc : judge(f, &answer, path, err);
}

static int
take_pem(struct first *f, const char *name, const char *path, struct br_err *err)
{
    const char *bundle = arena_cstr(&f->arena, slice_make(name, strlen(name) - strlen(".pem")));
    const char *target =
        arena_printf(&f->arena, "/certificates/%s", http_segment(&f->arena, bundle));
    struct ctl_answer answer;
    int rc = put(f, target, path, &answer, err);

    if (rc < 0)
        return rc;
    if (answer.status == 400 && strstr(detail_of(f, &answer), "already exists") != NULL) {
        br_log(LOG_NOTICE, "initial: certificate \"%s\" is there already", bundle);
        return 0;
    }
    return judge(f, &answer, path, err);
}

/* In the child. */
static _Noreturn void
execute(const struct first *f, const char *path)
{
    char *const argv[] = {(char *)path, NULL};
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setenv("BROOD_CONTROL", f->ctl.control, 1);
    execv(path, argv);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

static int
take_sh(struct first *f, const char *name br_unused, const char *path, struct br_err *err)
{
    int status = 0;
    pid_t pid;

    if (access(path, X_OK) < 0) {
        br_log(LOG_WARN, "initial: \"%s\" is left out: it is not executable", path);
        return 0;
    }
    pid = fork();
    if (pid == 0)
        execute(f, path);
    if (pid < 0)
        return br_fail(err, -errno, "cannot fork for \"%s\"", path);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return br_fail(err, -errno, "cannot wait for \"%s\"", path);
    if (WIFSIGNALED(status))
        return br_fail(err, -EBADMSG, "%s: killed by signal %d", path, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return br_fail(err, -EBADMSG, "%s: exited with code %d", path, WEXITSTATUS(status));
    br_log(LOG_NOTICE, "initial: \"%s\" is done", path);
    return 0;
}

static const struct kind kinds[] = {{".pem", take_pem}, {".json", take_json}, {".sh", take_sh}};

static bool
is_of_kind(const char *name, const struct kind *kind)
{
    return slice_ends(slice_cstr(name), slice_cstr(kind->suffix)) &&
           strlen(name) > strlen(kind->suffix);
}

static int
is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int
take_all(struct first *f, struct br_err *err)
{
    int rc = 0;

    for (size_t k = 0; k < array_len(kinds); k++)
        for (int i = 0; i < f->n && rc == 0; i++) {
            const char *name = f->entries[i]->d_name;

            if (is_of_kind(name, &kinds[k]))
                rc = kinds[k].take(f, name, arena_printf(&f->arena, "%s/%s", f->dir, name), err);
        }
    return rc;
}

static void
tell_ignored(const struct first *f)
{
    for (int i = 0; i < f->n; i++) {
        bool known = false;

        for (size_t k = 0; k < array_len(kinds); k++)
            known = known || is_of_kind(f->entries[i]->d_name, &kinds[k]);
        if (!known)
            br_log(LOG_WARN, "initial: \"%s/%s\" is left out: not *.pem, *.json or *.sh", f->dir,
                   f->entries[i]->d_name);
    }
}

int
initial_setup(struct task *task, struct process *process br_unused, struct br_err *err)
{
    struct first f = {.ctl = {.control = task->settings->control},
                      .dir = task->settings->initial_dir};
    int rc;

    f.n = scandir(f.dir, &f.entries, is_visible, by_bytes);
    if (f.n < 0)
        return br_fail(err, -errno, "cannot read directory \"%s\"", f.dir);
    arena_init(&f.arena, 0);
    tell_ignored(&f);
    rc = take_all(&f, err);
    for (int i = 0; i < f.n; i++)
        free(f.entries[i]);
    free(f.entries);
    arena_done(&f.arena);
    return rc;
}
