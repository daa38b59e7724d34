/*
 * broodctl_certs.c - certificate bundles: a table of them, upload, delete.
 *
 *   broodctl certificates                       name, key, subject, names, end
 *   broodctl certificates put NAME FILE...      chain.pem key.pem: joined in this order
 *   broodctl certificates delete NAME
 *
 * A bundle is one text (leaf, intermediates, key); certificate authorities and clients of ACME
 * write several files.
 */
#include <string.h>

#include "base/buf.h"
#include "programs/broodctl_http.h"
#include "programs/broodctl_input.h"
#include "programs/broodctl_out.h"

#define BYTES_MAX (16u * 1024 * 1024)
#define SOON_DAYS 21 /* from here on the end is shown in another colour */

static const char *
text_at(struct arena *a, const struct json *value, const char *path)
{
    const struct json *member = json_member(value, path);

    if (member == NULL || member->type != JSON_STRING)
        return NULL;
    return arena_cstr(a, member->text);
}

/* "a.example *.a.example 192.0.2.1", or the common name. */
static const char *
names_of(struct arena *a, const struct json *subject)
{
    static const char *const lists[] = {"alt_names", "ip_names"};
    const char *common = text_at(a, subject, "common_name");
    const char *names = NULL;

    for (size_t i = 0; i < array_len(lists); i++) {
        const struct json *list = json_member(subject, lists[i]);

        for (const struct json *name = list != NULL ? list->first : NULL; name != NULL;
             name = name->next)
            names = arena_printf(a, "%s%s" SLICE_FMT, names != NULL ? names : "",
                                 names != NULL ? " " : "", SLICE_ARG(name->text));
    }
    if (names == NULL)
        names = common;
    return names != NULL ? names : "-";
}

static enum paint
end_paint(int64_t days)
{
    if (days < 0)
        return PAINT_RED;
    return days < SOON_DAYS ? PAINT_YELLOW : PAINT_NONE;
}

static void
add_row(struct table *t, const struct json *bundle)
{
    const struct json *chain = json_get(bundle, SLICE("chain"));
    const struct json *leaf = chain != NULL ? json_at(chain, 0) : NULL;
    int64_t days = json_member_int(leaf, "validity/days_left");
    const char *until = text_at(t->arena, leaf, "validity/until");
    const char *key = text_at(t->arena, bundle, "key");

    table_cell(t, PAINT_BOLD, SLICE_FMT, SLICE_ARG(bundle->name));
    table_cell(t, PAINT_NONE, "%s", key != NULL ? key : "-");
    table_cell(t, PAINT_NONE, "%u", chain != NULL ? chain->n : 0);
    table_cell(t, end_paint(days), "%s", until != NULL ? until : "-");
    table_cell(t, end_paint(days), "%lld", (long long)days);
    table_cell(t, PAINT_NONE, "%s", names_of(t->arena, json_member(leaf, "subject")));
}

static enum ctl_exit
list(struct ctl *ctl)
{
    static const struct column columns[] = {{"NAME", false},  {"KEY", false}, {"CHAIN", true},
                                            {"UNTIL", false}, {"DAYS", true}, {"FOR", false}};
    struct ctl_answer answer;
    struct table t;
    enum ctl_exit code = http_get(ctl, &ctl->arena, "/certificates", &answer);

    if (code != CTL_OK)
        return code;
    if (ctl->json) {
        out_body(answer.body);
        return CTL_OK;
    }
    if (answer.value == NULL || answer.value->type != JSON_OBJECT)
        return ctl_fail(CTL_UNREACHABLE, "the answer is no list of certificates");
    table_init(&t, &ctl->arena, columns, array_len(columns));
    json_foreach(bundle, answer.value) add_row(&t, bundle);
    table_print(&t);
    return CTL_OK;
}

/* A file may end without a line end, which the next one's first line needs. */
static enum ctl_exit
join(struct ctl *ctl, int n, char **paths, struct buf *to)
{
    for (int i = 0; i < n; i++) {
        const char *origin;
        struct slice text;
        enum ctl_exit code = input_read(&ctl->arena, paths[i], &text, &origin);

        if (code != CTL_OK)
            return code;
        buf_put(to, text);
        if (text.n > 0 && text.p[text.n - 1] != '\n')
            buf_putc(to, '\n');
    }
    return to->error == 0 ? CTL_OK : ctl_fail(CTL_REFUSED, "the files are too large");
}

static enum ctl_exit
change(struct ctl *ctl, const char *method, const char *name, struct slice body)
{
    const char *query = ctl->dry_run ? "?dry_run" : "";
    struct ctl_request request = {
        .method = method,
        .body = body,
        .target = arena_printf(
            &ctl->arena, "/certificates/%s%s%s%s", http_segment(&ctl->arena, name), query,
            ctl->replace ? (*query != '\0' ? "&" : "?") : "", ctl->replace ? "replace" : ""),
    };
    struct ctl_answer answer;
    enum ctl_exit code = http_ask(ctl, &ctl->arena, &request, &answer);

    if (code == CTL_OK)
        out_success(ctl, &answer);
    return code;
}

static enum ctl_exit
put(struct ctl *ctl, const char *name, int n, char **paths)
{
    enum ctl_exit code;
    struct buf pem;

    buf_init(&pem, BYTES_MAX);
    code = join(ctl, n, paths, &pem);
    if (code == CTL_OK)
        code = change(ctl, "PUT", name, buf_slice(&pem));
    buf_done(&pem);
    return code;
}

enum ctl_exit
ctl_certificates(struct ctl *ctl, int n, char **words)
{
    const char *verb = n > 0 ? words[0] : "list";

    if (strcmp(verb, "put") != 0 && ctl->replace)
        return ctl_fail(CTL_USAGE, "--replace belongs to \"certificates put\"");
    if (strcmp(verb, "list") == 0 && n <= 1)
        return list(ctl);
    if (strcmp(verb, "put") == 0 && n >= 3)
        return put(ctl, words[1], n - 2, words + 2);
    if (strcmp(verb, "delete") == 0 && n == 2)
        return change(ctl, "DELETE", words[1], SLICE_NONE);
    return ctl_fail(CTL_USAGE,
                    "usage: broodctl certificates [list | put NAME FILE... | delete NAME]");
}
