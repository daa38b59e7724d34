/*
 * nest.h - the shared mapping of one application's instance: layout, sizes, attach.
 *
 *   [ header | router area 0 .. NEST_ROUTERS-1 | lane 0 .. NEST_LANES-1 ]
 *   header:      idle lanes, starving lanes, areas in use
 *   router area: dirty word, ring, slots (state words apart from the data)
 *   lane:        wake words, what it does, chunk words, one outbox per router, chunks
 *
 * A memfd, sealed against resizing, sparse: only touched pages cost memory.  Application code can
 * write all of it: load a number once, check it, then use it.  DESIGN section 4 and
 * docs/model/nest.* say what may be stored in which order.
 */
#ifndef NEST_NEST_H
#define NEST_NEST_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/err.h"

#define NEST_ROUTERS     16          /* router areas */
#define NEST_LANES       63          /* lanes: one bit each below the SLEEP bit */
#define NEST_SLOTS       256         /* requests in flight of one router */
#define NEST_SLOT_BYTES  (64 * 1024) /* head (<= 40 KiB) and inline body (<= 16 KiB) */
#define NEST_CHUNKS      32          /* response chunks of one lane */
#define NEST_CHUNK_BYTES (32 * 1024)

struct nest;

/* Bytes of the mapping (the same for all). */
size_t nest_size(void);
/* A new, initialised, sealed mapping.  fd or -errno. */
int nest_make(void);
/* Map it; checks size, seals, magic and version.  fd stays yours. */
int nest_attach(int fd, struct nest **ret_nest, struct br_err *err);
void nest_detach(struct nest *nest);

/*
 * Wanted by the prototype: routers ring the doorbell when they queue and no lane is idle.  Who
 * begins to want it looks at nest_waiting afterwards: what was queued before rang nothing.
 */
void nest_want_bell(struct nest *nest, bool wanted);
bool nest_bell_wanted(const struct nest *nest);

#endif
