/*
 * arguments.c - the command line: one table of options, from which it is read and explained.
 *
 * "--option value" and "--option=value" are the same.  Every text is copied, since the process
 * title will be written over argv.  Defaults come from the build, but for the modules, which are
 * looked for beside the program first: an installed tree may be moved, and the build tree works as
 * it is.
 */
#include "programs/arguments.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "event/listener.h"
#include "nest/nest.h"
#include "programs/tell.h"

#define GRACE_MS 30000

struct option {
    const char *name;
    const char *value; /* what stands behind it in --help, NULL: it has none */
    int (*take)(struct arguments *args, const char *text, struct br_err *err);
    size_t place;      /* of a text in struct settings, when take is NULL */
    const char *usual; /* the default, for --help */
    const char *doc;   /* NULL: another name of an older tool, not shown */
};

/* br_fail adds what strerror says, which helps nobody here. */
static int
wrong(struct br_err *err, const char *what, const char *text)
{
    br_fail(err, -EBADMSG, "%s \"%s\"", what, text);
    return -EINVAL;
}

static int
take_help(struct arguments *args, br_unused const char *text, br_unused struct br_err *err)
{
    args->action = ACTION_HELP;
    return 0;
}

static int
take_version(struct arguments *args, br_unused const char *text, br_unused struct br_err *err)
{
    args->action = ACTION_VERSION;
    return 0;
}

static int
take_no_daemon(struct arguments *args, br_unused const char *text, br_unused struct br_err *err)
{
    args->settings.foreground = true;
    return 0;
}

static int
take_check(struct arguments *args, const char *text, br_unused struct br_err *err)
{
    args->action = ACTION_CHECK;
    args->check_path = text;
    return 0;
}

static int
take_mode(struct arguments *args, const char *text, struct br_err *err)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end != '\0' || mode > 0777)
        return wrong(err, "not an octal mode:", text);
    args->settings.control_mode = (unsigned)mode;
    return 0;
}

static int
take_signal(struct arguments *args, const char *text, struct br_err *err)
{
    args->signal = tell_signal(text);
    if (args->signal < 0)
        return wrong(err, "-s takes one of " TELL_WORDS ", not", text);
    args->action = ACTION_SIGNAL;
    return 0;
}

static int
take_routers(struct arguments *args, const char *text, struct br_err *err)
{
    uint64_t n;

    if (slice_u64(slice_cstr(text), &n) < 0 || n < 1 || n > NEST_ROUTERS)
        return wrong(err, "not a number of routers:", text);
    args->settings.routers = (unsigned)n;
    return 0;
}

static int
take_log_level(struct arguments *args, const char *text, struct br_err *err)
{
    if (log_level_parse(text, &args->log_level) < 0)
        return wrong(err, "not a log level:", text);
    return 0;
}

static int
take_control(struct arguments *args, const char *text, struct br_err *err)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int rc = listener_parse(text, &addr, &len, err);

    if (rc == 0)
        args->settings.control = text;
    return rc;
}

#define TEXT(member) .place = offsetof(struct settings, member)

static const struct option options[] = {
    {"--help", NULL, take_help, .doc = "print this and exit; also -h"},
    {"-h", NULL, take_help, .doc = NULL},
    {"--version", NULL, take_version,
     .doc = "print the version and what it was built with, and exit"},
    {"-s", TELL_WORDS, take_signal, .doc = "send this to the main process of --pid, and exit"},
    {"--no-daemon", NULL, take_no_daemon,
     .doc = "stay in the foreground, as process 1 always does; without --log, log to stderr"},
    {"--control", "ADDRESS", take_control, .usual = DEFAULT_CONTROL,
     .doc = "control socket: unix:/PATH, unix:@NAME, IP:PORT, [IPV6]:PORT, *:PORT"},
    {"--control-mode", "OCTAL", take_mode, .usual = "0600",
     .doc = "permissions of a Unix control socket"},
    {"--control-user", "USER", TEXT(control_user), .doc = "its owner, else that of main"},
    {"--control-group", "GROUP", TEXT(control_group), .doc = "its group, else that of main"},
    {"--control-allow", "LIST", TEXT(control_allow),
     .doc = "users and @groups who may use a Unix control socket, and nobody else; with "
            "--control-client-ca names of certificates"},
    {"--control-read", "LIST", TEXT(control_read), .doc = "the same, for /status alone"},
    {"--control-token-file", "FILE", TEXT(control_tokens),
     .doc = "who may use a TCP control address: lines of \"full TOKEN\" or \"read TOKEN\""},
    {"--control-certificate", "FILE", TEXT(control_certificate),
     .doc = "TLS for a TCP control address: PEM, the chain and its key"},
    {"--control-client-ca", "FILE", TEXT(control_client_ca),
     .doc = "and clients show a certificate that one of these has signed"},
    {"--pid", "FILE", TEXT(pid_path), .usual = DEFAULT_PID, .doc = "pid file"},
    {"--log", "FILE", TEXT(log_path), .usual = DEFAULT_LOG, .doc = "error log"},
    {"--log-level", "LEVEL", take_log_level, .usual = "info",
     .doc = "alert, error, warn, notice, info or debug"},
    {"--modulesdir", "DIR", TEXT(modules_dir), .usual = DEFAULT_MODULES, .doc = "language modules"},
    {"--statedir", "DIR", TEXT(state_dir), .usual = DEFAULT_STATE,
     .doc = "what survives a restart"},
    {"--tmpdir", "DIR", TEXT(tmp_dir), .usual = "/tmp", .doc = "temporary files"},
    {"--user", "NAME", TEXT(user), .usual = DEFAULT_USER,
     .doc = "whom unprivileged processes run as, and applications that name nobody"},
    {"--group", "NAME", TEXT(group), .doc = "their group, else that of the user"},
    {"--config", "FILE", TEXT(config_path),
     .doc = "begin with this configuration instead of the stored one; read again on HUP"},
    {"--initial", "DIR", TEXT(initial_dir),
     .doc = "when nothing was kept yet: apply its *.pem and *.json, run its *.sh"},
    {"--check", "FILE", take_check, .doc = "check a configuration, print what is wrong, and exit"},
    {"--routers", "N", take_routers, .usual = "a quarter of the processors",
     .doc = "router processes"},
    {"--modules", "DIR", TEXT(modules_dir), .doc = NULL},
    {"--state", "DIR", TEXT(state_dir), .doc = NULL},
    {"--tmp", "DIR", TEXT(tmp_dir), .doc = NULL},
};

static const struct option *
find_option(const char *name, size_t n)
{
    for (size_t i = 0; i < array_len(options); i++)
        if (strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0)
            return &options[i];
    return NULL;
}

static int
apply(struct arguments *args, const struct option *o, const char *text, struct br_err *err)
{
    if (o->take != NULL)
        return o->take(args, text, err);
    if (text == NULL || *text == '\0')
        return wrong(err, "nothing given for", o->name);
    memcpy((char *)&args->settings + o->place, &text, sizeof(text));
    return 0;
}

/* The option at *i; moves over its value. */
static int
take_one(struct arguments *args, int argc, char **argv, int *i, struct br_err *err)
{
    const char *word = argv[*i];
    const char *equals = word[0] == '-' ? strchr(word, '=') : NULL;
    size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option *o = find_option(word, n);

    if (word[0] != '-')
        return wrong(err, "brood takes options only, not", word);
    if (o == NULL)
        return wrong(err, "unknown option", word);
    if (o->value == NULL)
        return equals != NULL ? wrong(err, "no value belongs to", o->name)
                              : apply(args, o, NULL, err);
    if (equals != NULL)
        return apply(args, o, equals + 1, err);
    if (*i + 1 == argc)
        return wrong(err, "a value is missing behind", o->name);
    return apply(args, o, argv[++*i], err);
}

static unsigned
usual_routers(void)
{
    cpu_set_t cpus;
    unsigned n = 1;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        n = (unsigned)CPU_COUNT(&cpus) / 4;
    return br_max(1u, br_min(n, (unsigned)NEST_ROUTERS));
}

static bool
is_directory(const char *path)
{
    char dot[PATH_MAX];

    return snprintf(dot, sizeof(dot), "%s/.", path) < PATH_MAX && access(dot, F_OK) == 0;
}

/* Where the modules are, seen from the program: installed, or in the build tree. */
static const char *
usual_modules(struct arguments *args)
{
    static const char *const beside[] = {RELATIVE_MODULES, "../modules"};
    char self[PATH_MAX], path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[br_max(n, 0)] = '\0';
    slash = strrchr(self, '/');
    for (size_t i = 0; slash != NULL && i < array_len(beside); i++) {
        const char *guess =
            arena_printf(&args->texts, "%.*s/%s", (int)(slash - self), self, beside[i]);

        if (is_directory(guess) && realpath(guess, path) != NULL)
            return arena_cstr(&args->texts, slice_cstr(path));
    }
    return DEFAULT_MODULES;
}

static void
set_defaults(struct arguments *args)
{
    struct settings *s = &args->settings;

    *args = (struct arguments){.action = ACTION_RUN, .log_level = LOG_INFO};
    arena_init(&args->texts, 0);
    s->control = DEFAULT_CONTROL;
    s->control_mode = 0600;
    s->pid_path = DEFAULT_PID;
    s->state_dir = DEFAULT_STATE;
    s->tmp_dir = "/tmp";
    s->user = DEFAULT_USER;
    s->routers = usual_routers();
    s->grace_ms = GRACE_MS;
    s->foreground = getpid() == 1; /* whose parent would end the container */
    s->ready_fd = -1;
    s->pid_fd = -1;
}

/* Everything that was on the command line, for the title. */
static const char *
joined(struct arguments *args, int argc, char **argv)
{
    const char *text = argv[0];

    for (int i = 1; i < argc; i++)
        text = arena_printf(&args->texts, "%s %s", text, argv[i]);
    return text;
}

/* dir/name, if it can be executed. */
static const char *
found_in(struct arguments *args, struct slice dir, const char *name)
{
    const char *path =
        arena_printf(&args->texts, SLICE_FMT "%s%s", SLICE_ARG(dir), dir.n > 0 ? "/" : "", name);

    return access(path, X_OK) == 0 ? path : NULL;
}

/*
 * Where the program is that was called by this name, for an upgrade: by its path, not by what lies
 * there now, so that a file or a link that took its place is found.
 */
static const char *
program_path(struct arguments *args, const char *name)
{
    const char *path = getenv("PATH");
    struct slice rest = path != NULL ? slice_cstr(path) : SLICE_NONE;
    struct slice dir;
    const char *found = NULL;
    char cwd[PATH_MAX];

    if (strchr(name, '/') != NULL)
        found = name;
    while (found == NULL && slice_split(&rest, ':', &dir))
        found = found_in(args, dir, name);
    if (found == NULL)
        return "/proc/self/exe";
    if (found[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
        return found;
    return arena_printf(&args->texts, "%s/%s", cwd, found);
}

int
arguments_parse(int argc, char **argv, struct arguments *ret, struct br_err *err)
{
    char **words;
    int rc = 0;

    set_defaults(ret);
    words = arena_array(&ret->texts, char *, (size_t)argc + 1);
    for (int i = 0; i < argc; i++)
        words[i] = arena_cstr(&ret->texts, slice_cstr(argv[i]));
    for (int i = 1; i < argc && rc == 0; i++)
        rc = take_one(ret, argc, words, &i, err);
    if (ret->settings.modules_dir == NULL)
        ret->settings.modules_dir = usual_modules(ret);
    if (ret->settings.log_path == NULL && !ret->settings.foreground)
        ret->settings.log_path = DEFAULT_LOG;
    ret->settings.title_args = joined(ret, argc, words);
    ret->settings.program = program_path(ret, words[0]);
    ret->settings.argv = (const char *const *)words;
    return rc;
}

void
arguments_done(struct arguments *args)
{
    arena_done(&args->texts);
}

void
arguments_help(const struct arguments *args, const char *program)
{
    printf("usage: %s [option ...]\n\n", program);
    for (size_t i = 0; i < array_len(options); i++) {
        const struct option *o = &options[i];
        char left[64];

        if (o->doc == NULL)
            continue;
        snprintf(left, sizeof(left), "%s %s", o->name, o->value != NULL ? o->value : "");
        printf("  %-24s %s\n", left, o->doc);
        if (o->usual != NULL)
            printf("  %-24s default: %s\n", "",
                   o->place == offsetof(struct settings, modules_dir) ? args->settings.modules_dir
                                                                      : o->usual);
    }
}

void
arguments_version(void)
{
    printf("brood version: %s\n", BROOD_VERSION);
    printf("built with: OpenSSL, PCRE2; prefix %s\n", BROOD_PREFIX);
}
