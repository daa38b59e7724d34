/*
 * fault.c - the fault injector behind NEST_STEP; empty in a normal build.
 *
 * Dying is SIGKILL to oneself, which no handler sees and after which no instruction runs: the
 * same as the kill of an out-of-memory situation, but at a place of our choice.
 *
 * Steps differ in how often they are passed by a factor of a thousand.  So a process looks for
 * one step, chosen anew every one_in / 4 steps that it passes, and dies there one time in eight;
 * now and then it dies anywhere.  Seldom it only stops there for a while, so that the others meet
 * a step that is half done by somebody who lives.
 */
#include "nest/fault.h"

#ifdef NEST_FAULTS

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static _Thread_local struct {
    const _Atomic(uint32_t) *one_in;
    _Atomic(uint64_t) *deaths;
    uint64_t random;
    uint32_t target; /* NEST_STEPS: any */
    uint32_t left;   /* steps until the next target */
} fault;

void
nest_fault_arm(const _Atomic(uint32_t) *one_in, uint64_t seed, _Atomic(uint64_t) *deaths)
{
    fault.one_in = one_in;
    fault.deaths = deaths;
    fault.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    fault.left = 0;
}

static uint32_t
fault_random(uint32_t below)
{
    fault.random ^= fault.random << 13; /* Marsaglia's xorshift64 */
    fault.random ^= fault.random >> 7;
    fault.random ^= fault.random << 17;
    return (uint32_t)(fault.random >> 20) % below;
}

static void
fault_pause(void)
{
    uint32_t chance = fault_random(1024);

    if (chance == 0)
        usleep(200);
    else if (chance < 8)
        sched_yield();
}

void
nest_fault_step(enum nest_step step)
{
    uint32_t one_in;

    if (fault.one_in == NULL)
        return;
    one_in = atomic_load_explicit(fault.one_in, memory_order_relaxed);
    if (one_in == 0)
        return;
    fault_pause();
    if (fault.left-- == 0) {
        fault.left = one_in / 4;
        fault.target = fault_random(NEST_STEPS + 1);
    }
    if (fault.target != NEST_STEPS && fault.target != step)
        return;
    if (fault_random(fault.target == step ? 8 : one_in) != 0)
        return;
    atomic_fetch_add(&fault.deaths[step], 1);
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
