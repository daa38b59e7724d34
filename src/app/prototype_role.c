/*
 * prototype_role.c - birth of an application: from main's fork to the user's interpreter.
 *
 *   main:   prefork: nest, bell        introduce: NEST_OPEN to each router
 *   child:  outside work -> user -> directory -> environment -> streams -> module -> exec
 *
 * The order matters: files are opened and the module runs with the rights of the application,
 * never with main's.
 */
#include "app/prototype_role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "abi/module.h"
#include "abi/module_load.h"
#include "app/app.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/spawn.h"
#include "nest/nest.h"
#include "process/creds.h"

#define HERITAGE_BYTES 4096

/* ---- in main ---- */

int
prototype_prefork(struct task *task br_unused, struct process *process, struct br_err *err)
{
    int fd = nest_make();
    int rc;

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

    if (channel_peer(peer)->role != ROLE_ROUTER)
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

/* The card names a user, or main's --user is meant when main may change ids at all. */
static int
become_user(struct task *task, const struct launch *card, struct br_err *err)
{
    const char *user = launch_get(card, "user", NULL);
    const char *group = launch_get(card, "group", NULL);
    struct creds creds;
    int rc;

    if (user == NULL && task->settings->privileged) {
        user = task->settings->user;
        group = group ? group : task->settings->group;
    }
    if (user == NULL)
        return 0;
    rc = creds_resolve(user, group, &creds, err);
    return rc < 0 ? rc : spawn_become(task, &creds, err);
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

static int
run_module(struct task *task, struct process *process, struct br_err *err)
{
    char heritage[HERITAGE_BYTES];
    struct module_setup setup = {.get = card_get,
                                 .next = card_next,
                                 .card = process->card,
                                 .modules_dir = task->settings->modules_dir,
                                 .heritage = heritage};
    const char *file = launch_get(process->card, "module", "");
    const struct br_module *module;
    int rc = module_load(task->settings->modules_dir, file, &module, err);

    if (rc == 0)
        rc = spawn_heritage(task, process, heritage, sizeof(heritage));
    return rc < 0 ? rc : module->setup(&setup, err);
}

int
prototype_setup(struct task *task, struct process *process, struct br_err *err)
{
    const struct launch *card = process->card;
    const char *directory = launch_get(card, "working_directory", NULL);
    int rc = 0;

    if (task->role->outside_work)
        rc = spawn_wait_go(task, err);
    if (rc == 0)
        rc = become_user(task, card, err);
    if (rc == 0 && directory != NULL && chdir(directory) < 0)
        rc = br_fail(err, -errno, "cannot enter working directory \"%s\"", directory);
    if (rc == 0)
        rc = set_environment(card, err);
    if (rc == 0)
        rc = null_stdin(err);
    if (rc < 0)
        return rc;
    app_streams(card, log_fd());
    return run_module(task, process, err);
}
