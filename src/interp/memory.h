/*
 * memory.h - what the processes of a server have, and what of it they share with nobody.
 */
#ifndef INTERP_MEMORY_H
#define INTERP_MEMORY_H

#include "base/attr.h"

struct memory {
    uint64_t pss_kib;     /* shared pages divided by who shares them */
    uint64_t private_kib; /* of this process alone */
};

/* Of all processes that the lines of a query name. */
void memory_add(struct memory *m, const char *lines);

#endif
