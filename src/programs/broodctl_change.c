/*
 * broodctl_change.c - one change of the configuration, to its end.
 *
 *   GET /config --> what is in force, what is wanted
 *   the request --> an answer: printed, done
 *               `-> none: the controller died, or the connection was cut
 *                     wait for the end of what may be under way --> GET /config --> new | old |
 * other
 *
 * Changes have turns, dry runs too: one that is refused when its turn comes (412) tells that
 * nothing asked for before it is still under way, and changes nothing itself.
 */
#include "programs/broodctl_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "conf/json_path.h"
#include "programs/broodctl_find.h"
#include "programs/broodctl_out.h"

#define SETTLE_MS           5000
#define PAUSE_MS            50
#define PRECONDITION_FAILED 412
#define DRY_RUN             "?dry_run"
#define NO_TAG              "\"broodctl-asks-whose-turn-it-is\""

struct change {
    struct ctl *ctl;
    const struct ctl_request *request;
    struct slice before_tag; /* of what was in force */
    const struct json *wanted;
};

/* What the request makes of a configuration; NULL when the server will refuse it anyway. */
static const struct json *
expected(struct arena *a, const struct ctl_request *r, const struct json *before)
{
    struct json *root = json_copy(a, before), *value = NULL;
    struct json_path path;
    size_t offset;
    int rc;

    if (json_path_split(a, slice_cstr(r->target), &path) < 0)
        return NULL;
    path = json_path_from(path, 1);
    if (strcmp(r->method, "DELETE") == 0)
        return json_path_delete(a, &root, path) == 0 ? root : NULL;
    if (json_parse(a, r->body, &value, &offset, NULL) < 0)
        return NULL;
    if (strcmp(r->method, "PUT") == 0)
        rc = json_path_put(a, &root, path, value);
    else
        rc = json_path_append(root, path, value);
    return rc == 0 ? root : NULL;
}

/* One question of those that follow a lost answer.  0 or -errno. */
static int
ask_again(struct change *c, const struct ctl_request *question, int64_t deadline_us,
          struct ctl_answer *ret)
{
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    for (;;) {
        struct ctl_request request = *question;
        int64_t left_us = deadline_us - clock_us();

        if (left_us <= 0)
            return -ETIMEDOUT;
        request.timeout_ms = (int)(left_us / 1000) + 1;
        if (http_exchange(c->ctl, &c->ctl->arena, &request, ret, NULL) == 0)
            return 0;
        nanosleep(&pause, NULL);
    }
}

/* The configuration in force once nothing is under way. */
static int
settle(struct change *c, struct ctl_answer *ret)
{
    const struct ctl_request turn = {
        .method = "DELETE", .target = "/config" DRY_RUN, .if_match = SLICE(NO_TAG)};
    const struct ctl_request get = {.method = "GET", .target = "/config"};
    int64_t deadline_us = clock_us() + SETTLE_MS * INT64_C(1000);
    int rc = ask_again(c, &turn, deadline_us, ret);

    if (rc == 0 && ret->status != PRECONDITION_FAILED)
        return -EPROTO;
    if (rc == 0)
        rc = ask_again(c, &get, deadline_us, ret);
    return rc == 0 && (ret->status != 200 || ret->value == NULL) ? -EPROTO : rc;
}

static enum ctl_exit
say_fate(const struct change *c, enum ctl_exit code, const char *title, const char *fate)
{
    struct arena *a = &c->ctl->arena;
    struct json *object;

    if (!c->ctl->json) {
        if (code == CTL_OK)
            puts(title);
        return ctl_fail(code, "the answer was lost; %s", fate);
    }
    object = json_new(a, JSON_OBJECT);
    json_add(object, code == CTL_OK ? SLICE("success") : SLICE("error"),
             json_new_string(a, slice_cstr(title)));
    json_add(object, SLICE("detail"),
             json_new_string(a, slice_cstr(arena_printf(a, "The answer was lost; %s.", fate))));
    out_json(object);
    return code;
}

static enum ctl_exit
find_fate(struct change *c)
{
    struct ctl_answer now;

    if (settle(c, &now) < 0)
        return say_fate(c, CTL_UNKNOWN, "Unknown.",
                        "nobody tells whether the change was applied or is under way");
    if (c->wanted != NULL && json_equal(now.value, c->wanted))
        return say_fate(c, CTL_OK, "Reconfiguration done.",
                        "applied: the new configuration is in force");
    if (slice_eq(now.etag, c->before_tag))
        return say_fate(c, CTL_REFUSED, "Not applied.",
                        "not applied: the old configuration is in force");
    return say_fate(c, CTL_UNKNOWN, "Unknown.",
                    "somebody else's change is in force; see \"broodctl history\"");
}

static enum ctl_exit
make(struct change *c, struct ctl_answer *ret)
{
    struct br_err err = BR_ERR_NONE;
    int rc = http_exchange(c->ctl, &c->ctl->arena, c->request, ret, &err);
    enum ctl_exit code;

    if (rc == -EPROTO)
        return find_fate(c);
    if (rc < 0)
        return ctl_fail(CTL_UNREACHABLE, "%s", err.text);
    code = http_judge(c->ctl, c->request, ret);
    if (code == CTL_OK)
        out_success(c->ctl, ret);
    return code;
}

/* Certificates and the like: nothing is known of them that could be compared. */
static enum ctl_exit
ask_once(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *ret)
{
    enum ctl_exit code = http_ask(ctl, &ctl->arena, request, ret);

    if (code == CTL_OK)
        out_success(ctl, ret);
    return code;
}

static enum ctl_exit
dry_run(struct ctl *ctl, const struct ctl_request *request, struct ctl_answer *ret)
{
    struct ctl_request dry = *request;
    enum ctl_exit code;

    dry.target = arena_printf(&ctl->arena, "%s" DRY_RUN, request->target);
    code = http_ask(ctl, &ctl->arena, &dry, ret);
    if (code == CTL_OK)
        out_plan(ctl, ret);
    return code;
}

enum ctl_exit
change_make(struct ctl *ctl, const struct ctl_request *request, const struct json *wanted,
            struct ctl_answer *ret)
{
    struct change c = {.ctl = ctl, .request = request, .wanted = wanted};
    struct ctl_answer before;
    enum ctl_exit code;

    *ret = (struct ctl_answer){0};
    if (ctl->dry_run)
        return dry_run(ctl, request, ret);
    if (wanted == NULL && !slice_starts(slice_cstr(request->target), SLICE("/config")))
        return ask_once(ctl, request, ret);
    code = http_get(ctl, &ctl->arena, "/config", &before);
    if (code != CTL_OK)
        return code;
    c.before_tag = before.etag;
    if (wanted == NULL && before.value != NULL)
        c.wanted = expected(&ctl->arena, request, before.value);
    return make(&c, ret);
}
