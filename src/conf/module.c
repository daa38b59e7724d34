/*
 * module.c - which language module does a `type` mean?
 *
 *   "python 3.1"   fits 3.1 and 3.1.4, not 3.11: a prefix that ends between a digit and another
 *                  character; 3.11 is higher than 3.9: runs of digits count as numbers
 */
#include "conf/module.h"

#include <errno.h>

#include "conf/json.h"

static struct slice
text_of(const struct json *object, struct slice name)
{
    const struct json *value = json_get(object, name);

    return value != NULL && value->type == JSON_STRING ? value->text : SLICE_NONE;
}

int
module_list_parse(struct arena *a, struct slice text, struct conf_modules *ret_modules,
                  struct br_err *err)
{
    struct conf_module *list;
    struct json *array;
    size_t offset, n = 0;
    int rc = json_parse(a, text, &array, &offset, err);

    if (rc < 0)
        return rc;
    if (array->type != JSON_ARRAY)
        return br_fail(err, -EBADMSG, "not an array");
    list = arena_array(a, struct conf_module, array->n + 1);
    json_foreach(entry, array)
    {
        struct conf_module module = {.type = text_of(entry, SLICE("type")),
                                     .version = text_of(entry, SLICE("version")),
                                     .path = text_of(entry, SLICE("path"))};

        if (module.type.n > 0 && module.path.n > 0)
            list[n++] = module;
    }
    *ret_modules = (struct conf_modules){list, n};
    return 0;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
module_type_split(struct slice type, struct slice *ret_language, struct slice *ret_version)
{
    size_t n = 0, from;

    while (n < type.n && !is_digit(type.p[n]) && type.p[n] != ' ')
        n++;
    for (from = n; from < type.n && type.p[from] == ' ';)
        from++;
    if (n == 0 || (from < type.n && !is_digit(type.p[from])))
        return false;
    *ret_language = slice_sub(type, 0, n);
    *ret_version = slice_sub(type, from, type.n);
    return true;
}

bool
module_is_built_in(struct slice language)
{
    return slice_eq(language, SLICE("command")) || slice_eq(language, SLICE("inetd")) ||
           slice_eq(language, SLICE("stream"));
}

static bool
version_fits(struct slice version, struct slice wanted)
{
    if (!slice_starts(version, wanted))
        return false;
    if (wanted.n == 0 || wanted.n == version.n)
        return true;
    return !is_digit(version.p[wanted.n - 1]) || !is_digit(version.p[wanted.n]);
}

/* The run of digits at *at, without leading zeros; *at moves behind it. */
static struct slice
take_number(struct slice s, size_t *at)
{
    size_t from, to;

    for (from = *at; from < s.n && s.p[from] == '0';)
        from++;
    for (to = from; to < s.n && is_digit(s.p[to]);)
        to++;
    *at = to;
    return slice_sub(s, from, to);
}

/* Numbers of many digits are larger; of as many, the text decides. */
static int
compare_numbers(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return a.n > b.n ? 1 : -1;
    return slice_cmp(a, b);
}

static int
compare_versions(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;

    while (i < a.n && j < b.n) {
        int order;

        if (is_digit(a.p[i]) && is_digit(b.p[j]))
            order = compare_numbers(take_number(a, &i), take_number(b, &j));
        else
            order = (unsigned char)a.p[i++] - (unsigned char)b.p[j++];
        if (order != 0)
            return order;
    }
    return (i < a.n) - (j < b.n);
}

const struct conf_module *
module_find(const struct conf_modules *modules, struct slice language, struct slice version)
{
    const struct conf_module *best = NULL;

    for (size_t i = 0; i < modules->n; i++) {
        const struct conf_module *m = &modules->list[i];

        if (!slice_eq(m->type, language) || !version_fits(m->version, version))
            continue;
        if (best == NULL || compare_versions(m->version, best->version) > 0)
            best = m;
    }
    return best;
}
