/*
 * memory.c - sums over /proc/PID/smaps_rollup.  See proc(5).
 */
#include "interp/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_process(struct memory *m, int pid)
{
    char path[40], line[128];
    unsigned long long kib;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "Pss: %llu", &kib) == 1)
            m->pss_kib += kib;
        else if (sscanf(line, "Private_Dirty: %llu", &kib) == 1 ||
                 sscanf(line, "Private_Clean: %llu", &kib) == 1)
            m->private_kib += kib;
    }
    if (f != NULL)
        fclose(f);
}

void
memory_add(struct memory *m, const char *lines)
{
    static const char *const names[] = {"pid=", "interpreter=", "process="};

    while (lines != NULL && *lines != '\0') {
        for (size_t i = 0; i < array_len(names); i++)
            if (strncmp(lines, names[i], strlen(names[i])) == 0)
                add_process(m, atoi(lines + strlen(names[i])));
        lines = strchr(lines, '\n');
        lines += lines != NULL;
    }
}
