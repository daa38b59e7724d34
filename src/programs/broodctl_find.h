/*
 * broodctl_find.h - brood's processes as /proc shows them, and where their control socket and log
 * are.
 */
#ifndef PROGRAMS_BROODCTL_FIND_H
#define PROGRAMS_BROODCTL_FIND_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct found_process {
    pid_t pid;
    pid_t parent;
    uid_t uid;
    int64_t age_ms;
    const char *title;
};

/* All processes there are, by pid.  0 or -errno. */
int find_processes(struct arena *a, struct found_process **ret_list, size_t *ret_n,
                   struct br_err *err);

/*
 * find_option - the value that main was started with, from its title.
 *   usual   what holds when the title names none
 * A relative path is taken from main's working directory.
 */
const char *find_option(struct arena *a, const struct found_process *main, const char *option,
                        const char *usual);
/* Whether it was started with this option. */
bool find_has_option(const struct found_process *main, const char *option);

/*
 * find_control - the control socket to talk to: that of the only main that runs, or the usual one.
 * 0; -EBADMSG when several run and none has the usual one.
 */
int find_control(struct arena *a, const char **ret_address, struct br_err *err);

/*
 * find_main - the main whose control socket that is; NULL: as find_control chooses.
 * 0, -ESRCH.
 */
int find_main(struct arena *a, const char *address, struct found_process *ret_main,
              struct br_err *err);

#endif
