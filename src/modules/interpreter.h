/*
 * interpreter.h - what the modules of all interpreted languages share: find the user's
 * interpreter, ask its version, execute it with our guest.
 */
#ifndef MODULES_INTERPRETER_H
#define MODULES_INTERPRETER_H

#include "abi/module.h"

struct interpreter {
    const char *type;    /* "python" */
    const char *program; /* "python3": looked for in HOME/bin and PATH */
    const char *stem;    /* "python": with a version behind it, a name of its own: python3.11 */
    const char *guest;   /* file of the guest in MODULESDIR */
    const char *ask;     /* argument after -c that prints the version */
};

/*
 * Every interpreter of PATH: the plain name first, then STEM followed by a version.  Each is run
 * once.  0; those that do not run are left out.
 */
int interpreter_describe(const struct interpreter *in, const char *modules_dir,
                         struct module_list *ret_list, struct br_err *err);

/*
 * The one that the application means, by "home" (HOME/bin) or by "type" with a version
 * ("python 3.9") or PATH.  0, -ENOENT with the places that were looked at.
 */
int interpreter_find(const struct interpreter *in, const struct module_setup *s,
                     char ret_path[MODULE_PATH_MAX], struct br_err *err);

/*
 * The files of that interpreter for another root: itself, its library, and those of the system in
 * which shared objects lie.  A home is looked for in the other root, and needs the same.
 */
int interpreter_deps(const struct interpreter *in, const struct module_setup *s,
                     struct module_deps *ret, struct br_err *err);

/* Absolute path of the guest.  -ENAMETOOLONG. */
int interpreter_guest(const struct interpreter *in, const char *modules_dir,
                      char ret_path[MODULE_PATH_MAX], struct br_err *err);

#endif
