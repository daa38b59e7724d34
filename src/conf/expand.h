/*
 * expand.h - variables of the environment in a configuration file.
 *
 *   "*:${env:PORT:-8080}"   the variable, or what stands behind ":-" when it is unset or empty
 *   "$${env:PORT}"          these very characters without the first
 *
 * In string values and in the names of members, before anything else is looked at.  "$uri" and
 * "${uri}" are another thing: no variable of a template has a colon in its name, so no template
 * changes its meaning.  What comes out is not expanded again.
 *
 * A string that consists of one such variable stands for a number or a boolean where the option
 * takes those and no string: "processes": "${env:WEB_CONCURRENCY:-2}".
 */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "conf/validate.h"

/*
 * Expand the tree (a whole configuration, or a part of its top level) in place; new texts are in
 * the arena.  What is wrong is told to faults, and the value stays as it was.
 */
void expand_environment(struct arena *a, struct json *conf, struct conf_faults *faults);

#endif
