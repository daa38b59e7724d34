/*
 * broodctl_config.c - the commands that read and change the configuration as a whole text or a
 * part.
 *
 *   get PATH   put PATH FILE   append PATH FILE   delete PATH   apply FILE   diff FILE   check FILE
 *
 * Each change is one request, hence one transaction of the server: applied as a whole or not at
 * all.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf/json_write.h"
#include "programs/broodctl_change.h"
#include "programs/broodctl_diff.h"
#include "programs/broodctl_http.h"
#include "programs/broodctl_input.h"
#include "programs/broodctl_out.h"
#include "programs/check.h"

#define TEXT_BYTES_MAX (512u * 1024 * 1024)

static enum ctl_exit
get(struct ctl *ctl, const char *target)
{
    struct ctl_answer answer;
    enum ctl_exit code = http_get(ctl, &ctl->arena, target, &answer);

    if (code == CTL_OK)
        out_body(answer.body);
    return code;
}

static enum ctl_exit
change(struct ctl *ctl, const char *method, const char *target, struct slice body,
       const char *origin)
{
    struct ctl_request request = {
        .method = method, .target = target, .body = body, .origin = origin};
    struct ctl_answer answer;

    return change_make(ctl, &request, NULL, &answer);
}

static enum ctl_exit
send_file(struct ctl *ctl, const char *method, const char *target, const char *path)
{
    const char *origin;
    struct slice text;
    enum ctl_exit code = input_read(&ctl->arena, path, &text, &origin);

    return code == CTL_OK ? change(ctl, method, target, text, origin) : code;
}

enum ctl_exit
ctl_get(struct ctl *ctl, int n, char **words)
{
    return get(ctl, http_target(&ctl->arena, n > 0 ? words[0] : "/config"));
}

enum ctl_exit
ctl_put(struct ctl *ctl, int n, char **words)
{
    return send_file(ctl, "PUT", http_target(&ctl->arena, words[0]), n > 1 ? words[1] : NULL);
}

enum ctl_exit
ctl_append(struct ctl *ctl, int n, char **words)
{
    return send_file(ctl, "POST", http_target(&ctl->arena, words[0]), n > 1 ? words[1] : NULL);
}

enum ctl_exit
ctl_delete(struct ctl *ctl, br_unused int n, char **words)
{
    return change(ctl, "DELETE", http_target(&ctl->arena, words[0]), SLICE_NONE, NULL);
}

enum ctl_exit
ctl_apply(struct ctl *ctl, br_unused int n, char **words)
{
    return send_file(ctl, "PUT", "/config", words[0]);
}

/* What check finds, for --json. */
struct found {
    struct arena *arena;
    struct json *faults;
};

static void
add_text(struct found *f, struct json *object, struct slice name, const char *text)
{
    json_add(object, name, json_new_string(f->arena, arena_dup(f->arena, slice_cstr(text))));
}

static void
add_fault(void *arg, const char *place, const char *pointer, const char *what)
{
    struct found *f = arg;
    struct json *object = json_push(f->faults, json_new(f->arena, JSON_OBJECT));

    add_text(f, object, SLICE("place"), place);
    add_text(f, object, SLICE("path"), pointer);
    add_text(f, object, SLICE("detail"), what);
}

enum ctl_exit
ctl_check(struct ctl *ctl, br_unused int n, char **words)
{
    struct found f = {&ctl->arena, json_new(&ctl->arena, JSON_ARRAY)};
    const struct check_sink sink = {add_fault, &f};
    int rc = check_config(words[0], NULL, NULL, CHECK_BODY, ctl->json ? &sink : NULL);
    struct json *object;

    if (ctl->json) {
        object = json_new(&ctl->arena, JSON_OBJECT);
        json_add(object, SLICE("valid"), json_new_bool(&ctl->arena, rc == 0));
        json_add(object, SLICE("faults"), f.faults);
        out_json(object);
    }
    return rc == 0 ? CTL_OK : CTL_REFUSED;
}

enum ctl_exit
ctl_diff(struct ctl *ctl, br_unused int n, char **words)
{
    struct arena *a = &ctl->arena;
    struct ctl_answer answer;
    struct buf diff;
    struct json *value;
    const char *origin;
    bool differs;
    enum ctl_exit code = input_parse(a, words[0], &value, &origin);

    if (code == CTL_OK)
        code = http_get(ctl, a, "/config", &answer);
    if (code != CTL_OK)
        return code;
    if (answer.value == NULL)
        return ctl_fail(CTL_UNREACHABLE, "the server's configuration is not JSON");
    buf_init(&diff, TEXT_BYTES_MAX);
    differs = diff_json(a, answer.value, value, "running", origin, &diff);
    out_diff(ctl, differs, buf_slice(&diff));
    buf_done(&diff);
    return differs ? CTL_REFUSED : CTL_OK;
}

/* "broodctl /config/listeners < file": PUT when there is something to put. */
static enum ctl_exit
get_or_put(struct ctl *ctl, const char *target)
{
    const char *origin;
    struct slice text = SLICE_NONE;

    if (input_is_given()) {
        enum ctl_exit code = input_read(&ctl->arena, NULL, &text, &origin);

        if (code != CTL_OK)
            return code;
    }
    return text.n > 0 ? change(ctl, "PUT", target, text, origin) : get(ctl, target);
}

/* Before the first element: an array read, changed, and put back unless somebody else was there. */
static enum ctl_exit
insert(struct ctl *ctl, const char *target)
{
    struct arena *a = &ctl->arena;
    struct ctl_request request = {.method = "PUT", .target = target};
    struct ctl_answer answer;
    struct json *value, *array;
    struct buf b;
    enum ctl_exit code = input_parse(a, NULL, &value, &request.origin);

    if (code == CTL_OK)
        code = http_get(ctl, a, target, &answer);
    if (code != CTL_OK)
        return code;
    if (answer.value == NULL || answer.value->type != JSON_ARRAY)
        return ctl_fail(CTL_REFUSED, "\"%s\" is not an array", target);
    array = json_new(a, JSON_ARRAY);
    json_push(array, value);
    json_foreach(element, answer.value)
    {
        json_push(array, json_copy(a, element));
    }
    buf_init(&b, TEXT_BYTES_MAX);
    json_write(&b, array);
    request.body = arena_dup(a, buf_slice(&b));
    request.origin = NULL;
    request.if_match = answer.etag;
    buf_done(&b);
    return change_make(ctl, &request, NULL, &answer);
}

enum ctl_exit
ctl_path(struct ctl *ctl, int n, char **words)
{
    const char *target = http_target(&ctl->arena, words[0]);
    const char *method = n > 1 ? words[1] : NULL;

    if (n > 2)
        return ctl_fail(CTL_USAGE, "too many words behind \"%s\"", words[1]);
    if (method == NULL)
        return get_or_put(ctl, target);
    if (strcmp(method, "GET") == 0)
        return get(ctl, target);
    if (strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0)
        return send_file(ctl, method, target, NULL);
    if (strcmp(method, "DELETE") == 0)
        return change(ctl, method, target, SLICE_NONE, NULL);
    if (strcmp(method, "EDIT") == 0)
        return ctl_edit(ctl, 1, words);
    if (strcmp(method, "INSERT") == 0)
        return insert(ctl, target);
    return ctl_fail(CTL_USAGE, "GET, PUT, POST, DELETE, EDIT or INSERT, not \"%s\"", method);
}
