/*
 * input.c - wsgi.input: the request's body, which has arrived whole before the application runs.
 *
 *   small body: lines and pieces are cut straight from the slot
 *   large body: read from the router's file; readline goes through a buffer
 *
 * An object per request that has a body; after the answer it is detached and is at its end.
 */
#include "guests/python/guest.h"

#include <errno.h>

#define LINE_BUFFER (64 * 1024)
#define EVERYTHING  PY_SSIZE_T_MAX

struct input {
    PyObject_HEAD struct exchange *x; /* NULL: nothing (any more) */
    char *buf;                        /* LINE_BUFFER bytes of a file, read ahead for readline */
    size_t buf_at;
    size_t buf_n;
};

static PyTypeObject *input_type;

static uint64_t
left(const struct input *in)
{
    return in->x && in->x->active ? exchange_body_left(in->x) + (in->buf_n - in->buf_at) : 0;
}

/* Fill p with exactly n bytes, n <= left(in).  -1 with an exception. */
static int
fill(struct input *in, char *p, size_t n)
{
    size_t ahead = br_min(n, in->buf_n - in->buf_at);

    if (ahead > 0) {
        memcpy(p, in->buf + in->buf_at, ahead);
        in->buf_at += ahead;
        p += ahead;
        n -= ahead;
    }
    while (n > 0) {
        ssize_t got = exchange_body_read(in->x, p, n);

        if (got <= 0) {
            errno = got == 0 ? EIO : (int)-got;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static PyObject *
read_bytes(struct input *in, size_t n)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);

    if (bytes && n > 0 && fill(in, PyBytes_AsString(bytes), n) < 0)
        Py_CLEAR(bytes);
    return bytes;
}

/* An optional size: missing, None or negative is everything.  -1 with an exception. */
static Py_ssize_t
size_of(PyObject *const *args, Py_ssize_t n, const char *method)
{
    Py_ssize_t size;

    if (n > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", method, n);
        return -1;
    }
    if (n == 0 || args[0] == Py_None)
        return EVERYTHING;
    size = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (size == -1 && PyErr_Occurred())
        return -1;
    return size < 0 ? EVERYTHING : size;
}

static PyObject *
input_read(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct input *in = (struct input *)self;
    Py_ssize_t size = size_of(args, n, "read");

    if (size < 0)
        return NULL;
    return read_bytes(in, (size_t)br_min((uint64_t)size, left(in)));
}

/* Where the line ends in what lies at p: its length with the LF, or 0: not here. */
static size_t
line_end(const char *p, size_t n)
{
    const char *lf = n > 0 ? memchr(p, '\n', n) : NULL;

    return lf ? (size_t)(lf - p) + 1 : 0;
}

/* Read ahead, when the buffer is used up.  0, or -1 with an exception. */
static int
read_ahead(struct input *in)
{
    size_t n = (size_t)br_min((uint64_t)LINE_BUFFER, exchange_body_left(in->x));

    if (!in->buf && !(in->buf = PyMem_Malloc(LINE_BUFFER))) {
        PyErr_NoMemory();
        return -1;
    }
    in->buf_at = 0;
    in->buf_n = 0;
    if (fill(in, in->buf, n) < 0)
        return -1;
    in->buf_n = n;
    return 0;
}

/* A line of a body in a file: pieces from the buffer until one has the LF. */
static PyObject *
file_line(struct input *in, size_t most)
{
    PyObject *line = PyBytes_FromStringAndSize(NULL, 0);

    while (line && most > 0 && left(in) > 0) {
        const char *p;
        size_t n, end;
        PyObject *piece;

        if (in->buf_at == in->buf_n && read_ahead(in) < 0) {
            Py_CLEAR(line);
            break;
        }
        p = in->buf + in->buf_at;
        n = br_min(in->buf_n - in->buf_at, most);
        end = line_end(p, n);
        piece = PyBytes_FromStringAndSize(p, (Py_ssize_t)(end ? end : n));
        in->buf_at += end ? end : n;
        most -= end ? end : n;
        PyBytes_ConcatAndDel(&line, piece);
        if (end)
            break;
    }
    return line;
}

static PyObject *
next_line(struct input *in, size_t most)
{
    struct slice s;
    size_t n;

    if (left(in) == 0 || most == 0)
        return PyBytes_FromStringAndSize(NULL, 0);
    if (in->x->request.flags & WIRE_BODY_FILE)
        return file_line(in, most);
    s = exchange_body_inline(in->x);
    s.n = br_min(s.n, most);
    n = line_end(s.p, s.n);
    return read_bytes(in, n ? n : s.n);
}

static PyObject *
input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    Py_ssize_t size = size_of(args, n, "readline");

    return size < 0 ? NULL : next_line((struct input *)self, (size_t)size);
}

static PyObject *
input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct input *in = (struct input *)self;
    Py_ssize_t hint = size_of(args, n, "readlines");
    PyObject *lines;

    if (hint < 0 || !(lines = PyList_New(0)))
        return NULL;
    if (hint == 0)
        hint = EVERYTHING;
    for (Py_ssize_t total = 0; total < hint && left(in) > 0;) {
        PyObject *line = next_line(in, (size_t)EVERYTHING);

        if (!line || PyList_Append(lines, line) < 0) {
            Py_XDECREF(line);
            Py_DECREF(lines);
            return NULL;
        }
        total += PyBytes_Size(line);
        Py_DECREF(line);
    }
    return lines;
}

static PyObject *
input_iter(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

static PyObject *
input_next(PyObject *self)
{
    struct input *in = (struct input *)self;

    return left(in) == 0 ? NULL : next_line(in, (size_t)EVERYTHING);
}

static void
input_dealloc(PyObject *self)
{
    input_detach(self);
    free_object(self);
}

void
input_detach(PyObject *self)
{
    struct input *in = (struct input *)self;

    in->x = NULL;
    PyMem_Free(in->buf);
    in->buf = NULL;
    in->buf_at = 0;
    in->buf_n = 0;
}

PyObject *
input_new(struct exchange *x)
{
    struct input *in = PyObject_New(struct input, input_type);

    if (!in)
        return NULL;
    in->x = x;
    in->buf = NULL;
    in->buf_at = 0;
    in->buf_n = 0;
    return (PyObject *)in;
}

static PyMethodDef input_methods[] = {
    FAST_METHOD("read", input_read),
    FAST_METHOD("readline", input_readline),
    FAST_METHOD("readlines", input_readlines),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot input_slots[] = {
    {Py_tp_new, refuse_new},      {Py_tp_dealloc, input_dealloc}, {Py_tp_iter, input_iter},
    {Py_tp_iternext, input_next}, {Py_tp_methods, input_methods}, {0, NULL},
};

static PyType_Spec input_spec = {
    .name = "_brood.Input",
    .basicsize = sizeof(struct input),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = input_slots,
};

int
input_prepare(void)
{
    input_type = (PyTypeObject *)PyType_FromSpec(&input_spec);
    return input_type ? 0 : -1;
}
