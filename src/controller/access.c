/*
 * access.c - who may use the control API: lists of users and groups, and tokens.
 *
 *   --control-allow root,1000,@admin      an entry each; '@' before a group
 *   --control-read @monitor
 *   --control-token-file FILE             "full TOKEN" or "read TOKEN" a line, '#' comments
 *   --control-certificate FILE            TLS
 *   --control-client-ca FILE              whose clients show a certificate; lists then name these
 *
 * unix(7), SO_PEERCRED and SO_PEERGROUPS: who connected, as of connect(2).  RFC 6750: bearer
 * tokens.  A token is compared to its last byte whatever was found before, so that the time of an
 * answer tells nothing of it.
 */
#include "controller/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/access_files.h"
#include "tls/tls_context.h"

#define TOKEN_LEAST 16 /* bytes; shorter ones can be guessed */
#define GROUPS_MAX  1024
#define UNIX_PREFIX "unix:"

struct access_entry {
    enum access access;
    bool is_group;
    uint32_t id;       /* of a user or a group */
    struct slice name; /* in a certificate */
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
find_id(struct slice name, bool is_group, const char *word, uint32_t *ret_id)
{
    uint64_t id;

    if (slice_u64(name, &id) < 0 || id >= UINT32_MAX)
        return is_group ? find_group(word, ret_id) : find_user(word, ret_id);
    *ret_id = (uint32_t)id;
    return 0;
}

static int
read_entry(struct access_rules *rules, const char *option, enum access access, struct slice text,
           struct br_err *err)
{
    bool is_group = !rules->by_network && slice_starts(text, SLICE("@"));
    struct slice name = is_group ? slice_sub(text, 1, text.n) : text;
    struct access_entry entry = {.access = access, .is_group = is_group, .name = name};
    const char *word = arena_cstr(&rules->arena, name);
    int rc = 0;

    if (name.n == 0)
        return br_fail(err, -EBADMSG, "%s: a name is missing in the list", option);
    if (!rules->by_network) /* else the certificate has it */
        rc = find_id(name, is_group, word, &entry.id);
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
read_tokens(struct access_rules *rules, const struct access_files *files, struct br_err *err)
{
    struct slice text;
    int rc = access_files_read(files, ACCESS_TOKENS, &text, err);

    if (rc == 0 && text.p != NULL)
        rc = read_lines(rules, arena_dup(&rules->arena, text), err);
    access_files_wipe(text);
    return rc;
}

/* --- TLS --- */

/* One file into the context. */
static int
take_pem(struct access_rules *rules, const struct settings *settings,
         const struct access_files *files, enum access_file which, struct br_err *err)
{
    struct slice pem;
    int rc = access_files_read(files, which, &pem, err);

    if (rc < 0 || pem.p == NULL)
        return rc;
    rc = which == ACCESS_CERTIFICATE ? tls_context_bundle(rules->tls, pem, err)
                                     : tls_context_ca(rules->tls, pem, err);
    access_files_wipe(pem);
    if (rc < 0)
        br_fail(err, rc, "%s \"%s\"", access_file_title(which), access_file_path(settings, which));
    return rc;
}

static int
read_pems(struct access_rules *rules, const struct settings *settings,
          const struct access_files *files, struct br_err *err)
{
    int rc;

    if (files->fd[ACCESS_CERTIFICATE] < 0)
        return 0;
    rules->tls = tls_context_server();
    rc = take_pem(rules, settings, files, ACCESS_CERTIFICATE, err);
    if (rc == 0)
        rc = take_pem(rules, settings, files, ACCESS_CLIENT_CA, err);
    rules->by_certificate = rc == 0 && files->fd[ACCESS_CLIENT_CA] >= 0;
    return rc;
}

/* --- rules --- */

int
access_init(struct access_rules *rules, const struct settings *settings,
            const struct access_files *files, struct br_err *err)
{
    const char *control = settings->control != NULL ? settings->control : "";
    bool is_unix = slice_starts(slice_cstr(control), SLICE(UNIX_PREFIX));
    int rc;

    *rules = (struct access_rules){
        .main_uid = settings->privileged ? 0 : geteuid(),
        .by_mode = is_unix && control[sizeof(UNIX_PREFIX) - 1] != '@',
        .by_network = !is_unix,
    };
    arena_init(&rules->arena, 0);
    rules->entries = arena_array(&rules->arena, struct access_entry,
                                 count_entries(settings->control_allow) +
                                     count_entries(settings->control_read) + 2);
    rc = read_list(rules, "--control-allow", settings->control_allow, ACCESS_FULL, err);
    if (rc == 0)
        rc = read_list(rules, "--control-read", settings->control_read, ACCESS_READ, err);
    if (rc == 0 && is_unix && !rules->listed && settings->control_user != NULL)
        rc = read_entry(rules, "--control-user", ACCESS_FULL, slice_cstr(settings->control_user),
                        err);
    if (rc == 0)
        rc = read_tokens(rules, files, err);
    if (rc == 0)
        rc = read_pems(rules, settings, files, err);
    return rc;
}

void
access_done(struct access_rules *rules)
{
    tls_context_free(rules->tls);
    rules->tls = NULL;
    arena_done(&rules->arena);
}

static int
check_unix(const struct settings *settings, struct br_err *err)
{
    const char *option = settings->control_tokens != NULL        ? "--control-token-file"
                         : settings->control_certificate != NULL ? "--control-certificate"
                         : settings->control_client_ca != NULL   ? "--control-client-ca"
                                                                 : NULL;

    if (option == NULL)
        return 0;
    return br_fail(err, -EBADMSG,
                   "%s is for TCP control addresses: a Unix socket knows the user; see "
                   "--control-allow",
                   option);
}

static int
check_network(const struct access_rules *rules, const struct settings *settings, struct br_err *err)
{
    if (settings->control_client_ca != NULL && settings->control_certificate == NULL)
        return br_fail(err, -EBADMSG,
                       "--control-client-ca needs --control-certificate: clients show theirs to a "
                       "server that shows its own");
    if (rules->n_tokens == 0 && !rules->by_certificate)
        return br_fail(err, -EBADMSG,
                       "--control %s can be reached by anybody who has an account here, or "
                       "further away: it needs --control-token-file, or --control-certificate and "
                       "--control-client-ca",
                       settings->control);
    if (rules->listed && !rules->by_certificate)
        return br_fail(err, -EBADMSG,
                       "--control-allow and --control-read are for Unix sockets and client "
                       "certificates: of another TCP connection nobody knows the user");
    if (rules->listed && rules->n_tokens > 0)
        return br_fail(err, -EBADMSG,
                       "with --control-token-file each token says what it is for: "
                       "--control-allow and --control-read say nothing more");
    return 0;
}

int
access_check(const struct settings *settings, struct br_err *err)
{
    struct access_files files = ACCESS_FILES_NONE;
    struct access_rules rules;
    int rc = access_files_open(settings, &files, err);

    if (rc < 0)
        return rc;
    rc = access_init(&rules, settings, &files, err);
    if (rc == 0)
        rc = rules.by_network ? check_network(&rules, settings, err) : check_unix(settings, err);
    access_done(&rules);
    access_files_close(&files);
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

enum access
access_of_name(const struct access_rules *rules, struct slice name)
{
    enum access most = rules->listed ? ACCESS_NONE : ACCESS_FULL;

    for (size_t i = 0; i < rules->n_entries; i++)
        if (slice_eq(rules->entries[i].name, name))
            most = br_max(most, rules->entries[i].access);
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
