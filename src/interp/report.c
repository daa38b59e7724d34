/*
 * report.c - --list, --status, --explain, --kill, --help.
 *
 *   s* in the directory --query each--> rows
 */
#include "interp/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "interp/complaint.h"
#include "interp/memory.h"
#include "interp/query.h"

#define WAIT_MS 10000

static const char *
state_of(enum query_outcome outcome)
{
    switch (outcome) {
    case QUERY_ANSWERED:
        return "up";
    case QUERY_DEAD:
        return "dead";
    case QUERY_FOREIGN:
        return "foreign";
    case QUERY_HUNG:
        return "hung";
    case QUERY_BARRED:
        return "barred";
    }
    return "?";
}

int
report_self(enum invocation_mode mode)
{
    if (mode == INVOKE_HELP)
        print_usage(stdout);
    else
        puts("prefork-interp of brood " BROOD_VERSION);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

static void
print_value(const char *text, const char *name, int width)
{
    const char *value = "-";
    int n = query_value(text, name, &value);

    printf("%-*.*s ", width, n < 0 ? 1 : n, value);
}

static void
print_row(const struct rundir *dir, const char *name)
{
    char *text = NULL;
    enum query_outcome outcome = query_server(dir, name, WAIT_MS, &text, NULL);
    const char *lines = text != NULL ? text : "";
    struct memory memory = {0};

    memory_add(&memory, lines);
    print_value(lines, "pid", 7);
    if (outcome == QUERY_ANSWERED)
        print_value(lines, "state", 7);
    else
        printf("%-7s ", state_of(outcome));
    print_value(lines, "calls", 8);
    print_value(lines, "running", 4);
    print_value(lines, "max", 4);
    print_value(lines, "age_s", 7);
    print_value(lines, "idle_s", 7);
    printf("%7llu %7llu ", (unsigned long long)memory.pss_kib,
           (unsigned long long)memory.private_kib);
    print_value(lines, "script", 1);
    printf("%s\n", name + 1);
    free(text);
}

static int
is_socket_name(const struct dirent *e)
{
    return e->d_name[0] == 's' && strcmp(e->d_name, "standing") != 0;
}

int
report_list(const struct rundir *dir)
{
    struct dirent **names;
    int n = scandirat(dir->fd, ".", &names, is_socket_name, alphasort);

    if (n < 0)
        return complain("cannot read directory \"%s\": %s", dir->path, strerror(errno));
    if (n > 0)
        puts("    PID STATE      CALLS  RUN  MAX   AGE_S  IDLE_S PSS_KIB OWN_KIB SCRIPT, IDENTITY");
    for (int i = 0; i < n; i++) {
        print_row(dir, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

int
report_status(const struct rundir *dir, const struct names *names)
{
    char *text = NULL;
    enum query_outcome outcome = query_server(dir, names->socket, WAIT_MS, &text, NULL);

    if (outcome != QUERY_ANSWERED) {
        printf("state=%s\n", state_of(outcome));
        return outcome == QUERY_DEAD ? 1 : 0;
    }
    printf("identity=%s\nsocket=%s/%s\n%s", names->socket + 1, dir->path, names->socket, text);
    free(text);
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

/* One field of the identity, as a line. */
static void
print_field(br_unused void *arg, char what, const void *p, size_t n)
{
    const unsigned char *bytes = p;
    bool text = n > 0 && bytes[n - 1] == '\0';

    for (size_t i = 0; text && i + 1 < n; i++)
        text = bytes[i] >= 0x20 && bytes[i] != 0x7f;
    printf("  %c ", what != '\0' ? what : '-');
    if (text)
        fputs(p, stdout);
    for (size_t i = 0; !text && i < n && i < 64; i++)
        printf("%02x", bytes[i]);
    putchar('\n');
}

static void
print_verdict(enum query_outcome outcome, const char *lines)
{
    const char *value = NULL;
    int n;

    switch (outcome) {
    case QUERY_DEAD:
        puts("no server runs under this identity: a call would start one");
        return;
    case QUERY_FOREIGN:
        puts("a server of the original library runs: a call would use it, unless it is stale");
        return;
    case QUERY_HUNG:
        puts("its server answers no question: a call would kill and replace it");
        return;
    case QUERY_BARRED:
        puts("its socket cannot be used: a call would run the interpreter directly");
        return;
    case QUERY_ANSWERED:
        break;
    }
    n = query_value(lines, "stale", &value);
    if (n >= 0)
        printf("its server is stale: a call would start another, because %.*s has changed\n", n,
               value);
    else
        puts("a call would be answered by the running server");
}

int
report_explain(const struct invocation *inv, char **environ_, const struct rundir *dir,
               const struct names *names)
{
    char *text = NULL;
    enum query_outcome outcome = query_server(dir, names->socket, WAIT_MS, &text, NULL);
    int rc;

    printf("identity %s\nsocket   %s/%s\n", names->socket + 1, dir->path, names->socket);
    print_verdict(outcome, text != NULL ? text : "");
    free(text);
    if (inv->ident != NULL) {
        puts("the identity was given with -g");
        return 0;
    }
    puts("the identity is made of");
    rc = identity_fields(inv, environ_, print_field, NULL);
    return rc < 0 ? complain("cannot compute the identity: %s", strerror(-rc)) : 0;
}

int
report_kill(const struct rundir *dir, const struct names *names, struct br_err *err)
{
    br_cleanup(fd_closep) int lock = lock_take(dir, names->lock, true, err);

    if (lock < 0)
        return complain("%s", err->text);
    if ((unlinkat(dir->fd, names->socket, 0) < 0 && errno != ENOENT) ||
        (unlinkat(dir->fd, names->lock, 0) < 0 && errno != ENOENT))
        return complain("cannot remove \"%s/%s\": %s", dir->path, names->socket, strerror(errno));
    return 0;
}
