/*
 * migrate_uwsgi.h - the options of a uWSGI ini file, included files and %(names) resolved.
 */
#ifndef PROGRAMS_MIGRATE_UWSGI_H
#define PROGRAMS_MIGRATE_UWSGI_H

#include "programs/migrate_ini.h"

/* What an ini_line's section holds here: "" for an option, */
#define UWSGI_VARIABLE "variable" /* set-placeholder: there only to be named */
#define UWSGI_NAMED    "named"    /* an option that a later value names as %(option) */

struct uwsgi_options {
    struct ini_line *first;
    struct ini_line **last;
};

/*
 * uwsgi_read - append the options of a file and of those it includes.
 *   path   "FILE" or "FILE:SECTION"; "uwsgi" is the usual section
 * CTL_OK, or CTL_REFUSED: said.
 */
enum ctl_exit uwsgi_read(struct migration *m, const char *path, struct place from,
                         struct uwsgi_options *options);

#endif
