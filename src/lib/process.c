/*
 * process.c - titles and readiness, as process/title and process/notify have them.
 */
#include <brood/process.h>

#include <stdarg.h>
#include <stdio.h>

#include "lib/lib.h"
#include "process/notify.h"
#include "process/title.h"

API void
br_title(const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    title_set("%s", text);
}

API int
br_notify(const char *state)
{
    return notify_manager(state);
}

API int
br_ready(void)
{
    return notify_ready();
}
