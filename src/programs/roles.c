/*
 * roles.c - THE process table: what processes there are, who forks whom, with which rights, and
 * what becomes of their end.
 *
 *   main -> discovery, controller, router 0..N-1, initial, prototypes -> workers
 *
 * Columns: process/role.h.  What they say to each other: ipc/messages.def.
 */
#include "programs/roles.h"

#include "app/front_role.h"
#include "app/prototype_role.h"
#include "app/worker_role.h"
#include "controller/controller_role.h"
#include "discovery/discovery_role.h"
#include "main/main_role.h"
#include "programs/initial.h"
#include "router/router_role.h"

static const struct br_role main_role = {
    .id = ROLE_MAIN,
    .name = "main",
    .user = USER_KEEP,
    .respawn = RESPAWN_NEVER,
    .on_message = main_messages,
};

static const struct br_role discovery_role = {
    .id = ROLE_DISCOVERY,
    .name = "discovery",
    .parent = ROLE_MAIN,
    .user = USER_KEEP,
    .respawn = RESPAWN_NEVER,
    .setup = discovery_setup,
};

static const struct br_role controller_role = {
    .id = ROLE_CONTROLLER,
    .name = "controller",
    .parent = ROLE_MAIN,
    .user = USER_BROOD,
    .respawn = RESPAWN_ALWAYS,
    .confined = true,
    .leaves = 3,
    .prefork = controller_prefork,
    .setup = controller_setup,
    .start = controller_start,
    .on_message = controller_messages,
    .on_peer = controller_on_peer,
    .on_peer_gone = controller_on_peer_gone,
    .on_lost = controller_on_lost,
};

static const struct br_role router_role = {
    .id = ROLE_ROUTER,
    .name = "router",
    .parent = ROLE_MAIN,
    .user = USER_BROOD,
    .respawn = RESPAWN_ALWAYS,
    .confined = true,
    .numbered = true,
    .wakes = WAKES_OWN,
    .leaves = 1,
    .setup = router_setup,
    .start = router_start,
    .on_message = router_messages,
    .on_peer_gone = router_on_peer_gone,
    .on_lost = router_on_lost,
};

/*
 * Its setup becomes the user's interpreter; the rows of what runs there are app/runtime's.  Where
 * the application is a program it stays what it is, and supervises that.
 */
static const struct br_role prototype_role = {
    .id = ROLE_PROTOTYPE,
    .name = "prototype",
    .parent = ROLE_MAIN,
    .user = USER_CARD,
    .respawn = RESPAWN_ALWAYS,
    .outside_work = true,
    .wakes = WAKES_ALL,
    .leaves = 2,
    .prefork = prototype_prefork,
    .introduce = prototype_introduce,
    .setup = prototype_setup,
    .start = front_start,
    .on_message = front_messages,
    .on_peer_gone = front_on_peer_gone,
};

/* On the first start, when all others are ready; its setup is all it does. */
static const struct br_role initial_role = {
    .id = ROLE_INITIAL,
    .name = "initial",
    .parent = ROLE_MAIN,
    .user = USER_KEEP,
    .respawn = RESPAWN_NEVER,
    .setup = initial_setup,
};

const struct br_role *const roles[ROLES] = {
    [ROLE_MAIN] = &main_role,
    [ROLE_DISCOVERY] = &discovery_role,
    [ROLE_CONTROLLER] = &controller_role,
    [ROLE_ROUTER] = &router_role,
    [ROLE_PROTOTYPE] = &prototype_role,
    [ROLE_WORKER] = &app_worker_role,
    [ROLE_INITIAL] = &initial_role,
};
