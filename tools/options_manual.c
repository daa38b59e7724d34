/*
 * options_manual.c - print the manual of all options: docs/options.md is what this prints.
 *
 *   ninja -C BUILD tests/unit/conf/options_manual && BUILD/tests/unit/conf/options_manual >
 * docs/options.md
 */
#include <stdio.h>

#include "conf/options.h"

int
main(void)
{
    struct buf b;
    int rc;

    buf_init(&b, 1 << 20);
    rc = options_manual(&b);
    if (rc == 0 && fwrite(b.p, 1, b.n, stdout) != b.n)
        rc = -1;
    buf_done(&b);
    return rc == 0 ? 0 : 1;
}
