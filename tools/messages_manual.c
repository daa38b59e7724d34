/*
 * messages_manual.c - print every message and who may send it to whom: docs/messages.md.
 */
#include <stdio.h>

#include "ipc/messages.h"

static const char *const role_names[ROLES] = {
    [ROLE_MAIN] = "main",       [ROLE_DISCOVERY] = "discovery", [ROLE_CONTROLLER] = "controller",
    [ROLE_ROUTER] = "router",   [ROLE_PROTOTYPE] = "prototype", [ROLE_WORKER] = "worker",
    [ROLE_INITIAL] = "initial",
};

/* "main to controller, router; router to controller" */
static void
print_routes(enum msg_type type)
{
    const char *semicolon = "";

    for (enum role_id from = 0; from < ROLES; from++) {
        const char *before = role_names[from];

        for (enum role_id to = 0; to < ROLES; to++) {
            if (!message_may(type, from, to))
                continue;
            printf("%s%s%s%s", semicolon, before, before == role_names[from] ? " to " : ", ",
                   role_names[to]);
            semicolon = "";
            before = "";
        }
        if (*before == '\0')
            semicolon = "; ";
    }
}

static void
print_row(enum msg_type type)
{
    const struct msg_info *info = &msg_info[type];

    printf("| %s | ", info->name);
    print_routes(type);
    if (info->fds_min == info->fds_max)
        printf(" | %u | ", info->fds_max);
    else
        printf(" | %u-%u | ", info->fds_min, info->fds_max);
    printf("%s | %s |\n", info->reply == MSG_NONE ? "" : msg_info[info->reply].name, info->doc);
}

int
main(void)
{
    printf("# Messages\n\n"
           "Printed from `src/ipc/messages.def` by `make docs`. The way of a message is checked on "
           "receipt, with the kernel's word on who the sender is; which pairs of processes have a "
           "line "
           "at all follows from the rows.\n\n"
           "| message | who to whom | descriptors | answer | meaning |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (enum msg_type type = MSG_NONE + 1; type < MSGS; type++)
        print_row(type);
    return ferror(stdout) ? 1 : 0;
}
