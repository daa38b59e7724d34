/*
 * environ.c - the environ dictionary of PEP 3333, a copy of a template plus the fields.
 *
 *   template { REQUEST_METHOD, PATH_INFO, wsgi.version, … }  --copy-->  environ  <-- HTTP_… of this
 * request ^ only what differs from the last request is written
 *
 * Every request has some twenty keys that rarely change, so the template holds their last values
 * and is corrected before it is copied.  Values of fields known by number are kept from the last
 * request too: a str is made only for bytes that were not there before.
 *
 * Mapping of names to keys: RFC 3875, 4.1.18, and where it is ambiguous: a field whose name has
 * other characters than letters, digits and '-' never replaces nor joins one that has not;
 * Proxy is dropped (httpoxy); Cookie is joined by "; " (RFC 6265, 5.4), all others by ", ".
 */
#include "guests/python/guest.h"

#include <string.h>

#include "base/slice.h"

/* Longer values are not kept for the next request. */
#define CACHED_BYTES_MAX 512

#define SERVER_SOFTWARE "brood/" BROOD_VERSION

enum constant {
    K_SCRIPT_NAME,
    K_SERVER_SOFTWARE,
    K_CONTENT_LENGTH,
    K_VERSION,
    K_URL_SCHEME,
    K_INPUT,
    K_INPUT_TERMINATED,
    K_ERRORS,
    K_MULTITHREAD,
    K_MULTIPROCESS,
    K_RUN_ONCE,
    K_FILE_WRAPPER,
    CONSTANTS,
};

static const char *const constant_names[CONSTANTS] = {
    [K_SCRIPT_NAME] = "SCRIPT_NAME",
    [K_SERVER_SOFTWARE] = "SERVER_SOFTWARE",
    [K_CONTENT_LENGTH] = "CONTENT_LENGTH",
    [K_VERSION] = "wsgi.version",
    [K_URL_SCHEME] = "wsgi.url_scheme",
    [K_INPUT] = "wsgi.input",
    [K_INPUT_TERMINATED] = "wsgi.input_terminated",
    [K_ERRORS] = "wsgi.errors",
    [K_MULTITHREAD] = "wsgi.multithread",
    [K_MULTIPROCESS] = "wsgi.multiprocess",
    [K_RUN_ONCE] = "wsgi.run_once",
    [K_FILE_WRAPPER] = "wsgi.file_wrapper",
};

static const char *const text_names[WIRE_TEXTS] = {
    [TEXT_METHOD] = "REQUEST_METHOD",   [TEXT_TARGET] = "REQUEST_URI",
    [TEXT_PATH] = "PATH_INFO",          [TEXT_QUERY] = "QUERY_STRING",
    [TEXT_VERSION] = "SERVER_PROTOCOL", [TEXT_REMOTE_ADDR] = "REMOTE_ADDR",
    [TEXT_LOCAL_ADDR] = "SERVER_ADDR",  [TEXT_LOCAL_PORT] = "SERVER_PORT",
    [TEXT_SERVER_NAME] = "SERVER_NAME", [TEXT_REMOTE_PORT] = "REMOTE_PORT",
};

static PyObject *constants[CONSTANTS];
static PyObject *text_keys[WIRE_TEXTS];
static PyObject *field_keys[NAMES]; /* NULL: dropped */
static PyObject *http, *https, *comma, *semicolon;

/* "x-thing" to "HTTP_X_THING". */
static size_t
cgi_name(struct slice name, char *ret_key)
{
    memcpy(ret_key, "HTTP_", 5);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        ret_key[5 + i] = c == '-' ? '_' : (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    ret_key[5 + name.n] = '\0';
    return name.n + 5;
}

static PyObject *
field_key(enum field_name id)
{
    char key[80];

    cgi_name(field_names[id], key);
    if (id == NAME_CONTENT_LENGTH || id == NAME_CONTENT_TYPE)
        return PyUnicode_InternFromString(key + 5);
    return PyUnicode_InternFromString(key);
}

int
environ_prepare(void)
{
    for (unsigned i = 0; i < CONSTANTS; i++) {
        if (!(constants[i] = PyUnicode_InternFromString(constant_names[i])))
            return -1;
    }
    for (unsigned i = 0; i < WIRE_TEXTS; i++) {
        if (text_names[i] && !(text_keys[i] = PyUnicode_InternFromString(text_names[i])))
            return -1;
    }
    for (enum field_name i = NAME_NONE + 1; i < NAMES; i++) {
        if (i != NAME_PROXY && !(field_keys[i] = field_key(i)))
            return -1;
    }
    http = PyUnicode_InternFromString("http");
    https = PyUnicode_InternFromString("https");
    comma = PyUnicode_FromString(", ");
    semicolon = PyUnicode_FromString("; ");
    return http && https && comma && semicolon ? 0 : -1;
}

/* value is taken, also on failure. */
static int
set_new(PyObject *dict, PyObject *key, PyObject *value)
{
    int rc = value ? PyDict_SetItem(dict, key, value) : -1;

    Py_XDECREF(value);
    return rc;
}

int
environ_init(struct environ *e, PyObject *empty, PyObject *file_wrapper, bool threads)
{
    PyObject *t = e->template = PyDict_New();

    if (!t)
        return -1;
    for (unsigned i = 0; i < WIRE_TEXTS; i++) {
        if (text_keys[i] && set_new(t, text_keys[i], PyUnicode_FromString("")) < 0)
            return -1;
    }
    if (set_new(t, constants[K_SCRIPT_NAME], PyUnicode_FromString("")) < 0 ||
        set_new(t, constants[K_SERVER_SOFTWARE], PyUnicode_FromString(SERVER_SOFTWARE)) < 0 ||
        set_new(t, constants[K_VERSION], Py_BuildValue("(ii)", 1, 0)) < 0 ||
        PyDict_SetItem(t, constants[K_URL_SCHEME], http) < 0 ||
        PyDict_SetItem(t, constants[K_INPUT], empty) < 0 ||
        PyDict_SetItem(t, constants[K_INPUT_TERMINATED], Py_True) < 0 ||
        PyDict_SetItem(t, constants[K_ERRORS], Py_None) < 0 ||
        PyDict_SetItem(t, constants[K_MULTITHREAD], threads ? Py_True : Py_False) < 0 ||
        PyDict_SetItem(t, constants[K_MULTIPROCESS], Py_True) < 0 ||
        PyDict_SetItem(t, constants[K_RUN_ONCE], Py_False) < 0 ||
        PyDict_SetItem(t, constants[K_FILE_WRAPPER], file_wrapper) < 0)
        return -1;
    return 0;
}

/*
 * A str for these bytes, borrowed from the cache.  *ret_new (may be NULL) says whether it differs
 * from last time.  A str that is not ASCII or long is kept only until the next call.
 */
static PyObject *
text_of(struct cached *c, struct slice s, bool *ret_new)
{
    Py_ssize_t n;

    if (br_likely(c->p != NULL && c->n == s.n && memcmp(c->p, s.p, s.n) == 0))
        return c->value;
    Py_XDECREF(c->value);
    c->p = NULL;
    c->value = PyUnicode_DecodeLatin1(s.n ? s.p : "", (Py_ssize_t)s.n, NULL);
    if (!c->value)
        return NULL;
    if (s.n <= CACHED_BYTES_MAX) {
        const char *p = PyUnicode_AsUTF8AndSize(c->value, &n);

        if (p == NULL)
            return NULL;
        if ((size_t)n == s.n) {
            c->p = p;
            c->n = s.n;
        }
    }
    if (ret_new)
        *ret_new = true;
    return c->value;
}

/* The parts that every request has: correct the template. */
static int
update_template(struct environ *e, const struct wire_request *r)
{
    PyObject *errors = PySys_GetObject("stderr");
    bool tls = (r->flags & WIRE_TLS) != 0;

    for (unsigned i = 0; i < WIRE_TEXTS; i++) {
        bool is_new = false;
        PyObject *value;

        if (text_keys[i] == NULL)
            continue;
        value = text_of(&e->text[i], r->text[i], &is_new);
        if (!value || (is_new && PyDict_SetItem(e->template, text_keys[i], value) < 0))
            return -1;
    }
    if (errors && errors != e->errors) {
        if (PyDict_SetItem(e->template, constants[K_ERRORS], errors) < 0)
            return -1;
        e->errors = errors; /* the template holds it */
    }
    if (tls != e->tls) {
        if (PyDict_SetItem(e->template, constants[K_URL_SCHEME], tls ? https : http) < 0)
            return -1;
        e->tls = tls;
    }
    return 0;
}

/* Only letters, digits and '-': no other field name has the same key. */
static bool
is_plain(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return true;
}

static PyObject *
make_key(struct slice name)
{
    char small[128];
    PyObject *key;
    char *p = name.n + 6 <= sizeof(small) ? small : PyMem_Malloc(name.n + 6);

    if (!p)
        return PyErr_NoMemory();
    key = PyUnicode_DecodeLatin1(p, (Py_ssize_t)cgi_name(name, p), NULL);
    if (p != small)
        PyMem_Free(p);
    return key;
}

/*
 * The key of a name that has no number; a new reference.  Not interned: clients choose these names,
 * and some versions never let go of an interned str.
 */
static PyObject *
other_key(struct environ *e, struct slice name)
{
    unsigned hash = (unsigned)name.n * 31;
    PyObject *key;

    if (name.n == 0 || name.n > sizeof(e->names[0].name))
        return make_key(name);
    hash += (unsigned char)name.p[name.n / 2] * 7u + (unsigned char)name.p[name.n - 1];
    hash &= NAME_CACHE - 1;
    if (e->names[hash].key && e->names[hash].n == name.n &&
        memcmp(e->names[hash].name, name.p, name.n) == 0) {
        Py_INCREF(e->names[hash].key);
        return e->names[hash].key;
    }
    key = make_key(name);
    if (!key)
        return NULL;
    Py_XDECREF(e->names[hash].key);
    Py_INCREF(key);
    e->names[hash].key = key;
    e->names[hash].n = (uint32_t)name.n;
    memcpy(e->names[hash].name, name.p, name.n);
    return key;
}

/* Set, or join with what is there. */
static int
set_or_join(PyObject *dict, PyObject *key, PyObject *value, PyObject *glue)
{
    PyObject *had = PyDict_GetItemWithError(dict, key);
    PyObject *start;

    if (!had)
        return PyErr_Occurred() ? -1 : PyDict_SetItem(dict, key, value);
    start = PyUnicode_Concat(had, glue);
    if (!start)
        return -1;
    PyUnicode_Append(&start, value);
    return set_new(dict, key, start);
}

struct field {
    unsigned id;
    struct slice name;
    struct slice value;
};

static int
add_known(struct environ *e, PyObject *dict, const struct field *f, uint64_t *seen)
{
    uint64_t bit = 1ull << (f->id & 63);
    PyObject *key = field_keys[f->id];
    PyObject *value;

    if (key == NULL)
        return 0;
    value = text_of(&e->field[f->id], f->value, NULL);
    if (!value)
        return -1;
    if (br_unlikely(seen[f->id >> 6] & bit))
        return set_or_join(dict, key, value, f->id == NAME_COOKIE ? semicolon : comma);
    seen[f->id >> 6] |= bit;
    return PyDict_SetItem(dict, key, value);
}

static int
add_other(struct environ *e, PyObject *dict, const struct field *f)
{
    PyObject *key = other_key(e, f->name);
    PyObject *value = key ? PyUnicode_DecodeLatin1(f->value.p, (Py_ssize_t)f->value.n, NULL) : NULL;
    int rc = value ? set_or_join(dict, key, value, comma) : -1;

    Py_XDECREF(key);
    Py_XDECREF(value);
    return rc;
}

/* A name that only looks like another one's key: where that one is, it is left out. */
static int
add_odd(struct environ *e, PyObject *dict, const struct field *f)
{
    PyObject *key = other_key(e, f->name);
    PyObject *value;
    int rc = -1;

    if (!key)
        return -1;
    if (PyDict_GetItemWithError(dict, key)) {
        rc = 0;
    } else if (!PyErr_Occurred()) {
        value = PyUnicode_DecodeLatin1(f->value.p, (Py_ssize_t)f->value.n, NULL);
        rc = set_new(dict, key, value);
    }
    Py_DECREF(key);
    return rc;
}

static int
read_field(const struct wire_request *r, unsigned i, struct field *f)
{
    if (wire_request_field_read(r, i, &f->id, &f->name, &f->value) == 0 && f->id < NAMES)
        return 0;
    PyErr_SetString(PyExc_ValueError, "the request is damaged");
    return -1;
}

static int
add_odd_fields(struct environ *e, PyObject *dict, const struct wire_request *r)
{
    for (unsigned i = 0; i < r->n_fields; i++) {
        struct field f;

        if (read_field(r, i, &f) < 0)
            return -1;
        if (f.id == NAME_NONE && !is_plain(f.name) && add_odd(e, dict, &f) < 0)
            return -1;
    }
    return 0;
}

static int
add_fields(struct environ *e, PyObject *dict, const struct wire_request *r, uint64_t *seen)
{
    bool odd = false;

    for (unsigned i = 0; i < r->n_fields; i++) {
        struct field f;
        int rc = 0;

        if (read_field(r, i, &f) < 0)
            return -1;
        if (br_likely(f.id != NAME_NONE))
            rc = add_known(e, dict, &f, seen);
        else if (is_plain(f.name))
            rc = add_other(e, dict, &f);
        else
            odd = true;
        if (rc < 0)
            return -1;
    }
    return odd ? add_odd_fields(e, dict, r) : 0;
}

/* A chunked body was decoded and is whole: its length is known. */
static int
add_length(struct environ *e, PyObject *dict, const struct wire_request *r)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)r->body_length);
    PyObject *value = text_of(&e->length, slice_make(digits, (size_t)n), NULL);

    return value ? PyDict_SetItem(dict, constants[K_CONTENT_LENGTH], value) : -1;
}

/* The prefix, where the path begins with it up to a boundary, goes from PATH_INFO to SCRIPT_NAME.
 */
static int
split_path(PyObject *dict, struct slice path, const struct target *target)
{
    size_t n = target->prefix.n;

    if (!slice_starts(path, target->prefix) || (path.n > n && path.p[n] != '/'))
        return 0;
    if (PyDict_SetItem(dict, constants[K_SCRIPT_NAME], target->script_name) < 0)
        return -1;
    return set_new(dict, text_keys[TEXT_PATH],
                   PyUnicode_DecodeLatin1(path.p + n, (Py_ssize_t)(path.n - n), NULL));
}

PyObject *
environ_make(struct environ *e, const struct wire_request *r, const struct target *target,
             PyObject *input)
{
    uint64_t seen[(NAMES + 63) / 64] = {0};
    PyObject *dict;

    if (update_template(e, r) < 0 || !(dict = PyDict_Copy(e->template)))
        return NULL;
    if ((input && PyDict_SetItem(dict, constants[K_INPUT], input) < 0) ||
        (target->prefix.n > 0 && split_path(dict, r->text[TEXT_PATH], target) < 0) ||
        add_fields(e, dict, r, seen) < 0)
        goto fail;
    if ((r->flags & WIRE_HAS_BODY) &&
        !(seen[NAME_CONTENT_LENGTH >> 6] & (1ull << (NAME_CONTENT_LENGTH & 63))) &&
        add_length(e, dict, r) < 0)
        goto fail;
    return dict;
fail:
    Py_DECREF(dict);
    return NULL;
}
