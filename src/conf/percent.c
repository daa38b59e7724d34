/*
 * percent.c - percent-encoding in names and patterns of the configuration (RFC 3986, 2.1).
 */
#include "conf/percent.h"

#include <errno.h>

long
percent_decode(struct slice text, char *room)
{
    char *to = room;

    for (size_t i = 0; i < text.n; i++) {
        int high, low;

        if (text.p[i] != '%') {
            *to++ = text.p[i];
            continue;
        }
        if (text.n - i < 3)
            return -EINVAL;
        high = hex_value(text.p[i + 1]);
        low = hex_value(text.p[i + 2]);
        if (high < 0 || low < 0)
            return -EINVAL;
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    return to - room;
}
