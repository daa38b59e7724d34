/*
 * check.h - brood --check and broodctl check: is this file a configuration?
 */
#ifndef PROGRAMS_CHECK_H
#define PROGRAMS_CHECK_H

struct conf_modules;

enum check_as {
    CHECK_FILE, /* for --config: with includes and variables of the environment */
    CHECK_BODY, /* for a client: as it is */
};

/* Where faults go: place is "FILE:LINE:COLUMN", or less when less is known; pointer may be "". */
struct check_sink {
    void (*fault)(void *arg, const char *place, const char *pointer, const char *what);
    void *arg;
};

/*
 * Prints "FILE:LINE:COLUMN: /pointer: what is wrong" on stderr for each fault, or "FILE: ok" on
 * stdout, unless it is broodctl that asks: that is silent when all is well.
 *   modules   finds the languages of this machine, if the file has applications, since that takes
 *             a while; NULL: any that is known
 *   sink      takes the faults instead of stderr; NULL: none does
 * The exit code: 0 or 1.
 */
int check_config(const char *path, const struct conf_modules *(*modules)(void *arg), void *arg,
                 enum check_as as, const struct check_sink *sink);

#endif
