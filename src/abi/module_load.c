/*
 * module_load.c - dlopen, and the checks that make it one of ours.
 *
 * RTLD_LOCAL, so that two modules never see each other's symbols; RTLD_NOW, so that a module with a
 * missing symbol fails here, where the reason can be told, and not in the middle of its work.
 */
#include "abi/module_load.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
module_load(const char *modules_dir, const char *file, const struct br_module **ret_module,
            struct br_err *err)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    const struct br_module *module;
    char path[PATH_MAX];
    void *handle;

    if (name[0] == '\0' || snprintf(path, sizeof(path), "%s/%s", modules_dir, name) >= PATH_MAX)
        return br_fail(err, -ENOENT, "module \"%s\"", file);
    if (access(path, R_OK) < 0)
        return br_fail(err, -errno, "module \"%s\"", path);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return br_fail(err, -ENOEXEC, "module \"%s\": %s", path, dlerror());
    module = dlsym(handle, MODULE_SYMBOL);
    if (module == NULL)
        return br_fail(err, -ENOEXEC, "\"%s\" is no language module", path);
    if (module->abi != MODULE_ABI)
        return br_fail(err, -ESTALE,
                       "module \"%s\" was built for version %u of the contract, not %u", path,
                       module->abi, MODULE_ABI);
    *ret_module = module;
    return 0;
}

static int
is_module(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    size_t suffix = strlen(MODULE_SUFFIX);

    return n > suffix && strcmp(entry->d_name + n - suffix, MODULE_SUFFIX) == 0;
}

int
module_each(const char *modules_dir, int (*fn)(void *arg, const char *file), void *arg,
            struct br_err *err)
{
    struct dirent **entries;
    int n = scandir(modules_dir, &entries, is_module, alphasort);
    int rc = 0;

    if (n < 0)
        return br_fail(err, -errno, "cannot read the modules' directory \"%s\"", modules_dir);
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = fn(arg, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return rc;
}
