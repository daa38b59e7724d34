/*
 * invocation.h - the command line of prefork-interp, in any of its three forms, as one struct.
 *
 *   prefork-interp  -U -E LANG perl -w SCRIPT ARG...     separate words
 *   prefork-interp '-U,-ELANG,perl,-w' SCRIPT ARG...     what a #! line makes, with commas
 *   prefork-interp '-U -ELANG perl -w' SCRIPT ARG...     the same with spaces
 *
 * Runs in the fast path of every call: no formatting, no message; what is wrong is a number and
 * the word that is to blame (invocation_complaint makes the sentence).
 */
#ifndef INTERP_INVOCATION_H
#define INTERP_INVOCATION_H

#include "base/attr.h"

enum invocation_mode {
    INVOKE_RUN,     /* by the running server, or by a new one */
    INVOKE_FRESH,   /* -f: by a new one */
    INVOKE_WARM,    /* start the server, run nothing */
    INVOKE_KILL,    /* remove the server, run nothing */
    INVOKE_LIST,    /* the servers of this user */
    INVOKE_STATUS,  /* one server */
    INVOKE_EXPLAIN, /* why a server would, or would not, be used again */
    INVOKE_HELP,
    INVOKE_VERSION,
};

enum invocation_fault {
    INVOCATION_GOOD,
    INVOCATION_UNKNOWN,        /* option */
    INVOCATION_NEEDS_VALUE,    /* option */
    INVOCATION_TAKES_NO_VALUE, /* option */
    INVOCATION_NOT_A_NUMBER,   /* option's value */
    INVOCATION_NO_INTERPRETER,
    INVOCATION_COMBINED_LACKS_INTERPRETER,
    INVOCATION_COMBINED_LACKS_SCRIPT,
    INVOCATION_NO_MEMORY,
    INVOCATION_NEEDS_U, /* the only one with exit code 127 */
};

/* -E NAME or -G STRING, in the order of the command line. */
struct invocation_key {
    char kind; /* 'E' or 'G' */
    const char *text;
};

struct invocation {
    enum invocation_mode mode;
    bool unlaundered;   /* -U */
    bool any_directory; /* -C */
    bool no_fallback;
    int64_t start_timeout_s; /* for the script's initialisation; -1: none */
    int64_t wait_s;          /* for a free place; -1: none */
    const char *ident;       /* -g, or NULL */
    struct invocation_key *keys;
    size_t n_keys;
    const char *interpreter; /* NULL only in modes that need none */
    char **options;          /* for the interpreter, before the script */
    size_t n_options;
    const char *script; /* NULL: none */
    char **args;        /* the script's, ends in NULL */

    enum invocation_fault fault;
    const char *blamed; /* the option or value that it is about, as written */

    char *words_text; /* the combined argument, cut into words */
    char **words;
};

/*
 * invocation_read - from argv as main got it.  Everything in the struct points into argv or into
 * memory that invocation_done frees.  INVOCATION_GOOD or what is also in ->fault.
 */
enum invocation_fault invocation_read(struct invocation *inv, int argc, char **argv);
void invocation_done(struct invocation *inv);

#endif
