/*
 * migrate_manual.c - print the tables of broodctl migrate: docs/migrate.md is what this prints.
 */
#include <stdio.h>

#include "programs/migrate_manual.h"

int
main(void)
{
    struct buf b;
    int rc;

    buf_init(&b, 1 << 20);
    rc = migrate_manual(&b);
    if (rc == 0 && fwrite(b.p, 1, b.n, stdout) != b.n)
        rc = -1;
    buf_done(&b);
    return rc == 0 ? 0 : 1;
}
