/*
 * guest.c - the extension module _brood: from the user's interpreter to the application's
 * prototype.
 *
 *   python -c BOOTSTRAP  ->  import _brood  ->  _brood.run()  ->  app/runtime
 *        load: load.c                                  before_fork: collect, freeze, trim
 *        fork: with the interpreter's hooks            exit: Py_Exit, so that atexit functions run
 *
 * See https://docs.python.org/3/c-api/stable.html: one build for all versions (python.h).
 */
#include "guests/python/guest.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct guest {
    struct targets targets;
    int64_t stack_bytes; /* of each thread but the main one; 0: the system's choice */
    bool stream;         /* connections, no requests */
};

PyObject *
refuse_new(PyTypeObject *type br_unused, PyObject *args br_unused, PyObject *kwargs br_unused)
{
    PyErr_SetString(PyExc_TypeError, "only brood makes these");
    return NULL;
}

void
free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_Free(self);
    Py_DECREF((PyObject *)type);
}

void
call_and_forget(PyObject *object, const char *method, PyObject *arg)
{
    PyObject *name = PyUnicode_FromString(method);
    PyObject *result = object && name ? PyObject_CallMethodObjArgs(object, name, arg, NULL) : NULL;

    Py_XDECREF(name);
    Py_XDECREF(result);
    PyErr_Clear();
}

/* ---- load ---- */

/* os.environ is a copy of its own: programs that the application starts shall not see this. */
static void
forget_heritage(void)
{
    PyObject *os = PyImport_ImportModule("os");
    PyObject *env = os ? PyObject_GetAttrString(os, "environ") : NULL;
    PyObject *old = env ? PyObject_CallMethod(env, "pop", "sO", RUNTIME_HERITAGE, Py_None) : NULL;

    Py_XDECREF(old);
    Py_XDECREF(env);
    Py_XDECREF(os);
    PyErr_Clear();
}

static int
guest_load(void *ctx, const struct launch *card, struct br_err *err)
{
    struct guest *g = ctx;

    forget_heritage();
    g->stack_bytes = launch_int(card, "thread_stack_size", 0);
    g->stream = launch_int(card, "stream", 0) != 0;
    if (g->stream && stream_prepare() < 0) {
        PyErr_PrintEx(0);
        return br_fail(err, -EBADMSG, "cannot import Python module \"socket\"");
    }
    return targets_load(card, &g->targets, err);
}

/* ---- processes ---- */

static void
flush_streams(void)
{
    call_and_forget(PySys_GetObject("stdout"), "flush", NULL);
    call_and_forget(PySys_GetObject("stderr"), "flush", NULL);
}

/*
 * After gc.freeze the collector does not write to what was loaded, so those pages stay shared; what
 * malloc holds free would be copied at its next use, page by page.
 */
static void
guest_before_fork(void *ctx br_unused)
{
    PyObject *gc = PyImport_ImportModule("gc");

    call_and_forget(gc, "collect", NULL);
    call_and_forget(gc, "freeze", NULL);
    Py_XDECREF(gc);
    PyErr_Clear();
    flush_streams();
    malloc_trim(0);
}

static pid_t
guest_fork(void *ctx br_unused)
{
    pid_t pid;
    int saved;

    PyOS_BeforeFork();
    pid = fork();
    saved = errno;
    if (pid == 0)
        PyOS_AfterFork_Child();
    else
        PyOS_AfterFork_Parent();
    errno = saved;
    return pid;
}

/* ---- serve ---- */

/* The threads of a worker; their C side finds it in a capsule. */
struct serving {
    const struct guest *guest;
    struct worker *worker;
    int code; /* the first that is not 0; under the interpreter's lock */
};

static void
serve_lane(struct serving *s, unsigned thread)
{
    const struct targets *targets = &s->guest->targets;
    int code = s->guest->stream
                   ? stream_serve(targets, s->worker)
                   : wsgi_serve(targets, s->worker, worker_exchange(s->worker, thread));

    if (s->code == 0)
        s->code = code;
}

static PyObject *
thread_body(PyObject *capsule, PyObject *number)
{
    struct serving *s = PyCapsule_GetPointer(capsule, NULL);
    unsigned long thread = PyLong_AsUnsignedLong(number);

    if (s == NULL || PyErr_Occurred())
        return NULL;
    serve_lane(s, (unsigned)thread);
    Py_RETURN_NONE;
}

/* One more thread of the threading module, so that the application sees an ordinary one. */
static PyObject *
start_thread(PyObject *threading, PyObject *body, unsigned number)
{
    PyObject *type = PyObject_GetAttrString(threading, "Thread");
    PyObject *args = Py_BuildValue("(OOO(I))", Py_None, body, Py_None, number);
    PyObject *thread = type && args ? PyObject_CallObject(type, args) : NULL;
    PyObject *started = thread ? PyObject_CallMethod(thread, "start", NULL) : NULL;

    if (!started)
        Py_CLEAR(thread);
    Py_XDECREF(started);
    Py_XDECREF(args);
    Py_XDECREF(type);
    return thread;
}

static int
set_stack_size(PyObject *threading, int64_t bytes)
{
    PyObject *old;

    if (bytes == 0)
        return 0;
    old = PyObject_CallMethod(threading, "stack_size", "L", (long long)bytes);
    Py_XDECREF(old);
    return old ? 0 : -1;
}

/* Lane 0 is the main thread's; what cannot be started is said and done without. */
static void
serve_threads(struct serving *s)
{
    static PyMethodDef def = {"serve", thread_body, METH_O, NULL};
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *capsule = PyCapsule_New(s, NULL, NULL);
    PyObject *body = capsule ? PyCFunction_New(&def, capsule) : NULL;
    PyObject *threads = PyList_New(0);

    if (threading && set_stack_size(threading, s->guest->stack_bytes) < 0)
        PyErr_PrintEx(0);
    for (unsigned i = 1; threading && body && threads && i < worker_threads(s->worker); i++) {
        PyObject *thread = start_thread(threading, body, i);

        if (!thread || PyList_Append(threads, thread) < 0)
            PyErr_PrintEx(0);
        Py_XDECREF(thread);
    }
    if (PyErr_Occurred())
        PyErr_PrintEx(0);
    serve_lane(s, 0);
    for (Py_ssize_t i = 0; threads && i < PyList_Size(threads); i++)
        call_and_forget(PyList_GetItem(threads, i), "join", NULL);
    Py_XDECREF(threads);
    Py_XDECREF(body);
    Py_XDECREF(capsule);
    Py_XDECREF(threading);
}

static int
guest_serve(void *ctx, struct worker *worker)
{
    const struct guest *g = ctx;
    struct serving s = {.guest = g, .worker = worker};

    if (worker_threads(worker) > 1)
        serve_threads(&s);
    else
        serve_lane(&s, 0);
    return s.code;
}

static void br_noreturn
guest_exit(void *ctx br_unused, int code)
{
    PyErr_Clear();
    Py_Exit(code);
}

static void *
lock_pause(void)
{
    return PyEval_SaveThread();
}

static void
lock_resume(void *paused)
{
    PyEval_RestoreThread(paused);
}

/* ---- the module ---- */

static PyObject *
run(PyObject *self br_unused, PyObject *unused br_unused)
{
    static struct guest guest;
    static const struct guest_ops ops = {
        .name = "python",
        .load = guest_load,
        .before_fork = guest_before_fork,
        .fork = guest_fork,
        .serve = guest_serve,
        .serve_stream = guest_serve,
        .exit = guest_exit,
        .lock = {.pause = lock_pause, .resume = lock_resume},
    };
    int code;

    signal(SIGINT, SIG_DFL); /* as an application process: ends it, no KeyboardInterrupt */
    code = app_runtime_run(&ops, &guest);
    flush_streams();
    _exit(code); /* exit functions belong to workers: they served */
}

static PyMethodDef methods[] = {
    {"run", run, METH_NOARGS,
     "Become the prototype of the application that brood started this for."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, .m_name = "_brood",   .m_doc = "The application side of brood.",
    .m_size = -1,          .m_methods = methods,
};

PyMODINIT_FUNC PyInit__brood(void);

PyMODINIT_FUNC
PyInit__brood(void)
{
    if (environ_prepare() < 0 || input_prepare() < 0 || file_wrapper_prepare() < 0 ||
        wsgi_prepare() < 0)
        return NULL;
    return PyModule_Create(&module_def);
}
