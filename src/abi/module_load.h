/*
 * module_load.h - find, open and check language modules.
 *
 * What discovery reports with MODULES, one object for each version that some module described:
 *
 *   [{"type": "python", "version": "3.11.7", "path": "MODULESDIR/python.module.so",
 *     "interpreter": "/usr/bin/python3", "lib": "MODULESDIR/_brood.abi3.so"}, …]
 *
 * "path" is what a launch card names as its module.
 */
#ifndef ABI_MODULE_LOAD_H
#define ABI_MODULE_LOAD_H

#include "abi/module.h"

/*
 * Open a module and check that it was built for this brood.  Only the last part of file counts: a
 * module lies in modules_dir or nowhere.  It stays open for the life of the process.
 * 0, -ENOENT, -ENOEXEC (not loadable, or none of ours), -ESTALE (built for another MODULE_ABI).
 */
int module_load(const char *modules_dir, const char *file, const struct br_module **ret_module,
                struct br_err *err);

/*
 * Call fn with the name of each module file of the directory, in order of their names; stop when it
 * returns other than 0, and return that.  -errno when the directory cannot be read.
 */
int module_each(const char *modules_dir, int (*fn)(void *arg, const char *file), void *arg,
                struct br_err *err);

#endif
