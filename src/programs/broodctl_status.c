/*
 * broodctl_status.c - status: applications, processes and memory as tables; restart.
 *
 * An application's private memory is the sum over its workers; the shared part is mostly the same
 * pages, those of the prototype, so that the largest is shown and not a sum.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "programs/broodctl_change.h"
#include "programs/broodctl_http.h"
#include "programs/broodctl_out.h"

#define CLEAR_SCREEN "\033[H\033[J"

static const struct column app_columns[] = {
    {"APPLICATION", false}, {"RUNNING", true},  {"IDLE", true},    {"STARTING", true},
    {"ACTIVE", true},       {"REQUESTS", true}, {"PRIVATE", true}, {"SHARED", true},
};

static const struct column worker_columns[] = {
    {"APPLICATION", false}, {"PID", true},     {"STATE", false}, {"REQUESTS", true},
    {"START", true},        {"PRIVATE", true}, {"SHARED", true},
};

static void
number_cell(struct table *t, const struct json *value, const char *path)
{
    table_cell(t, PAINT_NONE, "%lld", (long long)json_member_int(value, path));
}

static void
add_app(struct table *t, const struct json *app)
{
    static const char *const processes[] = {"processes/running", "processes/idle",
                                            "processes/starting"};
    bool connections = json_member(app, "connections") != NULL; /* instead of requests */
    const struct json *workers = json_member(app, "workers");
    int64_t private_sum = 0, shared_most = 0;

    table_cell(t, PAINT_BOLD, SLICE_FMT, SLICE_ARG(app->name));
    for (size_t i = 0; i < array_len(processes); i++)
        number_cell(t, app, processes[i]);
    number_cell(t, app, connections ? "connections/active" : "requests/active");
    number_cell(t, app, connections ? "connections/accepted" : "requests/total");
    if (workers != NULL) {
        json_foreach(w, workers)
        {
            private_sum += json_member_int(w, "memory/private");
            shared_most = br_max(shared_most, json_member_int(w, "memory/shared"));
        }
    }
    table_bytes(t, private_sum);
    table_bytes(t, shared_most);
}

static void
add_worker(struct table *t, const struct json *app, const struct json *w)
{
    struct slice word = out_text(json_member(w, "state"));

    table_cell(t, PAINT_NONE, SLICE_FMT, SLICE_ARG(app->name));
    number_cell(t, w, "pid");
    table_cell(t, out_state_paint(word), SLICE_FMT, SLICE_ARG(word));
    number_cell(t, w, json_member(w, "connections") != NULL ? "connections" : "requests");
    table_cell(t, PAINT_NONE, "%lld ms", (long long)json_member_int(w, "start_ms"));
    table_bytes(t, json_member_int(w, "memory/private"));
    table_bytes(t, json_member_int(w, "memory/shared"));
}

static void
print_applications(struct arena *a, const struct json *applications)
{
    struct table apps, workers;

    table_init(&apps, a, app_columns, array_len(app_columns));
    table_init(&workers, a, worker_columns, array_len(worker_columns));
    json_foreach(app, applications)
    {
        const struct json *list = json_member(app, "workers");

        add_app(&apps, app);
        if (list == NULL)
            continue;
        json_foreach(w, list)
        {
            add_worker(&workers, app, w);
        }
    }
    if (apps.first != NULL) {
        putchar('\n');
        table_print(&apps);
    }
    if (workers.first != NULL) {
        putchar('\n');
        table_print(&workers);
    }
}

/* One that failed is news until the next one. */
static void
print_upgrade(const struct json *upgrade)
{
    const struct json *reason = upgrade != NULL ? json_member(upgrade, "reason") : NULL;

    if (reason != NULL)
        printf("last upgrade failed: " SLICE_FMT "\n", SLICE_ARG(out_text(reason)));
}

static void
print_status(struct arena *a, const struct json *status)
{
    const struct json *applications = json_member(status, "applications");

    printf("connections: %lld accepted, %lld active, %lld idle, %lld closed\n",
           (long long)json_member_int(status, "connections/accepted"),
           (long long)json_member_int(status, "connections/active"),
           (long long)json_member_int(status, "connections/idle"),
           (long long)json_member_int(status, "connections/closed"));
    printf("requests: %lld\n", (long long)json_member_int(status, "requests/total"));
    print_upgrade(json_member(status, "upgrade"));
    if (applications != NULL)
        print_applications(a, applications);
}

static enum ctl_exit
show_once(struct ctl *ctl, struct arena *a)
{
    struct ctl_answer answer;
    enum ctl_exit code = http_get(ctl, a, "/status", &answer);

    if (code != CTL_OK)
        return code;
    if (ctl->watch_ms > 0 && out_is_terminal())
        fputs(CLEAR_SCREEN, stdout);
    if (ctl->json || answer.value == NULL)
        out_body(answer.body);
    else
        print_status(a, answer.value);
    fflush(stdout);
    return CTL_OK;
}

static void
wait_ms(int ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

enum ctl_exit
ctl_status(struct ctl *ctl, br_unused int n, br_unused char **words)
{
    for (;;) {
        struct arena turn;
        enum ctl_exit code;

        arena_init(&turn, 0);
        code = show_once(ctl, &turn);
        arena_done(&turn);
        if (code != CTL_OK || ctl->watch_ms == 0)
            return code;
        wait_ms(ctl->watch_ms);
        if (!out_is_terminal() && !ctl->json)
            putchar('\n');
    }
}

enum ctl_exit
ctl_restart(struct ctl *ctl, br_unused int n, char **words)
{
    struct arena *a = &ctl->arena;
    struct ctl_request request = {
        .method = "POST",
        .target = arena_printf(a, "/control/applications/%s/restart", http_segment(a, words[0])),
    };
    struct ctl_answer answer;

    return change_make(ctl, &request, NULL, &answer);
}
