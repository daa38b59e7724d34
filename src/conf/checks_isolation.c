/*
 * checks_isolation.c - what the types cannot say of an application's `isolation`.
 */
#include "conf/checks.h"

#include <limits.h>
#include <stdlib.h>

#include "base/rights.h"

#define HOST_NAME_BYTES 64  /* uname(2) */
#define RANGES_MAX      340 /* user_namespaces(7): lines of a map */

static int
absolute(struct check *c, const struct json *path)
{
    int rc = check_text(c, path);

    if (rc == 0 && (!slice_starts(path->text, SLICE("/")) || path->text.n >= PATH_MAX))
        rc = check_refuse(c, path, "The value of %s must be an absolute path.", check_subject(c));
    return rc;
}

int
check_absolute(struct check *c, const struct json *value)
{
    return check_each(c, value, absolute);
}

static int
capability(struct check *c, const struct json *value)
{
    static const char *const names[] = {
#define CAPABILITY(name, suffix) #name,
        CAPABILITIES(CAPABILITY)
#undef CAPABILITY
    };

    for (size_t i = 0; i < array_len(names); i++)
        if (slice_eq(value->text, slice_cstr(names[i])))
            return 0;
    return check_refuse(c, value, "There is no capability %s.", check_quote(c, value->text));
}

int
check_capabilities(struct check *c, const struct json *value)
{
    return check_each(c, value, capability);
}

int
check_rootfs(struct check *c, const struct json *value)
{
    struct slice rest = value->text, piece;
    int rc = absolute(c, value);

    if (rc < 0)
        return rc;
    while (slice_split(&rest, '/', &piece))
        if (piece.n > 0 && !slice_eq(piece, SLICE(".")))
            return 0;
    return check_refuse(c, value, "The value of %s must not be the root that is there already.",
                        check_subject(c));
}

int
check_cgroup(struct check *c, const struct json *value)
{
    struct slice rest = value->text, piece;
    size_t named = 0;
    int rc = check_text(c, value);

    if (rc < 0)
        return rc;
    if (value->text.n >= PATH_MAX)
        return check_refuse(c, value, "The value of %s is too long for a path.", check_subject(c));
    while (slice_split(&rest, '/', &piece)) {
        if (slice_eq(piece, SLICE("..")))
            return check_refuse(c, value, "The value of %s must not have the component \"..\".",
                                check_subject(c));
        named += piece.n > 0;
    }
    if (named == 0)
        return check_refuse(c, value, "The value of %s must name a control group.",
                            check_subject(c));
    return 0;
}

int
check_hostname(struct check *c, const struct json *value)
{
    int rc = check_text(c, value);

    if (rc == 0 && (value->text.n == 0 || value->text.n > HOST_NAME_BYTES))
        rc = check_refuse(c, value, "The value of %s must be a name of 1 to %d bytes.",
                          check_subject(c), HOST_NAME_BYTES);
    return rc;
}

int
check_limit_name(struct check *c, const struct json *member)
{
    static const char *const names[] = {
#define LIMIT(name, suffix) #name,
        RESOURCE_LIMITS(LIMIT)
#undef LIMIT
    };

    for (size_t i = 0; i < array_len(names); i++)
        if (slice_eq(member->name, slice_cstr(names[i])))
            return 0;
    return check_refuse_name(c, member, "There is no limit %s.", check_quote(c, member->name));
}

/* -1 is no limit, and beyond all others. */
int
check_limit(struct check *c, const struct json *value)
{
    const struct json *soft = value->type == JSON_OBJECT ? json_get(value, SLICE("soft")) : NULL;
    const struct json *hard = value->type == JSON_OBJECT ? json_get(value, SLICE("hard")) : NULL;
    int64_t in_force, most;

    if (soft == NULL || hard == NULL || json_integer(soft, &in_force) < 0 ||
        json_integer(hard, &most) < 0 || most < 0 || (in_force >= 0 && in_force <= most))
        return 0;
    return check_refuse_member(c, soft, "The soft limit must not be above the hard one.");
}

static bool
is_true(const struct json *object, struct slice name)
{
    const struct json *value = object != NULL ? json_get(object, name) : NULL;

    return value != NULL && value->truth;
}

static int
check_map(struct check *c, const struct json *map, bool has_ids)
{
    if (map == NULL)
        return 0;
    if (!has_ids)
        return check_refuse_member(c, map, "A map of ids needs the namespace \"credential\".");
    if (map->n > RANGES_MAX)
        return check_refuse_member(c, map, "A map of ids has at most %d ranges.", RANGES_MAX);
    return 0;
}

int
check_isolation(struct check *c, const struct json *value)
{
    const struct json *namespaces = json_get(value, SLICE("namespaces"));
    const struct json *hostname = json_get(value, SLICE("hostname"));
    bool has_ids = is_true(namespaces, SLICE("credential"));
    int rc = check_map(c, json_get(value, SLICE("uidmap")), has_ids);

    if (rc == 0)
        rc = check_map(c, json_get(value, SLICE("gidmap")), has_ids);
    if (rc == 0 && hostname != NULL && !is_true(namespaces, SLICE("uname")))
        rc = check_refuse_member(c, hostname, "A host name needs the namespace \"uname\".");
    return rc;
}

int
check_paths(struct check *c, const struct json *value)
{
    const struct json *hide = json_get(value, SLICE("hide_state"));

    if (hide != NULL && hide->truth &&
        (json_get(value, SLICE("read")) != NULL || json_get(value, SLICE("write")) != NULL))
        return check_refuse_member(c, hide,
                                   "What is not in \"read\" or \"write\" is out of reach already.");
    return 0;
}
