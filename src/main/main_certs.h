/*
 * main_certs.h - certificate bundles for the controller: their names, and one of them.
 */
#ifndef MAIN_MAIN_CERTS_H
#define MAIN_MAIN_CERTS_H

#include "conf/cert_store.h"
#include "ipc/messages.h"

/* Answer OPEN of kind OPEN_CERTIFICATES or OPEN_CERTIFICATE.  0, or -errno with a sentence. */
int main_certs_open(const struct conf_store *store, const struct msg_open *order, int *ret_fd,
                    struct br_err *err);

#endif
