/*
 * title.c - the process title, written over the memory that /proc/PID/cmdline shows.
 *
 *   arg_start [ argv strings ] arg_end = env_start [ environment strings ] env_end
 *             [ brood: router NUL 0 0 0 … .        0 0 0 …                 ]
 *
 * When the last byte of the arguments is not NUL, the kernel takes the text from arg_start up to
 * its first NUL for a title (fs/proc/base.c, get_mm_cmdline), so a title may be longer or shorter
 * than the arguments were.  The place is the kernel's own record, /proc/self/stat fields 48 to 51
 * (proc(5)): argv need not be known, which matters inside an interpreter.
 */
#include "process/title.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD_ARG_START 48

static char *area; /* arg_start, NULL until found */
static size_t args_bytes;
static size_t area_bytes;
static bool searched;

/* The four addresses: fields 48.. of the line, counted behind the name in parentheses. */
static bool
read_place(unsigned long ret_at[4])
{
    char line[4096];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    char *p;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    line[n] = '\0';
    p = strrchr(line, ')'); /* field 2 ends here */
    for (int field = 2; p != NULL && field < FIELD_ARG_START; field++)
        p = strchr(p + 1, ' ');
    return p != NULL &&
           sscanf(p, "%lu %lu %lu %lu", &ret_at[0], &ret_at[1], &ret_at[2], &ret_at[3]) == 4;
}

/* Copy each environment string that lies in the area; who holds an old pointer sees the title. */
static bool
move_environment(const char *start, const char *end)
{
    for (char **e = environ; e != NULL && *e != NULL; e++) {
        char *copy;

        if (*e < start || *e >= end)
            continue;
        copy = strdup(*e);
        if (copy == NULL)
            return false;
        *e = copy;
    }
    return true;
}

/* libc keeps pointers into argv[0] for error messages. */
static void
move_program_name(const char *start, const char *end)
{
    const char *slash;
    char *copy;

    if (program_invocation_name < start || program_invocation_name >= end)
        return;
    copy = strdup(program_invocation_name);
    if (copy == NULL)
        return;
    slash = strrchr(copy, '/');
    program_invocation_name = copy;
    program_invocation_short_name = slash != NULL ? (char *)slash + 1 : copy;
}

static void
find_area(void)
{
    unsigned long at[4];
    char *arg_start, *end;

    searched = true;
    if (!read_place(at) || at[0] == 0 || at[1] <= at[0] + 1)
        return;
    arg_start = (char *)at[0];
    end = at[2] == at[1] && at[3] > at[2] ? (char *)at[3] : (char *)at[1];
    if (!move_environment((char *)at[1], end))
        end = (char *)at[1];
    move_program_name(arg_start, end);
    area = arg_start;
    args_bytes = at[1] - at[0];
    area_bytes = (size_t)(end - arg_start);
}

void
title_set(const char *fmt, ...)
{
    char text[2048];
    va_list args;
    size_t n;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (!searched)
        find_area();
    if (area == NULL)
        return;
    n = strlen(text);
    if (n > area_bytes - 1)
        n = area_bytes - 1;
    memset(area, 0, area_bytes);
    memcpy(area, text, n);
    if (n < args_bytes - 1)
        area[args_bytes - 1] = '.';
}
