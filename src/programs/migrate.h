/*
 * migrate.h - another server's configuration becomes brood's: what all formats share.
 *
 *   files --read by the format--> directives --table--> tree of brood's configuration
 *                                              `------> notes: what has no counterpart, and where
 *
 * Each format has a table of directives (migrate_uwsgi.def, ...): where in the configuration a
 * value goes, or why it goes nowhere.  docs/migrate.md is printed from these tables.
 */
#ifndef PROGRAMS_MIGRATE_H
#define PROGRAMS_MIGRATE_H

#include "conf/json.h"
#include "programs/broodctl.h"

/* A line of an input file. */
struct place {
    const char *file;
    unsigned line; /* 0: the file as a whole */
};

enum note_kind {
    NOTE_NONE,      /* brood has nothing like it */
    NOTE_DIFFERENT, /* it has, but it acts differently */
    NOTE_UNREAD,    /* an expression, or a file that is not there: write it by hand */
    NOTE_ABSENT,    /* written as it will be; this build has not got it yet */
    NOTE_REFUSED,   /* the result as it is would be refused */
};

struct note {
    struct note *next;
    struct place at;
    const char *subject; /* a directive, or a JSON pointer into the result */
    enum note_kind kind;
    const char *text;
};

/* Files that are being read, to see a file that includes itself. */
struct migrate_file;

struct migration {
    struct arena *arena;
    struct json *root;  /* the result */
    struct slice text;  /* that it was parsed from; SLICE_NONE: it was made */
    struct note *notes; /* file by file, in the order of lines */
    struct migrate_file *reading;
};

enum directive_how {
    TO_INT,
    TO_BOOL,
    TO_SECONDS, /* "30", "30s", "2m" */
    TO_STRING,
    TO_LIST,    /* one more string of an array */
    TO_ENV,     /* "NAME=VALUE" into an object of strings */
    BY_FORMAT,  /* together with others: see the format's source */
    ALWAYS,     /* brood does so anyway */
    NOWHERE,    /* no counterpart: doc is the advice */
    DIFFERENTLY /* doc says how */
};

struct directive {
    const char *names; /* separated by a space: the same thing */
    enum directive_how how;
    const char *to; /* below the application; with '/' from the root; NULL: nowhere */
    const char *doc;
};

/* Bad input: "FILE:LINE: ..." on stderr.  CTL_REFUSED. */
enum ctl_exit migrate_fail(struct place at, const char *fmt, ...) br_printf(2, 3);

void migrate_note(struct migration *m, struct place at, const char *subject, enum note_kind kind,
                  const char *fmt, ...) br_printf(5, 6);

/*
 * migrate_open - the text of a file.
 *   key    what must not be nested in itself: the path, perhaps with a section
 *   from   who asked for it
 * CTL_OK, or CTL_REFUSED, said: it cannot be read, is not text, or is being read already.
 * migrate_close ends what is nested in it.
 */
enum ctl_exit migrate_open(struct migration *m, const char *path, const char *key,
                           struct place from, struct slice *ret_text);
void migrate_close(struct migration *m);

/* "dir/of/file" + "other", unless other is absolute. */
const char *migrate_beside(struct arena *a, const char *file, const char *other);
/* "file" without directories and its last suffix. */
const char *migrate_stem(struct arena *a, const char *file);

/* The row of that name, or NULL. */
const struct directive *directive_find(const struct directive *table, size_t n, struct slice name);

/* The object at path below root, made where it is missing. */
struct json *migrate_object(struct migration *m, struct json *root, const char *path);
/* A value at path; replaces what is there. */
void migrate_put(struct migration *m, struct json *root, const char *path, struct json *value);
void migrate_put_text(struct migration *m, struct json *root, const char *path, struct slice text);
/* One more element of the array at path. */
void migrate_push(struct migration *m, struct json *root, const char *path, struct json *value);

/*
 * migrate_assign - do what the directive's row says with its value, a scalar or an array of them.
 * BY_FORMAT is for the caller.
 */
void migrate_assign(struct migration *m, struct json *app, const struct directive *d,
                    struct slice name, const struct json *value, struct place at);

/* "yes", "on", "1", "true" in any case; a number that is not 0; true. */
bool migrate_is_true(const struct json *value);
/* What a string, number or truth looks like in an input file. */
struct slice migrate_text(struct arena *a, const struct json *value);

/*
 * migrate_listen - a listener at an address as others write it: ":80", "80", "0.0.0.0:80",
 * "localhost:80", "/run/app.sock", "unix:/run/app.sock", "@name".
 *   pass   where its requests go
 * Notes what cannot be done.  The listener, or NULL.
 */
struct json *migrate_listen(struct migration *m, struct slice address, const char *pass,
                            const char *directive, struct place at);

/* An application of that type, named by its file or module. */
struct json *migrate_app(struct migration *m, const char *name, const char *type);

typedef enum ctl_exit migrate_fn(struct migration *m, int n, char **paths);

struct migrate_format {
    const char *name;
    const char *title; /* of the manual's section */
    const char *about;
    const struct directive *table;
    const size_t *n;
    migrate_fn *read;
};

extern const struct migrate_format migrate_formats[];
extern const size_t n_migrate_formats;

extern const struct directive uwsgi_directives[], gunicorn_directives[], fpm_directives[],
    fcgiwrap_directives[], unit_directives[];
extern const size_t n_uwsgi_directives, n_gunicorn_directives, n_fpm_directives,
    n_fcgiwrap_directives, n_unit_directives;

migrate_fn migrate_uwsgi, migrate_gunicorn, migrate_fpm, migrate_fcgiwrap, migrate_unit;

#endif
