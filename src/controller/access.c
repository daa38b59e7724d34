/*
 * access.c - who may use the control API: lists of users and groups, and tokens.
 *
 *   --control-allow root,1000,@admin      an entry each; '@' before a group
 *   --control-read @monitor
 *   --control-token-file FILE             "full TOKEN" or "read TOKEN" a line, '#' comments
 *
 * unix(7), SO_PEERCRED and SO_PEERGROUPS: who connected, as of connect(2).  RFC 6750: bearer
 * tokens.  A token is compared to its last byte whatever was found before, so that the time of an
 * answer tells nothing of it.
 */
#include "controller/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define TOKENS_BYTES_MAX (1024u * 1024)
#define TOKEN_LEAST      16 /* bytes; shorter ones can be guessed */
#define GROUPS_MAX       1024
#define UNIX_PREFIX      "unix:"

struct access_entry {
    enum access access;
    bool is_group;
    uint32_t id;
};

struct access_token {
    enum access access;
    struct slice text;
};

/* --- lists --- */

static int
find_user(const char *name, uint32_t *ret_id)
{
    const struct passwd *user = getpwnam(name);

    if (user == NULL)
        return -ENOENT;
    *ret_id = user->pw_uid;
    return 0;
}

static int
find_group(const char *name, uint32_t *ret_id)
{
    const struct group *group = getgrnam(name);

    if (group == NULL)
        return -ENOENT;
    *ret_id = group->gr_gid;
    return 0;
}

static int
read_entry(struct access_rules *rules, const char *option, enum access access, struct slice text,
           struct br_err *err)
{
    bool is_group = slice_starts(text, SLICE("@"));
    struct slice name = is_group ? slice_sub(text, 1, text.n) : text;
    struct access_entry entry = {.access = access, .is_group = is_group};
    const char *word = arena_cstr(&rules->arena, name);
    uint64_t id;
    int rc = 0;

    if (name.n == 0)
        return br_fail(err, -EBADMSG, "%s: a name is missing in the list", option);
    if (slice_u64(name, &id) == 0 && id < UINT32_MAX)
        entry.id = (uint32_t)id;
    else
        rc = is_group ? find_group(word, &entry.id) : find_user(word, &entry.id);
    if (rc < 0)
        return br_fail(err, -EBADMSG, "%s: there is no %s \"%s\"", option,
                       is_group ? "group" : "user", word);
    rules->entries[rules->n_entries++] = entry;
    return 0;
}

static size_t
count_entries(const char *list)
{
    size_t n = list != NULL;

    for (; list != NULL && *list != '\0'; list++)
        n += *list == ',';
    return n;
}

static int
read_list(struct access_rules *rules, const char *option, const char *list, enum access access,
          struct br_err *err)
{
    struct slice rest, text;
    int rc = 0;

    if (list == NULL)
        return 0;
    rules->listed = true;
    rest = slice_cstr(list);
    while (rc == 0 && slice_split(&rest, ',', &text))
        rc = read_entry(rules, option, access, text, err);
    return rc;
}

/* --- tokens --- */

/* RFC 6750, 2.1: b64token. */
static bool
is_token(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("-._~+/=", c) == NULL))
            return false;
    }
    return text.n >= TOKEN_LEAST;
}

static int
read_token(struct access_rules *rules, struct slice line, unsigned number, struct br_err *err)
{
    size_t space = slice_find(line, 0, ' ');
    struct slice role = slice_sub(line, 0, space);
    struct access_token token = {
        .access = slice_eq(role, SLICE("full"))   ? ACCESS_FULL
                  : slice_eq(role, SLICE("read")) ? ACCESS_READ
                                                  : ACCESS_NONE,
        .text = slice_trim(slice_sub(line, space, line.n)),
    };

    if (token.access == ACCESS_NONE)
        return br_fail(err, -EBADMSG, "token file, line %u: not \"full TOKEN\" or \"read TOKEN\"",
                       number);
    if (!is_token(token.text))
        return br_fail(err, -EBADMSG,
                       "token file, line %u: a token has at least %d letters, digits and -._~+/=",
                       number, TOKEN_LEAST);
    rules->tokens[rules->n_tokens++] = token;
    return 0;
}

static int
read_lines(struct access_rules *rules, struct slice text, struct br_err *err)
{
    struct slice line;
    unsigned number = 0;
    int rc = 0;

    rules->tokens = arena_array(&rules->arena, struct access_token, text.n / TOKEN_LEAST + 1);
    while (rc == 0 && slice_split(&text, '\n', &line)) {
        number++;
        line = slice_trim(line);
        if (line.n > 0 && line.p[0] != '#')
            rc = read_token(rules, line, number, err);
    }
    if (rc == 0 && rules->n_tokens == 0)
        rc = br_fail(err, -EBADMSG, "there is no token in the token file");
    return rc;
}

static int
read_tokens(struct access_rules *rules, int fd, struct br_err *err)
{
    char *text;
    size_t n;
    int rc = fd_read_file(fd, TOKENS_BYTES_MAX, &text, &n);

    if (rc < 0)
        return br_fail(err, rc, "cannot read the token file");
    rc = read_lines(rules, arena_dup(&rules->arena, slice_make(text, n)), err);
    free(text);
    return rc;
}

int
access_open_tokens(const struct settings *settings, int *ret_fd, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    const char *path = settings->control_tokens;
    struct stat st;

    if (path == NULL)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return br_fail(err, -errno, "cannot open token file \"%s\"", path);
    if (!S_ISREG(st.st_mode))
        return br_fail(err, -EBADMSG, "token file \"%s\" is no regular file", path);
    if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
        return br_fail(
            err, -EBADMSG,
            "token file \"%s\" has mode %04o: others may read or write it; use chmod 600", path,
            st.st_mode & 07777);
    *ret_fd = fd_take(&fd);
    return 0;
}

/* --- rules --- */

int
access_init(struct access_rules *rules, const struct settings *settings, int token_fd,
            struct br_err *err)
{
    const char *control = settings->control != NULL ? settings->control : "";
    bool is_unix = slice_starts(slice_cstr(control), SLICE(UNIX_PREFIX));
    int rc;

    *rules = (struct access_rules){
        .main_uid = settings->privileged ? 0 : geteuid(),
        .by_mode = is_unix && control[sizeof(UNIX_PREFIX) - 1] != '@',
        .by_tokens = !is_unix,
    };
    arena_init(&rules->arena, 0);
    rules->entries = arena_array(&rules->arena, struct access_entry,
                                 count_entries(settings->control_allow) +
                                     count_entries(settings->control_read) + 2);
    rc = read_list(rules, "--control-allow", settings->control_allow, ACCESS_FULL, err);
    if (rc == 0)
        rc = read_list(rules, "--control-read", settings->control_read, ACCESS_READ, err);
    if (rc == 0 && !rules->listed && settings->control_user != NULL)
        rc = read_entry(rules, "--control-user", ACCESS_FULL, slice_cstr(settings->control_user),
                        err);
    if (rc == 0 && token_fd >= 0)
        rc = read_tokens(rules, token_fd, err);
    return rc;
}

void
access_done(struct access_rules *rules)
{
    arena_done(&rules->arena);
}

static int
check_kind(const struct access_rules *rules, const struct settings *settings, struct br_err *err)
{
    if (rules->by_tokens && rules->n_tokens == 0)
        return br_fail(err, -EBADMSG,
                       "--control %s can be reached by anybody who has an account here, or "
                       "further away: it needs --control-token-file",
                       settings->control);
    if (rules->by_tokens && rules->listed)
        return br_fail(err, -EBADMSG,
                       "--control-allow and --control-read are for Unix sockets: of a TCP "
                       "connection nobody knows the user");
    if (!rules->by_tokens && rules->n_tokens > 0)
        return br_fail(err, -EBADMSG,
                       "--control-token-file is for TCP control addresses: a Unix socket knows "
                       "the user; see --control-allow");
    return 0;
}

int
access_check(const struct settings *settings, struct br_err *err)
{
    br_cleanup(fd_closep) int fd = -1;
    struct access_rules rules;
    int rc = access_open_tokens(settings, &fd, err);

    if (rc < 0)
        return rc;
    rc = access_init(&rules, settings, fd, err);
    if (rc == 0)
        rc = check_kind(&rules, settings, err);
    access_done(&rules);
    return rc;
}

/* --- callers --- */

static bool
is_in_group(int fd, const struct ucred *who, uint32_t group)
{
    gid_t groups[GROUPS_MAX];
    socklen_t size = sizeof(groups);

    if (who->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

enum access
access_of_peer(const struct access_rules *rules, int fd, struct ucred *ret_who)
{
    socklen_t size = sizeof(*ret_who);
    enum access most = ACCESS_NONE;

    *ret_who = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_who, &size) < 0)
        return ACCESS_NONE;
    if (ret_who->uid == 0 || ret_who->uid == rules->main_uid || (rules->by_mode && !rules->listed))
        return ACCESS_FULL;
    for (size_t i = 0; i < rules->n_entries; i++) {
        const struct access_entry *e = &rules->entries[i];

        if (e->is_group ? is_in_group(fd, ret_who, e->id) : ret_who->uid == e->id)
            most = br_max(most, e->access);
    }
    return most;
}

/* In a time that depends on the length of `given` alone. */
static bool
is_same(struct slice token, struct slice given)
{
    volatile unsigned char differ = token.n != given.n;

    for (size_t i = 0; i < given.n; i++)
        differ |= (unsigned char)(given.p[i] ^ token.p[i % token.n]);
    return differ == 0;
}

enum access
access_of_token(const struct access_rules *rules, struct slice authorization)
{
    static const struct slice scheme = {"Bearer ", 7};
    enum access found = ACCESS_NONE;
    struct slice given;

    if (authorization.n < scheme.n || !slice_ieq(slice_sub(authorization, 0, scheme.n), scheme))
        return ACCESS_NONE;
    given = slice_trim(slice_sub(authorization, scheme.n, authorization.n));
    for (size_t i = 0; i < rules->n_tokens; i++)
        if (is_same(rules->tokens[i].text, given))
            found = br_max(found, rules->tokens[i].access);
    return found;
}
