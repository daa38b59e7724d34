/*
 * fault.c - the fault injector behind NEST_STEP; empty in a normal build.
 *
 * Dying is SIGKILL to oneself, which no handler sees and after which no instruction runs: the
 * same as the kill of an out-of-memory situation, but at a place of our choice.
 */
#include "nest/fault.h"

#ifdef NEST_FAULTS

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static _Thread_local unsigned fault_one_in;
static _Thread_local uint64_t fault_random;
static _Thread_local _Atomic(uint64_t) *fault_deaths;

void
nest_fault_arm(unsigned one_in, uint64_t seed, _Atomic(uint64_t) *deaths)
{
    fault_one_in = one_in;
    fault_random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    fault_deaths = deaths;
}

void
nest_fault_step(enum nest_step step)
{
    if (fault_one_in == 0)
        return;
    fault_random ^= fault_random << 13; /* Marsaglia's xorshift64 */
    fault_random ^= fault_random >> 7;
    fault_random ^= fault_random << 17;
    if ((fault_random >> 20) % fault_one_in != 0)
        return;
    if (fault_deaths != NULL)
        atomic_fetch_add(&fault_deaths[step], 1);
    kill(getpid(), SIGKILL);
}

const char *
nest_fault_name(enum nest_step step)
{
    static const char *const names[NEST_STEPS] = {
#define STEP(id, who) [STEP_##id] = #id,
#include "nest/steps.def"
#undef STEP
    };

    return names[step];
}

#endif
