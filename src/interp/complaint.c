/*
 * complaint.c - the sentences of prefork-interp.
 */
#include "interp/complaint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

int
complain(const char *fmt, ...)
{
    va_list args;

    fputs("prefork-interp: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    putc('\n', stderr);
    return EXIT_FAILED;
}

void
print_usage(FILE *to)
{
    fputs("usage: prefork-interp -U [OPTION ...] INTERPRETER [INTERPRETER-OPTION ...] "
          "[SCRIPT [ARG ...]]\n",
          to);
}

int
complain_invocation(const struct invocation *inv)
{
    switch (inv->fault) {
    case INVOCATION_GOOD:
        return 0;
    case INVOCATION_NEEDS_U:
        return complain("need -U: arguments and environment are passed as they are");
    case INVOCATION_UNKNOWN:
        complain("unknown option %s", inv->blamed);
        break;
    case INVOCATION_NEEDS_VALUE:
        complain("%s option takes a value", inv->blamed);
        break;
    case INVOCATION_TAKES_NO_VALUE:
        complain("%s option does not take a value", inv->blamed);
        break;
    case INVOCATION_NOT_A_NUMBER:
        complain("not a number of seconds: \"%s\"", inv->blamed);
        break;
    case INVOCATION_NO_INTERPRETER:
        complain("need interpreter argument");
        break;
    case INVOCATION_COMBINED_LACKS_INTERPRETER:
        complain("combined arg lacks <interpreter>");
        break;
    case INVOCATION_COMBINED_LACKS_SCRIPT:
        complain("no script argument behind the combined one");
        break;
    case INVOCATION_NO_MEMORY:
        complain("out of memory");
        break;
    }
    print_usage(stderr);
    return EXIT_USAGE;
}

int
complain_status(uint32_t status, const char *what)
{
    int wait_status = (int)status;

    if (status > INT32_MAX)
        return complain("status 0x%x does not fit in an int", status);
    if (WIFSIGNALED(wait_status))
        return complain("%s failed due to signal %d %s%s", what, WTERMSIG(wait_status),
                        strsignal(WTERMSIG(wait_status)),
                        WCOREDUMP(wait_status) ? " (core dumped)" : "");
    return complain("%s failed with weird wait status %u 0x%x", what, status, status);
}

void
debug_step(const char *fmt, ...)
{
    va_list args;
    int64_t now;

    if (getenv("PREFORK_INTERP_DEBUG") == NULL)
        return;
    now = clock_us();
    fprintf(stderr, "prefork-interp %lld.%06d ", (long long)(now / 1000000), (int)(now % 1000000));
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    putc('\n', stderr);
}
