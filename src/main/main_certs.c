/*
 * main_certs.c - certificate bundles for the controller: their names, and one of them.
 *
 * The files hold private keys and are readable by main alone; main passes descriptors and looks
 * into none.
 */
#include "main/main_certs.h"

#include <errno.h>

#include "base/fd.h"

#define NAMES_BYTES_MAX (16u * 1024 * 1024)

static int
open_names(const struct conf_store *store, int *ret_fd, struct br_err *err)
{
    struct buf names;
    int rc;

    buf_init(&names, NAMES_BYTES_MAX);
    rc = store->dir < 0 ? 0 : cert_store_list(store, &names, err);
    if (rc == 0) {
        rc = fd_memfd_sealed("certificates", names.p, names.n);
        if (rc < 0)
            br_fail(err, rc, "cannot pass on the list");
    }
    buf_done(&names);
    if (rc < 0)
        return rc;
    *ret_fd = rc;
    return 0;
}

int
main_certs_open(const struct conf_store *store, const struct msg_open *order, int *ret_fd,
                struct br_err *err)
{
    int rc;

    if (order->kind == OPEN_CERTIFICATES)
        return open_names(store, ret_fd, err);
    rc = cert_store_open(store, order->name, ret_fd, err);
    return rc == -ENOENT ? br_fail(err, rc, "certificate bundle \"%s\"", order->name) : rc;
}
