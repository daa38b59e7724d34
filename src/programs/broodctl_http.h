/*
 * broodctl_http.h - what a command says to the brood it found, and what it makes of the answer.
 */
#ifndef PROGRAMS_BROODCTL_HTTP_H
#define PROGRAMS_BROODCTL_HTTP_H

#include "programs/broodctl.h"
#include "programs/control_http.h"

/*
 * http_judge - CTL_OK (2xx), or CTL_REFUSED: then what the server said is printed, on stderr or
 * with
 * --json as it came on stdout.
 */
enum ctl_exit http_judge(const struct ctl *ctl, const struct ctl_request *request,
                         const struct ctl_answer *answer);

/*
 * http_ask - http_exchange with the brood of ctl, judged; what goes wrong is said on stderr.
 * CTL_OK (2xx), CTL_REFUSED or CTL_UNREACHABLE.
 */
enum ctl_exit http_ask(struct ctl *ctl, struct arena *a, const struct ctl_request *request,
                       struct ctl_answer *ret);
/* The same for a GET. */
enum ctl_exit http_get(struct ctl *ctl, struct arena *a, const char *target,
                       struct ctl_answer *ret);

/* The member at "processes/running" below value, or NULL; and as a number, 0 when it is none. */
const struct json *json_member(const struct json *value, const char *path);
int64_t json_member_int(const struct json *value, const char *path);

#endif
