/*
 * broodctl_change.h - one change of the configuration: its plan, its answer, and what became of it
 * when no answer came.
 */
#ifndef PROGRAMS_BROODCTL_CHANGE_H
#define PROGRAMS_BROODCTL_CHANGE_H

#include "programs/broodctl_http.h"

/*
 * change_make - ask for a change and print what the server says.
 *
 *   wanted   the whole configuration that it leads to, when the caller knows; NULL: it is worked
 *            out from the one in force, as the server does
 *   ret      as of http_ask; all zero when the answer was lost
 *
 * With --dry-run the steps are printed and nothing is changed.
 *
 * When the connection ends without an answer, the request may have been carried out or not: the
 * server is asked again, for up to five seconds, which configuration is in force.  CTL_OK is the
 * new one, CTL_REFUSED the old one, CTL_UNKNOWN anything else.
 */
enum ctl_exit change_make(struct ctl *ctl, const struct ctl_request *request,
                          const struct json *wanted, struct ctl_answer *ret);

#endif
