/*
 * broodctl_fail.c - the one form of a complaint.
 */
#include <stdarg.h>
#include <stdio.h>

#include "programs/broodctl.h"

enum ctl_exit
ctl_fail(enum ctl_exit code, const char *fmt, ...)
{
    va_list args;

    fflush(stdout);
    fputs("broodctl: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    putc('\n', stderr);
    return code;
}
