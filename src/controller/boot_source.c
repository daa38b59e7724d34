/*
 * boot_source.c - the text or the texts that a first configuration is made of.
 *
 *   file of --config --> "include" --OPEN(pattern)--> main --its files--> next "include" ... -->
 * tree
 *
 * One question after the other: an operator's file has few.
 */
#include "controller/boot_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf_include.h"
#include "controller/controller.h"
#include "controller/parent.h"

#define FAULTS_LOGGED   32
#define INCLUDE_WAIT_MS 60000

/* The first one is told by who decides what comes of it. */
static void
on_fault(struct conf_faults *faults, const struct conf_fault *fault)
{
    struct boot_source *s = container_of(faults, struct boot_source, faults);
    bool has_path = fault->has_path && fault->path[0] != '\0';
    const char *text =
        arena_printf(&s->file.arena, "%s: %s%s%s", sources_place(&s->file.sources, fault->offset),
                     has_path ? fault->path : "", has_path ? ": " : "", fault->err.text);

    if (faults->n == 1)
        snprintf(s->first, sizeof(s->first), "%s", text);
    else if (faults->n <= FAULTS_LOGGED)
        br_log(LOG_ERROR, "%s", text);
    else if (faults->n == FAULTS_LOGGED + 1)
        br_log(LOG_ERROR, "and more, which brood --check tells");
}

static struct boot_source *
new_source(void)
{
    struct boot_source *s = calloc(1, sizeof(*s));

    if (s == NULL)
        abort();
    s->faults.on_fault = on_fault;
    return s;
}

struct boot_source *
boot_source_new(const char *name, struct slice text)
{
    struct boot_source *s = new_source();

    conf_file_begin_plain(&s->file, name, text, &s->faults);
    return s;
}

void
boot_source_free(void *source)
{
    struct boot_source *s = source;

    conf_file_done(&s->file);
    free(s);
}

void
boot_source_validate(struct boot_source *s, const struct conf_modules *modules)
{
    struct arena scratch;

    if (s->file.root == NULL || s->file.partial)
        return;
    arena_init(&scratch, 0);
    validate_all(&scratch, s->file.root, modules, &s->faults);
    arena_done(&scratch);
}

/* --- a file that includes others --- */

struct load {
    struct controller *controller;
    struct boot_source *source;
    void (*loaded)(struct controller *c, struct boot_source *source);
};

static void load_more(struct load *load);

static int
read_included(struct message *m, int rc, char **ret_files, size_t *ret_n, struct br_err *err)
{
    rc = parent_result(m, rc, err, "main");
    if (rc == 0 && m->n_fds == 0)
        rc = br_fail(err, -EBADMSG, "main sent no descriptor");
    if (rc < 0)
        return rc;
    rc = fd_read_file(m->fds[0], CONF_INCLUDE_BYTES_MAX, ret_files, ret_n);
    return rc < 0 ? br_fail(err, rc, "it cannot be read") : 0;
}

static void
on_included(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct load *load = arg;
    struct br_err err = BR_ERR_NONE;
    char *files = NULL;
    size_t n = 0;

    if (read_included(m, rc, &files, &n, &err) == 0)
        conf_file_add(&load->source->file, slice_make(files, n));
    else
        conf_file_cannot(&load->source->file, err.text);
    free(files);
    load_more(load);
}

/* false: there will be no answer, and the source knows why. */
static bool
ask(struct load *load, const char *pattern)
{
    struct msg_open question = {.kind = OPEN_INCLUDE};
    size_t n = strlen(pattern);

    if (n >= sizeof(question.name)) {
        conf_file_cannot(&load->source->file, "the pattern is too long");
        return false;
    }
    memcpy(question.name, pattern, n);
    if (parent_ask(load->controller->task, MSG_OPEN, &question, NULL, 0, INCLUDE_WAIT_MS,
                   on_included, load) == 0)
        return true;
    conf_file_cannot(&load->source->file, "main cannot be asked");
    return false;
}

static void
load_more(struct load *load)
{
    struct controller *c = load->controller;
    const char *pattern;

    while (conf_file_next_include(&load->source->file, &pattern))
        if (ask(load, pattern))
            return;
    c->loading = NULL;
    load->loaded(c, load->source);
    free(load);
}

void
boot_source_cancel(struct controller *c)
{
    if (c->loading == NULL)
        return;
    dispatch_forget(c->task->dispatch, c->loading);
    boot_source_free(c->loading->source);
    free(c->loading);
    c->loading = NULL;
}

void
boot_source_load(struct controller *c, struct slice text,
                 void (*loaded)(struct controller *c, struct boot_source *source))
{
    struct load *load = calloc(1, sizeof(*load));

    if (load == NULL)
        abort();
    boot_source_cancel(c);
    *load = (struct load){.controller = c, .source = new_source(), .loaded = loaded};
    c->loading = load;
    conf_file_begin(&load->source->file, c->task->settings->config_path, text,
                    &load->source->faults);
    load_more(load);
}
