/*
 * guest.h - what the files of the Python guest share.
 *
 *   guest.c    the extension module: fork, serve, leave
 *   load.c     the application: one callable for each target
 *   wsgi.c     one request through a WSGI application
 *   stream.c   one connection through a stream application
 *   environ.c  its dictionary        input.c  wsgi.input        file_wrapper.c  wsgi.file_wrapper
 */
#ifndef GUESTS_PYTHON_GUEST_H
#define GUESTS_PYTHON_GUEST_H

#include "guests/python/python.h"

#include "app/runtime.h"
#include "base/names.h"

/* A way into the application. */
struct target {
    struct slice name; /* empty: the only one */
    PyObject *application;
    struct slice prefix; /* of paths, without a slash at the end; empty: none */
    PyObject *script_name;
};

struct targets {
    struct target *list; /* one or more; lives as long as the process */
    unsigned n;
};

/* What the card names, loaded.  0, or -errno with the reason; the full story is on stderr. */
int targets_load(const struct launch *card, struct targets *to, struct br_err *err);
/*
 * The one of that name; a request that names none means the first.  NULL: it was for an older
 * configuration.
 */
const struct target *targets_find(const struct targets *targets, struct slice name);

/* object.method(arg), whatever comes of it; object may be NULL. */
void call_and_forget(PyObject *object, const char *method, PyObject *arg);

/* A text as Python had it last time, and the bytes that it stands for. */
struct cached {
    PyObject *value; /* str, or NULL */
    const char *p;   /* its own bytes: it is ASCII */
    size_t n;
};

#define NAME_CACHE 32 /* field names that have no number: a power of two */

/* What makes the environ dictionary of one lane: a template, and what was seen last. */
struct environ {
    PyObject *template; /* all keys that every request has, with their last values */
    struct cached text[WIRE_TEXTS];
    struct cached field[NAMES];
    struct cached length; /* CONTENT_LENGTH of a body that came without */
    PyObject *errors;     /* sys.stderr, as it is in the template */
    bool tls;
    struct {
        PyObject *key; /* "HTTP_X_THING", or NULL */
        uint32_t n;
        char name[60];
    } names[NAME_CACHE];
};

/* Once per process: interned keys and constants.  0, or -1 with an exception. */
int environ_prepare(void);
/* empty: the wsgi.input of requests that have no body.  0, or -1 with an exception. */
int environ_init(struct environ *e, PyObject *empty, PyObject *file_wrapper, bool threads);
/*
 * environ_make - the dictionary of this request.
 *   target  whose prefix is taken from the path
 *   input   NULL: the empty one
 * NULL with an exception; ValueError when the request cannot be read.
 */
PyObject *environ_make(struct environ *e, const struct wire_request *request,
                       const struct target *target, PyObject *input);

/* wsgi.input.  x NULL: an empty one for ever. */
int input_prepare(void);
PyObject *input_new(struct exchange *x);
/* The request is over: its bytes are gone. */
void input_detach(PyObject *input);

/* wsgi.file_wrapper */
int file_wrapper_prepare(void);
PyObject *file_wrapper_type(void);
bool file_wrapper_check(PyObject *object);
/* Its file when that can read into memory (readinto), borrowed; else NULL and it is an iterator. */
PyObject *file_wrapper_file(PyObject *object);

/* Make the types and constants of wsgi.c.  0, or -1 with an exception. */
int wsgi_prepare(void);
/* Serve one lane until it is to leave.  The exit code. */
int wsgi_serve(const struct targets *targets, struct worker *worker, struct exchange *x);

/* The types that a stream application needs, imported before the fork.  0, or -1: exception. */
int stream_prepare(void);
/* Serve connections on one thread until it is to leave.  The exit code. */
int stream_serve(const struct targets *targets, struct worker *worker);
/* SystemExit is set: the exit code that it means; cleared. */
int system_exit_code(void);

/* A heap type of which only C makes instances. */
PyObject *refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
/* For tp_dealloc of types without a collector: the memory, and the type's own count. */
void free_object(PyObject *self);

#endif
