/*
 * file_wrapper.c - wsgi.file_wrapper: an iterator over the blocks of a file.
 *
 * wsgi.c recognises it as the application's result and, when the file has readinto, lets it read
 * straight into response chunks; in other hands (middleware) it is the plain iterator of PEP 3333.
 */
#include "guests/python/guest.h"

#define BLOCK_BYTES 8192

struct file_wrapper {
    PyObject_HEAD PyObject *file;
    PyObject *block; /* int: bytes of each read */
};

static PyTypeObject *wrapper_type;
static PyObject *name_read, *name_readinto, *name_close;

static PyObject *
wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {(char *)"filelike", (char *)"blksize", NULL};
    struct file_wrapper *w;
    Py_ssize_t block = BLOCK_BYTES;
    PyObject *file;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:FileWrapper", names, &file, &block))
        return NULL;
    w = PyObject_New(struct file_wrapper, type);
    if (!w)
        return NULL;
    Py_INCREF(file);
    w->file = file;
    w->block = PyLong_FromSsize_t(block > 0 ? block : BLOCK_BYTES);
    if (!w->block)
        Py_CLEAR(w);
    return (PyObject *)w;
}

static void
wrapper_dealloc(PyObject *self)
{
    struct file_wrapper *w = (struct file_wrapper *)self;

    Py_XDECREF(w->file);
    Py_XDECREF(w->block);
    free_object(self);
}

static PyObject *
wrapper_iter(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

static PyObject *
wrapper_next(PyObject *self)
{
    struct file_wrapper *w = (struct file_wrapper *)self;
    PyObject *data = PyObject_CallMethodObjArgs(w->file, name_read, w->block, NULL);

    if (data && PyObject_IsTrue(data) == 0)
        Py_CLEAR(data); /* the end: NULL without an exception */
    return data;
}

static PyObject *
wrapper_close(PyObject *self, PyObject *unused br_unused)
{
    struct file_wrapper *w = (struct file_wrapper *)self;

    if (!PyObject_HasAttr(w->file, name_close))
        Py_RETURN_NONE;
    return PyObject_CallMethodObjArgs(w->file, name_close, NULL);
}

PyObject *
file_wrapper_type(void)
{
    return (PyObject *)wrapper_type;
}

bool
file_wrapper_check(PyObject *object)
{
    return Py_TYPE(object) == wrapper_type;
}

PyObject *
file_wrapper_file(PyObject *object)
{
    struct file_wrapper *w = (struct file_wrapper *)object;

    return PyObject_HasAttr(w->file, name_readinto) ? w->file : NULL;
}

static PyMethodDef wrapper_methods[] = {
    {"close", wrapper_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot wrapper_slots[] = {
    {Py_tp_new, wrapper_new},       {Py_tp_dealloc, wrapper_dealloc}, {Py_tp_iter, wrapper_iter},
    {Py_tp_iternext, wrapper_next}, {Py_tp_methods, wrapper_methods}, {0, NULL},
};

static PyType_Spec wrapper_spec = {
    .name = "_brood.FileWrapper",
    .basicsize = sizeof(struct file_wrapper),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = wrapper_slots,
};

int
file_wrapper_prepare(void)
{
    name_read = PyUnicode_InternFromString("read");
    name_readinto = PyUnicode_InternFromString("readinto");
    name_close = PyUnicode_InternFromString("close");
    wrapper_type = (PyTypeObject *)PyType_FromSpec(&wrapper_spec);
    return name_read && name_readinto && name_close && wrapper_type ? 0 : -1;
}
