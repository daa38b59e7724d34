/*
 * change.c - the states of one change.
 *
 *   PARSED --> VALID --> PREPARED --> COMMITTED --> SAVED        apply.c moves it
 *      `---------`--> FAILED: all is as before
 */
#include "controller/change.h"

#include <assert.h>

#include "base/log.h"
#include "conf/generation.h"

#define TO(state) (1u << CHANGE_##state)

static const unsigned may_become[CHANGE_STATES] = {
    [CHANGE_PARSED] = TO(VALID) | TO(FAILED),
    [CHANGE_VALID] = TO(PREPARED) | TO(FAILED),
    [CHANGE_PREPARED] = TO(COMMITTED) | TO(FAILED),
    [CHANGE_COMMITTED] = TO(SAVED),
    [CHANGE_SAVED] = 0,
    [CHANGE_FAILED] = 0,
};

const char *
change_state_name(enum change_state state)
{
    static const char *const names[CHANGE_STATES] = {"PARSED",    "VALID", "PREPARED",
                                                     "COMMITTED", "SAVED", "FAILED"};

    return names[state];
}

void
change_move(struct change *c, enum change_state to)
{
    assert(may_become[c->state] & (1u << to));
    br_log(LOG_DEBUG, "generation %u: %s, was %s", c->next->number, change_state_name(to),
           change_state_name(c->state));
    c->state = to;
}

void
change_done(struct change *c)
{
    list_del(&c->link);
    if (c->next != NULL)
        generation_unref(c->next);
    c->next = NULL;
}
