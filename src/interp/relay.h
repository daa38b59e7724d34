/*
 * relay.h - the wrapper while the service runs: signals down, status up, and the same end.
 */
#ifndef INTERP_RELAY_H
#define INTERP_RELAY_H

#include "interp/request.h"

enum relay_outcome {
    RELAY_ENDED, /* *ret_status is the service's wait status */
    RELAY_LOST,  /* the server went before it told one */
};

/*
 * relay_catch - from now on signals are the service's; before the request is sent, for it may run
 * before we are back.  Once is enough.  relay_release: nothing was run; put the mask back, as
 * before an exec, which puts the actions back.
 */
void relay_catch(void);
void relay_release(void);

/*
 * relay_wait - until the service has ended.
 *
 * A server that takes signals gets those that this process catches meanwhile (not those that were
 * ignored when it began).  TSTP stops this process when the service has stopped, never before.
 * A second INT or TERM, PATIENCE_MS after the first, ends this process by that signal: the server
 * sees the connection's end and ends the service.
 */
enum relay_outcome relay_wait(int fd, const struct greeting *g, uint32_t *ret_status);

enum relay_end {
    RELAY_EXIT,      /* *ret_code is the exit code */
    RELAY_UNPRINTED, /* the status has to be explained, exit code 127 */
};

/*
 * relay_end - end as that wait status says: by its signal, which does not return, or by returning
 * the exit code.
 *
 *   exact   by any signal, without a second core file; else by the five that need no explanation
 */
enum relay_end relay_end(uint32_t status, bool exact, int *ret_code);

#endif
