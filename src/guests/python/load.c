/*
 * load.c - from the launch card to what is called for each request.
 *
 *   sys.path -> of each target: import the module -> find the callable -> factory? call it
 *            -> is it of a kind that we speak?
 *
 * Without `targets` there is one, whose name is empty.  What fails is told whole on stderr, and its
 * end in the words that the client of the control API reads.
 */
#include "guests/python/guest.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of a traceback's end that fit a struct br_err with the sentence before it. */
#define TRACEBACK_TAIL 800

/* ---- failures ---- */

/* The exception that is set, as text with its traceback.  NULL when even that fails. */
static PyObject *
exception_text(void)
{
    PyObject *type, *value, *traceback, *module, *lines = NULL, *empty, *text = NULL;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    module = PyImport_ImportModule("traceback");
    if (module)
        lines = PyObject_CallMethod(module, "format_exception", "OOO", type,
                                    value ? value : Py_None, traceback ? traceback : Py_None);
    empty = PyUnicode_FromString("");
    if (lines && empty)
        text = PyUnicode_Join(empty, lines);
    Py_XDECREF(empty);
    Py_XDECREF(lines);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyErr_Clear();
    return text;
}

/* The last lines of text that fit. */
static const char *
tail_of(const char *text)
{
    size_t n = strlen(text);
    const char *from, *lf;

    if (n <= TRACEBACK_TAIL)
        return text;
    from = text + n - TRACEBACK_TAIL;
    lf = strchr(from, '\n');
    return lf && lf[1] ? lf + 1 : from;
}

/* An exception is set: whole to stderr, its end into err.  -EBADMSG. */
static int
fail_python(struct br_err *err, const char *what)
{
    PyObject *text = exception_text();
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;
    PyObject *errors = PySys_GetObject("stderr");

    if (text) {
        call_and_forget(errors, "write", text);
        call_and_forget(errors, "flush", NULL);
    }
    br_fail(err, -EBADMSG, "%s: %s", what,
            bytes ? tail_of(PyBytes_AsString(bytes)) : "the reason cannot be shown");
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    PyErr_Clear();
    return -EBADMSG;
}

/* ---- the application ---- */

/* "path" of the card, in order, in front of sys.path. */
static int
extend_path(const struct launch *card)
{
    PyObject *path = PySys_GetObject("path");
    const char *value;
    unsigned pos = 0;
    Py_ssize_t at = 0;

    while ((value = launch_next(card, "path", &pos)) != NULL) {
        PyObject *entry = PyUnicode_DecodeFSDefault(value);
        int rc = entry && path ? PyList_Insert(path, at++, entry) : -1;

        Py_XDECREF(entry);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Coroutine functions are of the other kind: they would be called and never awaited. */
static bool
is_asgi(PyObject *application)
{
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *call = PyObject_GetAttrString(application, "__call__");
    PyObject *a = NULL, *b = NULL;
    bool yes = false;

    if (inspect && call) {
        a = PyObject_CallMethod(inspect, "iscoroutinefunction", "O", application);
        b = PyObject_CallMethod(inspect, "iscoroutinefunction", "O", call);
        yes = (a && PyObject_IsTrue(a) == 1) || (b && PyObject_IsTrue(b) == 1);
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_XDECREF(call);
    Py_XDECREF(inspect);
    PyErr_Clear();
    return yes;
}

/* Is it one that we can call?  `protocol` says what the callable does not. */
static int
check_kind(const struct launch *card, const char *module, const char *name, PyObject *application,
           struct br_err *err)
{
    if (!PyCallable_Check(application))
        return br_fail(err, -EBADMSG, "\"%s\" of Python module \"%s\" cannot be called", name,
                       module);
    if (launch_int(card, "stream", 0) != 0 && is_asgi(application))
        return br_fail(
            err, -EBADMSG,
            "\"%s\" of Python module \"%s\" is a coroutine function, a plain one is needed", name,
            module);
    if (launch_get(card, "protocol", NULL) == NULL && is_asgi(application))
        return br_fail(err, -EBADMSG,
                       "\"%s\" of Python module \"%s\" is an ASGI application, WSGI is needed",
                       name, module);
    return 0;
}

/* What the factory returns takes its place. */
static int
call_factory(const char *module, const char *name, PyObject **application, struct br_err *err)
{
    PyObject *made = PyObject_CallObject(*application, NULL);
    char what[256];

    Py_DECREF(*application);
    *application = made;
    if (made)
        return 0;
    snprintf(what, sizeof(what), "the factory \"%s\" of Python module \"%s\" failed", name, module);
    return fail_python(err, what);
}

/* A new reference. */
static int
find_callable(const char *module, const char *name, PyObject **ret, struct br_err *err)
{
    PyObject *imported = PyImport_ImportModule(module);
    PyObject *found;
    char what[256];

    if (!imported) {
        snprintf(what, sizeof(what), "cannot import Python module \"%s\"", module);
        return fail_python(err, what);
    }
    found = PyDict_GetItemString(PyModule_GetDict(imported), name);
    Py_XINCREF(found);
    Py_DECREF(imported);
    if (!found)
        return br_fail(err, -EBADMSG, "Python module \"%s\" has no \"%s\"", module, name);
    *ret = found;
    return 0;
}

static int
load_application(const struct launch *card, const char *module, const char *name, bool factory,
                 PyObject **ret, struct br_err *err)
{
    int rc = find_callable(module, name, ret, err);

    if (rc == 0 && factory && PyCallable_Check(*ret))
        rc = call_factory(module, name, ret, err);
    return rc < 0 ? rc : check_kind(card, module, name, *ret, err);
}

/* Slashes at the end say nothing; nothing but slashes is no prefix. */
static int
set_prefix(struct target *target, const char *text)
{
    struct slice prefix = slice_cstr(text);

    while (slice_ends(prefix, SLICE("/")))
        prefix.n--;
    target->prefix = prefix;
    if (prefix.n == 0)
        return 0;
    target->script_name = PyUnicode_DecodeLatin1(prefix.p, (Py_ssize_t)prefix.n, NULL);
    return target->script_name ? 0 : -1;
}

/* Where the keys of the targets are read; each target has them in the same order. */
struct places {
    unsigned target, module, callable, prefix, factory;
};

static const char *
next_of(const struct launch *card, const char *key, unsigned *pos, const char *fallback)
{
    const char *value = launch_next(card, key, pos);

    return value ? value : fallback;
}

static int
add_target(const struct launch *card, const char *module, struct places *at, struct targets *to,
           struct br_err *err)
{
    const char *name = next_of(card, "callable", &at->callable, "application");
    bool factory = strcmp(next_of(card, "factory", &at->factory, "0"), "0") != 0;
    struct target *target, *more = realloc(to->list, (to->n + 1) * sizeof(*more));

    if (!more)
        return br_fail(err, -ENOMEM, "out of memory");
    to->list = more;
    target = &more[to->n];
    *target = (struct target){
        .name = slice_cstr(next_of(card, "target", &at->target, "")),
    };
    if (set_prefix(target, next_of(card, "prefix", &at->prefix, "")) < 0)
        return fail_python(err, "cannot read the prefix");
    to->n++;
    return load_application(card, module, name, factory, &target->application, err);
}

int
targets_load(const struct launch *card, struct targets *to, struct br_err *err)
{
    struct places at = {0};
    const char *module;
    int rc = 0;

    if (extend_path(card) < 0)
        return fail_python(err, "cannot extend sys.path");
    while (rc == 0 && (module = launch_next(card, "module_name", &at.module)) != NULL)
        rc = add_target(card, module, &at, to, err);
    return rc;
}

const struct target *
targets_find(const struct targets *targets, struct slice name)
{
    unsigned i = 0;

    while (i < targets->n && name.n > 0 && !slice_eq(targets->list[i].name, name))
        i++;
    return i < targets->n ? &targets->list[i] : NULL;
}
