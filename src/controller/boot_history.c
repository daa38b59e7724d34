/*
 * boot_history.c - the configurations that were kept before the stored one.
 *
 *   HISTORY_ASK 0 --> the list, newest first --> the first one below --HISTORY_ASK n--> its text
 *
 * One that cannot be read is passed over.
 */
#include "controller/boot_history.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_history.h"
#include "controller/controller.h"
#include "controller/parent.h"

#define HISTORY_WAIT_MS 30000

struct search {
    struct controller *controller;
    uint64_t below;
    uint64_t number; /* whose text was asked for */
    void (*found)(struct controller *c, uint64_t number, char *text, size_t n);
};

static void
over(struct search *s, uint64_t number, char *text, size_t n)
{
    s->controller->searching = NULL;
    s->found(s->controller, number, text, n);
    free(s);
}

/* What main sent, or NULL. */
static char *
read_answer(const struct message *m, int rc, size_t *ret_n)
{
    struct br_err err = BR_ERR_NONE;
    char *text = NULL;

    rc = parent_result(m, rc, &err, "the history");
    if (rc == 0 && m->n_fds > 0)
        rc = fd_read_file(m->fds[0], CONF_STORE_BYTES_MAX, &text, ret_n);
    if (rc < 0)
        br_log(LOG_ERROR, "%s", err.text[0] != '\0' ? err.text : strerror(-rc));
    return text;
}

static void look(struct search *s);

static void
on_text(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct search *s = arg;
    size_t n = 0;
    char *text = read_answer(m, rc, &n);

    if (text != NULL) {
        over(s, s->number, text, n);
        return;
    }
    s->below = s->number;
    look(s);
}

static void
ask(struct search *s, uint64_t number, reply_fn *fn)
{
    const struct msg_history question = {.number = number};

    if (parent_ask(s->controller->task, MSG_HISTORY_ASK, &question, NULL, 0, HISTORY_WAIT_MS, fn,
                   s) < 0)
        over(s, 0, NULL, 0);
}

static void
on_list(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct search *s = arg;
    struct conf_history_entry entry;
    size_t n = 0;
    char *list = read_answer(m, rc, &n);

    s->number = 0;
    for (size_t at = 0; n - at >= sizeof(entry) && s->number == 0; at += sizeof(entry)) {
        memcpy(&entry, list + at, sizeof(entry));
        if (entry.number < s->below)
            s->number = entry.number;
    }
    free(list);
    if (s->number != 0)
        ask(s, s->number, on_text);
    else
        over(s, 0, NULL, 0);
}

static void
look(struct search *s)
{
    ask(s, 0, on_list);
}

void
boot_history_before(struct controller *c, uint64_t below,
                    void (*found)(struct controller *c, uint64_t number, char *text, size_t n))
{
    struct search *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    *s = (struct search){.controller = c, .below = below, .found = found};
    c->searching = s;
    look(s);
}

void
boot_history_cancel(struct controller *c)
{
    if (c->searching == NULL)
        return;
    dispatch_forget(c->task->dispatch, c->searching);
    free(c->searching);
    c->searching = NULL;
}
