/*
 * discovery_role.c - load every module, let it describe what it finds, tell main, leave.
 *
 *   MODULESDIR: python.module.so, perl.module.so, … --describe--> [{"type": "python", …}, …] -->
 * MODULES
 *
 * A module that cannot be loaded or does not find its language costs a line in the log, not the
 * start.  One that hangs (it may have asked a program of PATH that does) is ended by SIGALRM, and
 * main then says that discovery ended without a report.
 */
#include "discovery/discovery_role.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/module_load.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/inject.h"
#include "base/log.h"
#include "ipc/dispatch.h"

#define REPORT_MAX    (1024 * 1024)
#define PATIENCE_S    60
#define LAST_WORDS_MS 5000

struct report {
    const char *modules_dir;
    struct buf json;
    unsigned n;
};

/* A JSON string (RFC 8259, 7). */
static void
put_string(struct buf *b, const char *text)
{
    buf_putc(b, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(b, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            buf_printf(b, "\\u%04x", (unsigned char)*p);
        else
            buf_putc(b, *p);
    }
    buf_putc(b, '"');
}

static void
put_member(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s\"%s\": ", b->p[b->n - 1] == '{' ? "" : ", ", name);
    put_string(b, value);
}

static void
put_version(struct report *r, const char *file, const struct module_version *v)
{
    char path[MODULE_PATH_MAX * 2];

    snprintf(path, sizeof(path), "%s/%s", r->modules_dir, file);
    buf_puts(&r->json, r->n++ > 0 ? ", {" : "{");
    put_member(&r->json, "type", v->type);
    put_member(&r->json, "version", v->version);
    put_member(&r->json, "path", path);
    put_member(&r->json, "interpreter", v->interpreter);
    put_member(&r->json, "lib", v->lib);
    buf_putc(&r->json, '}');
    br_log(LOG_NOTICE, "module: %s %s \"%s\"", v->type, v->version,
           v->interpreter[0] != '\0' ? v->interpreter : path);
}

static int
describe(void *arg, const char *file)
{
    struct report *r = arg;
    const struct br_module *module;
    struct module_list list = {.n = 0};
    struct br_err err = BR_ERR_NONE;
    int rc = module_load(r->modules_dir, file, &module, &err);

    if (rc == 0)
        rc = module->describe(r->modules_dir, &list, &err);
    if (rc < 0) {
        br_log(LOG_ERROR, "module \"%s\" is left out: %s", file,
               err.text[0] != '\0' ? err.text : strerror(-rc));
        return 0;
    }
    for (unsigned i = 0; i < br_min(list.n, (unsigned)MODULE_VERSIONS_MAX); i++)
        put_version(r, file, &list.version[i]);
    return 0;
}

static int
tell(struct task *task, const struct buf *json, struct br_err *err)
{
    int fd = json->error != 0 ? json->error : fd_memfd_sealed("brood-modules", json->p, json->n);
    int rc;

    if (fd < 0)
        return br_fail(err, fd, "cannot write the report");
    rc = dispatch_tell(task->parent, MSG_MODULES, NULL, &fd, 1);
    if (rc == 0)
        rc = channel_flush(task->parent, LAST_WORDS_MS);
    return rc < 0 ? br_fail(err, rc, "cannot tell main") : 0;
}

void
discovery_report(const char *modules_dir, struct buf *ret_json)
{
    struct report r = {.modules_dir = modules_dir};
    struct br_err why = BR_ERR_NONE;

    buf_init(&r.json, REPORT_MAX);
    buf_putc(&r.json, '[');
    if (module_each(r.modules_dir, describe, &r, &why) < 0)
        br_log(LOG_ERROR, "there are no languages: %s", why.text);
    buf_putc(&r.json, ']');
    *ret_json = r.json;
}

int
discovery_setup(struct task *task, br_unused struct process *process, struct br_err *err)
{
    struct buf json;
    int rc;

    INJECT(discovery, begun);
    alarm(PATIENCE_S);
    discovery_report(task->settings->modules_dir, &json);
    rc = tell(task, &json, err);
    buf_done(&json);
    alarm(0);
    INJECT(discovery, told);
    return rc;
}
