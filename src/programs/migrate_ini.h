/*
 * migrate_ini.h - files of sections and NAME = VALUE lines, in the dialects that servers have.
 */
#ifndef PROGRAMS_MIGRATE_INI_H
#define PROGRAMS_MIGRATE_INI_H

#include "programs/migrate.h"

enum ini_style {
    INI_UWSGI,   /* "; " and "# " comments; a name alone is true; "..." around a value */
    INI_PHP,     /* ';' comments, also behind a value; '...' and "..." */
    INI_SYSTEMD, /* a line goes on behind '\' */
    INI_SHELL,   /* NAME=VALUE of sh, no sections */
};

struct ini_line {
    struct ini_line *next;
    struct place at;
    struct slice section; /* "" before the first */
    struct slice name;
    struct slice value;
};

/*
 * ini_parse - all lines of a text, in order.
 *   path   for places
 * CTL_OK, or CTL_REFUSED: said with the place.
 */
enum ctl_exit ini_parse(struct arena *a, enum ini_style style, const char *path, struct slice text,
                        struct ini_line **ret_first);

/*
 * words_split - the words of a command line: white space between them, '...', "..." and \ as in
 * sh(1) and systemd.service(5).  An array of strings; NULL: a quote is not closed.
 */
struct json *words_split(struct arena *a, struct slice text);

#endif
