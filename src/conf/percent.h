/*
 * percent.h - percent-encoding in names and patterns of the configuration.
 */
#ifndef CONF_PERCENT_H
#define CONF_PERCENT_H

#include "base/slice.h"

/*
 * percent_decode - into room of text.n bytes.  Bytes written, or -EINVAL when a '%' is not
 * followed by two hexadecimal digits.
 */
long percent_decode(struct slice text, char *room);

#endif
