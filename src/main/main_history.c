/*
 * main_history.c - the configurations before this one: main keeps them, the controller reads them.
 *
 *   SAVE, KEEP    (main_open.c)  the text goes into the history with the copy on disk
 *   HISTORY_ASK   0: the list, as structs in sealed memory; N: history/N.json, opened
 *
 * The files are readable by main alone; main passes descriptors and looks into none.
 */
#include "main/main_history.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_history.h"

/* The change is live and on disk whatever becomes of its copy: nobody's request fails for it. */
void
main_history_keep(struct main *m)
{
    struct br_err err = BR_ERR_NONE;

    if (conf_history_keep(&m->store, &err) < 0)
        br_log(LOG_ALERT, "this configuration is missing in the history: %s", err.text);
}

void
main_history_mend(struct main *m)
{
    struct br_err err = BR_ERR_NONE;

    if (conf_history_mend(&m->store, &err) < 0)
        br_log(LOG_ALERT, "the history may lack the last configuration: %s", err.text);
}

static int
list_fd(const struct main *m, int *ret_fd, struct br_err *err)
{
    struct conf_history_entry entries[CONF_HISTORY_MAX];
    size_t n = 0;
    int rc = conf_history_list(&m->store, entries, &n, err);

    if (rc < 0)
        return rc;
    rc = fd_memfd_sealed("history", entries, n * sizeof(*entries));
    if (rc < 0)
        return br_fail(err, rc, "cannot pass on the list");
    *ret_fd = rc;
    return 0;
}

static int
look_up(const struct main *m, uint64_t number, int *ret_fd, struct br_err *err)
{
    if (m->store.dir < 0)
        return br_fail(err, -ENOTDIR, "there is no state directory");
    if (number == 0)
        return list_fd(m, ret_fd, err);
    return conf_history_open(&m->store, number, ret_fd, err);
}

void
main_on_history_ask(struct task *task, struct channel *ch, struct message *msg)
{
    const struct msg_history *question = msg->payload;
    struct br_err err = BR_ERR_NONE;
    struct msg_result r = {0};
    int fd = -1;

    r.rc = look_up(main_of(task), question->number, &fd, &err);
    if (r.rc < 0)
        memcpy(r.text, err.text, br_min(sizeof(r.text), sizeof(err.text)));
    dispatch_reply(ch, msg, MSG_HISTORY, &r, &fd, fd >= 0 ? 1 : 0);
}
