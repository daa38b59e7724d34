/*
 * migrate_python.h - the assignments of a Python file, read and never run.
 */
#ifndef PROGRAMS_MIGRATE_PYTHON_H
#define PROGRAMS_MIGRATE_PYTHON_H

#include "programs/migrate.h"

enum python_kind {
    PYTHON_VALUE,      /* NAME = literal */
    PYTHON_EXPRESSION, /* NAME = something that only Python can tell */
    PYTHON_FUNCTION,   /* def NAME */
    PYTHON_STATEMENT,  /* if, for, a call, ...: what it does is not known */
};

struct python_line {
    struct python_line *next;
    unsigned line;
    enum python_kind kind;
    struct slice name;  /* of a statement: its first word */
    struct json *value; /* of a literal: tuples and lists are arrays, None is null */
    struct slice text;  /* of an expression */
};

/*
 * python_parse - the statements at the margin of a file.  What stands indented below them is
 * skipped, and so are imports and texts that document.
 *
 * Literals are strings (not f-strings), numbers, True, False, None, names assigned before, lists,
 * tuples and dicts of them, sums and products of integers, and strings in a row or with '+'.
 * CTL_OK, or CTL_REFUSED: said with the place.
 */
enum ctl_exit python_parse(struct arena *a, const char *path, struct slice text,
                           struct python_line **ret_first);

#endif
