/*
 * identity.c - what must agree for two invocations to share a server.
 *
 *   invocation, system --fields--> sink: SHA-256 | lines for --explain
 *
 * Part of the fast path: a dozen cheap system calls, no formatting.
 */
#include "interp/identity.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "interp/sha256.h"

#define GROUPS_MOST 65536 /* the kernel's own limit */

struct sink {
    identity_sink_fn *fn;
    void *arg;
};

static void
put(const struct sink *to, char what, const void *p, size_t n)
{
    to->fn(to->arg, what, p, n);
}

static void
put_text(const struct sink *to, char what, const char *text)
{
    put(to, what, text, strlen(text) + 1);
}

static int
put_place(const struct sink *to, char what, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    put(to, what, &st.st_dev, sizeof(st.st_dev));
    put(to, 'i', &st.st_ino, sizeof(st.st_ino));
    return 0;
}

static void
sort_groups(gid_t *groups, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && groups[k - 1] > groups[k]; k--) {
            gid_t g = groups[k];

            groups[k] = groups[k - 1];
            groups[k - 1] = g;
        }
}

static int
put_groups(const struct sink *to)
{
    gid_t few[64];
    gid_t *groups = few;
    gid_t gid = getegid();
    int n = getgroups((int)array_len(few), few);

    if (n < 0 && errno == EINVAL) {
        groups = malloc(GROUPS_MOST * sizeof(gid_t));
        if (groups == NULL)
            return -ENOMEM;
        n = getgroups(GROUPS_MOST, groups);
    }
    if (n >= 0) {
        sort_groups(groups, n);
        put(to, 'g', &gid, sizeof(gid));
        put(to, 'g', groups, (size_t)n * sizeof(gid_t));
    }
    if (groups != few)
        free(groups);
    return n < 0 ? -errno : 0;
}

/* A system without /proc, or a kernel without that kind, has nothing that could differ. */
static void
put_namespaces(const struct sink *to)
{
    static const char *const kinds[] = {
        "/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid",
        "/proc/self/ns/net",  "/proc/self/ns/ipc",
    };
    struct stat st;

    for (size_t i = 0; i < array_len(kinds); i++) {
        uint64_t place[2] = {0, 0};

        if (stat(kinds[i], &st) == 0) {
            place[0] = st.st_dev;
            place[1] = st.st_ino;
        }
        put(to, 'n', place, sizeof(place));
    }
}

static int
put_privilege(const struct sink *to)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2];
    uint32_t effective[2];
    char no_new;

    if (syscall(SYS_capget, &head, caps) < 0)
        return -errno;
    effective[0] = caps[0].effective;
    effective[1] = caps[1].effective;
    no_new = (char)prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L);
    put(to, 'p', &no_new, 1);
    put(to, 'c', effective, sizeof(effective));
    return 0;
}

/* What a server has for good and cannot give back. */
static int
put_standing(const struct sink *to)
{
    int rc = put_groups(to);

    if (rc < 0)
        return rc;
    put_namespaces(to);
    return put_privilege(to);
}

/* The value of NAME in environ_, or NULL. */
static const char *
value_of(char **environ_, const char *name)
{
    size_t n = strlen(name);

    for (char **e = environ_; *e != NULL; e++)
        if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

static void
put_keys(const struct sink *to, const struct invocation *inv, char **environ_)
{
    for (size_t i = 0; i < inv->n_keys; i++) {
        const struct invocation_key *key = &inv->keys[i];
        const char *value;

        put_text(to, key->kind, key->text);
        if (key->kind != 'E')
            continue;
        value = value_of(environ_, key->text);
        if (value != NULL)
            put_text(to, 'v', value);
        else
            put(to, '\0', "", 0);
    }
}

/* Does this variable (NAME=VALUE) decide how an interpreter starts? */
static bool
shapes_a_start(const char *entry)
{
    /* A name that ends in '=' is whole; another is the beginning of one. */
    static const char *const names[] = {
        "PATH=", "LD_LIBRARY_PATH=", "LD_PRELOAD=", "LANG=",    "LC_",  "PERL5LIB=", "PERL5OPT=",
        "PERL_", "PYTHON",           "RUBYLIB=",    "RUBYOPT=", "GEM_", "NODE_",     "BASH_ENV=",
        "ENV=",
    };

    if (entry[0] < 'B' || entry[0] > 'R')
        return false;
    for (size_t i = 0; i < array_len(names); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int
put_start_variables(const struct sink *to, char **environ_)
{
    size_t n = 0;
    char **found;

    for (char **e = environ_; *e != NULL; e++)
        n += shapes_a_start(*e);
    if (n == 0)
        return 0;
    found = malloc(n * sizeof(found[0]));
    if (found == NULL)
        return -ENOMEM;
    n = 0;
    for (char **e = environ_; *e != NULL; e++) {
        size_t k = n;

        if (!shapes_a_start(*e))
            continue;
        for (n++; k > 0 && strcmp(found[k - 1], *e) > 0; k--)
            found[k] = found[k - 1];
        found[k] = *e;
    }
    for (size_t i = 0; i < n; i++)
        put_text(to, 'e', found[i]);
    free(found);
    return 0;
}

int
identity_fields(const struct invocation *inv, char **environ_, identity_sink_fn *sink, void *arg)
{
    const struct sink to = {sink, arg};
    struct utsname uts;
    size_t uts_n = sizeof(uts);
    int rc;

    memset(&uts, 0, sizeof(uts));
    if (uname(&uts) < 0)
        return -errno;
    put(&to, 'u', &uts_n, sizeof(uts_n));
    put(&to, 'u', &uts, sizeof(uts));
    if (inv->any_directory)
        put(&to, 'C', "", 1);
    else if ((rc = put_place(&to, '.', ".")) < 0)
        return rc;
    rc = put_place(&to, '/', "/");
    if (rc == 0)
        rc = put_standing(&to);
    if (rc < 0)
        return rc;
    put_keys(&to, inv, environ_);
    rc = put_start_variables(&to, environ_);
    if (rc < 0)
        return rc;
    put_text(&to, 'i', inv->interpreter);
    for (size_t i = 0; i < inv->n_options; i++)
        put_text(&to, 'o', inv->options[i]);
    if (inv->script != NULL)
        put_text(&to, 's', inv->script);
    return 0;
}

static void
digest(void *arg, char what, const void *p, size_t n)
{
    sha256_add(arg, &what, 1);
    sha256_add(arg, p, n);
}

static void
hex(struct sha256 *sum, char *ret_hex, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[SHA256_BYTES];

    sha256_end(sum, bytes);
    for (size_t i = 0; i < n; i++)
        ret_hex[i] = digits[bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    ret_hex[n] = '\0';
}

int
identity_standing(char ret_hex[IDENTITY_STANDING + 1])
{
    struct sha256 sum;
    struct sink to = {digest, &sum};
    int rc;

    sha256_init(&sum);
    rc = put_standing(&to);
    if (rc == 0)
        hex(&sum, ret_hex, IDENTITY_STANDING);
    return rc;
}

static int
named(const char *ident, size_t room, const char *ordinary, char *ret_name, size_t ret_room)
{
    char standing[IDENTITY_STANDING + 1];
    size_t n = strlen(ident);
    int rc = identity_standing(standing);

    if (rc < 0)
        return rc;
    if (strchr(ident, '/') != NULL)
        return -EINVAL;
    if (n > room || n >= ret_room)
        return -ENAMETOOLONG;
    memcpy(ret_name, ident, n + 1);
    if (ordinary == NULL || strcmp(ordinary, standing) == 0)
        return 0;
    if (n + 1 + IDENTITY_STANDING > room || n + 1 + IDENTITY_STANDING >= ret_room)
        return -ENAMETOOLONG;
    ret_name[n] = '.';
    memcpy(ret_name + n + 1, standing, sizeof(standing));
    return 0;
}

int
identity_name(const struct invocation *inv, char **environ_, size_t room, const char *ordinary,
              char *ret_name, size_t ret_room)
{
    struct sha256 sum;
    size_t n = br_min(room, (size_t)IDENTITY_HEX);
    int rc;

    if (inv->ident != NULL)
        return named(inv->ident, room, ordinary, ret_name, ret_room);
    if (n < IDENTITY_LEAST || n >= ret_room)
        return -ENAMETOOLONG;
    sha256_init(&sum);
    sha256_add(&sum, "\x02", 1);
    rc = identity_fields(inv, environ_, digest, &sum);
    if (rc < 0)
        return rc;
    hex(&sum, ret_name, n);
    return 0;
}
