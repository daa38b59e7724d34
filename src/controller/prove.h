/*
 * prove.h - in an upgrade: does what was stored serve, does each router answer at each listener?
 */
#ifndef CONTROLLER_PROVE_H
#define CONTROLLER_PROVE_H

#include "ipc/dispatch.h"

struct controller;

/* PROVE of main; its answer PROVED follows within some seconds. */
void prove_begin(struct controller *c, struct channel *main, const struct message *question);
/* Forget one that is under way. */
void prove_done(struct controller *c);

#endif
