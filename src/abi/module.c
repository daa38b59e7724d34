/*
 * module.c - the one function of the contract that modules call instead of implement.
 */
#include "abi/module.h"

#include <errno.h>
#include <string.h>
#include <stdio.h>

static void
put(char *place, size_t room, const char *text)
{
    snprintf(place, room, "%s", text != NULL ? text : "");
}

int
module_list_add(struct module_list *list, const char *type, const char *version,
                const char *interpreter, const char *lib)
{
    struct module_version *v;

    if (list->n == MODULE_VERSIONS_MAX)
        return -ENOSPC;
    v = &list->version[list->n++];
    put(v->type, sizeof(v->type), type);
    put(v->version, sizeof(v->version), version);
    put(v->interpreter, sizeof(v->interpreter), interpreter);
    put(v->lib, sizeof(v->lib), lib);
    return 0;
}

int
module_deps_add(struct module_deps *deps, const char *path)
{
    size_t n = strlen(path) + 1;

    if (deps->n == MODULE_DEPS_MAX || n > sizeof(deps->path[0]))
        return -ENOSPC;
    memcpy(deps->path[deps->n++], path, n);
    return 0;
}
