/*
 * fault.h - NEST_STEP(id): a place between two steps of the protocol, where a process may die.
 *
 * Nothing in a normal build.  With -DNEST_FAULTS (the library nest_faults, for tests/unit/nest/
 * fault_test.c only) an armed process kills itself there one time in N: random kills from outside
 * hit none of the windows that matter.
 */
#ifndef NEST_FAULT_H
#define NEST_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

enum nest_step {
#define STEP(id, who) STEP_##id,
#include "nest/steps.def"
#undef STEP
    NEST_STEPS,
};

#ifdef NEST_FAULTS

/*
 * nest_fault_arm - from now on this thread dies by SIGKILL at about one step in *one_in (0: at
 * none). one_in   read at each step, in shared memory if others are to change it deaths NEST_STEPS
 * counters in memory that outlives the process
 */
void nest_fault_arm(const _Atomic(uint32_t) *one_in, uint64_t seed, _Atomic(uint64_t) *deaths);
void nest_fault_step(enum nest_step step);
const char *nest_fault_name(enum nest_step step);

#define NEST_STEP(id) nest_fault_step(STEP_##id)

#else

#define NEST_STEP(id) ((void)0)

#endif

#endif
