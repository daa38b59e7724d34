/*
 * addon.c - what Node has no function for: prefork_interp.node, loaded by prefork-interp.js only
 * where prefork-interp has started the script.
 *
 *   hide(variable)                                 close-on-exec for the descriptors it names; is
 * it well formed? open(variable, server, fresh, said, words)     setup: leave the caller, execute
 * server and fresh.c; throws, or never returns take(socket)                                   a
 * spare: wait for a call, become it; its arguments
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "guests/prefork_interp/common/line.h"
#include "guests/prefork_interp/common/request.h"
#include "guests/prefork_interp/node/napi.h"
#include "guests/prefork_interp/node/places.h"

#define ARGUMENTS_MOST 5

extern char **environ;

/* Of a JavaScript string, malloc'ed; NULL: it is none. */
static char *
text_of(napi_env env, napi_value value)
{
    size_t n = 0;
    char *text;

    if (napi_get_value_string_utf8(env, value, NULL, 0, &n) != 0)
        return NULL;
    text = malloc(n + 1);
    if (text != NULL)
        napi_get_value_string_utf8(env, value, text, n + 1, &n);
    return text;
}

/* Of an array of strings; ends with NULL. */
static char **
texts_of(napi_env env, napi_value array)
{
    uint32_t n = 0;
    char **texts;

    napi_get_array_length(env, array, &n);
    texts = calloc((size_t)n + 1, sizeof(*texts));
    for (uint32_t i = 0, at = 0; texts != NULL && i < n; i++) {
        napi_value value;

        if (napi_get_element(env, array, i, &value) == 0 &&
            (texts[at] = text_of(env, value)) != NULL)
            at++;
    }
    return texts;
}

static void
refuse(napi_env env, const char *what, int error)
{
    char text[256];

    snprintf(text, sizeof(text), "initialisationComplete: %s: %s", what, strerror(error));
    napi_throw_error(env, NULL, text);
}

static napi_value
hide(napi_env env, napi_callback_info info)
{
    napi_value args[ARGUMENTS_MOST];
    size_t n = ARGUMENTS_MOST;
    struct given given;
    char *variable;

    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    variable = text_of(env, args[0]);
    if (variable == NULL || given_read(&given, variable) < 0)
        napi_throw_error(
            env, NULL, "initialisationComplete: environment variable PREFORK_INTERP is malformed");
    else
        given_hide(&given, true);
    free(variable);
    return NULL;
}

/* In the process that stays: a child of a process with threads, which may do no more than this. */
static br_noreturn void
become_fresh(int line, const struct given *given, const char *fresh, char **said, char **words)
{
    struct buf hello;
    char number[12];
    char **arguments;
    size_t n = 0;

    buf_init(&hello, HELLO_MAX);
    for (char **s = said; *s != NULL; s++)
        buf_append(&hello, *s, strlen(*s) + 1);
    if (line_hello(line, given, &hello) < 0)
        _exit(127);
    while (words[n] != NULL)
        n++;
    arguments = calloc(n + 3, sizeof(*arguments));
    if (arguments == NULL)
        _exit(127);
    snprintf(number, sizeof(number), "%d", line);
    arguments[0] = (char *)"brood-interp-fresh";
    arguments[1] = number;
    memcpy(arguments + 2, words, n * sizeof(*words));
    fd_set_cloexec(line, false);
    line_keep_stdio();
    execve(fresh, arguments, environ);
    dprintf(STDERR_FILENO, "initialisationComplete: %s: %s\n", fresh, strerror(errno));
    _exit(127);
}

static napi_value
open_line(napi_env env, napi_callback_info info)
{
    napi_value args[ARGUMENTS_MOST];
    size_t n = ARGUMENTS_MOST;
    struct given given;
    char *variable, *server, *fresh, **said, **words;
    int line, rc;

    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    variable = text_of(env, args[0]);
    server = text_of(env, args[1]);
    fresh = text_of(env, args[2]);
    said = texts_of(env, args[3]);
    words = texts_of(env, args[4]);
    if (variable == NULL || server == NULL || fresh == NULL || said == NULL || words == NULL ||
        words[0] == NULL || given_read(&given, variable) < 0) {
        refuse(env, "its own arguments", EINVAL);
        return NULL;
    }
    for (n = 0; words[n + 1] != NULL; n++)
        ; /* the last word is the script */
    rc = line_open(&given, server, words[n], &line);
    if (rc == 0)
        become_fresh(line, &given, fresh, said, words);
    refuse(env, "cannot leave the caller", -rc);
    return NULL;
}

/* What the caller ignores is ignored, what it does not is not; SIGPIPE is for prefork-interp.js to
 * say. */
static void
take_signals(const struct request *r)
{
    uint64_t ignored = request_ignored(r);

    for (int s = 1; s < 32; s++) {
        struct sigaction now;
        bool is = sigaction(s, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
        bool shall = ignored >> (s - 1) & 1;

        if (s != SIGKILL && s != SIGSTOP && s != SIGPIPE && is != shall)
            signal(s, shall ? SIG_IGN : SIG_DFL);
    }
}

/* The text is the environment from now on: never freed. */
static void
take_environment(char **entries)
{
    clearenv();
    for (; *entries != NULL; entries++) {
        if (strchr(*entries, '=') > *entries)
            putenv(*entries);
    }
}

/* As Node does at its start: what the server has given us is the caller's. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static napi_value
take(napi_env env, napi_callback_info info)
{
    napi_value args[ARGUMENTS_MOST], result = NULL;
    size_t n = ARGUMENTS_MOST;
    int32_t socket = -1, plain_pipe = 0;
    struct request r;
    int rc;

    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    napi_get_value_int32(env, args[0], &socket);
    napi_get_value_int32(env, args[1], &plain_pipe);
    rc = request_receive(&r, socket);
    if (rc < 0)
        _exit(0);  /* there will be no call */
    close(socket); /* the server takes this for the beginning of the script's part */
    for (int fd = 3; fd < PLACES_END; fd++)
        close(fd);
    rc = request_take(&r, PLACES_END);
    if (rc < 0) {
        refuse(env, "cannot begin the call", -rc);
        return NULL;
    }
    if (request_tells(&r))
        take_signals(&r);
    if (plain_pipe)
        signal(SIGPIPE, request_ignored(&r) >> (SIGPIPE - 1) & 1 ? SIG_IGN : SIG_DFL);
    raise_descriptor_limit();
    take_environment(r.environment);
    napi_create_array(env, &result);
    for (uint32_t i = 0; r.arguments[i] != NULL; i++) {
        napi_value text;

        napi_create_string_utf8(env, r.arguments[i], NAPI_AUTO_LENGTH, &text);
        napi_set_element(env, result, i, text);
    }
    return result;
}

br_public napi_value napi_register_module_v1(napi_env env, napi_value exports);

napi_value
napi_register_module_v1(napi_env env, napi_value exports)
{
    static const struct {
        const char *name;
        napi_callback function;
    } all[] = {{"hide", hide}, {"open", open_line}, {"take", take}};

    for (size_t i = 0; i < array_len(all); i++) {
        napi_value function;

        napi_create_function(env, all[i].name, NAPI_AUTO_LENGTH, all[i].function, NULL, &function);
        napi_set_named_property(env, exports, all[i].name, function);
    }
    return exports;
}
