/* The least that a module for CPython can do: recv(2) and send(2) behind the interpreter's fastest
 * calling convention, without modes, deadlines, flags, errors worth the name, or safety beside
 * other threads. limits.py builds it to see how much of a call no socket module can save. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <sys/socket.h>

typedef struct {
    PyObject_HEAD
    int fd;
} Bare;

static _Alignas(4096) char scratch[1 << 16];

static PyObject *bare_send(Bare *self, PyObject *const *args, Py_ssize_t count) {
    PyObject *data = args[0];
    ssize_t sent = send(self->fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT);
    return sent < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromSsize_t(sent);
}

/* Small messages, by way of memory that is warm. */
static PyObject *bare_recv(Bare *self, PyObject *const *args, Py_ssize_t count) {
    ssize_t got = recv(self->fd, scratch, PyLong_AsSsize_t(args[0]), MSG_DONTWAIT);
    return got < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyBytes_FromStringAndSize(scratch, got);
}

/* Messages of exactly the size that is asked for, in memory of their own. */
static PyObject *bare_recv_exact(Bare *self, PyObject *const *args, Py_ssize_t count) {
    Py_ssize_t size = PyLong_AsSsize_t(args[0]);
    PyObject *data = PyBytes_FromStringAndSize(NULL, size);
    if (data == NULL)
        return NULL;
    ssize_t got = recv(self->fd, PyBytes_AS_STRING(data), size, MSG_DONTWAIT);
    if (got == size)
        return data;
    Py_DECREF(data);
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *bare_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    int fd;
    if (!PyArg_ParseTuple(args, "i", &fd))
        return NULL;
    Bare *self = (Bare *)type->tp_alloc(type, 0);
    if (self != NULL)
        self->fd = fd;
    return (PyObject *)self;
}

static PyMethodDef methods[] = {
    {"send", (PyCFunction)(void (*)(void))bare_send, METH_FASTCALL, NULL},
    {"recv", (PyCFunction)(void (*)(void))bare_recv, METH_FASTCALL, NULL},
    {"recv_exact", (PyCFunction)(void (*)(void))bare_recv_exact, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "bare.Bare",
    .tp_basicsize = sizeof(Bare),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = methods,
    .tp_new = bare_new,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "bare", .m_size = -1};

PyMODINIT_FUNC PyInit_bare(void) {
    PyObject *made = PyType_Ready(&type) < 0 ? NULL : PyModule_Create(&module);
    if (made != NULL && PyModule_AddObjectRef(made, "Bare", (PyObject *)&type) < 0)
        Py_CLEAR(made);
    return made;
}
