/*
 * builtin.c - bash's commands: prefork_initialisation_complete, prefork_autoreload_also_check, and
 * source that is noted down.
 *
 *   source prefork_interp.bash  --enable -f-->  _load: variable taken, environment remembered
 *   source FILE, . FILE                         bash's own; FILE is checked before each call
 *   prefork_initialisation_complete [NAME=VALUE ...]
 *     options -> line_open -> line_hello -> line_serve =executor=> request_receive -> what a call
 * replaces
 *
 * The options' errors end the script, since it could not go on as the user means it.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <builtins.h>
#include <shell.h>
#include <builtins/bashgetopt.h>
#include <builtins/common.h>

#include "base/slice.h"
#include "guests/prefork_interp/bash/environment.h"
#include "guests/prefork_interp/bash/bash.h"
#include "guests/prefork_interp/common/line.h"
#include "guests/prefork_interp/common/request.h"
#include "guests/prefork_interp/common/title.h"

#define FAULT 2 /* exit status of a script that uses us wrongly */

extern int source_builtin(WORD_LIST *);
extern char *find_path_file(const char *);

static char *variable; /* PREFORK_INTERP, or NULL */
static uint64_t ignored_at_start;
static struct buf files, sourced; /* "file=PATH" each */

/* ---- options */

struct option_row {
    const char *name;
    int64_t value;
};

static struct option_row numbers[] = {
    {"max_servers", 4}, {"idle_timeout", 1000000}, {"max_errors", 100}, {"spare", 1},
    {"max_calls", 0},   {"int_grace", 5},          {"term_grace", 5},
};
static bool autoreload_inc = true;
static const char *log_facility = "LOG_USER";
static const char *warmup;

static br_noreturn void
fail(const char *what, const char *which)
{
    builtin_error("%s%s", what, which);
    exit_shell(FAULT);
    abort(); /* it does not return, which its declaration does not say */
}

static int64_t
number_of(const char *word, const char *value)
{
    intmax_t number;

    if (!legal_number(value, &number))
        fail("not a number: ", word);
    return number;
}

static bool
take_number(const char *name, size_t n, const char *value)
{
    for (size_t i = 0; i < array_len(numbers); i++) {
        if (strlen(numbers[i].name) != n || strncmp(numbers[i].name, name, n) != 0)
            continue;
        numbers[i].value = number_of(name, value);
        return true;
    }
    return false;
}

static void
take_option(const char *word)
{
    const char *equals = strchr(word, '=');
    size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);

    if (equals == NULL)
        fail("NAME=VALUE expected, not ", word);
    if (take_number(word, n, equals + 1))
        return;
    if (strncmp(word, "log_facility=", n + 1) == 0)
        log_facility = equals + 1;
    else if (strncmp(word, "warmup=", n + 1) == 0)
        warmup = equals + 1;
    else if (strncmp(word, "autoreload_inc=", n + 1) == 0)
        autoreload_inc = number_of(word, equals + 1) != 0;
    else if (strncmp(word, "autoreload_extra=", n + 1) == 0)
        hello_add(&files, "file", equals + 1);
    else
        fail("unknown option ", word);
}

/* ---- server */

/* From our wrapper, from the environment, or where we were installed. */
static const char *
server_program(const struct given *g)
{
    const char *places[] = {g->server, get_string_value("BROOD_INTERP"), SERVER};

    for (size_t i = 0; i < array_len(places); i++) {
        if (places[i] != NULL && places[i][0] != '\0' && access(places[i], X_OK) == 0)
            return places[i];
    }
    fail("cannot find the server program brood-interp: not told by BROOD_INTERP, and not at ",
         SERVER);
}

static void
say_hello(int line, const struct given *g)
{
    struct buf hello;
    int rc;

    buf_init(&hello, HELLO_MAX);
    hello_add(&hello, "script", bash_script());
    hello_add_words(&hello, bash_script());
    hello_add(&hello, "file", bash_script());
    buf_put(&hello, buf_slice(&files));
    if (autoreload_inc)
        buf_put(&hello, buf_slice(&sourced));
    for (size_t i = 0; i < array_len(numbers); i++)
        hello_add_number(&hello, numbers[i].name, numbers[i].value);
    hello_add(&hello, "log_facility", log_facility);
    rc = line_hello(line, g, &hello);
    buf_done(&hello);
    if (rc < 0) {
        builtin_error("the server does not listen: %s", strerror(-rc));
        _exit(FAULT);
    }
}

static void
let_go_of_stdio(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

/* ---- an executor */

static void
begin_call(int socket)
{
    struct request r;
    uint64_t ignored;
    int rc;

    rc = request_receive(&r, socket);
    if (rc < 0)
        _exit(0);
    close(socket); /* the server takes this for the beginning of the script's part */
    bash_renew();
    title_of_call(bash_script(), r.arguments);
    rc = request_take(&r, bash_script_fd() >= 0 ? bash_script_fd() : INT_MAX);
    if (rc == 0)
        rc = bash_reopen_script();
    if (rc < 0) {
        builtin_error("cannot begin the call: %s", strerror(-rc));
        _exit(127);
    }
    ignored = request_ignored(&r);
    environment_take(r.environment);
    bash_take_directory();
    bash_take_signals(ignored_at_start, request_tells(&r) ? &ignored : NULL);
    bash_take_arguments(r.arguments);
    request_done(&r);
}

static int
complete(WORD_LIST *words)
{
    struct given given;
    const char *server, *unfit;
    int line, rc, n;

    for (; words != NULL; words = words->next)
        take_option(words->word->word);
    if (variable == NULL)
        return EXECUTION_SUCCESS;
    unfit = bash_unfit();
    if (unfit != NULL)
        fail(unfit, "");
    if (given_read(&given, variable) < 0)
        fail("environment variable PREFORK_INTERP is malformed", "");
    server = server_program(&given);
    n = count_threads();
    if (n > 1)
        fail("threads run, which a fork would lose", "");
    bash_pause();
    title_find();
    rc = line_open(&given, server, bash_script(), &line);
    if (rc < 0)
        fail("cannot leave the caller: ", strerror(-rc));
    say_hello(line, &given);
    if (warmup != NULL)
        parse_and_execute(savestring((char *)warmup), "warmup", SEVAL_NONINT | SEVAL_NOHIST);
    let_go_of_stdio();
    title_of_server(bash_script());
    begin_call(line_serve(line));
    return EXECUTION_SUCCESS;
}

static int
also_check(WORD_LIST *words)
{
    for (; words != NULL; words = words->next)
        hello_add(&files, "file", words->word->word);
    return EXECUTION_SUCCESS;
}

/* ---- source */

/* As bash finds it: in PATH, if there is no slash, then here. */
static void
note_file(const char *name)
{
    char *found = strchr(name, '/') == NULL ? find_path_file(name) : NULL;
    char path[PATH_MAX];

    if (realpath(found != NULL ? found : name, path) != NULL)
        hello_add(&sourced, "file", path);
    free(found);
}

static int
noted_source(WORD_LIST *words)
{
    if (words != NULL)
        note_file(words->word->word);
    return source_builtin(words);
}

/* ---- what bash looks for */

static int
load(void)
{
    const char *value = get_string_value("PREFORK_INTERP");
    struct given given;

    if (files.ceiling != 0)
        return 1; /* once is enough */
    buf_init(&files, HELLO_MAX);
    buf_init(&sourced, HELLO_MAX);
    if (value == NULL)
        return 1;
    variable = strdup(value);
    unbind_variable("PREFORK_INTERP");
    if (given_read(&given, variable) == 0)
        given_hide(&given, true);
    ignored_at_start = signal_row("SigIgn");
    bash_hide_ignored(ignored_at_start);
    environment_remember();
    return 1;
}

br_public int prefork_initialisation_complete_builtin_load(char *name);

int
prefork_initialisation_complete_builtin_load(br_unused char *name)
{
    return load();
}

static char *complete_doc[] = {
    (char *)"The script is initialised: return once for each call, each in a process of its own.",
    (char *)"",
    (char *)"NAME is max_servers, idle_timeout, autoreload_inc, autoreload_extra, max_errors,",
    (char *)"log_facility, spare, max_calls, int_grace, term_grace, warmup: see prefork-interp(1).",
    NULL,
};
static char *also_doc[] = {(char *)"Further files whose change makes the server start anew.", NULL};
static char *source_doc[] = {(char *)"As bash's own; the file is checked before each call.", NULL};

extern struct builtin prefork_initialisation_complete_struct, prefork_autoreload_also_check_struct,
    source_struct;
/* enable -f wants the command's name in front of "_struct". */
extern struct builtin dot_struct __asm__("._struct");

br_public struct builtin prefork_initialisation_complete_struct = {
    (char *)"prefork_initialisation_complete",          complete, BUILTIN_ENABLED, complete_doc,
    "prefork_initialisation_complete [NAME=VALUE ...]", NULL,
};
br_public struct builtin prefork_autoreload_also_check_struct = {
    (char *)"prefork_autoreload_also_check",  also_check, BUILTIN_ENABLED, also_doc,
    "prefork_autoreload_also_check FILE ...", NULL,
};
br_public struct builtin source_struct = {
    (char *)"source",
    noted_source,
    BUILTIN_ENABLED,
    source_doc,
    "source filename [arguments]",
    NULL,
};
br_public struct builtin dot_struct = {
    (char *)".", noted_source, BUILTIN_ENABLED, source_doc, ". filename [arguments]", NULL,
};
