/*
 * environment.c - the variables and functions of a call, in a bash that has its own.
 *
 * A plain run takes the environment first and then lets the script set variables.  A call comes
 * after initialisation, so what initialisation has set stays set, and only what it left alone is
 * replaced: a variable counts as left alone when it has the value that it had as the library was
 * loaded.
 *
 * Headers: package bash-builtins; what these lack is declared here.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <builtins.h>
#include <shell.h>
#include <builtins/common.h>

#include "base/attr.h"
#include "guests/prefork_interp/bash/environment.h"

extern HASH_TABLE *invalid_env; /* names that are no shell names, passed on all the same */

/* ---- variables as they were */

struct known {
    char *name, *text;
};

struct table {
    struct known *rows;
    size_t n;
};

static struct table variables, functions;

/* Its text, or NULL: an array, something computed, nothing yet. */
static const char *
text_of(SHELL_VAR *v)
{
    if (v->dynamic_value != NULL || v->value == NULL ||
        (v->attributes & (att_array | att_assoc | att_nameref)) != 0)
        return NULL;
    if ((v->attributes & att_function) != 0)
        return named_function_string(NULL, function_cell(v), 0);
    return v->value;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

/* all is freed. */
static void
remember(struct table *t, SHELL_VAR **all)
{
    size_t n = 0;

    while (all != NULL && all[n] != NULL)
        n++;
    t->rows = calloc(n + 1, sizeof(*t->rows));
    for (size_t i = 0; t->rows != NULL && i < n; i++) {
        const char *text = text_of(all[i]);

        if (text == NULL)
            continue;
        t->rows[t->n].name = strdup(all[i]->name);
        t->rows[t->n].text = strdup(text);
        if (t->rows[t->n].name != NULL && t->rows[t->n].text != NULL)
            t->n++;
    }
    if (t->n > 0)
        qsort(t->rows, t->n, sizeof(*t->rows), by_name);
    free(all);
}

void
environment_remember(void)
{
    remember(&variables, all_visible_variables());
    remember(&functions, all_shell_functions());
}

static bool
was_left_alone(const struct table *t, SHELL_VAR *v)
{
    struct known key = {.name = v->name};
    const struct known *k =
        t->n > 0 ? bsearch(&key, t->rows, t->n, sizeof(*t->rows), by_name) : NULL;
    const char *text = k != NULL ? text_of(v) : NULL;

    return text != NULL && strcmp(text, k->text) == 0;
}

/* These the shell itself keeps up to date, or never takes from the environment. */
static bool
is_the_shells(const char *name)
{
    static const char *const names[] = {"_", "IFS", "PPID", "UID", "EUID", "SHELLOPTS", "BASHOPTS"};

    for (size_t i = 0; i < array_len(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool
follows_the_call(const char *name)
{
    return strcmp(name, "PWD") == 0 || strcmp(name, "OLDPWD") == 0 || strcmp(name, "SHLVL") == 0;
}

/* ---- environment */

static const char *
value_in(char *const *entries, const char *name)
{
    size_t n = strlen(name);

    for (; *entries != NULL; entries++) {
        if (strncmp(*entries, name, n) == 0 && (*entries)[n] == '=')
            return *entries + n + 1;
    }
    return NULL;
}

static void
drop_absent(char *const *entries)
{
    SHELL_VAR **all = all_exported_variables();

    for (size_t i = 0; all != NULL && all[i] != NULL; i++) {
        char *name = all[i]->name;

        if (is_the_shells(name) || value_in(entries, name) != NULL)
            continue;
        if (!was_left_alone(&variables, all[i]) && !follows_the_call(name))
            continue;
        if ((all[i]->attributes & (att_readonly | att_nounset)) != 0) {
            VUNSETATTR(all[i], att_exported);
            continue;
        }
        name = savestring(name); /* unbinding frees it */
        unbind_variable(name);
        stupidly_hack_special_variables(name);
        free(name);
    }
    free(all);
}

static void
import_variable(const char *name, const char *value)
{
    SHELL_VAR *v = find_variable_noref(name);
    bool same = v != NULL && text_of(v) != NULL && strcmp(text_of(v), value) == 0;

    if (is_the_shells(name) || (v != NULL && (v->attributes & (att_readonly | att_noassign)) != 0))
        return;
    if (!same && (v == NULL || v->value == NULL || was_left_alone(&variables, v) ||
                  follows_the_call(name))) {
        v = bind_variable(name, (char *)value, 0);
        stupidly_hack_special_variables((char *)name);
    }
    if (v == NULL)
        return;
    /* Set by initialisation or not: what came from the environment is exported. */
    VSETATTR(v, att_exported | att_imported);
    VUNSETATTR(v, att_invisible);
}

#define FUNCTION_PREFIX "BASH_FUNC_"
#define FUNCTION_SUFFIX "%%"

/* BASH_FUNC_NAME%%=() { ...; }: an exported function, which bash would evaluate at its start. */
static void
import_function(const char *name, const char *body)
{
    size_t n = strlen(name) - strlen(FUNCTION_SUFFIX);
    SHELL_VAR *v;
    char *text, *function;

    if (asprintf(&function, "%.*s", (int)n, name) < 0)
        return;
    v = find_function(function);
    if (v == NULL || was_left_alone(&functions, v)) {
        text = xmalloc(n + strlen(body) + 2);
        sprintf(text, "%s %s", function, body);
        parse_and_execute(text, function,
                          SEVAL_NONINT | SEVAL_NOHIST | SEVAL_FUNCDEF |
                              SEVAL_ONECMD); /* frees it */
        v = find_function(function);
        if (v != NULL)
            VSETATTR(v, att_exported | att_imported);
    }
    free(function);
}

/* "A.B=1": for programs that the script starts. */
static void
pass_on(const char *name, const char *value)
{
    SHELL_VAR *v = xmalloc(sizeof(*v));
    BUCKET_CONTENTS *place;

    if (invalid_env == NULL)
        invalid_env = hash_create(64);
    place = hash_insert(savestring((char *)name), invalid_env, HASH_NOSRCH);
    memset(v, 0, sizeof(*v));
    v->name = savestring((char *)name);
    v->value = savestring((char *)value);
    v->attributes = att_exported | att_imported;
    place->data = v;
}

static void
import(const char *entry)
{
    const char *equals = strchr(entry, '=');
    char *name;
    size_t n;

    if (equals == NULL || equals == entry ||
        (name = strndup(entry, (size_t)(equals - entry))) == NULL)
        return;
    n = strlen(name);
    if (legal_identifier(name))
        import_variable(name, equals + 1);
    else if (n > strlen(FUNCTION_PREFIX FUNCTION_SUFFIX) &&
             strncmp(name, FUNCTION_PREFIX, strlen(FUNCTION_PREFIX)) == 0 &&
             strcmp(name + n - strlen(FUNCTION_SUFFIX), FUNCTION_SUFFIX) == 0 &&
             strncmp(equals + 1, "() {", 4) == 0)
        import_function(name + strlen(FUNCTION_PREFIX), equals + 1);
    else
        pass_on(name, equals + 1);
    free(name);
}

static void
drop_absent_functions(char *const *entries)
{
    SHELL_VAR **all = all_shell_functions();

    for (size_t i = 0; all != NULL && all[i] != NULL; i++) {
        char *name;

        if (!was_left_alone(&functions, all[i]) ||
            asprintf(&name, FUNCTION_PREFIX "%s" FUNCTION_SUFFIX, all[i]->name) < 0)
            continue;
        if (value_in(entries, name) == NULL)
            unbind_func(all[i]->name);
        free(name);
    }
    free(all);
}

void
environment_take(char *const *entries)
{
    invalid_env = NULL; /* the first caller's; this process is too short-lived to tidy up */
    drop_absent_functions(entries);
    drop_absent(entries);
    for (char *const *e = entries; *e != NULL; e++)
        import(*e);
    if (find_variable("PATH") == NULL)
        bind_variable("PATH", (char *)DEFAULT_PATH_VALUE, 0);
    adjust_shell_level(1);
    array_needs_making = 1;
}
