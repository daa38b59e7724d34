/*
 * messages.c - the table made from messages.def, and the check before any handler runs.
 */
#include "ipc/messages.h"

#include <errno.h>

/* Which payloads hold a text: where its last byte is, which the check makes NUL. */
#define LAST_BYTE(type, member) \
    (uint32_t)(offsetof(type, member) + sizeof(((type *)NULL)->member) - 1)
#define TEXT_OF(payload)                                               \
    _Generic((payload *)NULL, struct msg_failed *                      \
             : LAST_BYTE(struct msg_failed, text), struct msg_result * \
             : LAST_BYTE(struct msg_result, text), struct msg_open *   \
             : LAST_BYTE(struct msg_open, name), struct msg_routers *  \
             : LAST_BYTE(struct msg_routers, working_directory), default : 0)

const struct msg_info msg_info[MSGS] = {
    [MSG_NONE] = {.name = "NONE", .doc = ""},
#define MSG(msg, payload, ways, least, most, answer, meaning) \
    [MSG_##msg] = {.name = #msg,                              \
                   .size = sizeof(payload),                   \
                   .routes = ways,                            \
                   .text_end = TEXT_OF(payload),              \
                   .fds_min = least,                          \
                   .fds_max = most,                           \
                   .reply = MSG_##answer,                     \
                   .doc = meaning},
#include "ipc/messages.def"
#undef MSG
};

#define MSG(msg, payload, ways, least, most, answer, meaning)                \
    _Static_assert(sizeof(payload) <= MSG_PAYLOAD_MAX, #msg " is too long"); \
    _Static_assert((least) <= (most) && (most) <= MSG_FDS_MAX, #msg " carries too much");
#include "ipc/messages.def"
#undef MSG
_Static_assert(ROLES *ROLES <= 64, "a route is one bit of 64");

bool
message_may(enum msg_type type, enum role_id from, enum role_id to)
{
    return (msg_info[type].routes & MSG_ROUTE(from, to)) != 0;
}

bool
roles_talk(enum role_id a, enum role_id b)
{
    for (enum msg_type type = MSG_NONE + 1; type < MSGS; type++)
        if (message_may(type, a, b) || message_may(type, b, a))
            return true;
    return false;
}

int
message_check(unsigned type, enum role_id from, enum role_id to, void *payload, size_t n,
              unsigned fds)
{
    const struct msg_info *info;

    if (type == MSG_NONE || type >= MSGS)
        return -EPROTO;
    info = &msg_info[type];
    if (!message_may(type, from, to))
        return -EPERM;
    if (n != info->size || fds < info->fds_min || fds > info->fds_max)
        return -EPROTO;
    if (info->text_end > 0)
        ((char *)payload)[info->text_end] = '\0';
    return 0;
}
