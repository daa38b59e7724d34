/*
 * stream.c - one connection through a stream application: application(connection, address).
 *
 *   connection_next -> socket.socket(fileno=fd) -> application(...) -> close -> connection_over
 *
 * The socket is an ordinary one, blocking, with `timeouts.idle` as its timeout.  The address is
 * what socket.accept gives: (host, port), (host, port, flow, scope), or a Unix socket's name.
 */
#include "guests/python/guest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/connection.h"
#include "base/log.h"

static PyObject *socket_type;
static PyObject *timeout_type;

static PyObject *
unix_address(const struct connection *c)
{
    const struct sockaddr_un *sun = (const void *)&c->peer;
    Py_ssize_t n = (Py_ssize_t)c->peer_length - (Py_ssize_t)offsetof(struct sockaddr_un, sun_path);

    if (n <= 0)
        return PyUnicode_FromString("");
    if (sun->sun_path[0] == '\0')
        return PyBytes_FromStringAndSize(sun->sun_path, n);
    return PyUnicode_DecodeFSDefaultAndSize(sun->sun_path,
                                            (Py_ssize_t)strnlen(sun->sun_path, (size_t)n));
}

static PyObject *
make_address(const struct connection *c)
{
    const struct sockaddr_in *in4 = (const void *)&c->peer;
    const struct sockaddr_in6 *in6 = (const void *)&c->peer;
    char ip[INET6_ADDRSTRLEN];

    if (c->peer_length == 0 || c->peer.ss_family == AF_UNIX)
        return unix_address(c);
    if (c->peer.ss_family == AF_INET)
        return Py_BuildValue("(sI)", inet_ntop(AF_INET, &in4->sin_addr, ip, sizeof(ip)),
                             (unsigned)ntohs(in4->sin_port));
    return Py_BuildValue("(sIII)", inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip)),
                         (unsigned)ntohs(in6->sin6_port), (unsigned)ntohl(in6->sin6_flowinfo),
                         (unsigned)in6->sin6_scope_id);
}

/* Takes the descriptor. */
static PyObject *
make_socket(struct connection *c)
{
    PyObject *none = PyTuple_New(0);
    PyObject *fileno = Py_BuildValue("{si}", "fileno", c->fd);
    PyObject *sock = none && fileno ? PyObject_Call(socket_type, none, fileno) : NULL;
    PyObject *set = NULL;

    if (sock == NULL)
        close(c->fd);
    else if (c->idle_ms > 0)
        set = PyObject_CallMethod(sock, "settimeout", "d", (double)c->idle_ms / 1000);
    if (sock != NULL && c->idle_ms > 0 && set == NULL)
        Py_CLEAR(sock);
    Py_XDECREF(set);
    Py_XDECREF(fileno);
    Py_XDECREF(none);
    return sock;
}

/* An exception is set: a client that went away or fell silent is nobody's fault.  The exit code. */
static int
report(struct worker *worker, const struct connection *c, bool *ret_leave)
{
    char text[CONNECTION_TEXT];

    if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
        *ret_leave = true;
        worker_leave(worker);
        return system_exit_code();
    }
    connection_text(c, text);
    if (c->idle_ms > 0 && PyErr_ExceptionMatches(timeout_type)) {
        br_log(LOG_INFO, "the connection from %s was idle too long", text);
        PyErr_Clear();
    } else if (PyErr_ExceptionMatches(PyExc_ConnectionError)) {
        br_log(LOG_INFO, "the client %s is gone", text);
        PyErr_Clear();
    } else {
        br_log(LOG_ERROR, "the connection from %s raised an exception", text);
        PyErr_PrintEx(0);
    }
    return 0;
}

/* The exit code, when the application wants to leave. */
static int
serve_connection(const struct target *target, struct worker *worker, struct connection *c,
                 bool *ret_leave)
{
    PyObject *sock = make_socket(c);
    PyObject *address = sock ? make_address(c) : NULL;
    PyObject *result = NULL;
    int code = 0;

    if (address)
        result = PyObject_CallFunctionObjArgs(target->application, sock, address, NULL);
    if (result == NULL)
        code = report(worker, c, ret_leave);
    if (sock)
        call_and_forget(sock, "close", NULL);
    Py_XDECREF(result);
    Py_XDECREF(address);
    Py_XDECREF(sock);
    return code;
}

int
stream_serve(const struct targets *targets, struct worker *worker)
{
    struct connection c;
    bool leave = false;
    int code = 0;

    while (!leave && connection_next(worker, &c)) {
        code = serve_connection(&targets->list[0], worker, &c, &leave);
        connection_over(worker);
    }
    return code;
}

int
stream_prepare(void)
{
    PyObject *module = PyImport_ImportModule("socket");

    if (module == NULL)
        return -1;
    socket_type = PyObject_GetAttrString(module, "socket");
    timeout_type = PyObject_GetAttrString(module, "timeout");
    Py_DECREF(module);
    return socket_type != NULL && timeout_type != NULL ? 0 : -1;
}
