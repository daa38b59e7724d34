/*
 * broodctl_input.h - a configuration from a file or from stdin.
 */
#ifndef PROGRAMS_BROODCTL_INPUT_H
#define PROGRAMS_BROODCTL_INPUT_H

#include "conf/json.h"
#include "programs/broodctl.h"

/*
 * input_read - all of a file, or of stdin for "-" and NULL; pipes will do.
 *
 *   ret_origin   what to call it in messages
 *
 * CTL_OK, or CTL_REFUSED with the reason on stderr.
 */
enum ctl_exit input_read(struct arena *a, const char *path, struct slice *ret_text,
                         const char **ret_origin);

/* The same, parsed; "FILE:LINE:COLUMN: reason" on stderr when that fails. */
enum ctl_exit input_parse(struct arena *a, const char *path, struct json **ret_value,
                          const char **ret_origin);

/*
 * input_token - the token in a file: alone on the first line that is no comment, or behind its
 * role, as brood's own token file has it.
 */
enum ctl_exit input_token(struct arena *a, const char *path, const char **ret_token);

/*
 * input_agrees - ask on stderr, read a line of stdin.  Enter means what is usual; the end of input,
 * no.
 */
bool input_agrees(const char *question, bool usual);

/* Whether stdin is a file or a pipe, that is: was given to us to be read. */
bool input_is_given(void);

#endif
