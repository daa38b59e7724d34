/*
 * h1_read.h - steps of a connection that read: see h1_read.c.
 */
#ifndef HTTP_H1_READ_H
#define HTTP_H1_READ_H

#include "http/h1_state.h"

/* The first bytes of a head are there: IDLE becomes HEAD. */
void h1_begin(struct h1_conn *c);
/* One step; true: go on, false: wait for the client (or the connection is closed). */
bool h1_read_head(struct h1_conn *c);
bool h1_read_body(struct h1_conn *c);
/* Answer for the owner with the error's page, then close. */
void h1_refuse(struct h1_conn *c, enum h1_result error);

#endif
