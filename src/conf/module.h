/*
 * module.h - the language modules that discovery found, and which of them an application means.
 */
#ifndef CONF_MODULE_H
#define CONF_MODULE_H

#include "base/arena.h"
#include "base/err.h"

struct conf_module {
    struct slice type;    /* "python" */
    struct slice version; /* "3.11.2" */
    struct slice path;    /* of the shared object */
};

struct conf_modules {
    const struct conf_module *list;
    size_t n;
};

/*
 * The list as discovery reports it, [{"type": "python", "version": "3.11", "path": "..."}, ...];
 * what has no type or no path is left out.  Lives in the arena.  0, or as json_parse.
 */
int module_list_parse(struct arena *a, struct slice text, struct conf_modules *ret_modules,
                      struct br_err *err);

/*
 * module_type_split - "python 3.11", "python3", "python" to language and version; the version
 * may be empty.  false when there is no word to begin with.
 */
bool module_type_split(struct slice type, struct slice *ret_language, struct slice *ret_version);

/* Is it a type of the server's own, for which no module is looked for: `command`, `inetd`,
 * `stream`? */
bool module_is_built_in(struct slice language);

/*
 * module_find - of the modules of that language whose version begins with the wanted one, at a
 * boundary between digits and other characters ("3.1" fits 3.1.4, not 3.11), the highest.
 */
const struct conf_module *module_find(const struct conf_modules *modules, struct slice language,
                                      struct slice version);

#endif
