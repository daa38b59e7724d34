/*
 * brood/base.h - what all headers of libbrood share: how errors are told, which version this is.
 *
 * Functions return 0 (or a count) on success and -errno on failure; those that can say more fill a
 * struct br_error.  A pointer to one may always be NULL.  The library prints nothing, handles no
 * signal that nobody asked for, keeps all its descriptors close-on-exec, and never exits.
 *
 * Handles (loops, timers, children, ...) are made by the library and belong to one loop, which
 * belongs to the thread that runs it; only br_wake may be called from elsewhere.
 */
#ifndef BROOD_BASE_H
#define BROOD_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
#define BR_BEGIN extern "C" {
#define BR_END   }
#else
#define BR_BEGIN
#define BR_END
#endif

#ifdef __GNUC__
#define BR_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define BR_PRINTF(at, first)
#endif

BR_BEGIN

#define BR_VERSION_MAJOR 0
#define BR_VERSION_MINOR 1

/* "0.1.0", of the library that runs. */
const char *br_version(void);

struct br_error {
    int code;         /* -errno, 0: nothing failed */
    const char *step; /* "chdir", "exec", ...: what failed, static text; NULL: not known */
    char text[1024];  /* a sentence with the reason, no newline */
};

BR_END

#endif
