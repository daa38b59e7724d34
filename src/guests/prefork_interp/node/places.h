/*
 * places.h - what the spare's starter and the spare agree on.
 */
#ifndef GUESTS_NODE_PLACES_H
#define GUESTS_NODE_PLACES_H

#define PLACES_END     64                     /* descriptors 3 to 63 are held for the caller's */
#define SPARE_VARIABLE "PREFORK_INTERP_SPARE" /* the spare's socket */

#endif
