/*
 * title.c - write over our own command line.
 *
 * Where it lies is in /proc/self/stat, fields 48 and 49 (proc(5)); the kernel shows what is there.
 * The first words, up to the script, are kept and come back for a call.
 */
#include "guests/prefork_interp/common/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

static char *start;
static size_t room;
static char *words; /* all of the first command line */

void
title_find(void)
{
    char *text = NULL, *at;
    size_t n;
    unsigned long from, to;

    if (fd_read_path("/proc/self/stat", 65536, &text, &n) < 0)
        return;
    at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 48; field++) {
        at = strchr(at, ' ');
        if (at != NULL)
            at++;
    }
    if (at != NULL && sscanf(at, "%lu %lu", &from, &to) == 2 && from != 0 && to > from) {
        words = malloc(to - from);
        if (words != NULL) {
            start = (char *)from;
            room = to - from;
            memcpy(words, start, room);
        }
    }
    free(text);
}

static void
put(size_t *at, const char *text, size_t n)
{
    n = br_min(n, room - *at);
    memcpy(start + *at, text, n);
    *at += n;
}

/* The last byte stays NUL: else the kernel takes the environment for more of it. */
static void
end(size_t at)
{
    memset(start + at, 0, room - at);
    start[room - 1] = '\0';
}

void
title_of_server(const char *script)
{
    size_t at = 0;

    if (start == NULL)
        return;
    put(&at, script, strlen(script));
    put(&at, " [server]", strlen(" [server]"));
    end(at);
}

void
title_of_call(const char *script, char *const *arguments)
{
    size_t at = 0;
    bool found = false;

    if (start == NULL)
        return;
    while (!found && at < room) {
        size_t n = strnlen(words + at, room - at);

        found = strcmp(words + at, script) == 0 && at > 0;
        put(&at, words + at, br_min(n + 1, room - at));
    }
    for (char *const *a = arguments; found && *a != NULL; a++)
        put(&at, *a, strlen(*a) + 1);
    end(at);
}
