/*
 * brood/brood.h - libbrood: loops, programs, channels and pools of processes for C programs.
 *
 *   loop.h     wait for descriptors, timers, signals and other threads
 *   stream.h   bytes through pipes and sockets, sockets that listen
 *   spawn.h    start programs and watch them
 *   channel.h  whole messages with descriptors between processes
 *   prefork.h  pools of workers
 *   process.h  titles, readiness
 *
 * Build with `pkg-config --cflags --libs brood`.  docs/guide is a book about it.
 */
#ifndef BROOD_BROOD_H
#define BROOD_BROOD_H

#include <brood/channel.h>
#include <brood/loop.h>
#include <brood/prefork.h>
#include <brood/process.h>
#include <brood/spawn.h>
#include <brood/stream.h>

#endif
