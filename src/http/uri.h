/*
 * uri.h - request targets and hosts (RFC 9112, 3.2; RFC 3986).
 *
 *   "/a//b/../c%20d?x=1#y"  ->  path "/a/c d", query "x=1"
 *
 * The path is decoded once; slashes are merged and dot segments resolved after that, so that an
 * encoded "%2e%2e%2f" climbs no further than a plain one.  Nothing is allocated here.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/slice.h"

struct uri {
    struct slice authority; /* of the absolute form, else empty */
    struct slice raw_path;  /* encoded, without query and fragment; "/" at least */
    struct slice query;     /* raw, without '?' */
    bool has_query;         /* there was a '?' */
    bool plain;             /* raw_path is its own decoded, normalised form */
};

/*
 * uri_parse - take a target apart: origin form or http(s) absolute form.
 *
 * 0, or -EBADMSG: any other form, bytes that no URI has (space, controls, above 0x7E).
 */
int uri_parse(struct slice target, struct uri *ret);

/*
 * uri_path - decode and normalise.
 *
 *   room   at least raw.n bytes; may be raw.p itself
 *
 * 0, or -EBADMSG: "%" without two hexadecimal digits, %00, or ".." above the root.
 */
int uri_path(struct slice raw, char *room, struct slice *ret_path);

/* Decode %XX only (for arguments and names); '+' stays.  -EBADMSG as uri_path, %00 passes. */
int uri_decode(struct slice raw, char *room, struct slice *ret_text);

/*
 * host_parse - check a Host field or an authority, give the name alone.
 *
 *   room       at least value.n bytes, used only when the name must be changed; may be NULL
 *   ret_name   lower case, without port and without one trailing dot; IPv6 keeps its brackets
 *
 * 0, or -EBADMSG when the syntax is not uri-host [":" port], -ENOBUFS when room is NULL and needed.
 * Empty is fine and gives empty.
 */
int host_parse(struct slice value, char *room, struct slice *ret_name);

#endif
