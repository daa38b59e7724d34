/*
 * conf_file.h - a configuration in a file, and in the files that it includes, as one tree.
 *
 *   begin(text of the file) --> next_include: "conf.d" --> add(its files) --> next_include ... -->
 * root
 *
 * "include" is a member of the file beside the others, a pattern of conf_include.h or an array of
 * them; it is no part of the configuration.  Members of listeners, applications, upstreams and
 * named routes may come from several files, and so may parts of settings; the same name twice is a
 * fault that names both places.  Variables of the environment are expanded in each (expand.h).
 *
 * Reading the files is the caller's, who may have to ask somebody.
 */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include "conf/sources.h"
#include "conf/validate.h"

struct conf_file {
    struct arena arena; /* everything below, and the tree */
    struct sources sources;
    struct conf_faults *faults; /* hears of each fault; its offsets are for sources_place */
    struct slice path;
    struct json *root;          /* NULL: there is none, since the text was none */
    const struct json *include; /* the pattern that was given out last */
    const struct json *after;   /* the one after it */
    bool partial;               /* some text is missing: nothing can be said of references */
};

/* path: as it shall be named; text: copied.  What was wrong, faults know. */
void conf_file_begin(struct conf_file *f, const char *path, struct slice text,
                     struct conf_faults *faults);
/* The same of a text that is a configuration as it stands, such as a client sends. */
void conf_file_begin_plain(struct conf_file *f, const char *path, struct slice text,
                           struct conf_faults *faults);
void conf_file_done(struct conf_file *f);

/* The next pattern to read.  false: that was all.  The text lives as long as f. */
bool conf_file_next_include(struct conf_file *f, const char **ret_pattern);
/* The bytes that conf_include_read gave for it. */
void conf_file_add(struct conf_file *f, struct slice files);
/* Or why there are none. */
void conf_file_cannot(struct conf_file *f, const char *why);

#endif
