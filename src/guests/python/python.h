/*
 * python.h - Python.h for one build that runs in every CPython from 3.8 on.
 *
 * The limited API of 3.8, and two things beside it that every version since 3.8 has under the same
 * name and with the same sense: PyUnicode_AsUTF8AndSize (in the stable ABI since 3.10) and
 * METH_FASTCALL (since 3.10; the calling convention is that of 3.7).  Both fixed for good: older
 * versions get no more changes.  PyObject_GetBuffer came too late (3.11) and is done without.
 */
#ifndef GUESTS_PYTHON_PYTHON_H
#define GUESTS_PYTHON_PYTHON_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03080000
#include <Python.h>

#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif

/* Self, arguments, how many: called without making a tuple. */
typedef PyObject *fast_fn(PyObject *self, PyObject *const *args, Py_ssize_t n);
#define FAST_METHOD(name, fn)                                          \
    {                                                                  \
        (name), (PyCFunction)(void (*)(void))(fn), METH_FASTCALL, NULL \
    }

PyAPI_FUNC(const char *) PyUnicode_AsUTF8AndSize(PyObject *text, Py_ssize_t *ret_n);

/* PyBUF_WRITE of the full API. */
#define VIEW_WRITE 0x200

#endif
