/*
 * boot.c - the first configuration of a controller: what runs, else the stored one, else the
 * default.
 *
 *   what runs? (STATUS of main, CONF_RUNNING) --> running text --applied----------> on_booted
 *                          |                        |   ^                             ^
 *                          | nothing                +---+ not applied: again          |
 *                          +--> stored text --applied---------------------------------+
 *                                   +--- not applied: one alert --> default ----------+
 *
 * A controller that came after another one finds routers that serve and applications that run.  It
 * goes on from the generation that its predecessor was about to make live, or had made:
 * applications keep their processes, routers are brought to it wherever they are, and it is saved
 * again, since nobody knows whether it was.  What fails now (a router has no descriptor left, say)
 * is tried again for as long as it takes: giving up would take down what still serves.  Launches
 * that the running generation does not name are stopped with its commit.
 */
#include "controller/boot.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "conf/generation.h"
#include "conf/json.h"
#include "controller/controller.h"
#include "controller/numbers.h"
#include "controller/parent.h"

#define STATUS_WAIT_MS 5000
#define NUMBERS_A_LIFE 1000000 /* generations and launches that one controller may count */
#define TRY_DELAY_MS   100     /* doubled each time, */
#define DOUBLINGS_MAX  7u      /* so often */

/* The configuration of a fresh instance. */
static const char default_conf[] = "{\"listeners\":{},\"routes\":[],\"applications\":{}}";

struct boot {
    struct change change;
    struct controller *controller;
    struct timer again;
    unsigned tries; /* failed ones */
    char *text;     /* NULL: the default */
    size_t n;
    bool running; /* text is that of CONF_RUNNING */
};

static const struct change_ops boot_ops;

static struct slice
text_of(const struct boot *boot)
{
    return boot->text == NULL ? slice_cstr(default_conf) : slice_make(boot->text, boot->n);
}

static void
boot_free(struct boot *boot)
{
    change_done(&boot->change);
    free(boot->text);
    free(boot);
}

static void
boot_try(struct boot *boot)
{
    struct apply *a = &boot->controller->apply;

    change_init(a, &boot->change, &boot_ops);
    boot->change.keep = boot->running;
    boot->change.leave_open = boot->running;
    apply_submit(a, &boot->change);
}

static void
on_again(struct timer *t)
{
    struct boot *boot = container_of(t, struct boot, again);

    boot->controller->booting = NULL;
    boot_try(boot);
}

/* Takes text; NULL: the default. */
static void
boot_with(struct controller *c, char *text, size_t n, bool running)
{
    struct boot *boot = calloc(1, sizeof(*boot));

    if (boot == NULL)
        abort();
    boot->controller = c;
    boot->text = text;
    boot->n = n;
    boot->running = running;
    timer_init(&boot->again, on_again);
    boot_try(boot);
}

/* Where its text came from, for the log. */
static const char *
boot_source(const struct boot *boot)
{
    if (boot->running)
        return "that runs";
    if (boot->text == NULL)
        return "of a fresh instance";
    return boot->controller->task->settings->config_path == NULL ? "kept from last time"
                                                                 : "in the file of --config";
}

static void
failed(struct boot *boot, const char *why)
{
    struct controller *c = boot->controller;
    bool was_stored = boot->text != NULL;

    if (boot->running) {
        br_log(LOG_ERROR, "the configuration %s is tried again: %s", boot_source(boot), why);
        change_done(&boot->change);
        c->booting = boot;
        loop_timer(c->task->loop, &boot->again, TRY_DELAY_MS << boot->tries);
        boot->tries = br_min(boot->tries + 1, DOUBLINGS_MAX);
        return;
    }
    br_log(LOG_ALERT, "the configuration %s cannot be applied: %s", boot_source(boot), why);
    boot_free(boot);
    if (was_stored && c->apply.live.generation == NULL)
        boot_with(c, NULL, 0, false);
    else if (!c->booted)
        c->on_booted(c);
}

static const struct json *
propose_boot(struct change *change, const struct generation *live br_unused)
{
    struct boot *boot = container_of(change, struct boot, change);
    struct br_err err = BR_ERR_NONE;
    struct json_place place;
    struct json *tree;
    size_t offset = 0;
    int rc = json_parse(&change->next->arena, text_of(boot), &tree, &offset, &err);

    if (rc < 0) {
        if (rc == -EBADMSG && json_locate(text_of(boot), offset, &place))
            br_fail(&err, rc, "line %u, column %u", place.line, place.column);
        failed(boot, err.text);
        return NULL;
    }
    if (!boot->running)
        return tree;
    change->adopted = json_get(tree, SLICE("launch"));
    return json_get(tree, SLICE("conf"));
}

static void
boot_over(struct change *change, enum change_outcome outcome, const struct conf_fault *fault)
{
    struct boot *boot = container_of(change, struct boot, change);
    struct controller *c = boot->controller;

    if (outcome != CHANGE_APPLIED && !loop_stopped(c->task->loop)) {
        failed(boot, fault->err.text);
        return;
    }
    boot_free(boot);
    if (!c->booted && !loop_stopped(c->task->loop))
        c->on_booted(c);
}

static const struct change_ops boot_ops = {.propose = propose_boot, .over = boot_over};

/* What main says it runs: applications of an earlier controller, and how many there were. */
static void
look_back(struct controller *c, const struct message *m)
{
    const struct status_process *rows;
    char *text = NULL;
    size_t size;
    uint32_t n;

    if (numbers_read(m, &text, &size) < 0)
        return;
    rows = numbers_processes(text, size, &n);
    for (uint32_t i = 0; rows != NULL && i < n; i++) {
        if (rows[i].role == ROLE_PROTOTYPE)
            apply_adopt(&c->apply, rows[i].launch);
        else if (rows[i].role == ROLE_CONTROLLER)
            c->restarts = rows[i].restarts;
    }
    free(text);
    apply_count_from(&c->apply, c->restarts * NUMBERS_A_LIFE);
}

void
boot_stored(struct controller *c)
{
    char *text = c->stored;

    c->stored = NULL;
    boot_with(c, text, c->stored_n, false);
}

static void
boot_running_or_stored(struct controller *c)
{
    char *text = c->running;

    c->running = NULL;
    if (text != NULL)
        boot_with(c, text, c->running_n, true);
    else
        boot_stored(c);
}

static void
on_main_status(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct controller *c = arg;

    if (rc == 0)
        look_back(c, m);
    boot_running_or_stored(c);
}

void
boot_begin(struct controller *c)
{
    const struct msg_none question = {0};

    if (parent_ask(c->task, MSG_STATUS_ASK, &question, NULL, 0, STATUS_WAIT_MS, on_main_status, c) <
        0)
        boot_running_or_stored(c);
}

void
boot_done(struct controller *c)
{
    if (c->booting == NULL)
        return;
    loop_timer_cancel(c->task->loop, &c->booting->again);
    boot_free(c->booting);
}
