/*
 * api_history.c - /history: the configurations that were kept, and the way back to one of them.
 *
 *   GET  /history          -> HISTORY_ASK 0 -> rows  -> [{"number": 41, "time": …, "size": …}, …]
 *   GET  /history/41       -> HISTORY_ASK 41 -> text -> as GET /config showed it
 *   POST /history/41/apply -> HISTORY_ASK 41 -> text -> PUT /config of that text (api_config.c)
 *
 * Main keeps the files and hands over descriptors; only here somebody looks into them.
 */
#include "controller/api_history.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/fd.h"
#include "conf/conf_history.h"
#include "controller/api.h"
#include "controller/api_config.h"
#include "controller/controller.h"
#include "controller/parent.h"

#define HISTORY_WAIT_MS 30000
#define FAILED          "Failed to read the history."

/* A question to main. */
struct lookup {
    struct list link;
    struct api_call *call;
    /* What main sent; answers the call. */
    void (*found)(struct api_call *call, struct slice text);
};

static void
answer_failed(struct api_call *call, int rc, const struct br_err *err)
{
    if (rc == -ENOENT)
        api_missing(call);
    else
        api_error(call, 500, FAILED, err->text);
}

static void
on_history(struct task *task br_unused, void *arg, struct message *m, int rc)
{
    struct lookup *lookup = arg;
    struct api_call *call = lookup->call;
    struct br_err err = BR_ERR_NONE;
    char *text = NULL;
    size_t n = 0;

    list_del(&lookup->link);
    rc = parent_result(m, rc, &err, "main");
    if (rc == 0 && m->n_fds == 0)
        rc = br_fail(&err, -EBADMSG, "main sent no descriptor");
    if (rc == 0) {
        rc = fd_read_file(m->fds[0], CONF_STORE_BYTES_MAX, &text, &n);
        if (rc < 0)
            br_fail(&err, rc, "cannot read it");
    }
    if (rc < 0)
        answer_failed(call, rc, &err);
    else
        lookup->found(call, slice_make(text, n));
    free(text);
}

static void
look_up(struct api_call *call, uint64_t number,
        void (*found)(struct api_call *call, struct slice text))
{
    const struct msg_history question = {.number = number};
    struct lookup *lookup = arena_new(&call->arena, struct lookup);
    int rc;

    *lookup = (struct lookup){.call = call, .found = found};
    list_add_tail(&call->controller->lookups, &lookup->link);
    rc = parent_ask(call->controller->task, MSG_HISTORY_ASK, &question, NULL, 0, HISTORY_WAIT_MS,
                    on_history, lookup);
    if (rc == 0)
        return;
    list_del(&lookup->link);
    api_error(call, 500, FAILED, "main cannot be asked");
}

void
api_history_finish(struct list *lookups)
{
    struct lookup *lookup, *next;

    list_foreach_safe (lookup, next, lookups, link) {
        struct api_call *call = lookup->call;

        dispatch_forget(call->controller->task->dispatch, lookup);
        list_del(&lookup->link);
        api_error(call, 500, FAILED, "brood is stopping");
    }
}

/* "2026-11-24T20:15:00Z" */
static struct json *
time_text(struct api_call *call, int64_t seconds)
{
    time_t t = (time_t)seconds;
    char text[64] = "";
    struct tm tm;

    if (gmtime_r(&t, &tm) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_new_string(&call->arena, slice_cstr(arena_cstr(&call->arena, slice_cstr(text))));
}

static void
found_list(struct api_call *call, struct slice text)
{
    struct arena *a = &call->arena;
    struct json *list = json_new(a, JSON_ARRAY);
    struct conf_history_entry entry;

    for (; text.n >= sizeof(entry); text = slice_sub(text, sizeof(entry), text.n)) {
        struct json *object = json_push(list, json_new(a, JSON_OBJECT));

        memcpy(&entry, text.p, sizeof(entry));
        json_add(object, SLICE("number"), json_new_int(a, (int64_t)entry.number));
        json_add(object, SLICE("time"), time_text(call, entry.time_s));
        json_add(object, SLICE("size"), json_new_int(a, (int64_t)entry.size));
    }
    api_value(call, list);
}

static void
found_one(struct api_call *call, struct slice text)
{
    struct br_err err = BR_ERR_NONE;
    struct json *tree;
    size_t offset;

    if (json_parse(&call->arena, text, &tree, &offset, &err) < 0)
        api_error(call, 500, FAILED, err.text);
    else
        api_value(call, tree);
}

/* The number that the path names, or 0: nothing has it. */
static uint64_t
number_of(const struct api_call *call)
{
    const struct slice text = call->path.segments[1];
    uint64_t number;

    return text.p[0] != '0' && slice_u64(text, &number) == 0 ? number : 0;
}

static void
look_up_one(struct api_call *call, void (*found)(struct api_call *call, struct slice text))
{
    uint64_t number = number_of(call);

    if (number == 0)
        api_missing(call);
    else
        look_up(call, number, found);
}

void
api_history_list(struct api_call *call)
{
    look_up(call, 0, found_list);
}

void
api_history_get(struct api_call *call)
{
    look_up_one(call, found_one);
}

void
api_history_apply(struct api_call *call)
{
    if (api_read_terms(call))
        look_up_one(call, api_config_replace);
}
