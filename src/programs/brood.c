/*
 * brood.c - main(): what must be right before there is a main process, then be it.
 *
 *   arguments -> log -> user -> control address free -> [daemon] -> pid file -> main_run -> pid
 * file removed
 *
 * Until the log is open, and for whatever is wrong before the start proper, there is one line on
 * stderr and exit code 1.  A daemonising parent waits until the control socket listens.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "conf/module.h"
#include "controller/access.h"
#include "discovery/discovery_role.h"
#include "main/main_control.h"
#include "main/main_estate.h"
#include "main/main_role.h"
#include "process/activation.h"
#include "process/creds.h"
#include "process/logfile.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "programs/arguments.h"
#include "programs/check.h"
#include "programs/daemon.h"
#include "programs/roles.h"
#include "programs/tell.h"

/*
 * A descriptor of the log's own, also where it is stderr: an application that moves its stderr
 * elsewhere still finds the log.
 */
static int
open_log(const struct arguments *args, struct br_err *err)
{
    int fd = -1;
    int rc;

    if (args->settings.log_path != NULL) {
        rc = logfile_open(args->settings.log_path, &fd, err);
        if (rc < 0)
            return rc;
    } else {
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (fd < 0)
            return br_fail(err, -errno, "cannot log to stderr");
    }
    log_to_fd(fd);
    log_set_level(args->log_level);
    return 0;
}

/* As many descriptors as we may have; applications begin with what we began with. */
static void
raise_limits(struct settings *s)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    s->nofile = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int
choose_user(struct settings *s, struct br_err *err)
{
    static struct creds creds;
    int rc;

    s->privileged = creds_privileged();
    s->uid = geteuid();
    s->gid = getegid();
    if (!s->privileged) {
        br_log(LOG_WARN,
               "brood runs without privilege: all its processes run as user %u, ports below "
               "1024 and other users for applications may be refused",
               (unsigned)s->uid);
        return 0;
    }
    rc = creds_resolve(s->user, s->group, &creds, err);
    if (rc < 0)
        return rc;
    s->creds = &creds;
    s->uid = creds.uid;
    s->gid = creds.gid;
    return 0;
}

static int
check_places(const struct settings *s, bool heir, struct br_err *err)
{
    int rc = access_check(s, err);

    if (rc == 0 && !heir && activation_control(s->given, s->control) == NULL)
        rc = main_control_check(s->control, err);
    if (rc == 0 && s->config_path != NULL && access(s->config_path, R_OK) < 0)
        rc = br_fail(err, -errno, "cannot read \"%s\"", s->config_path);
    if (rc == 0 && s->config_path != NULL && s->initial_dir != NULL)
        rc = br_fail(err, -EBADMSG, "--config and --initial exclude each other");
    if (rc == 0 && s->initial_dir != NULL && strncmp(s->control, "unix:", 5) != 0)
        rc = br_fail(err, -EBADMSG, "--initial needs a control socket of unix:");
    return rc == 0 ? logfile_parents(s->state_dir, err) : rc;
}

static int
prepare(struct arguments *args, bool heir, struct br_err *err)
{
    struct settings *s = &args->settings;
    int rc = open_log(args, err);

    if (rc < 0)
        return rc;
    clock_update();
    raise_limits(s);
    rc = check_places(s, heir, err);
    if (rc == 0)
        rc = choose_user(s, err);
    return rc;
}

/* What our caller left open is not ours to keep, but for sockets of a service manager; a standard
 * stream that is missing would become some socket of ours.  What an old main left is open beyond
 * these, and nothing else is. */
static int
settle_descriptors(bool heir, unsigned given, struct br_err *err)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR); /* as 0, 1, 2 it is inherited */
        if (fd < 0)
            return br_fail(err, -errno, "cannot open \"/dev/null\"");
    } while (fd <= STDERR_FILENO);
    if (heir)
        close(fd);
    else if (close_range(STDERR_FILENO + 1 + given, ~0U, 0) < 0)
        return br_fail(err, -errno, "cannot close what was left open");
    return 0;
}

/* Whoever waits for the start of the next main of an upgrade is the old one: it is where it shall
 * be, and holds the pid file. */
static void
enter_upon(struct settings *s, struct estate *estate)
{
    s->ready_fd = fd_take(&estate->ready_fd);
    s->pid_fd = fd_take(&estate->pid_fd);
    s->given = estate->given;
}

/* Who started us, and what it gave us: children shall find nothing of it in the environment. */
static int
meet_manager(struct settings *s, struct br_err *err)
{
    static struct notify manager;

    if (notify_take(&manager) < 0)
        fprintf(stderr, "brood: NOTIFY_SOCKET or WATCHDOG_USEC make no sense and are ignored\n");
    s->manager = &manager;
    return activation_take(&s->given, err);
}

/* A socket that a manager calls so is the control socket, wherever it is bound. */
static void
choose_control(struct settings *s)
{
    const struct activated *given = activation_control(s->given, s->control);

    if (given != NULL)
        s->control = given->address;
}

static int
begin(struct arguments *args, bool heir, struct br_err *err)
{
    struct settings *s = &args->settings;
    int rc = settle_descriptors(heir, s->given != NULL && !heir ? s->given->n : 0, err);

    choose_control(s);
    if (rc == 0)
        rc = prepare(args, heir, err);
    if (rc == 0 && !heir && !s->foreground)
        rc = daemon_begin(log_fd(), &s->ready_fd, err);
    log_after_fork();
    return rc < 0 || heir ? rc : pidfile_write(s->pid_path, &s->pid_fd, err);
}

static int
run(struct arguments *args, struct br_err *err)
{
    struct settings *s = &args->settings;
    struct estate *estate = NULL;
    int rc = meet_manager(s, err);

    if (rc >= 0)
        rc = estate_take(&estate, err);
    if (estate != NULL)
        enter_upon(s, estate);
    if (rc >= 0)
        rc = begin(args, estate != NULL, err);
    if (rc == 0) {
        br_log(LOG_NOTICE, "brood " BROOD_VERSION " started");
        rc = main_run(s, roles, estate);
    }
    if (estate != NULL)
        estate_done(estate); /* what was given to the old main is in it */
    else
        activation_free(s->given);
    pidfile_remove(s->pid_path, &s->pid_fd);
    return rc;
}

/* To whoever waits for us: the terminal, or our daemonising parent. */
static int
refuse(const struct arguments *args, const struct br_err *err)
{
    if (args->settings.ready_fd >= 0)
        fd_write_all(args->settings.ready_fd, err->text, strlen(err->text));
    else
        fprintf(stderr, "brood: %s\n", err->text);
    return 1;
}

/* The languages of this machine, as a daemon would find them. */
struct languages {
    const char *modules_dir;
    struct arena arena;
    struct conf_modules modules;
};

static const struct conf_modules *
find_languages(void *arg)
{
    struct languages *l = arg;
    struct br_err err = BR_ERR_NONE;
    struct buf list;

    discovery_report(l->modules_dir, &list);
    if (module_list_parse(&l->arena, buf_slice(&list), &l->modules, &err) < 0)
        br_log(LOG_ERROR, "list of language modules: %s", err.text);
    buf_done(&list);
    return &l->modules;
}

static int
check(const struct arguments *args)
{
    struct languages l = {.modules_dir = args->settings.modules_dir};
    int rc;

    log_set_level(LOG_ERROR);
    arena_init(&l.arena, 0);
    rc = check_config(args->check_path, find_languages, &l, CHECK_FILE, NULL);
    arena_done(&l.arena);
    return rc;
}

static int
act(struct arguments *args, const char *program, struct br_err *err)
{
    switch (args->action) {
    case ACTION_RUN:
        return run(args, err);
    case ACTION_HELP:
        arguments_help(args, program);
        return 0;
    case ACTION_VERSION:
        arguments_version();
        return 0;
    case ACTION_CHECK:
        return check(args);
    case ACTION_SIGNAL:
        return tell_main(args->settings.pid_path, args->signal, err);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    struct arguments args;
    struct br_err err = BR_ERR_NONE;
    int rc = arguments_parse(argc, argv, &args, &err);

    if (rc == 0)
        rc = act(&args, argv[0], &err);
    if (rc < 0)
        rc = refuse(&args, &err);
    arguments_done(&args);
    return rc;
}
