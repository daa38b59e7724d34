/*
 * module.h - the whole contract between brood and a language module.
 *
 *   discovery:  dlopen -> br_module -> describe -> which languages this machine has -> exit
 *   prototype:  dlopen -> br_module -> setup -> execve(the user's interpreter, with our guest)
 *
 * A module is a small shared object, MODULESDIR/NAME.module.so, that exports one variable named
 * br_module.  It knows this header and base, and nothing else of the house: what it needs of the
 * launch card it asks through struct module_setup, and what it may say it says in a struct br_err.
 * Nothing of an interpreter is ever loaded into a process of ours (DESIGN, 6).
 */
#ifndef ABI_MODULE_H
#define ABI_MODULE_H

#include "base/err.h"

/* Raised whenever a struct of this header changes its shape or its sense. */
#define MODULE_ABI 2

#define MODULE_TYPE_MAX     32
#define MODULE_PATH_MAX     512
#define MODULE_VERSIONS_MAX 16
#define MODULE_DEPS_MAX     24

/* What follows a module's name in MODULESDIR; other files there belong to the guests. */
#define MODULE_SUFFIX ".module.so"

/* The environment variable by which a guest finds its descriptors; ipc/spawn.h writes the text. */
#define MODULE_HERITAGE "BROOD_HERITAGE"

/* One version of one language, as found on this machine. */
struct module_version {
    char type[MODULE_TYPE_MAX];        /* "python": what an application's "type" begins with */
    char version[MODULE_TYPE_MAX];     /* "3.11.7"; empty when the language has none ("external") */
    char interpreter[MODULE_PATH_MAX]; /* absolute path of the program; empty: the module itself */
    char lib[MODULE_PATH_MAX];         /* absolute path of the guest that it will load, or empty */
};

struct module_list {
    unsigned n;
    struct module_version version[MODULE_VERSIONS_MAX]; /* the default one first */
};

/* Paths of this machine that the language needs in another root, too. */
struct module_deps {
    unsigned n;
    char path[MODULE_DEPS_MAX][MODULE_PATH_MAX];
};

/* What setup may ask.  The strings live until the process executes something else. */
struct module_setup {
    /* First value of that key of the launch card, or fallback. */
    const char *(*get)(const struct module_setup *s, const char *key, const char *fallback);
    /* Each value of a key in order: *pos starts at 0; NULL at the end. */
    const char *(*next)(const struct module_setup *s, const char *key, unsigned *pos);
    const void *card;        /* for get and next */
    const char *modules_dir; /* where the guests lie */
    const char *heritage;    /* must be MODULE_HERITAGE's value in the new program's environment */
};

struct br_module {
    unsigned abi;     /* MODULE_ABI, as it was when the module was built */
    const char *name; /* "python" */

    /*
     * Look around: which versions are here.  Runs in discovery, may run programs of PATH and wait
     * for them.  0, also when there is none; -errno with the reason when looking itself failed.
     */
    int (*describe)(const char *modules_dir, struct module_list *ret_list, struct br_err *err);

    /*
     * What setup will need of the machine's files when the root is changed before it.  Runs in the
     * prototype.  0, or -errno with the reason.  NULL: nothing.
     */
    int (*deps)(const struct module_setup *s, struct module_deps *ret, struct br_err *err);

    /*
     * Become the application's prototype: runs in the prototype, in the application's own
     * isolation and as its user, with working directory, environment and stdio already in place.
     * Descriptors named by the heritage are inheritable, all others are close-on-exec.
     * Never returns on success; -errno with the reason (PROCESS_FAILED carries it to the client).
     */
    int (*setup)(const struct module_setup *s, struct br_err *err);
};

/* In a module: BR_MODULE = {.abi = MODULE_ABI, .name = "python", …}; */
#define BR_MODULE     const struct br_module br_module
#define MODULE_SYMBOL "br_module"

extern br_public const struct br_module br_module;

/* Adds a path; -ENOSPC when there are too many or it is too long. */
int module_deps_add(struct module_deps *deps, const char *path);

/* Adds a version to the list; the texts are cut to their places.  -ENOSPC when it is full. */
int module_list_add(struct module_list *list, const char *type, const char *version,
                    const char *interpreter, const char *lib);

#endif
