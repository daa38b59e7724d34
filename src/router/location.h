/*
 * location.h - text fit for a Location field: percent-encoded where it must be.
 */
#ifndef ROUTER_LOCATION_H
#define ROUTER_LOCATION_H

#include "base/arena.h"

/*
 * location_of_text - what a configuration or a variable wrote: a text in which every '%' begins a
 * valid escape is taken as encoded already, in any other '%' is encoded too; spaces, controls and
 * other bytes that no URI has always are.  An empty slice when the arena is full.
 */
struct slice location_of_text(struct arena *a, struct slice text);

/* "/a b?" + '/' [+ '?' query]: a decoded path encoded, a raw query kept. */
struct slice location_of_directory(struct arena *a, struct slice path, struct slice query,
                                   bool has_query);

#endif
