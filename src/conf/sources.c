/*
 * sources.c - one configuration out of several texts: which of them does an offset belong to?
 *
 * json_parse decodes the copy that it makes, so the text as it was written is kept beside it: lines
 * and columns are counted there, when somebody asks.
 */
#include "conf/sources.h"

#include <errno.h>

struct source {
    struct list link;
    struct slice path;
    struct slice text;
    uint32_t from; /* offset of its first byte; the end of the text has an offset too */
};

void
sources_init(struct sources *s, struct arena *a)
{
    *s = (struct sources){.arena = a};
    list_init(&s->all);
}

/* JSON_NOWHERE stays where it is. */
static void
move_offsets(struct json *value, uint32_t by)
{
    value->offset += by;
    if (value->name_offset != JSON_NOWHERE)
        value->name_offset += by;
    if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
        json_foreach(child, value) move_offsets(child, by);
}

int
sources_parse(struct sources *s, struct slice path, struct slice text, struct json **ret_root,
              uint32_t *ret_offset, struct br_err *err)
{
    struct source *source = arena_new(s->arena, struct source);
    size_t offset = 0;
    int rc;

    if (s->size + text.n + 1 >= JSON_NOWHERE)
        return br_fail(err, -EFBIG, "All texts together are too long");
    *source = (struct source){.path = arena_dup(s->arena, path),
                              .text = arena_dup(s->arena, text),
                              .from = (uint32_t)s->size};
    list_add_tail(&s->all, &source->link);
    s->size += text.n + 1;
    rc = json_parse(s->arena, text, ret_root, &offset, err);
    if (rc == 0)
        move_offsets(*ret_root, source->from);
    else if (rc == -EBADMSG)
        *ret_offset = source->from + (uint32_t)offset;
    return rc;
}

const char *
sources_place(const struct sources *s, uint32_t offset)
{
    const struct source *source, *found = list_first(&s->all, struct source, link);
    struct json_place place;

    if (offset == JSON_NOWHERE || found == NULL)
        return found == NULL ? "" : arena_cstr(s->arena, found->path);
    list_foreach (source, &s->all, link)
        if (source->from <= offset)
            found = source;
    if (!json_locate(found->text, offset - found->from, &place))
        return arena_cstr(s->arena, found->path);
    return arena_printf(s->arena, SLICE_FMT ":%u:%u", SLICE_ARG(found->path), place.line,
                        place.column);
}
