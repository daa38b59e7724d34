/*
 * helper.c - find brood-interp, and become it.
 *
 *   /proc/self/exe --directory--> brood-interp | ../libexec/brood/brood-interp
 *
 * Linked into the fast path, used off it.
 */
#include "interp/helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const places[] = {"brood-interp", "../libexec/brood/brood-interp"};

int
helper_find(char ret_path[HELPER_PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret_path, HELPER_PATH_MAX - 64);

    if (n < 0)
        return -errno;
    while (n > 0 && ret_path[n - 1] != '/')
        n--;
    for (size_t i = 0; i < array_len(places); i++) {
        memcpy(ret_path + n, places[i], strlen(places[i]) + 1);
        if (access(ret_path, X_OK) == 0)
            return 0;
    }
    return -errno;
}

int
helper_exec(const char *const *words, int argc, char **argv, char **environ_)
{
    char path[HELPER_PATH_MAX];
    char **all = malloc(((size_t)argc + 6) * sizeof(char *));
    size_t n = 0;
    int rc = helper_find(path);

    if (rc < 0)
        return rc;
    if (all == NULL)
        return -ENOMEM;
    all[n++] = path;
    while (*words != NULL)
        all[n++] = (char *)*words++;
    for (int i = 1; i < argc; i++)
        all[n++] = argv[i];
    all[n] = NULL;
    execve(path, all, environ_);
    rc = -errno;
    free(all);
    return rc;
}
