/*
 * check_programs.c - applications that take connections (types `command`, `inetd`, `stream`;
 * protocol `stream`), and which listeners lead to them.
 *
 *   listener, protocol "tcp"  -->  these applications only
 *   listener, protocol "http" -->  never them; routes neither
 */
#include "conf/checks.h"

#include <errno.h>

#include "base/calendar.h"
#include "conf/options.h"
#include "conf/pass.h"
#include "conf/template.h"

static struct slice
text_of(const struct json *object, struct slice name)
{
    const struct json *value = object != NULL ? json_get(object, name) : NULL;

    return value != NULL && value->type == JSON_STRING ? value->text : SLICE_NONE;
}

static bool
speaks_stream(const struct json *app)
{
    return slice_eq(text_of(app, SLICE("protocol")), SLICE("stream"));
}

bool
check_accepts(const struct json *app)
{
    struct slice language, version, type;

    if (app == NULL || app->type != JSON_OBJECT)
        return false;
    type = text_of(app, SLICE("type"));
    if (type.n == 0 || !module_type_split(type, &language, &version))
        return false;
    return module_is_built_in(language) || speaks_stream(app);
}

/* The application that the listener names as a whole; SLICE_NONE: a route, or one of a template. */
static struct slice
named_application(struct check *c, const struct json *listener, char *room)
{
    struct slice pass = text_of(listener, SLICE("pass"));
    struct pass to;

    if (pass.p == NULL)
        return text_of(listener, SLICE("application"));
    if (slice_find(pass, 0, '$') < pass.n || pass_parse(pass, room, &to, NULL) < 0 ||
        to.kind != PASS_APPLICATION || to.target.p != NULL)
        return SLICE_NONE;
    return arena_dup(c->arena, to.name);
}

/* Of a Unix socket the kernel does not tell how much went through it. */
static bool
needs_tcp(const struct json *app)
{
    const struct json *timeouts = json_get(app, SLICE("timeouts"));
    const struct json *idle = timeouts != NULL && timeouts->type == JSON_OBJECT
                                  ? json_get(timeouts, SLICE("idle"))
                                  : NULL;
    int64_t ms = 0;

    return slice_eq(text_of(app, SLICE("type")), SLICE("inetd")) && idle != NULL &&
           idle->type == JSON_NUMBER && json_scaled(idle, 1000, &ms) == 0 && ms > 0;
}

int
check_listener(struct check *c, const struct json *value)
{
    const struct json *to = json_get(value, SLICE("pass"));
    bool tcp = slice_eq(text_of(value, SLICE("protocol")), SLICE("tcp"));
    char room[PASS_TEXT_MAX];
    struct slice name = named_application(c, value, room);
    bool accepts = name.p != NULL && check_accepts(map_get(&c->apps, name));

    if (to == NULL)
        to = json_get(value, SLICE("application"));
    if (accepts && tcp && slice_starts(c->at->name, SLICE("unix:")) &&
        needs_tcp(map_get(&c->apps, name)))
        return check_refuse_member(c, to,
                                   "The application %s has a \"timeouts/idle\", which cannot be "
                                   "kept for the connections of a Unix socket.",
                                   check_quote(c, name));
    if (to == NULL || tcp == accepts)
        return 0;
    if (tcp)
        return check_refuse_member(
            c, to,
            "A listener of protocol \"tcp\" must name an application that takes connections: of "
            "type \"stream\", \"inetd\" or \"command\", or with the protocol \"stream\".");
    return check_refuse_member(c, to,
                               "The application %s takes connections, not requests: its listener "
                               "needs the protocol \"tcp\".",
                               check_quote(c, name));
}

static bool
is_periodic(const struct json *app)
{
    return json_get(app, SLICE("every")) != NULL || json_get(app, SLICE("calendar")) != NULL;
}

/* What a program that is run now and then has no use for. */
static int
check_periodic(struct check *c, const struct json *app)
{
    static const char *const others[] = {"restart", "ready", "replace", "processes"};

    for (size_t i = 0; i < array_len(others); i++) {
        const struct json *member = json_get(app, slice_cstr(others[i]));

        if (member != NULL)
            return check_refuse_member(c, member, "The option \"%s\" is not allowed with \"%s\".",
                                       others[i],
                                       json_get(app, SLICE("every")) ? "every" : "calendar");
    }
    return 0;
}

/* What belongs to requests has no sense for connections, and the other way round. */
static int
check_python(struct check *c, const struct json *app)
{
    static const char *const of_requests[] = {"targets", "prefix", "limits/timeout"};
    static const char *const of_connections[] = {"connections", "timeouts"};
    bool stream = speaks_stream(app);
    const char *const *others = stream ? of_requests : of_connections;
    size_t n = stream ? array_len(of_requests) : array_len(of_connections);

    for (size_t i = 0; i < n; i++) {
        struct slice name = slice_cstr(others[i]);
        size_t slash = slice_find(name, 0, '/');
        const struct json *member = json_get(app, slice_sub(name, 0, slash));
        struct check_frame frame = {.up = c->at, .name = slice_sub(name, 0, slash)};
        int rc;

        if (member != NULL && slash < name.n) {
            name = slice_sub(name, slash + 1, name.n);
            member = json_get(member, name);
            c->at = &frame;
        }
        rc = member == NULL ? 0
                            : check_refuse_member(c, member,
                                                  "The option \"" SLICE_FMT
                                                  "\" is allowed only %s the protocol \"stream\".",
                                                  SLICE_ARG(name), stream ? "without" : "with");
        c->at = frame.up;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int
check_application_kind(struct check *c, const struct json *value)
{
    const struct json *overlap = json_get(value, SLICE("overlap"));

    if (slice_eq(c->language, SLICE("python")))
        return check_python(c, value);
    if (!slice_eq(c->language, SLICE("command")))
        return 0;
    if (is_periodic(value))
        return check_periodic(c, value);
    if (overlap != NULL)
        return check_refuse_member(
            c, overlap, "The option \"overlap\" is allowed only with \"every\" or \"calendar\".");
    return 0;
}

int
check_ready(struct check *c, const struct json *value)
{
    struct slice text = value->text;
    uint64_t fd;

    if (slice_eq(text, SLICE("start")) || slice_eq(text, SLICE("notify")))
        return 0;
    if (slice_starts(text, SLICE("fd:")) && slice_u64(slice_sub(text, 3, text.n), &fd) == 0 &&
        fd >= 3 && fd <= CHECK_READY_FD_MAX)
        return 0;
    return check_refuse(c, value,
                        "The value of \"ready\" must be \"start\", \"notify\", or \"fd:3\" to "
                        "\"fd:%d\", but is %s.",
                        CHECK_READY_FD_MAX, check_quote(c, text));
}

int
check_calendar(struct check *c, const struct json *value)
{
    struct br_err why = BR_ERR_NONE;
    struct calendar calendar;

    if (calendar_parse(value->text, &calendar, &why) < 0)
        return check_refuse(c, value, "The value of \"calendar\" names no moments: %s", why.text);
    return 0;
}
