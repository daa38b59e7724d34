/*
 * options.h - the option table, and walks over it.
 *
 *   options.def --> options[] --> validate.c    types, ranges, unknown names, checks
 *                            |--> generation.c  defaults and setters
 *                            `--> options_manual
 *
 * An entity is a row whose object becomes a struct of generation.h of its own; rows below it name
 * their place in that struct.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "base/buf.h"
#include "conf/json.h"

enum option_type {
    T_BOOL = 1 << 0,
    T_INTEGER = 1 << 1,
    T_NUMBER = 1 << 2, /* fractions too */
    T_STRING = 1 << 3,
    T_STRINGS = 1 << 4, /* a string, or an array of strings */
    T_ARRAY = 1 << 5,   /* of the objects of the row PATH/'*' */
    T_OBJECT = 1 << 6,
    T_OBJECTS = 1 << 7, /* beside T_OBJECT: an array of such objects */
    T_TEXTS = 1 << 8,   /* an array of strings */
    T_NULL = 1 << 9,
};

/* What a change does. */
enum option_live {
    LIVE_PARTS,       /* see its parts */
    LIVE_REQUESTS,    /* next requests */
    LIVE_HANDSHAKES,  /* next TLS handshakes */
    LIVE_SOCKET,      /* the listening socket is made, or asked to listen anew */
    LIVE_APPLICATION, /* new prototype and processes, old ones drain */
    LIVE_LOG,         /* the file is opened anew */
    LIVE_ROUTERS,     /* other routers take the place of those that run, which drain */
    LIVE_SHUTDOWN,    /* the next end */
};

enum option_set {
    SET_NOTHING,
    SET_BOOL,
    SET_INT32,
    SET_COUNT, /* int32_t: COUNT_AUTO for "auto" */
    SET_INT64,
    SET_SECONDS, /* int64_t, milliseconds */
    SET_STRING,  /* const char * */
    SET_STRINGS, /* struct strings */
    SET_ENVIRONMENT,
    SET_PATTERNS, /* const struct patterns *: text verbatim */
    SET_PATTERNS_LOWER,
    SET_PATTERNS_UPPER,
    SET_PATTERNS_DECODED,
    SET_TEMPLATE,    /* const struct template * */
    SET_TEMPLATES,   /* struct templates */
    SET_PASS,        /* struct pass_conf */
    SET_APPLICATION, /* likewise, from an application's name */
    SET_MIME,        /* const struct mime * */
    SET_NUMBERS,     /* struct strings, one for each number */
    SET_ID_RANGES,   /* struct strings: "INSIDE OUTSIDE N" */
    SET_LIMITS,      /* struct strings: "NAME SOFT HARD" */
    SET_BINDS,       /* struct strings, three by three: source, target, "ro" or "rw" */
    SET_PROCESSES,   /* struct processes_conf: a number is max and spare at once */
};

struct check; /* a validation under way, see validate.c */

/* 0, or -EBADMSG with the fault noted. */
typedef int option_check_fn(struct check *c, const struct json *value);
/* Of a name that '*' stands for. */
typedef int option_name_fn(struct check *c, const struct json *member);

/* Lists of words are separated by one space. */
struct option {
    const char *path;
    unsigned types;
    const char *def;
    const char *absent; /* what this build lacks for it; NULL: it works */
    bool required;
    bool entity;
    bool named_arrays;  /* an object of named arrays is as good as an array */
    const char *only;   /* languages */
    const char *with;   /* a member beside it, without which it means nothing */
    const char *unless; /* a member beside it that takes its place */
    const char *one_of; /* members of which there must be exactly one */
    const char *words;  /* the values of a string */
    int64_t min;
    int64_t max;
    option_check_fn *begin;
    option_check_fn *check;
    option_name_fn *name_check;
    struct {
        enum option_set how;
        size_t offset;
    } set;
    const char *like;
    enum option_live live;
    const char *doc;
};

extern const struct option options[];
extern const size_t n_options;

/* The row of that path, or NULL. */
const struct option *option_find(const char *path);

/* Last piece of the path: "backlog", "*". */
const char *option_name(const struct option *opt);

/* The row whose members it has: the one that it is like, or itself. */
const struct option *option_model(const struct option *opt);

/* What this build lacks for it or for an option it is part of; NULL: it works. */
const char *option_absent(const struct option *opt);

/* Is this row of applications of that language? */
bool option_is_of(const struct option *opt, struct slice language);

/* Applications of that language need an option that is absent: there can be none. */
bool option_language_is_absent(struct slice language);

/* Has a list of words this one?  NULL is an empty list. */
bool option_has_word(const char *words, struct slice word);
/* The next word of a list, *rest moves on; at first it is all of it.  p is NULL at the end. */
struct slice option_next_word(const char **rest);

/*
 * option_child - the row of a member of opt, by name or by '*'; follows `like`.
 *   language   rows that are only of another language do not count; may be empty
 */
const struct option *option_child(const struct option *opt, struct slice name,
                                  struct slice language);

/* The member whose name is nearest to a mistyped one, or NULL when none is near. */
const struct option *option_near(const struct option *opt, struct slice name,
                                 struct slice language);

/* Members of opt (or of what it is `like`) one after the other: prev is NULL at first. */
const struct option *option_next_child(const struct option *opt, const struct option *prev);

/* "a string or an array of strings", for messages and the manual. */
void option_types_text(const struct option *opt, char *ret_text, size_t room);
const char *option_live_text(enum option_live live);

/* The manual as Markdown: one section an option, in the order of the table. */
int options_manual(struct buf *b);

#endif
