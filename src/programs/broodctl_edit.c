/*
 * broodctl_edit.c - a part of the configuration through the operator's editor.
 *
 *   GET --> file --> editor --> nothing changed? done
 *            ^                  PUT --> applied: done
 *            |                    `---> refused: say where and why, ask
 *            `------- yes -------------------'  no: keep the file, say where it is
 *
 * The PUT names the ETag of what was read, so that a change made meanwhile is not lost.
 *
 * The editor is a command of the shell ("code --wait"), as sudoedit(8) and others have it.  The
 * file is ours alone: a configuration may hold secrets.  Nothing is ever thrown away unasked.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "programs/broodctl_change.h"
#include "programs/broodctl_input.h"

#define SUFFIX              ".json"
#define PRECONDITION_FAILED 412

struct edit {
    struct ctl *ctl;
    const char *target;
    struct slice before; /* the text as the editor first saw it */
    struct slice etag;   /* and of which configuration it is */
    char *path;          /* of the file */
};

static enum ctl_exit
fetch(struct edit *e)
{
    struct arena *a = &e->ctl->arena;
    struct ctl_answer answer;
    enum ctl_exit code = http_get(e->ctl, a, e->target, &answer);
    char *text;
    size_t n = 0;

    if (code != CTL_OK)
        return code;
    text = arena_alloc(a, answer.body.n);
    for (size_t i = 0; i < answer.body.n; i++) {
        if (answer.body.p[i] != '\r')
            text[n++] = answer.body.p[i];
    }
    e->before = slice_make(text, n);
    e->etag = answer.etag;
    return CTL_OK;
}

static enum ctl_exit
make_file(struct edit *e)
{
    const char *dir = getenv("TMPDIR");
    br_cleanup(fd_closep) int fd = -1;
    int rc;

    e->path = arena_printf(&e->ctl->arena, "%s/broodctl-XXXXXX" SUFFIX,
                           dir != NULL && *dir != '\0' ? dir : "/tmp");
    fd = mkostemps(e->path, strlen(SUFFIX), O_CLOEXEC);
    if (fd < 0)
        return ctl_fail(CTL_REFUSED, "cannot make \"%s\": %s", e->path, strerror(errno));
    rc = fd_write_all(fd, e->before.p, e->before.n);
    if (rc == 0)
        return CTL_OK;
    unlink(e->path);
    return ctl_fail(CTL_REFUSED, "cannot write \"%s\": %s", e->path, strerror(-rc));
}

static const char *
editor(void)
{
    static const char *const names[] = {"VISUAL", "EDITOR"};

    for (size_t i = 0; i < array_len(names); i++) {
        const char *command = getenv(names[i]);

        if (command != NULL && *command != '\0')
            return command;
    }
    return "vi";
}

static void
become_editor(struct edit *e)
{
    const char *script = arena_printf(&e->ctl->arena, "%s \"$1\"", editor());

    execl("/bin/sh", "sh", "-c", script, "sh", e->path, (char *)NULL);
    _exit(127);
}

/* Until it ends.  ^C in the editor is the editor's. */
static enum ctl_exit
run_editor(struct edit *e)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    int status = -1;
    pid_t pid;

    fflush(NULL);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    pid = fork();
    if (pid == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
        become_editor(e);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CTL_OK;
    return ctl_fail(CTL_REFUSED, "the editor \"%s\" failed; the text is kept in %s", editor(),
                    e->path);
}

/* One round.  ret_again: refused, and the operator wants to correct it. */
static enum ctl_exit
try_once(struct edit *e, bool *ret_again)
{
    struct arena *a = &e->ctl->arena;
    struct ctl_request request = {.method = "PUT", .target = e->target, .if_match = e->etag};
    struct ctl_answer answer = {0};
    enum ctl_exit code = run_editor(e);

    *ret_again = false;
    if (code == CTL_OK)
        code = input_read(a, e->path, &request.body, &request.origin);
    if (code != CTL_OK)
        return code;
    if (slice_eq(request.body, e->before)) {
        unlink(e->path);
        fputs("broodctl: nothing was changed\n", stderr);
        return CTL_OK;
    }
    code = change_make(e->ctl, &request, NULL, &answer);
    if (code == CTL_OK) {
        unlink(e->path);
        return CTL_OK;
    }
    /* Another change came first: no editing of this text makes it an edit of that one. */
    *ret_again = code == CTL_REFUSED && answer.status != PRECONDITION_FAILED &&
                 input_agrees("Edit again?", true);
    if (!*ret_again)
        ctl_fail(code, "the text is kept in %s", e->path);
    return code;
}

enum ctl_exit
ctl_edit(struct ctl *ctl, int n, char **words)
{
    struct edit e = {
        .ctl = ctl,
        .target = http_target(&ctl->arena, n > 0 ? words[0] : "/config"),
    };
    bool again = true;
    enum ctl_exit code = fetch(&e);

    if (code == CTL_OK)
        code = make_file(&e);
    if (code != CTL_OK)
        return code;
    while (again)
        code = try_once(&e, &again);
    return code;
}
