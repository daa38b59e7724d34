/*
 * validate_test.c - what is a configuration, and where a fault is when it is none.
 */
#include "conf/validate.h"

#include <errno.h>
#include <stdio.h>

#include "conf/options.h"

#include "fixture.h"

static const struct conf_module found[] = {
    {SLICE("python"), SLICE("3.11.2"), SLICE("/m/python.so")},
};
static const struct conf_modules modules = {found, array_len(found)};

static void
accept(struct arena *a, const char *text)
{
    struct conf_fault fault = {.offset = 0};

    if (validate(a, tree_of(a, text), &modules, &fault) != 0)
        fail_msg("%s: %s (%s)", text, fault.err.text, fault.path);
}

struct refusal {
    const char *text;
    const char *path;
    const char *says;
};

static void
refuse(struct arena *a, const struct refusal *r)
{
    struct conf_fault fault = {.offset = 0};

    if (validate(a, tree_of(a, r->text), &modules, &fault) != -EBADMSG)
        fail_msg("%s is accepted", r->text);
    if (strcmp(fault.path, r->path) != 0)
        fail_msg("%s: %s is at %s", r->text, fault.err.text, fault.path);
    if (strstr(fault.err.text, r->says) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", r->text, fault.err.text, r->says);
}

#define refuse_all(state, cases)                     \
    for (size_t i_ = 0; i_ < array_len(cases); i_++) \
    refuse(*(state), &(cases)[i_])

static void
small_configurations_are_accepted(void **state)
{
    static const char *const good[] = {
        "{}",
        "{\"listeners\":{},\"routes\":[],\"applications\":{}}",
        "{\"routes\":{}}",
        "{\"settings\":{\"http\":{\"static\":{}}}}",
        "{\"listeners\":{\"*:80\":{\"pass\":\"routes\"}},\"routes\":[]}",
        "{\"listeners\":{\"*:80\":{\"pass\":\"routes/a\",\"backlog\":-1}},\"routes\":{\"a\":[]}}",
        "{\"listeners\":{\"*:80\":{\"pass\":\"routes/$host\"}}}",
        "{\"access_log\":\"/tmp/x\"}",
        "{\"access_log\":{\"path\":\"/tmp/x\"}}",
    };

    for (size_t i = 0; i < array_len(good); i++)
        accept(*state, good[i]);
}

static void
a_whole_configuration_is_accepted(void **state)
{
    accept(
        *state,
        "{\"listeners\":{\"unix:/a.sock\":{\"pass\":\"applications/a%2Fb\"}},"
        "\"routes\":{\"main\":[{\"match\":{\"uri\":[\"/a*\",\"!/b\"],\"method\":\"get\","
        "\"host\":[]},\"action\":{\"share\":[\"/w$uri\",\"/v$uri\"],\"index\":\"i.html\","
        "\"types\":[\"text/*\"],\"fallback\":{\"share\":\"/x\",\"fallback\":{\"pass\":"
        "\"routes/other\"}}}},{\"match\":{},\"action\":{\"return\":301,\"location\":"
        "\"https://$host$request_uri\"}}],\"other\":[{\"action\":{\"pass\":"
        "\"applications/$arg_app\"}}]},"
        "\"applications\":{\"a/b\":{\"type\":\"python 3.11\",\"module\":\"m\",\"callable\":\"f\","
        "\"home\":\"/v\",\"path\":[\"/p\"],\"user\":\"u\",\"group\":\"g\","
        "\"working_directory\":\"/w\",\"environment\":{\"A\":\"\"},\"stdout\":\"/o\","
        "\"stderr\":\"/e\",\"limits\":{\"timeout\":1.5,\"requests\":1e2},"
        "\"processes\":{\"max\":4,\"spare\":4,\"idle_timeout\":0}},"
        "\"c\":{\"type\":\"python\",\"module\":\"m\",\"path\":\"/p\",\"processes\":2.0}},"
        "\"settings\":{\"http\":{\"header_read_timeout\":0.5,\"body_read_timeout\":1,"
        "\"send_timeout\":2147483647,\"idle_timeout\":0,\"max_body_size\":9e18,"
        "\"body_temp_path\":\"/t\",\"body_buffer_size\":0,\"large_header_buffer_size\":1,"
        "\"large_header_buffers\":1,\"discard_unsafe_fields\":false,\"server_version\":false,"
        "\"chunked_transform\":false,\"static\":{\"mime_types\":{\"text/x\":[\".x\",\"README\"],"
        "\"text/y\":\".y\"}}}}}");
}

/* A configuration that is valid but for that row, which is null there, and its JSON pointer. */
static const char *
around(struct arena *a, const char *path, const char **ret_at)
{
    static const struct {
        const char *row, *before, *at, *after;
    } places[] = {
        {"listeners/*/", "{\"routes\":[],\"listeners\":{\"*:80\":{\"pass\":\"routes\",",
         "/listeners/*:80/", "}}}"},
        {"routes/*/match/", "{\"routes\":[{\"action\":{\"return\":200},\"match\":{",
         "/routes/0/match/", "}}]}"},
        {"routes/*/action/", "{\"routes\":[{\"action\":{\"share\":\"/x\",", "/routes/0/action/",
         "}}]}"},
        {"applications/*/limits/",
         "{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"limits\":{",
         "/applications/a/limits/", "}}}}"},
        {"applications/*/", "{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",",
         "/applications/a/", "}}}"},
        {"settings/http/", "{\"settings\":{\"http\":{", "/settings/http/", "}}}"},
        {"settings/", "{\"settings\":{", "/settings/", "}}"},
        {"access_log/", "{\"access_log\":{\"path\":\"/x\",", "/access_log/", "}}"},
        {"", "{", "/", "}"},
    };

    for (size_t i = 0; i < array_len(places); i++) {
        size_t n = strlen(places[i].row);

        if (strncmp(path, places[i].row, n) != 0)
            continue;
        *ret_at = arena_printf(a, "%s%s", places[i].at, path + n);
        return arena_printf(a, "%s\"%s\":null%s", places[i].before, path + n, places[i].after);
    }
    return "";
}

static void
unknown_options_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"{\"listener\":{}}", "/listener", "did you mean \"listeners\"?"},
        {"{\"nothing_like_it\":1}", "/nothing_like_it", "Unknown option \"nothing_like_it\"."},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes\",\"tls\":{}}},\"routes\":[]}",
         "/listeners/*:80/tls", "\"tls\" is known, but this build has no TLS."},
        {"{\"routes\":[{\"match\":{\"schema\":\"https\"},\"action\":{\"return\":200}}]}",
         "/routes/0/match/schema", "Unknown option \"schema\"; did you mean \"scheme\"?"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x\",\"fallback\":{\"shares\":\"/y\"}}}]}",
         "/routes/0/action/fallback/shares", "did you mean \"share\""},
        {"{\"applications\":{\"a/b\":{\"type\":\"python\",\"module\":\"m\",\"proceses\":1}}}",
         "/applications/a~1b/proceses", "did you mean \"processes\""},
        {"{\"settings\":{\"http\":{\"idle_timeuot\":1}}}", "/settings/http/idle_timeuot",
         "did you mean \"idle_timeout\""},
    };

    refuse_all(state, cases);
}

/* What the table has, but this build cannot do: said, not ignored, and whatever the value is. */
static void
absent_options_are_refused(void **state)
{
    struct arena *a = *state;

    for (size_t i = 0; i < n_options; i++) {
        const struct option *o = &options[i];
        struct conf_fault fault = {.offset = 0};
        const char *text, *at;

        if (o->absent == NULL || o->only != NULL)
            continue;
        text = around(a, o->path, &at);
        if (validate(a, tree_of(a, text), &modules, &fault) != -EBADMSG)
            fail_msg("%s is accepted", text);
        assert_string_equal(fault.path, at);
        if (strstr(fault.err.text, o->absent) == NULL ||
            strstr(fault.err.text, "is known, but this build has no") == NULL)
            fail_msg("%s: %s", text, fault.err.text);
        assert_memory_equal(text + fault.offset, "null", 4);
    }
}

static void
absent_languages_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"{\"applications\":{\"a\":{\"type\":\"ruby\",\"script\":\"x\"}}}", "/applications/a/type",
         "The type \"ruby\" is known, but this build has no module for it."},
        {"{\"applications\":{\"a\":{\"type\":\"php 8.2\",\"root\":\"x\"}}}", "/applications/a/type",
         "\"php 8.2\" is known"},
        {"{\"applications\":{\"a\":{\"type\":\"perl\"}}}", "/applications/a/type", "is known"},
        {"{\"applications\":{\"a\":{\"type\":\"java\"}}}", "/applications/a/type", "is known"},
        {"{\"applications\":{\"a\":{\"type\":\"external\"}}}", "/applications/a/type", "is known"},
        {"{\"applications\":{\"a\":{\"type\":\"go\"}}}", "/applications/a/type", "is known"},
        {"{\"applications\":{\"a\":{\"type\":\"wasm\"}}}", "/applications/a/type", "is known"},
        {"{\"applications\":{\"a\":{\"type\":\"wasm-wasi-component\"}}}", "/applications/a/type",
         "is known"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"upstreams/u\"}}}", "/listeners/*:80/pass",
         "This build has no upstreams."},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"protocol\":\"asgi\"}}}",
         "/applications/a/protocol", "is known, but this build has none but \"wsgi\""},
    };

    refuse_all(state, cases);
}

static void
a_listener_may_name_an_application(void **state)
{
#define APP "\"applications\":{\"a/$b\":{\"type\":\"python\",\"module\":\"m\"}}"
    static const struct refusal cases[] = {
        {"{\"listeners\":{\"*:80\":{\"application\":\"a/b\"}}," APP "}",
         "/listeners/*:80/application",
         "The \"application\" names application \"a/b\", which does not exist; did you mean"},
        {"{\"listeners\":{\"*:80\":{\"application\":\"a/$b\",\"pass\":\"routes\"}},"
         "\"routes\":[]," APP "}",
         "/listeners/*:80/pass", "\"pass\" is not allowed with \"application\""},
    };

    accept(*state, "{\"listeners\":{\"*:80\":{\"application\":\"a/$b\"}}," APP "}");
    refuse_all(state, cases);
#undef APP
}

static void
missing_options_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"{\"listeners\":{\"*:80\":{}}}", "/listeners/*:80", "\"pass\" of \"*:80\" is missing"},
        {"{\"routes\":[{}]}", "/routes/0", "\"action\" of element 0 of \"routes\" is missing"},
        {"{\"routes\":{\"r\":[{\"match\":{}}]}}", "/routes/r/0", "\"action\""},
        {"{\"applications\":{\"a\":{\"module\":\"m\"}}}", "/applications/a", "\"type\""},
        {"{\"applications\":{\"a\":{\"type\":\"python\"}}}", "/applications/a", "\"module\""},
        {"{\"access_log\":{}}", "/access_log", "\"path\""},
    };

    refuse_all(state, cases);
}

static void
wrong_types_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"[]", "", "The value of the configuration must be an object, but is an array."},
        {"null", "", "a null"},
        {"{\"listeners\":[]}", "/listeners", "must be an object, but is an array"},
        {"{\"listeners\":null}", "/listeners", "but is a null"},
        {"{\"listeners\":{\"*:80\":\"routes\"}}", "/listeners/*:80", "an object"},
        {"{\"listeners\":{\"*:80\":{\"pass\":1}}}", "/listeners/*:80/pass",
         "The value of \"pass\" must be a string, but is an integer number."},
        {"{\"routes\":\"x\"}", "/routes", "an array or an object, but is a string"},
        {"{\"routes\":[1]}", "/routes/0", "element 0 of \"routes\" must be an object"},
        {"{\"routes\":{\"r\":{}}}", "/routes/r", "must be an array, but is an object"},
        {"{\"routes\":[{\"action\":{\"return\":1.5}}]}", "/routes/0/action/return",
         "an integer number, but is a fractional number"},
        {"{\"routes\":[{\"match\":{\"uri\":[\"/a\",true]},\"action\":{\"return\":1}}]}",
         "/routes/0/match/uri/1", "element 1 of \"uri\" must be a string, but is a boolean"},
        {"{\"routes\":[{\"match\":{\"uri\":{}},\"action\":{\"return\":1}}]}", "/routes/0/match/uri",
         "a string or an array of strings, but is an object"},
        {"{\"settings\":{\"http\":{\"server_version\":1}}}", "/settings/http/server_version",
         "a boolean"},
        {"{\"settings\":{\"http\":{\"idle_timeout\":\"1\"}}}", "/settings/http/idle_timeout",
         "must be a number, but is a string"},
        {"{\"applications\":{\"a\":{\"type\":3}}}", "/applications/a/type", "a string"},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"module\":null}}}",
         "/applications/a/module", "a null"},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"environment\":"
         "{\"A\":1}}}}",
         "/applications/a/environment/A", "a string"},
        {"{\"access_log\":false}", "/access_log", "a string or an object, but is a boolean"},
    };

    refuse_all(state, cases);
}

static void
numbers_out_of_range_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"{\"listeners\":{\"*:80\":{\"backlog\":-2,\"pass\":\"routes\"}},\"routes\":[]}",
         "/listeners/*:80/backlog", "must be from -1 to 2147483647, but is -2"},
        {"{\"listeners\":{\"*:80\":{\"backlog\":2147483648,\"pass\":\"routes\"}},\"routes\":[]}",
         "/listeners/*:80/backlog", "2147483648"},
        {"{\"routes\":[{\"action\":{\"return\":1000}}]}", "/routes/0/action/return", "999"},
        {"{\"routes\":[{\"action\":{\"return\":-1}}]}", "/routes/0/action/return", "-1"},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"processes\":0}}}",
         "/applications/a/processes", "from 1"},
        {"{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\",\"processes\":{"
         "\"idle_timeout\":2147484}}}}",
         "/applications/a/processes/idle_timeout", "2147483"},
        {"{\"settings\":{\"http\":{\"send_timeout\":-0.001}}}", "/settings/http/send_timeout",
         "from 0"},
        {"{\"settings\":{\"http\":{\"send_timeout\":2147483647.1}}}", "/settings/http/send_timeout",
         "to 2147483647"},
        {"{\"settings\":{\"http\":{\"send_timeout\":9e18}}}", "/settings/http/send_timeout",
         "9e18"},
        {"{\"settings\":{\"http\":{\"max_body_size\":-1}}}", "/settings/http/max_body_size",
         "from 0"},
    };

    refuse_all(state, cases);
}

static void
addresses_are_checked(void **state)
{
    static const struct refusal cases[] = {
        {"{\"listeners\":{\"80\":{\"pass\":\"routes\"}},\"routes\":[]}", "/listeners/80", "port"},
        {"{\"listeners\":{\"127.1:80\":{\"pass\":\"routes\"}},\"routes\":[]}",
         "/listeners/127.1:80", "\"127.1:80\""},
        {"{\"listeners\":{\"unix:\":{\"pass\":\"routes\"}},\"routes\":[]}",
         "/listeners/unix:", "path"},
        {"{\"listeners\":{\"*:0\":{\"pass\":\"routes\"}},\"routes\":[]}", "/listeners/*:0",
         "1 to 65535"},
    };

    refuse_all(state, cases);
}

static void
references_must_lead_somewhere(void **state)
{
    static const struct refusal cases[] = {
        {"{\"listeners\":{\"*:80\":{\"pass\":\"applications/a\"}}}", "/listeners/*:80/pass",
         "application \"a\", which does not exist"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes\"}}}", "/listeners/*:80/pass",
         "no array of routes"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes\"}},\"routes\":{\"a\":[]}}",
         "/listeners/*:80/pass", "no array of routes"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes/b\"}},\"routes\":{\"a\":[]}}",
         "/listeners/*:80/pass", "route \"b\""},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes/"
         "mian\"}},\"routes\":{\"main2\":[],\"min\":[]}}",
         "/listeners/*:80/pass", "route \"mian\", which does not exist; did you mean \"min\"?"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"applications/a%2Fblg\"}},\"applications\":{\"a/"
         "blog\":"
         "{\"type\":\"python\",\"module\":\"m\"}}}",
         "/listeners/*:80/pass",
         "application \"a/blg\", which does not exist; did you mean \"a/blog\"?"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x/$request_ur\"}}]}", "/routes/0/action/share",
         "Unknown variable \"$request_ur\"; did you mean \"$request_uri\"?"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x/$xyzzy\"}}]}", "/routes/0/action/share",
         "Unknown variable \"$xyzzy\"."},
        {"{\"applications\":{\"a\":{\"type\":\"pyton 3\"}}}", "/applications/a/type",
         "type \"pyton 3\" are not supported; did you mean \"python\"?"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes/0\"}},\"routes\":[]}", "/listeners/*:80/pass",
         "route \"0\""},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"nowhere\"}}}", "/listeners/*:80/pass",
         "no destination"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"\"}}}", "/listeners/*:80/pass", "empty part"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"upstreams/u\"}}}", "/listeners/*:80/pass",
         "no destination"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x\",\"fallback\":{\"pass\":"
         "\"applications/a\"}}}]}",
         "/routes/0/action/fallback/pass", "application \"a\""},
        {"{\"routes\":[{\"action\":{\"pass\":\"applications/a/t\"}}],\"applications\":{\"a\":"
         "{\"type\":\"python\",\"module\":\"m\"}}}",
         "/routes/0/action/pass", "no targets"},
        {"{\"listeners\":{\"*:80\":{\"pass\":\"routes/$nothing\"}}}", "/listeners/*:80/pass",
         "$nothing"},
    };

    refuse_all(state, cases);
}

static void
an_action_does_exactly_one_thing(void **state)
{
    static const struct refusal cases[] = {
        {"{\"routes\":[{\"action\":{}}]}", "/routes/0/action", "has none"},
        {"{\"routes\":[{\"action\":{\"return\":200,\"share\":\"/x\"}}]}", "/routes/0/action",
         "has two"},
        {"{\"routes\":[{\"action\":{\"return\":200,\"share\":\"/x\",\"pass\":\"routes\"}}]}",
         "/routes/0/action", "has three"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x\",\"fallback\":{}}}]}",
         "/routes/0/action/fallback", "has none"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x\",\"location\":\"/y\"}}]}",
         "/routes/0/action/location", "\"location\" is allowed only with \"return\""},
        {"{\"routes\":[{\"action\":{\"return\":200,\"index\":\"y\"}}]}", "/routes/0/action/index",
         "\"index\" is allowed only with \"share\""},
        {"{\"routes\":[{\"action\":{\"return\":200,\"types\":\"y\"}}]}", "/routes/0/action/types",
         "\"types\""},
        {"{\"routes\":[{\"action\":{\"return\":200,\"fallback\":{\"return\":1}}}]}",
         "/routes/0/action/fallback", "\"fallback\""},
        {"{\"routes\":[{\"action\":{\"share\":[]}}]}", "/routes/0/action/share", "at least one"},
    };

    refuse_all(state, cases);
}

static void
patterns_and_templates_are_compiled(void **state)
{
    static const struct refusal cases[] = {
        {"{\"routes\":[{\"match\":{\"uri\":\"~(\"},\"action\":{\"return\":1}}]}",
         "/routes/0/match/uri", "regular expression"},
        {"{\"routes\":[{\"match\":{\"uri\":[\"/a\",\"/b%\"]},\"action\":{\"return\":1}}]}",
         "/routes/0/match/uri/1", "element 1 of \"uri\""},
        {"{\"routes\":[{\"match\":{\"method\":\"a**\"},\"action\":{\"return\":1}}]}",
         "/routes/0/match/method", "**"},
        {"{\"routes\":[{\"match\":{\"host\":\"!**\"},\"action\":{\"return\":1}}]}",
         "/routes/0/match/host", "**"},
        {"{\"routes\":[{\"action\":{\"share\":\"/x\",\"types\":[\"a\",\"~[\"]}}]}",
         "/routes/0/action/types/1", "regular expression"},
        {"{\"routes\":[{\"action\":{\"share\":[\"/x\",\"/y$\"]}}]}", "/routes/0/action/share/1",
         "\"$\""},
        {"{\"routes\":[{\"action\":{\"return\":301,\"location\":\"$nothing\"}}]}",
         "/routes/0/action/location", "\"$nothing\""},
        {"{\"routes\":[{\"action\":{\"return\":301,\"location\":\"`x`\"}}]}",
         "/routes/0/action/location", "JavaScript"},
    };

    refuse_all(state, cases);
}

static void
applications_are_checked(void **state)
{
#define PYTHON(more) "{\"applications\":{\"a\":{\"type\":\"python\",\"module\":\"m\"," more "}}}"
    static const struct refusal cases[] = {
        {"{\"applications\":{\"a\":{\"type\":\"cobol\"}}}", "/applications/a/type",
         "type \"cobol\" are not supported"},
        {"{\"applications\":{\"a\":{\"type\":\"python 2\",\"module\":\"m\"}}}",
         "/applications/a/type", "No language module was found for type \"python 2\""},
        {"{\"applications\":{\"a\":{\"type\":\"\",\"module\":\"m\"}}}", "/applications/a/type",
         "must be a language"},
        {PYTHON("\"prefix\":\"a\""), "/applications/a/prefix", "must begin with \"/\""},
        {PYTHON("\"prefix\":\"/a\\u0000\""), "/applications/a/prefix", "NUL"},
        {PYTHON("\"protocol\":\"fastcgi\""), "/applications/a/protocol",
         "must be \"wsgi\", \"asgi\" or \"stream\", but is \"fastcgi\""},
        {PYTHON("\"threads\":0"), "/applications/a/threads", "from 1"},
        {PYTHON("\"factory\":1"), "/applications/a/factory", "a boolean"},
        {PYTHON("\"thread_stack_size\":32767"), "/applications/a/thread_stack_size", "from 32768"},
        {PYTHON("\"thread_stack_size\":65537"), "/applications/a/thread_stack_size",
         "must be a multiple of"},
        {PYTHON("\"targets\":{\"t\":{\"module\":\"m\"}}"), "/applications/a/module",
         "\"module\" is not allowed with \"targets\""},
        {PYTHON("\"processes\":{\"spare\":2}"), "/applications/a/processes/spare",
         "\"spare\" must not be greater than that of \"max\", which is 1"},
        {PYTHON("\"processes\":{\"max\":3,\"spare\":4}"), "/applications/a/processes/spare",
         "is 3"},
        {PYTHON("\"environment\":{\"\":\"x\"}"), "/applications/a/environment/", "empty"},
        {PYTHON("\"environment\":{\"A=B\":\"x\"}"), "/applications/a/environment/A=B", "\"=\""},
        {PYTHON("\"environment\":{\"A\":\"x\\u0000\"}"), "/applications/a/environment/A", "NUL"},
        {PYTHON("\"user\":\"\""), "/applications/a/user", "empty"},
        {PYTHON("\"home\":\"/a\\u0000b\""), "/applications/a/home", "NUL"},
        {PYTHON("\"path\":[\"/a\",\"\\u0000\"]"), "/applications/a/path/1", "NUL"},
        {"{\"applications\":{\"a\\u0000\":{\"type\":\"python\",\"module\":\"m\"}}}",
         "/applications/a\xef\xbf\xbd", "NUL"},
    };
#undef PYTHON

    refuse_all(state, cases);
}

static void
targets_are_checked(void **state)
{
#define TARGETS(targets, more) \
    "{\"applications\":{\"a\":{\"type\":\"python\",\"targets\":{" targets "}" more "}}}"
#define TO(pass)                                         \
    "{\"listeners\":{\"*:80\":{\"pass\":\"" pass "\"}}," \
    "\"applications\":{\"a\":{\"type\":\"python\",\"targets\":{\"main\":{\"module\":\"m\"}}}}}"
    static const struct refusal cases[] = {
        {TARGETS("", ""), "/applications/a/targets", "1 to 254 targets, but there are 0"},
        {TARGETS("\"\":{\"module\":\"m\"}", ""), "/applications/a/targets/", "must not be empty"},
        {TARGETS("\"t\":{}", ""), "/applications/a/targets/t",
         "The option \"module\" of \"t\" is missing"},
        {TARGETS("\"t\":{\"module\":\"m\",\"root\":\"/\"}", ""), "/applications/a/targets/t/root",
         "Unknown option \"root\""},
        {TARGETS("\"t\":{\"module\":\"m\"}", ",\"callable\":\"c\""), "/applications/a/callable",
         "not allowed with \"targets\""},
        {TO("applications/a/mian"), "/listeners/*:80/pass", "did you mean \"main\"?"},
    };

    refuse_all(state, cases);
    accept(*state, TO("applications/a/main"));
    accept(*state, TO("applications/a"));
#undef TARGETS
#undef TO
}

static void
mime_types_are_checked(void **state)
{
#define MIME(types) "{\"settings\":{\"http\":{\"static\":{\"mime_types\":{" types "}}}}}"
#define MIME_AT     "/settings/http/static/mime_types/"
    static const struct refusal cases[] = {
        {MIME("\"a/b\":\"\""), MIME_AT "a~1b", "must not be empty"},
        {MIME("\"a/b\":[\".x\",\"\"]"), MIME_AT "a~1b/1", "must not be empty"},
        {MIME("\"a/b\":[\".x\",\".X\"]"), MIME_AT "a~1b/1", "\".X\" is given twice"},
        {MIME("\"a/b\":\".x\",\"c/d\":\".x\""), MIME_AT "c~1d", "twice"},
        {MIME("\"a/b\":1"), MIME_AT "a~1b", "a string or an array of strings"},
    };
#undef MIME
#undef MIME_AT

    refuse_all(state, cases);
}

static void
the_access_log_needs_a_path(void **state)
{
    static const struct refusal cases[] = {
        {"{\"access_log\":\"\"}", "/access_log", "empty"},
        {"{\"access_log\":{\"path\":\"\"}}", "/access_log/path", "empty"},
        {"{\"access_log\":{\"path\":\"/x\",\"fromat\":\"x\"}}", "/access_log/fromat", "Unknown"},
    };
    struct json *root = json_new(*state, JSON_OBJECT);
    struct conf_fault fault = {.offset = 0};
    char path[600];

    refuse_all(state, cases);
    memset(path, 'x', sizeof path);
    json_add(root, SLICE("access_log"), json_new_string(*state, slice_make(path, sizeof path)));
    assert_int_equal(validate(*state, root, &modules, &fault), -EBADMSG);
    assert_non_null(strstr(fault.err.text, "longer"));
}

static void
the_offset_is_of_what_is_wrong(void **state)
{
    struct conf_fault fault = {.offset = 0};

    assert_int_equal(validate(*state, tree_of(*state, "{\"listeners\": {\"*:80\": {\"pass\": 5}}}"),
                              NULL, &fault),
                     -EBADMSG);
    assert_int_equal(fault.offset, 32);
    assert_int_equal(
        validate(*state, tree_of(*state, "{\"routes\":[], \"nope\": 1}"), NULL, &fault), -EBADMSG);
    assert_int_equal(fault.offset, 14);
}

/* What a PUT brought has places in its text; what was there before has none. */
static void
values_of_an_older_text_have_no_offset(void **state)
{
    struct json *old = json_copy(*state, tree_of(*state, "{\"access_log\":\"\"}"));
    struct conf_fault fault = {.offset = 0};

    assert_int_equal(validate(*state, old, NULL, &fault), -EBADMSG);
    assert_int_equal(fault.offset, JSON_NOWHERE);
    assert_string_equal(fault.path, "/access_log");
}

static void
without_modules_any_version_will_do(void **state)
{
    struct conf_fault fault = {.offset = 0};
    const char *text = "{\"applications\":{\"a\":{\"type\":\"python 2\",\"module\":\"m\"}}}";

    assert_int_equal(validate(*state, tree_of(*state, text), NULL, &fault), 0);
}

static void
long_names_are_cut_in_sentences(void **state)
{
    struct json *root = json_new(*state, JSON_OBJECT);
    struct conf_fault fault = {.offset = 0};
    char name[5000];

    for (size_t i = 0; i < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    json_add(root, slice_make(name, sizeof name), json_new(*state, JSON_NULL));
    assert_int_equal(validate(*state, root, NULL, &fault), -EBADMSG);
    assert_true(strlen(fault.err.text) < 200);
    assert_non_null(strstr(fault.err.text, "\xc3\xa9...\""));
    assert_true(fault.has_path); /* of the parent: a part of the name would be another */
    assert_string_equal(fault.path, "");
}

static void
the_longest_path_ends_with_a_whole_name(void **state)
{
    struct conf_fault fault = {.offset = 0};
    char path[2048];

    (void)state;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    memcpy(path, "/a/b/", 5);
    conf_fault_set(&fault, -EBADMSG, 0, path, "no");
    assert_string_equal(fault.path, "/a/b");
    path[sizeof fault.path - 1] = '\0';
    conf_fault_set(&fault, -EBADMSG, 0, path, "no");
    assert_string_equal(fault.path, path);
}

static void
a_fault_can_be_set_from_outside(void **state)
{
    struct conf_fault fault = {.path = "/routes"};

    (void)state;
    assert_int_equal(conf_fault_set(&fault, -EADDRINUSE, JSON_NOWHERE, NULL, "cannot listen"),
                     -EADDRINUSE);
    assert_string_equal(fault.path, "/routes");
    assert_non_null(strstr(fault.err.text, "cannot listen"));
    conf_fault_set(&fault, -EBADMSG, 3, "/x", "so %s", "it is");
    assert_string_equal(fault.path, "/x");
    assert_int_equal(fault.offset, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        arena_test(small_configurations_are_accepted),
        arena_test(a_whole_configuration_is_accepted),
        arena_test(unknown_options_are_refused),
        arena_test(absent_options_are_refused),
        arena_test(absent_languages_are_refused),
        arena_test(a_listener_may_name_an_application),
        arena_test(missing_options_are_refused),
        arena_test(wrong_types_are_refused),
        arena_test(numbers_out_of_range_are_refused),
        arena_test(addresses_are_checked),
        arena_test(references_must_lead_somewhere),
        arena_test(an_action_does_exactly_one_thing),
        arena_test(patterns_and_templates_are_compiled),
        arena_test(applications_are_checked),
        arena_test(targets_are_checked),
        arena_test(mime_types_are_checked),
        arena_test(the_access_log_needs_a_path),
        arena_test(the_offset_is_of_what_is_wrong),
        arena_test(values_of_an_older_text_have_no_offset),
        arena_test(without_modules_any_version_will_do),
        arena_test(long_names_are_cut_in_sentences),
        arena_test(the_longest_path_ends_with_a_whole_name),
        arena_test(a_fault_can_be_set_from_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
