/*
 * wire.h - the bytes between wrapper and server: version 1, and our extension brood1.
 *
 *   server  "PFI\n"  u32 n  n bytes of extension data        the greeting
 *   wrapper 00  3 x (00 + descriptor)  u32 n  n bytes        a request as version 1 has it
 *           01  count  count x (00 + descriptor)  u32 n  n bytes   the same with attributes
 *           02                                               a question about the server
 *   server  u32 wait status                                  after 00
 *           frames of five bytes                             after 01: letter, u32
 *   wrapper frames of two bytes                              after 01: 'S', signal
 *
 * The n bytes are strings, each with its NUL: (after 01: attributes, empty string,) environment,
 * empty string, arguments.  Numbers are big-endian.  A connection that ends means: gone.
 */
#ifndef INTERP_WIRE_H
#define INTERP_WIRE_H

#include "base/attr.h"

#define WIRE_MAGIC     "PFI\n"
#define WIRE_MAGIC_LEN 4
#define WIRE_MARK      "brood1"

#define WIRE_PLAIN    0
#define WIRE_EXTENDED 1
#define WIRE_QUERY    2

#define WIRE_FDS_MAX      64 /* descriptors in a request */
#define WIRE_GREETING_MAX 1024
#define WIRE_MESSAGE_MAX  (64u * 1024 * 1024)

#define WIRE_FRAME_DOWN 2 /* wrapper to server */
#define WIRE_FRAME_UP   5

#define WIRE_SIGNAL    'S' /* down: signal number */
#define WIRE_PID       'P' /* up: of the executor */
#define WIRE_STOPPED   'T' /* up: it stopped by that signal */
#define WIRE_CONTINUED 'C'
#define WIRE_STATUS    'W' /* up: final wait status */

static inline void
wire_put_u32(void *to, uint32_t v)
{
    uint8_t *p = to;

    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline uint32_t
wire_u32(const void *from)
{
    const uint8_t *p = from;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#endif
