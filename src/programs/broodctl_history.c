/*
 * broodctl_history.c - the configurations that were kept, what each of them changed, and the way
 * back.
 *
 *   history        /history, and each text beside the one before it:  41  +3 -1
 *   history 41     what 41 changed, as a diff
 *   rollback [41]  diff from what is in force --> yes --> POST /history/41/apply, If-Match
 *
 * What is compared is also what the If-Match names: if somebody changes the configuration while the
 * question stands on the terminal, the answer does not undo it.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf/json.h"
#include "programs/broodctl_change.h"
#include "programs/broodctl_diff.h"
#include "programs/broodctl_input.h"
#include "programs/broodctl_out.h"

#define DIFF_BYTES_MAX (512u * 1024 * 1024)

struct history {
    struct ctl *ctl;
    const struct json *list; /* newest first */
    const struct json **texts;
    const struct json *present;
    struct slice present_tag;
};

static enum ctl_exit
get_value(struct ctl *ctl, const char *target, const struct json **ret_value, struct slice *ret_tag)
{
    struct ctl_answer answer;
    enum ctl_exit code = http_get(ctl, &ctl->arena, target, &answer);

    if (code == CTL_OK && answer.value == NULL)
        code = ctl_fail(CTL_UNREACHABLE, "%s: the answer is not JSON", target);
    if (code != CTL_OK)
        return code;
    *ret_value = answer.value;
    if (ret_tag != NULL)
        *ret_tag = answer.etag;
    return CTL_OK;
}

static const char *
version_target(struct ctl *ctl, int64_t number)
{
    return arena_printf(&ctl->arena, "/history/%lld", (long long)number);
}

static enum ctl_exit
read_history(struct ctl *ctl, struct history *h)
{
    enum ctl_exit code;
    size_t i = 0;

    *h = (struct history){.ctl = ctl};
    code = get_value(ctl, "/config", &h->present, &h->present_tag);
    if (code == CTL_OK)
        code = get_value(ctl, "/history", &h->list, NULL);
    if (code != CTL_OK)
        return code;
    h->texts = arena_array(&ctl->arena, const struct json *, (size_t)h->list->n + 1);
    json_foreach(version, h->list)
    {
        const char *target = version_target(ctl, json_member_int(version, "number"));

        if (code == CTL_OK)
            code = get_value(ctl, target, &h->texts[i++], NULL);
    }
    return code;
}

/* The place of the version in force: the newest with its text; the length of the list if none. */
static size_t
present_at(const struct history *h)
{
    size_t i = 0;

    while (i < h->list->n && !json_equal(h->texts[i], h->present))
        i++;
    return i;
}

/* What diffs call the version at i. */
static const char *
name_at(const struct history *h, size_t i)
{
    return arena_printf(&h->ctl->arena, "version %lld",
                        (long long)json_member_int(json_at(h->list, i), "number"));
}

/* How the version at i differs from the one before it, or from nothing. */
static void
diff_of(const struct history *h, size_t i, struct buf *ret)
{
    struct arena *a = &h->ctl->arena;
    const struct json *before = i + 1 < h->list->n ? h->texts[i + 1] : json_new(a, JSON_OBJECT);
    const char *old_name = i + 1 < h->list->n ? name_at(h, i + 1) : "nothing that was kept";

    diff_json(a, before, h->texts[i], old_name, name_at(h, i), ret);
}

static void
count_lines(struct slice diff, int64_t *ret_added, int64_t *ret_removed)
{
    struct slice line;
    size_t n = 0;

    *ret_added = *ret_removed = 0;
    while (slice_split(&diff, '\n', &line)) {
        if (n++ < 2) /* the names */
            continue;
        *ret_added += slice_starts(line, SLICE("+"));
        *ret_removed += slice_starts(line, SLICE("-"));
    }
}

/* "2026-11-24T20:15:00Z" to milliseconds before now; -1 when it is none. */
static int64_t
age_ms(struct slice text)
{
    char copy[32];
    struct tm tm = {0};

    if (text.n >= sizeof(copy))
        return -1;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
        return -1;
    return ((int64_t)time(NULL) - (int64_t)timegm(&tm)) * 1000;
}

/* How many lines the version at i added and removed; false: what was before it is not kept. */
static bool
lines_of(const struct history *h, size_t i, int64_t *ret_added, int64_t *ret_removed)
{
    struct buf diff;

    if (i + 1 >= h->list->n)
        return false;
    buf_init(&diff, DIFF_BYTES_MAX);
    diff_of(h, i, &diff);
    count_lines(buf_slice(&diff), ret_added, ret_removed);
    buf_done(&diff);
    return true;
}

static void
add_object(const struct history *h, struct json *array, size_t i)
{
    struct arena *a = &h->ctl->arena;
    struct json *object = json_push(array, json_copy(a, json_at(h->list, i)));
    int64_t added, removed;

    json_add(object, SLICE("in_force"), json_new_bool(a, i == present_at(h)));
    if (!lines_of(h, i, &added, &removed))
        return;
    json_add(object, SLICE("lines_added"), json_new_int(a, added));
    json_add(object, SLICE("lines_removed"), json_new_int(a, removed));
}

static void
add_row(const struct history *h, struct table *t, size_t i)
{
    const struct json *version = json_at(h->list, i);
    struct slice when = out_text(json_get(version, SLICE("time")));
    int64_t added, removed;

    table_cell(t, PAINT_BOLD, "%lld", (long long)json_member_int(version, "number"));
    table_cell(t, PAINT_NONE, SLICE_FMT, SLICE_ARG(when));
    table_age(t, age_ms(when));
    table_bytes(t, json_member_int(version, "size"));
    if (lines_of(h, i, &added, &removed))
        table_cell(t, PAINT_NONE, "+%lld -%lld", (long long)added, (long long)removed);
    else
        table_cell(t, PAINT_NONE, "-");
    table_cell(t, PAINT_GREEN, "%s", i == present_at(h) ? "in force" : "");
}

static void
print_list(const struct history *h)
{
    static const struct column columns[] = {{"NUMBER", true}, {"TIME", false},  {"AGE", true},
                                            {"SIZE", true},   {"LINES", false}, {"", false}};
    struct json *array = json_new(&h->ctl->arena, JSON_ARRAY);
    struct table t;

    table_init(&t, &h->ctl->arena, columns, array_len(columns));
    for (size_t i = 0; i < h->list->n; i++) {
        if (h->ctl->json)
            add_object(h, array, i);
        else
            add_row(h, &t, i);
    }
    if (h->ctl->json)
        out_json(array);
    else
        table_print(&t);
}

/* Its place in the list.  The word comes from the command line. */
static enum ctl_exit
find_version(const struct history *h, const char *word, size_t *ret_i)
{
    uint64_t number;
    size_t i = 0;

    if (slice_u64(slice_cstr(word), &number) < 0)
        return ctl_fail(CTL_USAGE, "not the number of a version: \"%s\"", word);
    json_foreach(version, h->list)
    {
        if ((uint64_t)json_member_int(version, "number") == number) {
            *ret_i = i;
            return CTL_OK;
        }
        i++;
    }
    return ctl_fail(CTL_REFUSED, "there is no version %s; see \"broodctl history\"", word);
}

enum ctl_exit
ctl_history(struct ctl *ctl, int n, char **words)
{
    struct history h;
    struct buf diff;
    size_t i = 0;
    enum ctl_exit code = read_history(ctl, &h);

    if (code == CTL_OK && n > 0)
        code = find_version(&h, words[0], &i);
    if (code != CTL_OK)
        return code;
    if (n == 0) {
        print_list(&h);
        return CTL_OK;
    }
    buf_init(&diff, DIFF_BYTES_MAX);
    diff_of(&h, i, &diff);
    out_diff(ctl, diff.n > 0, buf_slice(&diff));
    buf_done(&diff);
    return CTL_OK;
}

/* The version before the one in force. */
static enum ctl_exit
find_previous(const struct history *h, size_t *ret_i)
{
    size_t present = present_at(h);
    size_t i = present < h->list->n ? present + 1 : 0;

    if (i >= h->list->n)
        return ctl_fail(CTL_REFUSED, "nothing was kept from before the configuration in force");
    *ret_i = i;
    return CTL_OK;
}

/* Shows where it leads to; whether to go there. */
static bool
agrees(const struct history *h, size_t i)
{
    struct ctl *ctl = h->ctl;
    const struct json *version = json_at(h->list, i);
    bool ask = !ctl->yes && !ctl->dry_run && isatty(STDIN_FILENO) == 1;
    struct buf diff;

    if (ctl->json && !ask)
        return true;
    buf_init(&diff, DIFF_BYTES_MAX);
    if (!diff_json(&ctl->arena, h->present, h->texts[i], "in force", name_at(h, i), &diff))
        fputs("broodctl: that is what is in force\n", stderr);
    else if (!ctl->json)
        out_diff(ctl, true, buf_slice(&diff));
    buf_done(&diff);
    return !ask ||
           input_agrees(arena_printf(&ctl->arena, "Apply %s of " SLICE_FMT "?", name_at(h, i),
                                     SLICE_ARG(out_text(json_get(version, SLICE("time"))))),
                        false);
}

enum ctl_exit
ctl_rollback(struct ctl *ctl, int n, char **words)
{
    struct ctl_request request = {.method = "POST"};
    struct ctl_answer answer;
    struct history h;
    size_t i = 0;
    enum ctl_exit code = read_history(ctl, &h);

    if (code == CTL_OK)
        code = n > 0 ? find_version(&h, words[0], &i) : find_previous(&h, &i);
    if (code != CTL_OK)
        return code;
    if (!agrees(&h, i))
        return ctl_fail(CTL_REFUSED, "nothing was changed");
    request.target =
        arena_printf(&ctl->arena, "%s/apply",
                     version_target(ctl, json_member_int(json_at(h.list, i), "number")));
    request.if_match = h.present_tag;
    return change_make(ctl, &request, h.texts[i], &answer);
}
