/*
 * pass.c - the text of a destination: split at '/', then each piece decoded, so that a '/' in a
 * name is written %2F.
 */
#include "conf/pass.h"

#include <errno.h>

#include "conf/percent.h"

#define PIECES_MAX 3

static int
decode_pieces(struct slice text, char *room, struct slice *pieces, size_t *ret_n,
              struct br_err *err)
{
    struct slice piece;
    size_t n = 0;

    while (slice_split(&text, '/', &piece)) {
        long length;

        if (n == PIECES_MAX)
            return br_fail(err, -EBADMSG,
                           "A destination has at most %d parts; a \"/\" in a name is written "
                           "\"%%2F\".",
                           PIECES_MAX);
        length = percent_decode(piece, room);
        if (length < 0)
            return br_fail(err, -EBADMSG,
                           "A \"%%\" in a destination must be followed by two hexadecimal digits.");
        if (length == 0)
            return br_fail(err, -EBADMSG, "A destination must not have an empty part.");
        pieces[n++] = slice_make(room, (size_t)length);
        room += length;
    }
    *ret_n = n;
    return 0;
}

int
pass_parse(struct slice text, char *room, struct pass *ret_pass, struct br_err *err)
{
    struct slice pieces[PIECES_MAX] = {{.p = NULL}};
    size_t n = 0;
    int rc;

    if (text.n > PASS_TEXT_MAX)
        return br_fail(err, -EBADMSG, "A destination must not be longer than %d bytes.",
                       PASS_TEXT_MAX);
    rc = decode_pieces(text.p == NULL ? SLICE("") : text, room, pieces, &n, err);
    if (rc < 0)
        return rc;
    *ret_pass = (struct pass){.name = n > 1 ? pieces[1] : SLICE_NONE,
                              .target = n > 2 ? pieces[2] : SLICE_NONE};
    if (slice_eq(pieces[0], SLICE("applications")) && n >= 2)
        ret_pass->kind = PASS_APPLICATION;
    else if (slice_eq(pieces[0], SLICE("routes")) && n <= 2)
        ret_pass->kind = n == 1 ? PASS_ROUTES : PASS_ROUTE;
    else if (slice_eq(pieces[0], SLICE("upstreams")) && n == 2)
        return br_fail(err, -EBADMSG, "This build has no upstreams.");
    else
        return br_fail(err, -EBADMSG,
                       "A destination is \"routes\", \"routes/NAME\" or \"applications/NAME\".");
    return 0;
}
