/*
 * arguments.h - the command line of brood.
 */
#ifndef PROGRAMS_ARGUMENTS_H
#define PROGRAMS_ARGUMENTS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "process/role.h"

enum action { ACTION_RUN, ACTION_HELP, ACTION_VERSION, ACTION_CHECK, ACTION_SIGNAL };

struct arguments {
    enum action action;
    struct settings settings; /* what the command line can know of it */
    enum log_level log_level;
    const char *check_path;
    int signal;         /* of ACTION_SIGNAL */
    struct arena texts; /* all of the above */
};

/* 0, or -EINVAL with a sentence of one line; arguments_done in both cases. */
int arguments_parse(int argc, char **argv, struct arguments *ret, struct br_err *err);
void arguments_done(struct arguments *args);

/* What --help and --version print. */
void arguments_help(const struct arguments *args, const char *program);
void arguments_version(void);

#endif
