/*
 * mime.c - the type of a file by its name: the user's table, then the built-in one.
 *
 *   "/www/Photo.JPG"  -->  "Photo.JPG"  -->  ".jpg"  -->  image/jpeg
 */
#include "conf/mime.h"

#include <errno.h>

#define EXTENSION_MAX 255 /* NAME_MAX: no file has a longer one */

struct built_in {
    struct slice type;
    const char *extensions[8]; /* the places that are not needed are NULL */
};

static struct built_in built_ins[] = {
#define MIME(name, ...) {SLICE(name), {__VA_ARGS__}},
#include "conf/mime.def"
#undef MIME
};

static void
free_maps(void *arg)
{
    struct mime *m = arg;

    map_done(&m->types);
    map_done(&m->built_in);
}

struct mime *
mime_new(struct arena *a)
{
    struct mime *m = arena_new(a, struct mime);

    if (m == NULL || arena_on_done(a, free_maps, m) < 0)
        return NULL;
    map_init(&m->types);
    map_init(&m->built_in);
    for (size_t i = 0; i < array_len(built_ins); i++) {
        struct built_in *row = &built_ins[i];

        for (size_t k = 0; k < array_len(row->extensions) && row->extensions[k] != NULL; k++)
            map_add(&m->built_in, slice_cstr(row->extensions[k]), &row->type);
    }
    return m;
}

static void
lower(struct slice from, char *to)
{
    for (size_t i = 0; i < from.n; i++)
        to[i] = ascii_lower(from.p[i]);
}

int
mime_add(struct arena *a, struct mime *m, struct slice type, struct slice extension)
{
    char *key = arena_alloc(a, extension.n + 1);
    struct slice *value = arena_new(a, struct slice);

    if (key == NULL || value == NULL)
        return -ENOMEM;
    lower(extension, key);
    *value = arena_dup(a, type);
    if (value->p == NULL)
        return -ENOMEM;
    return map_add(&m->types, slice_make(key, extension.n), value);
}

/* What begins at the last '.' of the last path component, or all of it. */
static struct slice
extension_of(struct slice path)
{
    size_t at = path.n, dot = path.n;

    while (at > 0 && path.p[at - 1] != '/') {
        at--;
        if (path.p[at] == '.' && dot == path.n)
            dot = at;
    }
    return slice_sub(path, dot < path.n ? dot : at, path.n);
}

struct slice
mime_find(const struct mime *m, struct slice path)
{
    struct slice extension = extension_of(path);
    char key[EXTENSION_MAX];
    const struct slice *type;

    if (extension.n == 0 || extension.n > sizeof key)
        return SLICE("");
    lower(extension, key);
    extension.p = key;
    type = map_get(&m->types, extension);
    if (type == NULL)
        type = map_get(&m->built_in, extension);
    return type != NULL ? *type : SLICE("");
}
