/*
 * prefork_interp.c - main() of prefork-interp: the fast path of every call, and nothing else.
 *
 *   command line --identity--> running server --request--> service --status--> the same end
 *        `--------- anything out of the ordinary --------> brood-interp (interp/helper.h)
 *
 * This program's own start is most of what a call costs, so it is linked without a C library where
 * the architecture allows (tiny_libc.c): four page faults against fifty.  Hence no stdio, no
 * locale, no name service here; whatever needs a sentence is the other program's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/helper.h"
#include "interp/identity.h"
#include "interp/relay.h"
#include "interp/request.h"
#include "interp/rundir.h"

#define FAILED 127
#define PATIENCE_MS \
    2000 /* for the greeting; then the other program looks whether the server lives */

struct call {
    int argc;
    char **argv;
    char **environ_;
    struct invocation inv;
    struct greeting greeting;
    int fd;
    bool ahead; /* the request may be sent before the greeting */
};

static int
say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

    (void)ignored;
    return FAILED;
}

static int
become(struct call *c, const char *const *words)
{
    relay_release();
    helper_exec(words, c->argc, c->argv, c->environ_);
    return say("prefork-interp: cannot execute brood-interp, which belongs beside it or in "
               "../libexec/brood\n");
}

static void
put_number(char *to, uint32_t v)
{
    char digits[12];
    char *p = digits + sizeof(digits) - 1;

    *p = '\0';
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    memcpy(to, p, (size_t)(digits + sizeof(digits) - p));
}

/* A connection to the running server of this invocation; -1: there is none, or not a sound one. */
static int
connect_running(struct call *c)
{
    static struct rundir dir;
    char name[RUNDIR_NAME_MAX] = "s";
    char ordinary[IDENTITY_STANDING + 1];
    bool known = false;
    enum request_outcome why;

    if (rundir_find(getuid(), &dir) < 0)
        return -1;
    if (c->inv.ident != NULL)
        known = rundir_ordinary(&dir, ordinary);
    if (identity_name(&c->inv, c->environ_, rundir_room(&dir), known ? ordinary : NULL, name + 1,
                      sizeof(name) - 1) < 0)
        return -1;
    c->ahead = request_is_ahead(&dir, name);
    return request_connect(&dir, name, false, &why);
}

/* It has not greeted: whoever takes over keeps our place in its queue. */
static int
wait_elsewhere(struct call *c)
{
    char number[12];
    const char *const words[] = {c->ahead ? "sent" : "wait", number, NULL};

    fd_set_cloexec(c->fd, false);
    put_number(number, (uint32_t)c->fd);
    return become(c, words);
}

static int
end(struct call *c, uint32_t status)
{
    char number[12];
    const char *const words[] = {"ended", number, NULL};
    int code;

    if (relay_end(status, c->greeting.extended, &code) == RELAY_EXIT)
        return code;
    put_number(number, status);
    c->argc = 1;
    return become(c, words);
}

/* false: the connection is lost, and nothing was run. */
static bool
send_ahead(struct call *c)
{
    switch (request_send_ahead(c->fd, &c->inv, c->environ_)) {
    case REQUEST_SENT:
        return true;
    case REQUEST_NOT_AHEAD:
        c->ahead = false;
        return true;
    default:
        return false;
    }
}

static int
call(struct call *c)
{
    static const char *const run[] = {"run", NULL};
    uint8_t magic[4];
    uint32_t status;

    if (invocation_read(&c->inv, c->argc, c->argv) != INVOCATION_GOOD ||
        c->inv.mode != INVOKE_RUN || getenv("PREFORK_INTERP_DEBUG") != NULL ||
        request_fill_stdio() < 0)
        return become(c, run);
    c->fd = connect_running(c);
    if (c->fd < 0 || (c->ahead && !send_ahead(c)))
        return become(c, run);
    switch (request_greeting(c->fd, PATIENCE_MS, &c->greeting, magic)) {
    case REQUEST_SENT:
        break;
    case REQUEST_TOO_SLOW:
        return wait_elsewhere(c);
    default:
        return become(c, run);
    }
    if ((c->inv.any_directory && !c->greeting.cwd) || (c->ahead && !c->greeting.extended))
        return become(c, run);
    if (!c->ahead && request_send(c->fd, &c->greeting, &c->inv, c->environ_) != REQUEST_SENT)
        return say("prefork-interp: the monitor process quit before it had the request\n");
    if (relay_wait(c->fd, &c->greeting, &status) != RELAY_ENDED)
        return say("prefork-interp: monitor process quit unexpectedly\n");
    return end(c, status);
}

int
main(int argc, char **argv, char **environ_)
{
    static struct call c;

    if (getauxval(AT_SECURE) != 0 || getauxval(AT_UID) != getauxval(AT_EUID))
        return say(
            "prefork-interp: refuses to run with privileges that its caller does not have\n");
    c.argc = argc;
    c.argv = argv;
    c.environ_ = environ_;
    return call(&c);
}
