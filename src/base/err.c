/*
 * err.c - the sentence of a failure: written by who saw it, prefixed by who had asked.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Untranslated and without a static buffer, unlike strerror(3). */
static const char *
errno_text(int rc)
{
    const char *text = strerrordesc_np(-rc);

    return text != NULL ? text : "unknown error";
}

int
br_fail(struct br_err *err, int rc, const char *fmt, ...)
{
    char sentence[sizeof(err->text)], before[sizeof(err->text)];
    const char *rest = before;
    va_list args;

    if (err == NULL)
        return rc;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);

    if (err->rc != 0) {
        memcpy(before, err->text, sizeof(before));
    } else {
        err->rc = rc;
        rest = rc == -EBADMSG ? "" : errno_text(rc);
    }
    /* Cut at the end by intention: the newest sentence has the widest view. */
    if ((size_t)snprintf(err->text, sizeof(err->text), "%s%s%s", sentence, *rest ? ": " : "",
                         rest) >= sizeof(err->text))
        err->text[sizeof(err->text) - 1] = '\0';
    return rc;
}

void
br_err_clear(struct br_err *err)
{
    err->rc = 0;
    err->text[0] = '\0';
}
