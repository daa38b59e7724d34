/*
 * fuzz_uri.c - any bytes as a target, a path and a host.
 *
 * A path that is accepted is absolute, has no NUL and no segment that would still mean something;
 * one that is called plain resolves to itself; a host that is accepted is its own normal form.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "http/uri.h"

static void
must(bool truth)
{
    if (!truth)
        abort();
}

static void
check_path(struct slice path)
{
    struct slice rest = slice_sub(path, 1, path.n), segment;
    size_t at = 0;

    must(path.n > 0 && path.p[0] == '/');
    must(memchr(path.p, '\0', path.n) == NULL);
    while (slice_split(&rest, '/', &segment)) {
        at += segment.n + 1;
        must(segment.n > 0 || at == path.n); /* only the last may be empty */
        must(!slice_eq(segment, SLICE(".")) && !slice_eq(segment, SLICE("..")));
    }
}

static void
check_target(struct slice target, char *room)
{
    struct slice path;
    struct uri uri;

    if (uri_parse(target, &uri) < 0)
        return;
    must(uri.raw_path.n > 0 && uri.raw_path.p[0] == '/');
    must(memchr(uri.raw_path.p, '?', uri.raw_path.n) == NULL);
    if (uri_path(uri.raw_path, room, &path) == 0)
        check_path(path);
    else
        must(!uri.plain);
    if (uri.plain)
        must(slice_eq(path, uri.raw_path));
}

static void
check_host(struct slice value, char *room)
{
    struct slice name, again;

    if (host_parse(value, room, &name) < 0)
        return;
    for (size_t i = 0; i < name.n; i++)
        must(name.p[i] > 0x20 && name.p[i] < 0x7f && ascii_lower(name.p[i]) == name.p[i]);
    must(host_parse(name, NULL, &again) == 0);
    must(slice_eq(again, name) || slice_ends(name, SLICE(".")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = slice_make((const char *)data, n), decoded;
    char *room = malloc(n + 1);

    must(room != NULL);
    check_target(text, room);
    check_host(text, room);
    if (uri_decode(text, room, &decoded) == 0)
        must(decoded.n <= n);
    free(room);
    return 0;
}
