/*
 * run.c - all of prefork-interp: find the server or start one, be its caller, end as it ends.
 *
 *   connect --greeted--> request --> relay --> end
 *      | nobody, or reset before the greeting
 *   lock --> connect once more --nobody--> start --> its first greeting --> request ...
 *
 * The lock is held from before bind until the first greeting, so that first callers who race start
 * one server.  What fails before a service was asked to run ends in the plain interpreter, unless
 * --no-fallback: a script is never worse off than without us.
 */
#include "interp/run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/complaint.h"
#include "interp/helper.h"
#include "interp/patience.h"
#include "interp/relay.h"
#include "interp/report.h"
#include "interp/start.h"
#include "interp/wire.h"

#define IDENTITIES_MOST 100

struct run {
    struct invocation inv;
    char **environ_;
    struct rundir dir;
    struct names names;
    struct br_err err;
};

/* The accelerator itself has failed, and nothing was run. */
static int
fall_back(struct run *r)
{
    char **words;

    if (r->inv.no_fallback || r->inv.mode == INVOKE_WARM)
        return complain("%s", r->err.text);
    if (isatty(STDERR_FILENO))
        complain("%s: running %s directly", r->err.text, r->inv.interpreter);
    words = start_command(&r->inv);
    if (words == NULL)
        return complain("out of memory");
    execvpe(r->inv.interpreter, words, r->environ_);
    return complain("execute %s: %s", r->inv.interpreter, strerror(errno));
}

static int
end(uint32_t status, bool exact, const char *what)
{
    int code;

    if (relay_end(status, exact, &code) == RELAY_EXIT)
        return code;
    return complain_status(status, what);
}

/* Connected and greeted: be the caller. */
static int
call(struct run *r, int fd, const struct greeting *g, bool sent)
{
    uint32_t status;

    if (r->inv.mode == INVOKE_WARM)
        return 0;
    if (!sent && request_send(fd, g, &r->inv, r->environ_) != REQUEST_SENT)
        return complain("the monitor process quit before it had the request");
    debug_step("request%s sent%s", sent ? " was" : "", g->extended ? "" : ", plain");
    if (relay_wait(fd, g, &status) != RELAY_ENDED)
        return complain("monitor process quit unexpectedly");
    debug_step("status 0x%x", status);
    return end(status, g->extended, "invocation");
}

/* Its directory is the first caller's for good: then each directory needs a server. */
static bool
lacks_directory(const struct run *r, const struct greeting *g)
{
    return r->inv.any_directory && !g->cwd;
}

static bool
set_names(struct run *r)
{
    char ordinary[IDENTITY_STANDING + 1];
    bool known = rundir_ordinary(&r->dir, ordinary);
    int rc = identity_name(&r->inv, r->environ_, rundir_room(&r->dir), known ? ordinary : NULL,
                           r->names.socket + 1, sizeof(r->names.socket) - 1);

    if (rc < 0) {
        br_fail(&r->err, rc, "no identity for \"%s\" in \"%s\"",
                r->inv.ident != NULL ? r->inv.ident : r->inv.interpreter, r->dir.path);
        return false;
    }
    r->names.socket[0] = 's';
    r->names.lock[0] = 'l';
    strcpy(r->names.lock + 1, r->names.socket + 1);
    return true;
}

enum outcome { OUTCOME_DONE, OUTCOME_NO_SERVER, OUTCOME_FAILED };

/*
 * The running server's turn.
 *
 *   connected   already, or -1
 *   sent        the request as well
 *   lock        held meanwhile, let go once it has greeted; may be NULL
 *
 * *ret_code: the exit code when done; when failed, r->err says why, and nothing was run.
 */
static enum outcome
use_running(struct run *r, int connected, bool sent, int *lock, int *ret_code)
{
    br_cleanup(fd_closep) int fd = connected;
    enum request_outcome why;
    struct greeting g;
    uint8_t magic[4];

    if (fd < 0)
        fd = request_connect(&r->dir, r->names.socket, false, &why);
    if (fd < 0) {
        if (why == REQUEST_NO_SERVER)
            return OUTCOME_NO_SERVER;
        br_fail(&r->err, why == REQUEST_BAD_PEER ? -EPERM : -errno, "socket \"%s/%s\"", r->dir.path,
                r->names.socket);
        return OUTCOME_FAILED;
    }
    debug_step("connected to %s/%s", r->dir.path, r->names.socket);
    switch (patience_greeting(fd, &r->dir, &r->names, lock != NULL, r->inv.wait_s, &g, magic)) {
    case REQUEST_SENT:
        break;
    case REQUEST_BAD_MAGIC:
        *ret_code = complain("got unexpected protocol magic 0x%02x%02x%02x%02x", magic[0], magic[1],
                             magic[2], magic[3]);
        return OUTCOME_DONE;
    case REQUEST_TOO_SLOW:
        complain("no free place in %lld s", (long long)r->inv.wait_s);
        *ret_code = EXIT_NO_PLACE;
        return OUTCOME_DONE;
    default:
        debug_step("no greeting: it went");
        return OUTCOME_NO_SERVER;
    }
    if (sent && !g.extended)
        return OUTCOME_NO_SERVER; /* another one than the mark spoke of: it cannot read that */
    if (lacks_directory(r, &g)) {
        r->inv.any_directory = false;
        return set_names(r) ? use_running(r, -1, false, NULL, ret_code) : OUTCOME_FAILED;
    }
    if (lock != NULL)
        fd_close(lock);
    *ret_code = call(r, fd, &g, sent);
    return OUTCOME_DONE;
}

/* The initialisation has ended; the lock is ours until the first greeting. */
static int
first_call(struct run *r, const struct start *s, int *lock)
{
    br_cleanup(fd_closep) int fd = s->call;
    struct greeting g;
    uint8_t magic[4];
    enum request_outcome got;

    if (s->timed_out)
        return complain("setup took more than %lld s", (long long)r->inv.start_timeout_s);
    if (s->status != 0) {
        fd_close(lock);
        return end((uint32_t)s->status, false, "setup");
    }
    got = request_greeting(fd, -1, &g, magic);
    fd_close(lock);
    if (got == REQUEST_BAD_MAGIC)
        return complain("got unexpected protocol magic 0x%02x%02x%02x%02x", magic[0], magic[1],
                        magic[2], magic[3]);
    if (got != REQUEST_SENT)
        return complain("setup failed: initial monitor process quit (maybe script didn't call "
                        "prefork_initialisation_complete?)");
    debug_step("server started, greeted%s", g.extended ? " with " WIRE_MARK : "");
    return call(r, fd, &g, false);
}

static int
run_script(struct run *r, int connected, bool sent)
{
    char server_path[HELPER_PATH_MAX];
    br_cleanup(fd_closep) int lock = -1;
    struct start s;
    int code;

    if (r->inv.mode == INVOKE_RUN || r->inv.mode == INVOKE_WARM) {
        switch (use_running(r, connected, sent, NULL, &code)) {
        case OUTCOME_DONE:
            return code;
        case OUTCOME_FAILED:
            return fall_back(r);
        case OUTCOME_NO_SERVER:
            break;
        }
    }
    lock_clean(&r->dir, IDENTITIES_MOST);
    lock = lock_take(&r->dir, r->names.lock, true, &r->err);
    if (lock < 0)
        return fall_back(r);
    debug_step("have the lock");
    if (r->inv.mode != INVOKE_FRESH) {
        switch (use_running(r, -1, false, &lock, &code)) {
        case OUTCOME_DONE:
            return code;
        case OUTCOME_FAILED:
            return fall_back(r);
        case OUTCOME_NO_SERVER:
            break;
        }
    }
    if (helper_find(server_path) < 0)
        server_path[0] = '\0';
    if (start_server(&r->inv, r->environ_, &r->dir, &r->names, server_path, &s, &r->err) < 0)
        return fall_back(r);
    return first_call(r, &s, &lock);
}

static int
run(struct run *r, int connected, bool sent)
{
    if (r->inv.mode == INVOKE_HELP || r->inv.mode == INVOKE_VERSION)
        return report_self(r->inv.mode);
    if (request_fill_stdio() < 0)
        return complain("cannot open /dev/null: %s", strerror(errno));
    if (rundir_make(getuid(), &r->dir, &r->err) < 0)
        return r->inv.mode == INVOKE_RUN || r->inv.mode == INVOKE_FRESH
                   ? fall_back(r)
                   : complain("%s", r->err.text);
    if (r->inv.mode == INVOKE_LIST)
        return report_list(&r->dir);
    if (!set_names(r))
        return r->inv.ident != NULL ? complain("%s", r->err.text) : fall_back(r);
    debug_step("identity %s in %s", r->names.socket + 1, r->dir.path);
    switch (r->inv.mode) {
    case INVOKE_KILL:
        return report_kill(&r->dir, &r->names, &r->err);
    case INVOKE_STATUS:
        return report_status(&r->dir, &r->names);
    case INVOKE_EXPLAIN:
        return report_explain(&r->inv, r->environ_, &r->dir, &r->names);
    case INVOKE_RUN:
    case INVOKE_FRESH:
    case INVOKE_WARM:
    case INVOKE_LIST:
    case INVOKE_HELP:
    case INVOKE_VERSION:
        break;
    }
    return run_script(r, connected, sent);
}

int
interp_run(int argc, char **argv, char **environ_, int connected, bool sent)
{
    static struct run r; /* the directory's path is long */
    int code;

    if (getauxval(AT_SECURE) != 0 || getuid() != geteuid())
        return complain("refuses to run with privileges that its caller does not have");
    r = (struct run){.environ_ = environ_, .dir.fd = -1};
    if (invocation_read(&r.inv, argc, argv) != INVOCATION_GOOD)
        code = complain_invocation(&r.inv);
    else
        code = run(&r, connected, sent);
    rundir_close(&r.dir);
    invocation_done(&r.inv);
    return code;
}
