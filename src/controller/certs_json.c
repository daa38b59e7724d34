/*
 * certs_json.c - bundles in the shape of GET /certificates, and where a configuration names them.
 *
 *   {"key": …, "chain": [{"subject": {…}, "issuer": {…}, "validity": {…}, …}, …]}
 *
 * The members that clients of the API know come first, in their order; ours follow.
 */
#include "controller/certs.h"

#define DAY_S 86400

static void
add_text(struct arena *a, struct json *object, struct slice name, struct slice text)
{
    if (text.n > 0)
        json_add(object, name, json_new_string(a, arena_dup(a, text)));
}

static void
add_list(struct arena *a, struct json *object, struct slice name, const struct slice *list,
         size_t n)
{
    struct json *array;

    if (n == 0)
        return;
    array = json_add(object, name, json_new(a, JSON_ARRAY));
    for (size_t i = 0; i < n; i++)
        json_push(array, json_new_string(a, arena_dup(a, list[i])));
}

/* subject: the certificate whose alternative names belong to it; NULL for an issuer. */
static struct json *
name_object(struct arena *a, const struct bundle_name *name, const struct bundle_cert *subject)
{
    struct json *object = json_new(a, JSON_OBJECT);

    add_text(a, object, SLICE("common_name"), name->common_name);
    if (subject != NULL)
        add_list(a, object, SLICE("alt_names"), subject->dns_names, subject->n_dns_names);
    add_text(a, object, SLICE("country"), name->country);
    add_text(a, object, SLICE("state_or_province"), name->state_or_province);
    add_text(a, object, SLICE("locality"), name->locality);
    add_text(a, object, SLICE("organization"), name->organization);
    add_text(a, object, SLICE("department"), name->department);
    if (subject != NULL)
        add_list(a, object, SLICE("ip_names"), subject->ip_names, subject->n_ip_names);
    return object;
}

/* Whole days that are left; what ended an hour ago has -1. */
static int64_t
days_left(int64_t until_s, int64_t now_s)
{
    int64_t left = until_s - now_s;

    return left / DAY_S - (left % DAY_S < 0);
}

static struct json *
cert_object(struct arena *a, const struct bundle_cert *c, int64_t now_s)
{
    struct json *object = json_new(a, JSON_OBJECT);
    struct json *validity;

    json_add(object, SLICE("subject"), name_object(a, &c->subject, c));
    json_add(object, SLICE("issuer"), name_object(a, &c->issuer, NULL));
    validity = json_add(object, SLICE("validity"), json_new(a, JSON_OBJECT));
    json_add(validity, SLICE("since"), json_new_string(a, arena_dup(a, c->since)));
    json_add(validity, SLICE("until"), json_new_string(a, arena_dup(a, c->until)));
    json_add(validity, SLICE("days_left"), json_new_int(a, days_left(c->until_s, now_s)));
    add_text(a, object, SLICE("serial"), c->serial);
    add_text(a, object, SLICE("fingerprint"), c->fingerprint);
    return object;
}

struct json *
certs_describe(struct arena *a, const struct bundle *b, int64_t now_s)
{
    struct json *object = json_new(a, JSON_OBJECT);
    struct json *chain;

    json_add(object, SLICE("key"), json_new_string(a, arena_dup(a, b->key)));
    chain = json_add(object, SLICE("chain"), json_new(a, JSON_ARRAY));
    for (size_t i = 0; i < b->n; i++)
        json_push(chain, cert_object(a, &b->chain[i], now_s));
    return object;
}

/* "certificate" is a name or a list of names. */
static bool
names_it(const struct json *value, struct slice name)
{
    if (value == NULL)
        return false;
    if (value->type == JSON_STRING)
        return slice_eq(value->text, name);
    if (value->type != JSON_ARRAY)
        return false;
    json_foreach(element, value)
    {
        if (names_it(element, name))
            return true;
    }
    return false;
}

bool
certs_in_use(const struct json *conf, struct slice name)
{
    const struct json *listeners = conf == NULL ? NULL : json_get(conf, SLICE("listeners"));

    if (listeners == NULL || listeners->type != JSON_OBJECT)
        return false;
    json_foreach(listener, listeners)
    {
        const struct json *tls = json_get(listener, SLICE("tls"));

        if (tls != NULL && names_it(json_get(tls, SLICE("certificate")), name))
            return true;
    }
    return false;
}
