/*
 * broodctl.c - the operator's client: main(), the table of commands, the table of flags.
 *
 *   words --flags taken out--> command and its words --> row of `commands` --> exit code
 *                         `--> a word that begins with '/': the form "PATH [METHOD] [< FILE]"
 *
 * Everything it does, it does through the control API and /proc: it can nothing that curl and ps
 * could not.  See broodctl(1).
 */
#include "programs/broodctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "programs/broodctl_input.h"

#define LINES_USUAL    100
#define WATCH_MS_USUAL 1000

struct command {
    const char *name;
    const char *words; /* what stands behind it in --help */
    int least;         /* words */
    int most;
    ctl_command_fn *run;
    const char *doc;
};

static const struct command commands[] = {
    {"get", "[PATH]", 0, 1, ctl_get, "print a part of the configuration, or all of it"},
    {"put", "PATH [FILE]", 1, 2, ctl_put, "replace or create what is at PATH"},
    {"append", "PATH [FILE]", 1, 2, ctl_append, "append to the array at PATH"},
    {"delete", "PATH", 1, 1, ctl_delete, "remove what is at PATH"},
    {"edit", "[PATH]", 0, 1, ctl_edit, "change it in $VISUAL or $EDITOR"},
    {"apply", "FILE", 1, 1, ctl_apply, "make FILE the configuration"},
    {"diff", "FILE", 1, 1, ctl_diff, "what apply would change; exit code 1 if anything"},
    {"check", "FILE", 1, 1, ctl_check, "is FILE a configuration? Asks no server"},
    {"history", "[N]", 0, 1, ctl_history, "the last configurations, or what version N changed"},
    {"rollback", "[N]", 0, 1, ctl_rollback, "back to version N, or to the one before this"},
    {"status", "", 0, 0, ctl_status, "applications, processes, memory"},
    {"restart", "APPLICATION", 1, 1, ctl_restart, "give it new processes; none is cut off"},
    {"certificates", "[put NAME FILE...]", 0, 66, ctl_certificates,
     "bundles and when they end; put, or delete NAME"},
    {"ps", "", 0, 0, ctl_ps, "the process tree with roles, states, ages, memory"},
    {"logs", "", 0, 0, ctl_logs, "the end of the error log"},
    {"migrate", "SERVER FILE ...", 2, 64, ctl_migrate,
     "the configuration of unit, uwsgi, gunicorn, php-fpm, fcgiwrap as brood's"},
    {"options", "[PATH]", 0, 1, ctl_options, "what can be configured there"},
    {"schema", "", 0, 0, ctl_schema, "a JSON Schema of the configuration, for editors"},
};

/* The command line while it is read. */
struct line {
    struct ctl ctl;
    char **words; /* without flags: the command first */
    int n_words;
    uint32_t given; /* flags, by their place in the table */
    bool help;
    bool version;
};

struct flag {
    const char *name;
    const char *brief;    /* "-f" */
    const char *value;    /* what stands behind it in --help; NULL: none */
    const char *commands; /* those that know it; "/": the form of a path alone; NULL: all */
    bool optional;        /* value only behind '=' */
    enum ctl_exit (*take)(struct line *line, const char *value);
    const char *doc;
};

/* A relative path of a socket becomes absolute: main's title has it so. */
static enum ctl_exit
take_control(struct line *line, const char *value)
{
    char *cwd;

    line->ctl.control = value;
    if (strncmp(value, "unix:", 5) != 0 || value[5] == '/' || value[5] == '@')
        return CTL_OK;
    cwd = getcwd(NULL, 0);
    if (cwd == NULL)
        return ctl_fail(CTL_REFUSED, "where are we? %s", strerror(errno));
    line->ctl.control = arena_printf(&line->ctl.arena, "unix:%s/%s", cwd, value + 5);
    free(cwd);
    return CTL_OK;
}

static enum ctl_exit
take_json(struct line *line, br_unused const char *value)
{
    line->ctl.json = true;
    return CTL_OK;
}

static enum ctl_exit
take_watch(struct line *line, const char *value)
{
    char *end;
    double seconds;

    line->ctl.watch_ms = WATCH_MS_USUAL;
    if (value == NULL)
        return CTL_OK;
    seconds = strtod(value, &end);
    if (end == value || *end != '\0' || !(seconds >= 0.01 && seconds <= 86400))
        return ctl_fail(CTL_USAGE, "not a number of seconds: \"%s\"", value);
    line->ctl.watch_ms = (int)(seconds * 1000);
    return CTL_OK;
}

static enum ctl_exit
take_follow(struct line *line, br_unused const char *value)
{
    line->ctl.follow = true;
    return CTL_OK;
}

static enum ctl_exit
take_lines(struct line *line, const char *value)
{
    if (slice_u64(slice_cstr(value), &line->ctl.lines) < 0)
        return ctl_fail(CTL_USAGE, "not a number of lines: \"%s\"", value);
    return CTL_OK;
}

static enum ctl_exit
take_log(struct line *line, const char *value)
{
    line->ctl.log_path = value;
    return CTL_OK;
}

static enum ctl_exit
take_dry_run(struct line *line, br_unused const char *value)
{
    line->ctl.dry_run = true;
    return CTL_OK;
}

static enum ctl_exit
take_yes(struct line *line, br_unused const char *value)
{
    line->ctl.yes = true;
    return CTL_OK;
}

static enum ctl_exit
take_report(struct line *line, const char *value)
{
    line->ctl.report_json = strcmp(value, "json") == 0;
    if (!line->ctl.report_json && strcmp(value, "text") != 0)
        return ctl_fail(CTL_USAGE, "--report is text or json, not \"%s\"", value);
    return CTL_OK;
}

static enum ctl_exit
take_replace(struct line *line, br_unused const char *value)
{
    line->ctl.replace = true;
    return CTL_OK;
}

static enum ctl_exit
take_token_file(struct line *line, const char *value)
{
    return input_token(&line->ctl.arena, value, &line->ctl.token);
}

static enum ctl_exit
take_cacert(struct line *line, const char *value)
{
    line->ctl.ca_path = value;
    return CTL_OK;
}

static enum ctl_exit
take_cert(struct line *line, const char *value)
{
    line->ctl.cert_path = value;
    return CTL_OK;
}

static enum ctl_exit
take_key(struct line *line, const char *value)
{
    line->ctl.key_path = value;
    return CTL_OK;
}

static enum ctl_exit
take_help(struct line *line, br_unused const char *value)
{
    line->help = true;
    return CTL_OK;
}

static enum ctl_exit
take_version(struct line *line, br_unused const char *value)
{
    line->version = true;
    return CTL_OK;
}

static const struct flag flags[] = {
    {"--control", NULL, "ADDRESS", NULL, false, take_control,
     "control socket; else that of the brood that runs, or " DEFAULT_CONTROL},
    {"--token-file", NULL, "FILE", NULL, false, take_token_file,
     "what a TCP control address asks for; else $BROOD_TOKEN_FILE"},
    {"--cacert", NULL, "FILE", NULL, false, take_cacert,
     "whom to trust at https://HOST:PORT; else $BROOD_CACERT, or as the system does"},
    {"--cert", NULL, "FILE", NULL, false, take_cert,
     "certificate to show there, with its key; else $BROOD_CERT"},
    {"--key", NULL, "FILE", NULL, false, take_key, "its key, when not there; else $BROOD_KEY"},
    {"--json", NULL, NULL, NULL, false, take_json, "answer in JSON"},
    {"--dry-run", NULL, NULL, "put append delete apply rollback restart certificates /", false,
     take_dry_run, "say the steps, take none"},
    {"--replace", NULL, NULL, "certificates", false, take_replace, "a bundle that is there"},
    {"--yes", "-y", NULL, "rollback", false, take_yes, "do not ask"},
    {"--watch", NULL, "SECONDS", "status", true, take_watch, "again and again; every second"},
    {"--follow", "-f", NULL, "logs", false, take_follow, "and what comes"},
    {"--lines", "-n", "N", "logs", false, take_lines, "the last N lines; 100"},
    {"--log", NULL, "FILE", "logs", false, take_log, "this file, not that of the running brood"},
    {"--report", NULL, "FORMAT", "migrate", false, take_report, "text or json, to standard error"},
    {"--help", "-h", NULL, NULL, false, take_help, "print this and exit"},
    {"--version", NULL, NULL, NULL, false, take_version, "print the version and exit"},
};

static void
print_help(void)
{
    puts("usage: broodctl [flag ...] COMMAND [word ...]\n"
         "       broodctl [flag ...] /PATH [METHOD] [< FILE]\n");
    for (size_t i = 0; i < array_len(commands); i++)
        printf("  %-8s %-15s %s\n", commands[i].name, commands[i].words, commands[i].doc);
    puts("\nPATH is one of the control API, or, without a leading /, what is below /config.\n"
         "METHOD is GET, PUT, POST, DELETE, EDIT, or INSERT (before an array's first element).\n"
         "FILE - is standard input, and so is no FILE.\n");
    for (size_t i = 0; i < array_len(flags); i++) {
        const struct flag *f = &flags[i];
        char left[64];

        snprintf(left, sizeof(left), "%s%s%s%s%s%s", f->brief != NULL ? f->brief : "",
                 f->brief != NULL ? ", " : "", f->name,
                 f->optional ? "[="
                 : f->value  ? " "
                             : "",
                 f->value != NULL ? f->value : "", f->optional ? "]" : "");
        printf("  %-23s %s%s%s\n", left, f->commands != NULL ? f->commands : "",
               f->commands != NULL ? ": " : "", f->doc);
    }
    puts("\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no brood answers,\n"
         "4 the answer was lost and the outcome is not known.");
}

static const struct flag *
find_flag(const char *word, size_t n)
{
    for (size_t i = 0; i < array_len(flags); i++) {
        if (strlen(flags[i].name) == n && memcmp(flags[i].name, word, n) == 0)
            return &flags[i];
        if (flags[i].brief != NULL && n == 2 && memcmp(flags[i].brief, word, n) == 0)
            return &flags[i];
    }
    return NULL;
}

/* The flag at argv[*i]; moves over its value. */
static enum ctl_exit
take_flag(struct line *line, char **argv, int *i)
{
    const char *word = argv[*i];
    const char *equals = strchr(word, '=');
    const struct flag *f = find_flag(word, equals != NULL ? (size_t)(equals - word) : strlen(word));
    const char *value = equals != NULL ? equals + 1 : NULL;

    if (f == NULL)
        return ctl_fail(CTL_USAGE, "unknown flag \"%s\"; see --help", word);
    if (f->value == NULL && value != NULL)
        return ctl_fail(CTL_USAGE, "no value belongs to %s", f->name);
    if (f->value != NULL && !f->optional && value == NULL)
        value = argv[*i + 1] != NULL ? argv[++*i] : NULL;
    if (f->value != NULL && !f->optional && (value == NULL || *value == '\0'))
        return ctl_fail(CTL_USAGE, "a value is missing behind %s", f->name);
    line->given |= 1u << (f - flags);
    return f->take(line, value);
}

/* Flags may stand anywhere; "--" ends them, "-" is a file. */
static enum ctl_exit
read_line(struct line *line, int argc, char **argv)
{
    bool only_words = false;

    line->words = arena_array(&line->ctl.arena, char *, (size_t)argc + 1);
    for (int i = 1; i < argc; i++) {
        if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
            line->words[line->n_words++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else {
            enum ctl_exit code = take_flag(line, argv, &i);

            if (code != CTL_OK)
                return code;
        }
    }
    return CTL_OK;
}

static bool
knows_flag(const struct flag *f, const char *command)
{
    struct slice rest = slice_cstr(f->commands != NULL ? f->commands : command), word;

    while (slice_split(&rest, ' ', &word)) {
        if (slice_eq(word, slice_cstr(command)))
            return true;
    }
    return false;
}

static enum ctl_exit
check_flags(const struct line *line, const char *name)
{
    for (size_t i = 0; i < array_len(flags); i++) {
        if ((line->given & 1u << i) != 0 && !knows_flag(&flags[i], name))
            return ctl_fail(CTL_USAGE, "%s belongs to: %s", flags[i].name, flags[i].commands);
    }
    return CTL_OK;
}

static enum ctl_exit
run_command(struct line *line)
{
    int n = line->n_words - 1;

    for (size_t i = 0; i < array_len(commands); i++) {
        const struct command *c = &commands[i];
        enum ctl_exit code;

        if (strcmp(c->name, line->words[0]) != 0)
            continue;
        if (n < c->least || n > c->most)
            return ctl_fail(CTL_USAGE, "usage: broodctl %s %s", c->name, c->words);
        code = check_flags(line, c->name);
        return code == CTL_OK ? c->run(&line->ctl, n, line->words + 1) : code;
    }
    return ctl_fail(CTL_USAGE, "no such command: \"%s\"; see --help", line->words[0]);
}

static enum ctl_exit
run(struct line *line)
{
    enum ctl_exit code;

    if (line->help) {
        print_help();
        return CTL_OK;
    }
    if (line->version) {
        printf("broodctl version: %s\n", BROOD_VERSION);
        return CTL_OK;
    }
    if (line->n_words == 0)
        return ctl_fail(CTL_USAGE, "say what to do; see --help");
    if (line->words[0][0] != '/')
        return run_command(line);
    code = check_flags(line, "/");
    return code == CTL_OK ? ctl_path(&line->ctl, line->n_words, line->words) : code;
}

/* What no flag has said. */
static enum ctl_exit
read_environment(struct line *line)
{
    struct ctl *ctl = &line->ctl;

    if (ctl->ca_path == NULL)
        ctl->ca_path = getenv("BROOD_CACERT");
    if (ctl->cert_path == NULL && ctl->key_path == NULL)
        ctl->key_path = getenv("BROOD_KEY");
    if (ctl->cert_path == NULL)
        ctl->cert_path = getenv("BROOD_CERT");
    if (ctl->token == NULL && getenv("BROOD_TOKEN_FILE") != NULL)
        return take_token_file(line, getenv("BROOD_TOKEN_FILE"));
    return CTL_OK;
}

int
main(int argc, char **argv)
{
    struct line line = {.ctl = {.lines = LINES_USUAL}};
    enum ctl_exit code;

    arena_init(&line.ctl.arena, 0);
    code = read_line(&line, argc, argv);
    if (code == CTL_OK)
        code = read_environment(&line);
    if (code == CTL_OK)
        code = run(&line);
    arena_done(&line.ctl.arena);
    if (fflush(stdout) != 0 && code == CTL_OK)
        code = ctl_fail(CTL_REFUSED, "cannot write: %s", strerror(errno));
    return (int)code;
}
