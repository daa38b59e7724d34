/*
 * boot.c - the first configuration of a controller: what runs, else the one in the file of
 * --config or the stored one, else an earlier one, else the default.
 *
 *   what runs? (STATUS of main, CONF_RUNNING) --> running text --applied----------------->
 * on_booted |                                  |   ^                                      ^ |
 * nothing                          +---+ not applied: again                   |
 *                +--> file, with what it includes --applied------------------------------------+
 *                |      +--- not applied: one alert --> default -------------------------------+
 *                +--> stored text --applied----------------------------------------------------+
 *                       +--- not applied: one alert --> default -------------------------------+
 *                       +--- damaged: kept aside --+--> the newest of the history that is valid +
 *                       +--- not valid ------------+      +--- none: default ------------------+
 *
 * A controller that came after another one finds routers that serve and applications that run.  It
 * goes on from the generation that its predecessor was about to make live, or had made:
 * applications keep their processes, routers are brought to it wherever they are, and it is saved
 * again, since nobody knows whether it was.  What fails now (a router has no descriptor left, say)
 * is tried again for as long as it takes: giving up would take down what still serves.  Launches
 * that the running generation does not name are stopped with its commit.
 *
 * A stored text that is valid but cannot be applied (an address is in use) is no reason to go back
 * to an older one: what fails today works tomorrow, and nobody would notice which one serves.
 */
#include "controller/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/generation.h"
#include "conf/json.h"
#include "controller/boot_history.h"
#include "controller/boot_source.h"
#include "controller/controller.h"
#include "controller/numbers.h"
#include "controller/parent.h"

#define STATUS_WAIT_MS 5000
#define ASIDE_WAIT_MS  60000
#define NUMBERS_A_LIFE 1000000 /* generations and launches that one controller may count */
#define TRY_DELAY_MS   100     /* doubled each time, */
#define DOUBLINGS_MAX  7u      /* so often */
#define UNIT_VERSION   10000   /* 1.0.0 as NGINX Unit counts */

/* The configuration of a fresh instance. */
static const char default_conf[] = "{\"listeners\":{},\"routes\":[],\"applications\":{}}";

enum boot_of { BOOT_RUNNING, BOOT_FILE, BOOT_STORED, BOOT_EARLIER, BOOT_DEFAULT };

struct boot {
    struct change change;
    struct controller *controller;
    struct timer again;
    unsigned tries; /* failed ones */
    enum boot_of of;
    uint64_t number; /* EARLIER: which */
    char *text;      /* RUNNING: for the next try */
    size_t n;
    /* Until the turn of the change comes: ours; then it belongs to the generation. */
    struct boot_source *source;
    bool given;      /* to the generation */
    uint32_t reload; /* FILE: main waits for the end of the reload of this number; 0: it does not */
};

static const struct change_ops boot_ops;

static void boot_default(struct controller *c);
static void look_for_earlier(struct controller *c, uint64_t below);
static void keep_aside(struct controller *c);

void
boot_tell_reloaded(struct controller *c, uint32_t reload, int rc, const char *why)
{
    struct msg_result result = {.generation = reload, .rc = rc};

    if (reload == 0)
        return;
    snprintf(result.text, sizeof(result.text), "%s", why);
    parent_tell(c->task, MSG_CONF_RELOADED, &result, NULL, 0);
}

static void
drop_change(struct boot *boot)
{
    if (boot->source != NULL && !boot->given)
        boot_source_free(boot->source);
    boot->source = NULL;
    boot->given = false;
    change_done(&boot->change);
}

static void
boot_free(struct boot *boot)
{
    drop_change(boot);
    free(boot->text);
    free(boot);
}

/* What is to be written when it is live; what serves is not stopped for the disk's sake. */
static bool
shall_be_kept(const struct boot *boot)
{
    const struct msg_stored *kept = &boot->controller->kept;

    switch (boot->of) {
    case BOOT_RUNNING:
        return true;
    case BOOT_STORED: /* of an older format: stamped with ours */
        return !kept->unit && kept->version > 0 && kept->version < BROOD_VERSION_NUMBER;
    case BOOT_EARLIER: /* there is a place for it */
        return boot->controller->aside;
    case BOOT_FILE:
    case BOOT_DEFAULT:
        break;
    }
    return false;
}

static void
boot_try(struct boot *boot)
{
    struct apply *a = &boot->controller->apply;

    if (boot->source == NULL)
        boot->source = boot_source_new("running", slice_make(boot->text, boot->n));
    change_init(a, &boot->change, &boot_ops);
    boot->change.keep = shall_be_kept(boot);
    boot->change.serve_unsaved = true;
    boot->change.leave_open = boot->of == BOOT_RUNNING;
    apply_submit(a, &boot->change);
}

static void
on_again(struct timer *t)
{
    struct boot *boot = container_of(t, struct boot, again);

    boot->controller->booting = NULL;
    boot_try(boot);
}

static struct boot *
boot_new(struct controller *c, enum boot_of of)
{
    struct boot *boot = calloc(1, sizeof(*boot));

    if (boot == NULL)
        abort();
    boot->controller = c;
    boot->of = of;
    timer_init(&boot->again, on_again);
    return boot;
}

/* Takes the source. */
static void
boot_with(struct controller *c, enum boot_of of, uint64_t number, struct boot_source *source)
{
    struct boot *boot = boot_new(c, of);

    boot->source = source;
    boot->number = number;
    boot->reload = of == BOOT_FILE && c->booted ? c->kept.reload : 0;
    boot_try(boot);
}

static void
boot_default(struct controller *c)
{
    boot_with(c, BOOT_DEFAULT, 0, boot_source_new("default", slice_cstr(default_conf)));
}

/* Which one it is, for the log. */
static const char *
boot_name(const struct boot *boot)
{
    switch (boot->of) {
    case BOOT_RUNNING:
        return "that runs";
    case BOOT_FILE:
        return "in the file of --config";
    case BOOT_STORED:
        return "kept from last time";
    case BOOT_EARLIER:
        return "of the history";
    case BOOT_DEFAULT:
        break;
    }
    return "of a fresh instance";
}

/* How bad is it? */
enum flaw { FLAW_DAMAGED, FLAW_INVALID, FLAW_REFUSED };

/* After the alert, when nothing serves yet. */
static void
try_another(struct controller *c, enum boot_of of, uint64_t number, enum flaw flaw)
{
    if (of == BOOT_DEFAULT)
        c->on_booted(c);
    else if (of == BOOT_STORED && flaw == FLAW_DAMAGED)
        keep_aside(c);
    else if (of == BOOT_STORED && flaw == FLAW_INVALID)
        look_for_earlier(c, UINT64_MAX);
    else if (of == BOOT_EARLIER && flaw != FLAW_REFUSED)
        look_for_earlier(c, number);
    else
        boot_default(c);
}

/* The first one counts: the others are what is left. */
static void
note_unapplied(const struct boot *boot, const char *why)
{
    struct controller *c = boot->controller;

    br_log(LOG_ALERT, "the configuration %s cannot be applied: %s", boot_name(boot), why);
    if (!c->booted && c->unapplied[0] == '\0')
        snprintf(c->unapplied, sizeof(c->unapplied), "the configuration %s cannot be applied: %s",
                 boot_name(boot), why);
}

static void
failed(struct boot *boot, enum flaw flaw, const char *why)
{
    struct controller *c = boot->controller;
    enum boot_of of = boot->of;
    uint64_t number = boot->number;

    if (of == BOOT_RUNNING) {
        br_log(LOG_ERROR, "the configuration %s is tried again: %s", boot_name(boot), why);
        drop_change(boot);
        c->booting = boot;
        loop_timer(c->task->loop, &boot->again, TRY_DELAY_MS << boot->tries);
        boot->tries = br_min(boot->tries + 1, DOUBLINGS_MAX);
        return;
    }
    note_unapplied(boot, why);
    boot_tell_reloaded(c, boot->reload, -EBADMSG, why);
    boot_free(boot);
    if (c->apply.live.generation == NULL)
        try_another(c, of, number, flaw);
    else if (!c->booted)
        c->on_booted(c);
}

static const struct json *
propose_boot(struct change *change, const struct generation *live br_unused)
{
    struct boot *boot = container_of(change, struct boot, change);
    struct boot_source *source = boot->source;

    if (source->faults.n > 0) {
        failed(boot, source->file.root == NULL ? FLAW_DAMAGED : FLAW_INVALID, source->first);
        return NULL;
    }
    if (arena_on_done(&change->next->arena, boot_source_free, source) < 0)
        abort(); /* the first thing that this arena is asked for */
    boot->given = true;
    if (boot->of != BOOT_RUNNING)
        return source->file.root;
    change->adopted = json_get(source->file.root, SLICE("launch"));
    return json_get(source->file.root, SLICE("conf"));
}

static void
invalid(struct boot *boot, const struct conf_fault *fault)
{
    struct boot_source *source = boot->source;

    if (boot->of != BOOT_RUNNING)
        boot_source_validate(source, &boot->controller->modules);
    failed(boot, FLAW_INVALID, source->first[0] != '\0' ? source->first : fault->err.text);
}

static void
applied(struct boot *boot)
{
    if (boot->of == BOOT_EARLIER)
        br_log(LOG_ALERT, "brood serves what was kept as history/%llu.json",
               (unsigned long long)boot->number);
    else if (boot->of == BOOT_FILE)
        br_log(LOG_NOTICE, "configuration %u, %s, is live", boot->change.next->number,
               boot_name(boot));
    boot_tell_reloaded(boot->controller, boot->reload, 0, "");
}

static void
boot_over(struct change *change, enum change_outcome outcome, const struct conf_fault *fault)
{
    struct boot *boot = container_of(change, struct boot, change);
    struct controller *c = boot->controller;

    if (outcome != CHANGE_APPLIED && !loop_stopped(c->task->loop)) {
        if (outcome == CHANGE_INVALID)
            invalid(boot, fault);
        else
            failed(boot, FLAW_REFUSED, fault->err.text);
        return;
    }
    if (outcome == CHANGE_APPLIED)
        applied(boot);
    boot_free(boot);
    if (!c->booted && !loop_stopped(c->task->loop))
        c->on_booted(c);
}

static const struct change_ops boot_ops = {.propose = propose_boot, .over = boot_over};

/* --- what else there is --- */

static void
on_earlier(struct controller *c, uint64_t number, char *text, size_t n)
{
    struct boot_source *source;
    char name[64];

    if (number == 0) {
        boot_default(c);
        return;
    }
    snprintf(name, sizeof(name), "history/%llu.json", (unsigned long long)number);
    source = boot_source_new(name, slice_make(text, n));
    free(text);
    boot_with(c, BOOT_EARLIER, number, source);
}

static void
look_for_earlier(struct controller *c, uint64_t below)
{
    boot_history_before(c, below, on_earlier);
}

static void
on_aside(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct controller *c = arg;
    struct br_err err = BR_ERR_NONE;

    c->aside = parent_result(m, rc, &err, "the stored configuration") == 0;
    if (!c->aside)
        br_log(LOG_ALERT, "%s", err.text);
    look_for_earlier(c, UINT64_MAX);
}

/* Nothing shall be written over what could be repaired by hand. */
static void
keep_aside(struct controller *c)
{
    const struct msg_open question = {.kind = OPEN_CONF};

    if (parent_ask(c->task, MSG_SET_ASIDE, &question, NULL, 0, ASIDE_WAIT_MS, on_aside, c) < 0)
        look_for_earlier(c, UINT64_MAX);
}

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

static void
on_loaded(struct controller *c, struct boot_source *source)
{
    boot_with(c, BOOT_FILE, 0, source);
}

static void
name_its_writer(const struct msg_stored *kept)
{
    if (kept->unit)
        br_log(LOG_NOTICE, "the state directory is that of NGINX Unit %u.%u.%u",
               kept->version / UNIT_VERSION, kept->version / 100 % 100, kept->version % 100);
    else if (kept->version > BROOD_VERSION_NUMBER)
        br_log(LOG_WARN, "the stored configuration is of a newer brood (%u): it is tried",
               kept->version);
}

void
boot_stored(struct controller *c)
{
    bool from_file = c->task->settings->config_path != NULL;
    char *text = c->stored;
    struct slice all = slice_make(text, c->stored_n);

    c->stored = NULL;
    if (text == NULL && c->kept.rc < 0 && !from_file) {
        snprintf(c->unapplied, sizeof(c->unapplied), "the stored configuration cannot be read");
        keep_aside(c);
    } else if (text == NULL) {
        boot_default(c);
    } else if (from_file) {
        boot_source_load(c, all, on_loaded);
    } else {
        name_its_writer(&c->kept);
        boot_with(c, BOOT_STORED, 0, boot_source_new("conf.json", all));
    }
    free(text);
}

static void
boot_running_or_stored(struct controller *c)
{
    struct boot *boot;

    if (c->running == NULL) {
        boot_stored(c);
        return;
    }
    boot = boot_new(c, BOOT_RUNNING);
    boot->text = c->running;
    boot->n = c->running_n;
    c->running = NULL;
    boot_try(boot);
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
    boot_source_cancel(c);
    boot_history_cancel(c);
    if (c->booting == NULL)
        return;
    loop_timer_cancel(c->task->loop, &c->booting->again);
    boot_free(c->booting);
}
