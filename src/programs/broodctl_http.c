/*
 * broodctl_http.c - what a command says to the brood it found, and what it makes of the answer.
 */
#include "programs/broodctl_http.h"

#include "programs/broodctl_find.h"
#include "programs/broodctl_out.h"

enum ctl_exit
http_judge(const struct ctl *ctl, const struct ctl_request *request,
           const struct ctl_answer *answer)
{
    if (answer->status / 100 == 2)
        return CTL_OK;
    if (ctl->json)
        out_body(answer->body);
    else
        out_refusal(answer, request->origin);
    return CTL_REFUSED;
}

enum ctl_exit
http_ask(struct ctl *ctl, struct arena *a, const struct ctl_request *request,
         struct ctl_answer *ret)
{
    struct br_err err = BR_ERR_NONE;

    if (ctl->control == NULL && find_control(&ctl->arena, &ctl->control, &err) < 0)
        return ctl_fail(CTL_UNREACHABLE, "%s", err.text);
    if (http_exchange(ctl, a, request, ret, &err) < 0)
        return ctl_fail(CTL_UNREACHABLE, "%s", err.text);
    return http_judge(ctl, request, ret);
}

enum ctl_exit
http_get(struct ctl *ctl, struct arena *a, const char *target, struct ctl_answer *ret)
{
    struct ctl_request request = {.method = "GET", .target = target};

    return http_ask(ctl, a, &request, ret);
}

const struct json *
json_member(const struct json *value, const char *path)
{
    struct slice rest = slice_cstr(path), name;

    while (value != NULL && slice_split(&rest, '/', &name))
        value = json_get(value, name);
    return value;
}

int64_t
json_member_int(const struct json *value, const char *path)
{
    const struct json *member = json_member(value, path);
    int64_t n;

    return member != NULL && json_integer(member, &n) == 0 ? n : 0;
}
