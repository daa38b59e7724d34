/*
 * wsgi.c - one request through a WSGI application (PEP 3333).
 *
 *   exchange_next -> environ_make -> application(environ, start_response) -> result
 *        result: bytes | list, tuple | wsgi.file_wrapper | any iterable  -> pieces -> exchange_end
 *        close() always; whatever is raised: traceback to stderr, 503 or a cut connection
 *
 * start_response puts the head straight into the response chunk.  Both it and write() are made
 * once per lane.  When all of a known length is written the answer ends there, without waiting
 * for the iterable to be used up: nothing more can follow.
 */
#include "guests/python/guest.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/slice.h"

struct lane_object {
    PyObject_HEAD struct exchange *x;
    struct worker *worker;
    const struct targets *targets;
    PyObject *start_response;
    PyObject *write;
    PyObject *empty; /* wsgi.input of requests without a body */
    struct environ environ;
    int exit_code; /* of SystemExit */
};

static PyTypeObject *lane_type;
static PyObject *name_close, *name_code, *name_release, *name_readinto;

/* ---- texts ---- */

/*
 * The bytes of a str, as Latin-1.  *ret_hold (NULL before) is a new reference to what they lie in
 * when that is not the str itself.  -1 with an exception.
 */
static int
text_bytes(PyObject *text, const char *what, struct slice *ret, PyObject **ret_hold)
{
    Py_ssize_t n;
    const char *p;
    char *bytes;

    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %R", what, Py_TYPE(text));
        return -1;
    }
    p = PyUnicode_AsUTF8AndSize(text, &n);
    if (p && n == PyUnicode_GetLength(text)) { /* ASCII */
        *ret = slice_make(p, (size_t)n);
        return 0;
    }
    PyErr_Clear();
    *ret_hold = PyUnicode_AsLatin1String(text);
    if (!*ret_hold || PyBytes_AsStringAndSize(*ret_hold, &bytes, &n) < 0)
        return -1;
    *ret = slice_make(bytes, (size_t)n);
    return 0;
}

/* ---- start_response ---- */

static int
parse_status(PyObject *text, unsigned *ret_status)
{
    PyObject *hold = NULL;
    struct slice s;
    uint64_t status = 0;
    int rc = text_bytes(text, "status", &s, &hold);

    if (rc == 0 && (slice_u64(slice_sub(s, 0, 3), &status) < 0 || status < 100 ||
                    (s.n > 3 && s.p[3] != ' '))) {
        PyErr_Format(PyExc_ValueError, "status must begin with three digits: %R", text);
        rc = -1;
    }
    Py_XDECREF(hold);
    *ret_status = (unsigned)status;
    return rc;
}

static int
refuse_field(int rc, PyObject *pair)
{
    if (rc == -EMSGSIZE)
        PyErr_SetString(PyExc_ValueError, "the response head is too large");
    else
        PyErr_Format(PyExc_ValueError, "not a header field: %R", pair);
    return -1;
}

static int
put_field(struct exchange *x, PyObject *pair, struct slice name, struct slice value)
{
    uint64_t length;
    int rc;

    if (name.n == 14 && slice_ieq(name, SLICE("content-length"))) {
        rc = slice_u64(slice_trim(value), &length);
        if (rc == 0)
            exchange_length(x, length);
    } else {
        rc = exchange_field(x, name, value);
    }
    return rc < 0 ? refuse_field(rc, pair) : 0;
}

static int
add_field(struct exchange *x, PyObject *pair)
{
    PyObject *hold_name = NULL, *hold_value = NULL;
    struct slice name, value;
    int rc = -1;

    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "a header must be a tuple of two: %R", pair);
        return -1;
    }
    if (text_bytes(PyTuple_GetItem(pair, 0), "a header's name", &name, &hold_name) == 0 &&
        text_bytes(PyTuple_GetItem(pair, 1), "a header's value", &value, &hold_value) == 0)
        rc = put_field(x, pair, name, value);
    Py_XDECREF(hold_name);
    Py_XDECREF(hold_value);
    return rc;
}

static int
raise_gone(int rc)
{
    errno = -rc;
    PyErr_SetFromErrno(PyExc_OSError); /* ConnectionResetError */
    return -1;
}

static int
put_head(struct exchange *x, PyObject *status_text, PyObject *headers)
{
    unsigned status;
    int rc;

    if (parse_status(status_text, &status) < 0)
        return -1;
    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "headers must be a list, not %R", Py_TYPE(headers));
        return -1;
    }
    rc = exchange_start(x, status);
    if (rc < 0)
        return raise_gone(rc);
    for (Py_ssize_t i = 0; i < PyList_Size(headers); i++) {
        if (add_field(x, PyList_GetItem(headers, i)) < 0)
            return -1;
    }
    return 0;
}

/* A tuple (type, value, traceback) becomes the exception that is being raised. */
static void
raise_again(PyObject *exc_info)
{
    PyObject *part[3];

    if (!PyTuple_Check(exc_info) || PyTuple_Size(exc_info) != 3) {
        PyErr_SetString(PyExc_TypeError, "exc_info must be a tuple of three");
        return;
    }
    for (Py_ssize_t i = 0; i < 3; i++) {
        part[i] = PyTuple_GetItem(exc_info, i);
        if (part[i] == Py_None)
            part[i] = NULL;
        Py_XINCREF(part[i]);
    }
    PyErr_Restore(part[0], part[1], part[2]);
}

/* status, headers and perhaps exc_info, which some give by name.  -1 with an exception. */
static int
parse_arguments(PyObject *const *args, Py_ssize_t n, PyObject *names, PyObject *ret[3])
{
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;

    if (n < 2 || n > 3 || n + named > 3) {
        PyErr_Format(PyExc_TypeError, "start_response() takes 2 or 3 arguments (%zd given)",
                     n + named);
        return -1;
    }
    if (named && PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, 0), "exc_info") != 0) {
        PyErr_Format(PyExc_TypeError, "start_response() has no argument %R",
                     PyTuple_GetItem(names, 0));
        return -1;
    }
    for (Py_ssize_t i = 0; i < 3; i++)
        ret[i] = i < n + named ? args[i] : Py_None;
    return 0;
}

static PyObject *
start_response(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct lane_object *lane = (struct lane_object *)self;
    struct exchange *x = lane->x;
    PyObject *arg[3]; /* status, headers, exc_info */

    if (parse_arguments(args, n, names, arg) < 0)
        return NULL;
    if (arg[2] != Py_None && (x->head == HEAD_SENT || !x->active)) {
        raise_again(arg[2]);
        return NULL;
    }
    if (!x->active || (arg[2] == Py_None && x->head != HEAD_NONE)) {
        PyErr_SetString(PyExc_AssertionError, "start_response was already called");
        return NULL;
    }
    if (put_head(x, arg[0], arg[1]) < 0) {
        x->head = HEAD_NONE; /* half a head is none */
        return NULL;
    }
    Py_INCREF(lane->write);
    return lane->write;
}

/* ---- body ---- */

static int
raise_write(int rc)
{
    if (rc == -E2BIG)
        PyErr_SetString(PyExc_ValueError, "the response is longer than its Content-Length");
    else if (rc == -EMSGSIZE)
        PyErr_SetString(PyExc_ValueError, "the response head is too large");
    else
        raise_gone(rc);
    return -1;
}

static bool
is_complete(const struct exchange *x)
{
    return x->length >= 0 && x->written >= (uint64_t)x->length;
}

/* Send on what was written: PEP 3333 allows no waiting for the next piece. */
static int
send_on(struct exchange *x)
{
    int rc = is_complete(x) ? exchange_end(x) : exchange_flush(x);

    return rc < 0 ? raise_write(rc) : 0;
}

/* 0, or -1 with an exception: TypeError, or what raise_write makes. */
static int
put_piece(struct exchange *x, PyObject *piece)
{
    Py_ssize_t n;
    char *p;
    int rc;

    if (!PyBytes_Check(piece)) {
        PyErr_Format(PyExc_TypeError, "a piece of the body must be bytes, not %R", Py_TYPE(piece));
        return -1;
    }
    PyBytes_AsStringAndSize(piece, &p, &n);
    if (n == 0)
        return 0;
    if (!x->active)
        return raise_write(-E2BIG);
    if (x->head == HEAD_NONE) {
        PyErr_SetString(PyExc_AssertionError, "start_response was not called");
        return -1;
    }
    rc = exchange_write(x, p, (size_t)n);
    return rc < 0 ? raise_write(rc) : 0;
}

static PyObject *
write_body(PyObject *self, PyObject *piece)
{
    struct exchange *x = ((struct lane_object *)self)->x;

    if (put_piece(x, piece) < 0 || (x->active && x->head != HEAD_NONE && send_on(x) < 0))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- results ---- */

/* Nobody named the length and all of the body is at hand: say it. */
static void
find_length(struct exchange *x, uint64_t total)
{
    bool head = x->no_body && slice_eq(x->request.text[TEXT_METHOD], SLICE("HEAD"));

    if (x->head != HEAD_OPEN || x->length >= 0 || x->written > 0)
        return;
    if (!x->no_body || (head && total > 0))
        exchange_length(x, total);
}

/* A list or tuple runs no code of the application while it is read: no piece need go on its own. */
static int
send_sequence(struct exchange *x, PyObject *result, bool is_list)
{
    PyObject *(*get)(PyObject *, Py_ssize_t) = is_list ? PyList_GetItem : PyTuple_GetItem;
    Py_ssize_t n = is_list ? PyList_Size(result) : PyTuple_Size(result);
    uint64_t total = 0;

    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *piece = get(result, i);

        if (PyBytes_Check(piece))
            total += (uint64_t)PyBytes_Size(piece);
    }
    find_length(x, total);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (put_piece(x, get(result, i)) < 0)
            return -1;
    }
    return 0;
}

static int
send_iterable(struct exchange *x, PyObject *result)
{
    PyObject *iter = PyObject_GetIter(result);
    PyObject *piece;
    int rc = 0;

    if (!iter)
        return -1;
    while (rc == 0 && (piece = PyIter_Next(iter))) {
        rc = put_piece(x, piece);
        if (rc == 0 && x->active && x->head != HEAD_NONE && PyBytes_Size(piece) > 0)
            rc = send_on(x);
        Py_DECREF(piece);
    }
    Py_DECREF(iter);
    return rc < 0 || PyErr_Occurred() ? -1 : 0;
}

/* One call of readinto.  The number of bytes, 0 at the end, -1 with an exception. */
static Py_ssize_t
read_into(PyObject *file, char *p, size_t room)
{
    PyObject *view = PyMemoryView_FromMemory(p, (Py_ssize_t)room, VIEW_WRITE);
    PyObject *got = view ? PyObject_CallMethodObjArgs(file, name_readinto, view, NULL) : NULL;
    PyObject *released;
    Py_ssize_t n = -1;

    if (got)
        n = got == Py_None ? 0 : PyNumber_AsSsize_t(got, PyExc_OverflowError);
    Py_XDECREF(got);
    if (view && n >= 0) { /* nobody may write there later */
        released = PyObject_CallMethodObjArgs(view, name_release, NULL);
        n = released ? n : -1;
        Py_XDECREF(released);
    }
    Py_XDECREF(view);
    if (n > (Py_ssize_t)room) {
        PyErr_SetString(PyExc_ValueError, "readinto returned more than there was room for");
        n = -1;
    }
    return n;
}

static int
send_file(struct exchange *x, PyObject *file)
{
    while (x->active && !is_complete(x) && !x->no_body) {
        char *p;
        size_t room;
        Py_ssize_t n;
        int rc = exchange_space(x, &p, &room);

        if (rc < 0)
            return raise_write(rc);
        if (x->length >= 0)
            room = (size_t)br_min((uint64_t)room, (uint64_t)x->length - x->written);
        n = read_into(file, p, room);
        if (n <= 0)
            return (int)n;
        exchange_filled(x, (size_t)n);
    }
    return 0;
}

static int
send_result(struct exchange *x, PyObject *result)
{
    PyObject *file;

    if (PyBytes_Check(result)) {
        find_length(x, (uint64_t)PyBytes_Size(result));
        return put_piece(x, result);
    }
    if (PyList_CheckExact(result))
        return send_sequence(x, result, true);
    if (PyTuple_CheckExact(result))
        return send_sequence(x, result, false);
    if (file_wrapper_check(result) && x->head != HEAD_NONE && (file = file_wrapper_file(result)))
        return send_file(x, file);
    return send_iterable(x, result);
}

static int
close_result(PyObject *result)
{
    PyObject *close, *returned;

    if (PyList_CheckExact(result) || PyTuple_CheckExact(result) || PyBytes_CheckExact(result))
        return 0;
    close = PyObject_GetAttr(result, name_close);
    if (!close) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    returned = PyObject_CallObject(close, NULL);
    Py_DECREF(close);
    Py_XDECREF(returned);
    return returned ? 0 : -1;
}

/* ---- one request ---- */

int
system_exit_code(void)
{
    PyObject *type, *value, *traceback, *code = NULL;
    int n = 0;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value)
        code = PyObject_GetAttr(value, name_code);
    if (code && PyLong_Check(code))
        n = (int)PyLong_AsLong(code);
    else if (code && code != Py_None)
        n = 1;
    PyErr_Clear();
    Py_XDECREF(code);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return n;
}

/* An exception is set: say it where it belongs, once. */
static void
report(struct lane_object *lane)
{
    const struct slice *text = lane->x->request.text;

    if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
        lane->exit_code = system_exit_code();
        worker_leave(lane->worker);
        return;
    }
    if (PyErr_ExceptionMatches(PyExc_ConnectionResetError) && lane->x->active &&
        exchange_cancelled(lane->x)) {
        PyErr_Clear(); /* the client went away: nobody's fault */
        return;
    }
    if (lane->x->active)
        br_log(LOG_ERROR, "\"" SLICE_FMT " " SLICE_FMT "\" raised an exception",
               SLICE_ARG(text[TEXT_METHOD]), SLICE_ARG(text[TEXT_TARGET]));
    PyErr_PrintEx(0);
}

/* The application is called and its result sent.  0, or -1 with an exception. */
static int
answer(struct lane_object *lane, const struct target *target, PyObject *request_environ)
{
    PyObject *result = PyObject_CallFunctionObjArgs(target->application, request_environ,
                                                    lane->start_response, NULL);
    struct exchange *x = lane->x;
    int rc;

    if (!result)
        return -1;
    rc = send_result(x, result);
    if (rc == 0 && x->active && x->head == HEAD_NONE) {
        PyErr_SetString(PyExc_AssertionError, "start_response was not called");
        rc = -1;
    }
    if (rc == 0 && x->active && (rc = exchange_end(x)) < 0)
        raise_write(rc);
    if (rc < 0) {
        report(lane);
        if (x->active)
            exchange_abort(x);
    }
    if (close_result(result) < 0)
        report(lane);
    Py_DECREF(result);
    return 0;
}

static void
serve_request(struct lane_object *lane)
{
    struct exchange *x = lane->x;
    const struct target *target = targets_find(lane->targets, x->request.text[TEXT_APP_TARGET]);
    PyObject *input = NULL;
    PyObject *request_environ = NULL;

    if (!target) {
        exchange_abort(x);
        return;
    }
    if (x->request.body_length == 0 || (input = input_new(x)))
        request_environ = environ_make(&lane->environ, &x->request, target, input);
    if (!request_environ || answer(lane, target, request_environ) < 0) {
        report(lane);
        if (x->active)
            exchange_abort(x);
    }
    if (input)
        input_detach(input);
    Py_XDECREF(input);
    Py_XDECREF(request_environ);
}

/* ---- lanes ---- */

static PyMethodDef start_response_def = {"start_response",
                                         (PyCFunction)(void (*)(void))start_response,
                                         METH_FASTCALL | METH_KEYWORDS, NULL};
static PyMethodDef write_def = {"write", write_body, METH_O, NULL};

static struct lane_object *
lane_new(const struct targets *targets, struct worker *worker, struct exchange *x)
{
    struct lane_object *lane = PyObject_New(struct lane_object, lane_type);

    if (!lane)
        return NULL;
    memset((char *)lane + sizeof(PyObject), 0, sizeof(*lane) - sizeof(PyObject));
    lane->x = x;
    lane->worker = worker;
    lane->targets = targets;
    lane->start_response = PyCFunction_New(&start_response_def, (PyObject *)lane);
    lane->write = PyCFunction_New(&write_def, (PyObject *)lane);
    lane->empty = input_new(NULL);
    if (lane->start_response && lane->write && lane->empty &&
        environ_init(&lane->environ, lane->empty, file_wrapper_type(),
                     worker_threads(worker) > 1) == 0)
        return lane;
    return NULL;
}

int
wsgi_serve(const struct targets *targets, struct worker *worker, struct exchange *x)
{
    struct lane_object *lane = lane_new(targets, worker, x);

    if (!lane) {
        PyErr_PrintEx(0);
        return 1;
    }
    while (exchange_next(x))
        serve_request(lane);
    return lane->exit_code;
}

static PyType_Slot lane_slots[] = {
    {Py_tp_new, refuse_new},
    {Py_tp_dealloc, free_object},
    {0, NULL},
};

static PyType_Spec lane_spec = {
    .name = "_brood.Lane",
    .basicsize = sizeof(struct lane_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = lane_slots,
};

int
wsgi_prepare(void)
{
    name_close = PyUnicode_InternFromString("close");
    name_code = PyUnicode_InternFromString("code");
    name_release = PyUnicode_InternFromString("release");
    name_readinto = PyUnicode_InternFromString("readinto");
    lane_type = (PyTypeObject *)PyType_FromSpec(&lane_spec);
    return name_close && name_code && name_release && name_readinto && lane_type ? 0 : -1;
}
