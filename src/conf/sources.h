/*
 * sources.h - one configuration out of several texts: which of them does an offset belong to?
 *
 *   brood.json  0 ........ 811 | conf.d/a.json  812 .... 1020 | conf.d/b.json  1021 ...
 *
 * The offsets of each tree are moved behind those of the texts before it, so that a fault, which
 * has one number only, still finds its file, line and column.
 */
#ifndef CONF_SOURCES_H
#define CONF_SOURCES_H

#include "base/list.h"
#include "conf/json.h"

struct sources {
    struct arena *arena;
    struct list all;
    uint64_t size; /* where the next text begins */
};

void sources_init(struct sources *s, struct arena *a);

/*
 * sources_parse - json_parse of one more text; path and text are copied.
 *
 * 0, or as json_parse; *ret_offset, set with -EBADMSG, counts as the offsets of the tree do.
 */
int sources_parse(struct sources *s, struct slice path, struct slice text, struct json **ret_root,
                  uint32_t *ret_offset, struct br_err *err);

/*
 * "conf.d/a.json:3:14", for the beginning of a line; only the path when the text there has no
 * columns, and that of the first text for JSON_NOWHERE.  The text lives in the arena.
 */
const char *sources_place(const struct sources *s, uint32_t offset);

#endif
