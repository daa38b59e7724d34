/*
 * procstat.h - what /proc/PID/stat says of a process that is not our child.  See proc(5).
 */
#ifndef INTERP_PROCSTAT_H
#define INTERP_PROCSTAT_H

#include <sys/types.h>

/* State letter; 0 when it cannot be read. */
char procstat_state(pid_t pid);

/*
 * procstat_ended - wait status of a process that has ended and has not been reaped.
 *
 * 0, or -EAGAIN: it is no zombie, or the kernel keeps its status from us (a service that has become
 * another user, and we are not allowed to look at it: the field is 0 then, which we must not
 * believe).
 */
int procstat_ended(pid_t pid, int *ret_status);

#endif
