/*
 * json_write.h - a tree as text: the control API's exact layout, or one compact line.
 */
#ifndef CONF_JSON_WRITE_H
#define CONF_JSON_WRITE_H

#include "base/buf.h"
#include "conf/json.h"

/*
 * json_write - as GET answers (control-api, 4): CRLF, one TAB a level, {} and [] inline, a blank
 * line between a member that holds a non-empty container and the next member; CRLF at the end.
 * 0, or the buffer's error (-EMSGSIZE, -ENOMEM).
 */
int json_write(struct buf *b, const struct json *root);

/* No white space, no end of line: what is kept on disk, compared, and sent to routers. */
int json_write_compact(struct buf *b, const struct json *root);

/* One quoted, escaped string. */
int json_write_string(struct buf *b, struct slice text);

#endif
