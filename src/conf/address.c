/*
 * address.c - may this text be the name of a listener?
 *
 * The text is the key under which a listener is known, so only one way to write an address is
 * right where inet_pton(3) allows one ("127.1:80" is refused); no names, no ranges.
 */
#include "conf/address.h"

#include <arpa/inet.h>
#include <errno.h>

static bool
is_port(struct slice text)
{
    uint64_t port;

    return text.n > 0 && text.p[0] != '0' && slice_u64(text, &port) == 0 && port <= 65535;
}

static bool
is_ip(int family, struct slice text)
{
    char name[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (text.n >= sizeof name || memchr(text.p, '\0', text.n) != NULL)
        return false;
    memcpy(name, text.p, text.n);
    name[text.n] = '\0';
    return inet_pton(family, name, &addr) == 1;
}

static int
check_unix(struct slice path, struct br_err *err)
{
    if (path.n == 0 || (path.n == 1 && path.p[0] == '@'))
        return br_fail(err, -EBADMSG, "A \"unix:\" address needs a path or \"@name\" after it.");
    if (path.n > ADDRESS_UNIX_MAX)
        return br_fail(err, -EBADMSG, "The path of a \"unix:\" address has at most %d bytes.",
                       ADDRESS_UNIX_MAX);
    if (memchr(path.p, '\0', path.n) != NULL)
        return br_fail(err, -EBADMSG, "The path of a \"unix:\" address must not contain NUL.");
    return 0;
}

/* What stands before the port: the host, without brackets. */
static int
check_host(struct slice host, struct br_err *err)
{
    if (slice_eq(host, SLICE("*")))
        return 0;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        if (!is_ip(AF_INET6, slice_sub(host, 1, host.n - 1)))
            return br_fail(err, -EBADMSG, "There is no valid IPv6 address in the brackets.");
        return 0;
    }
    if (!is_ip(AF_INET, host))
        return br_fail(err, -EBADMSG,
                       "An address begins with an IPv4 address, an IPv6 address in brackets, \"*\" "
                       "or \"unix:\".");
    return 0;
}

/* One inet address at one port, as bind(2) sees it. */
struct place {
    int family;
    struct in6_addr host; /* IPv4: in the first bytes */
    bool any;
    struct slice port;
};

static bool
read_place(const char *text, struct place *ret)
{
    const char *colon = strrchr(text, ':');
    struct slice host = slice_make(text, colon != NULL ? (size_t)(colon - text) : 0);
    bool v6 = host.n > 2 && host.p[0] == '[';
    char name[INET6_ADDRSTRLEN];
    struct in6_addr none = {0};

    *ret = (struct place){.family = v6 ? AF_INET6 : AF_INET};
    if (host.n == 0 || slice_starts(slice_cstr(text), SLICE("unix:")))
        return false;
    ret->port = slice_cstr(colon + 1);
    if (v6)
        host = slice_sub(host, 1, host.n - 1);
    if (!slice_eq(host, SLICE("*"))) {
        if (host.n >= sizeof name)
            return false;
        memcpy(name, host.p, host.n);
        name[host.n] = '\0';
        if (inet_pton(ret->family, name, &ret->host) != 1)
            return false;
    }
    ret->any = memcmp(&ret->host, &none, sizeof none) == 0;
    return true;
}

bool
address_overlap(const char *a, const char *b)
{
    struct place x, y;

    return read_place(a, &x) && read_place(b, &y) && x.family == y.family && x.any != y.any &&
           slice_eq(x.port, y.port);
}

int
address_check(struct slice text, struct br_err *err)
{
    size_t colon = text.n;
    int rc;

    if (slice_starts(text, SLICE("unix:")))
        return check_unix(slice_sub(text, 5, text.n), err);
    while (colon > 0 && text.p[colon - 1] != ':' && text.p[colon - 1] != ']')
        colon--;
    if (colon == 0 || text.p[colon - 1] != ':')
        return br_fail(err, -EBADMSG, "An address needs a port: \":\" and a number at its end.");
    rc = check_host(slice_sub(text, 0, colon - 1), err);
    if (rc == 0 && !is_port(slice_sub(text, colon, text.n)))
        return br_fail(err, -EBADMSG, "The port of an address must be a number from 1 to 65535.");
    return rc;
}
