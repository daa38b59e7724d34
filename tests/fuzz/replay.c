/*
 * replay.c - a fuzz target as a plain test: replay FILE|DIRECTORY...
 *
 * Each file is given to the target whole and, when it is short, cut after each byte, always in
 * a block of exactly its length, so that the sanitizers see a byte read beyond it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "fuzz.h"

#define BYTES_MAX (1 << 20)
#define CUT_MAX   600 /* longer files are not cut */

static void
run(const char *bytes, size_t n)
{
    uint8_t *copy = malloc(n);

    if (n > 0)
        memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int
replay_file(const char *path)
{
    char *bytes = NULL;
    size_t n = 0;
    int rc = fd_read_path(path, BYTES_MAX, &bytes, &n);

    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(-rc));
        return 0;
    }
    run(bytes, n);
    for (size_t cut = 0; n <= CUT_MAX && cut < n; cut++)
        run(bytes, cut);
    free(bytes);
    return 1;
}

/* How many files were replayed. */
static int
replay_path(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (dir == NULL)
        return replay_file(path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        n += replay_path(name);
    }
    closedir(dir);
    return n;
}

int
main(int argc, char **argv)
{
    int n = 0;

    for (int i = 1; i < argc; i++)
        n += replay_path(argv[i]);
    printf("%d files\n", n);
    return n > 0 ? 0 : 1;
}
