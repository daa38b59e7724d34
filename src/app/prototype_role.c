/*
 * prototype_role.c - birth of an application: from main's fork to the user's interpreter.
 *
 *   main:   prefork: nest, bell        introduce: NEST_OPEN to each router
 *   child:  outside work -> root, mounts -> limits -> user -> directory -> environment -> streams
 *           -> rights -> module -> exec
 *                     `-> front_role: a program is supervised instead
 *
 * The order matters: files are opened and the module runs with the rights of the application,
 * never with main's.  The module is read before the root changes, and asked which of the machine's
 * files it will need there.
 */
#include "app/prototype_role.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "abi/module.h"
#include "abi/module_load.h"
#include "app/app.h"
#include "app/front_role.h"
#include "app/stream.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/spawn.h"
#include "nest/nest.h"
#include "process/confine.h"
#include "process/creds.h"
#include "process/isolation.h"

#define HERITAGE_BYTES 4096

/* ---- in main ---- */

int
prototype_prefork(struct task *task br_unused, struct process *process, struct br_err *err)
{
    int fd;
    int rc;

    if (front_is(process->card) || stream_is(process->card))
        return 0; /* no requests, no nest */
    fd = nest_make();
    if (fd < 0)
        return br_fail(err, fd, "cannot make a nest");
    rc = process_keep(process, "nest", fd);
    if (rc == 0) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        rc = fd < 0 ? -errno : process_keep(process, "bell", fd);
    }
    return rc < 0 ? br_fail(err, rc, "cannot make a doorbell") : 0;
}

void
prototype_introduce(struct task *task br_unused, struct process *process, struct channel *peer)
{
    struct msg_nest m = {
        .launch = process->launch, .instance = process->instance, .size = nest_size()};
    int fds[2];

    if (channel_peer(peer)->role != ROLE_ROUTER || front_is(process->card) ||
        stream_is(process->card))
        return;
    fds[0] = fcntl(process_kept(process, "nest"), F_DUPFD_CLOEXEC, 3);
    fds[1] = fcntl(process_kept(process, "bell"), F_DUPFD_CLOEXEC, 3);
    if (fds[0] < 0 || fds[1] < 0) {
        br_log(LOG_ALERT, "cannot pass on a nest: %s", strerror(errno));
        fd_close(&fds[0]);
        fd_close(&fds[1]);
        return;
    }
    dispatch_tell(peer, MSG_NEST_OPEN, &m, fds, 2);
}

/* ---- in the child ---- */

static int
keep_capabilities(const struct launch *card, struct creds *creds, struct br_err *err)
{
    const char *name;
    unsigned pos = 0;

    while ((name = launch_next(card, "capability", &pos)) != NULL) {
        uint64_t bit = creds_capability(name);

        if (bit == 0)
            return br_fail(err, -EINVAL, "capability \"%s\"", name);
        creds->keep_caps |= bit;
    }
    return 0;
}

/*
 * Whom the application runs as: the card's user, or main's --user when main may change ids at all;
 * NULL: as it is.  Looked up before the root changes.
 */
static int
find_user(struct task *task, const struct launch *card, struct creds *room, struct creds **ret,
          struct br_err *err)
{
    const char *user = launch_get(card, "user", NULL);
    const char *group = launch_get(card, "group", NULL);
    int rc;

    *ret = NULL;
    if (user == NULL && task->settings->privileged) {
        user = task->settings->user;
        group = group ? group : task->settings->group;
    }
    if (user == NULL)
        return 0;
    rc = creds_resolve(user, group, room, err);
    if (rc < 0)
        return rc;
    isolation_fit(card, room);
    *ret = room;
    return keep_capabilities(card, room, err);
}

static int
set_environment(const struct launch *card, struct br_err *err)
{
    const char *text;
    unsigned pos = 0;

    while ((text = launch_next(card, "environment", &pos)) != NULL) {
        char *copy = strdup(text); /* stays in the environment */

        if (copy == NULL || putenv(copy) != 0)
            return br_fail(err, -ENOMEM, "cannot set environment variable \"%s\"", text);
    }
    return 0;
}

static int
null_stdin(struct br_err *err)
{
    br_cleanup(fd_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        return br_fail(err, -errno, "cannot open \"/dev/null\"");
    return 0;
}

static const char *
card_get(const struct module_setup *s, const char *key, const char *fallback)
{
    return launch_get(s->card, key, fallback);
}

static const char *
card_next(const struct module_setup *s, const char *key, unsigned *pos)
{
    return launch_next(s->card, key, pos);
}

/* Does the card let the language's own files into the new root. */
static bool
mounts_language(const struct launch *card)
{
    const char *name;
    unsigned pos = 0;

    while ((name = launch_next(card, "automount", &pos)) != NULL)
        if (strcmp(name, "language_deps") == 0)
            return true;
    return false;
}

/* Always needed: the devices that every program counts on, and where there is a language our
 * guests. */
#define OWN_DEPS "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"
#define N_OWN    5

/* What is mounted in a new root: that, and what the language says; module NULL: there is none. */
static int
isolate(const struct br_module *module, const struct module_setup *setup, struct br_err *err)
{
    static struct module_deps deps;
    const char *list[N_OWN + 1 + MODULE_DEPS_MAX + 1] = {OWN_DEPS};
    unsigned n = N_OWN;
    int rc = 0;

    if (module != NULL)
        list[n++] = setup->modules_dir;
    if (module != NULL && module->deps != NULL && mounts_language(setup->card))
        rc = module->deps(setup, &deps, err);
    for (unsigned i = 0; i < deps.n; i++)
        list[n++] = deps.path[i];
    return rc < 0 ? rc : isolation_inside(setup->card, list, err);
}

/*
 * Rights are given up while there is privilege, since programs that gain rights when executed may
 * be wanted; without privilege no_new_privs must be set first, which is the card's to say.
 */
static int
settle(struct task *task, const struct launch *card, const struct creds *creds, struct br_err *err)
{
    int rc = confine_limits(card, err);

    if (rc == 0)
        rc = confine_rights(card, creds != NULL ? creds->uid : geteuid(), &task->filters, err);
    return rc == 0 && creds != NULL ? spawn_become(task, creds, err) : rc;
}

static int
enter(const struct launch *card, struct br_err *err)
{
    const char *directory = launch_get(card, "working_directory", NULL);
    int rc = 0;

    if (directory != NULL && chdir(directory) < 0)
        rc = br_fail(err, -errno, "cannot enter working directory \"%s\"", directory);
    if (rc == 0)
        rc = set_environment(card, err);
    return rc < 0 ? rc : null_stdin(err);
}

static int
run_module(struct task *task, struct process *process, const struct br_module *module,
           struct module_setup setup, struct br_err *err)
{
    char heritage[HERITAGE_BYTES];
    int rc = spawn_heritage(task, process, heritage, sizeof(heritage));

    setup.heritage = heritage;
    return rc < 0 ? rc : module->setup(&setup, err);
}

/* A program of the type `stream`: it brings the runtime itself (guests/c). */
static int
run_executable(struct task *task, struct process *process, struct br_err *err)
{
    const char **argv = front_arguments(process->card);
    char heritage[HERITAGE_BYTES];
    int rc = spawn_heritage(task, process, heritage, sizeof(heritage));

    if (rc == 0 && (argv == NULL || setenv(MODULE_HERITAGE, heritage, 1) < 0))
        rc = -ENOMEM;
    if (rc < 0)
        return br_fail(err, rc, "cannot pass on descriptors");
    execvp(argv[0], (char *const *)argv);
    return br_fail(err, -errno, "cannot execute \"%s\"", argv[0]);
}

static bool
has_module(const struct launch *card)
{
    return launch_get(card, "module", NULL) != NULL;
}

int
prototype_setup(struct task *task, struct process *process, struct br_err *err)
{
    static char modules_dir[PATH_MAX]; /* absolute: the working directory changes */
    const struct launch *card = process->card;
    struct module_setup setup = {
        .get = card_get, .next = card_next, .card = card, .modules_dir = modules_dir};
    const struct br_module *module = NULL;
    struct creds room, *creds;
    int rc = 0;

    INJECT(prototype, born);
    if (has_module(card) && realpath(task->settings->modules_dir, modules_dir) == NULL)
        return br_fail(err, -errno, "cannot enter \"%s\"", task->settings->modules_dir);
    if (task->role->outside_work)
        rc = spawn_wait_go(task, err);
    if (rc == 0 && has_module(card))
        rc = module_load(modules_dir, launch_get(card, "module", ""), &module, err);
    if (rc == 0)
        rc = find_user(task, card, &room, &creds, err);
    if (rc == 0)
        rc = isolate(module, &setup, err);
    if (rc == 0)
        rc = settle(task, card, creds, err);
    if (rc == 0)
        rc = enter(card, err);
    if (rc < 0)
        return rc;
    INJECT(prototype, settled);
    app_streams(card, log_fd());
    if (front_is(card))
        return front_setup(task, process, err);
    if (!has_module(card))
        return run_executable(task, process, err);
    return run_module(task, process, module, setup, err);
}
