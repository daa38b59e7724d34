/*
 * action_share.c - which file a share action means for this request (routing, 6.1).
 *
 *   each template of share:  text -> index, types -> cache or share_open -> 200 | 301 | 403 | 404 |
 * 500 403, 404: the next template; the last result counts 403, 404, 405: the fallback, if there is
 * one
 *
 * How the file is sent is file_send.c's business.
 */
#include "router/action_share.h"

#include <errno.h>

#include "base/clock.h"
#include "http/response.h"
#include "router/action.h"
#include "router/file_send.h"
#include "router/location.h"
#include "router/router.h"
#include "router/share_open.h"
#include "router/variables.h"

/* What came of one template. */
struct lookup {
    unsigned status; /* 200: file is set */
    struct file *file;
    const char *reason; /* with 500 */
};

static unsigned
status_of(int rc)
{
    switch (-rc) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ENXIO:
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EXDEV:
        return 403;
    default:
        return 500;
    }
}

static struct lookup
open_file(struct installed *in, struct slice path)
{
    struct lookup found = {.file = file_cache_get(&in->files, path), .status = 200};
    struct file_state state;
    int fd, rc;

    if (found.file != NULL)
        return found;
    rc = share_open(path.p, &fd, &state);
    if (rc == -EISDIR) {
        found.status = 301;
        return found;
    }
    if (rc == 0)
        rc = file_load(path, fd, &state, mime_find(in->conf->http.mime, path), &found.file);
    if (rc == 0) {
        file_cache_put(&in->files, found.file, clock_wall());
        return found;
    }
    found.status = status_of(rc);
    if (found.status == 500)
        found.reason = strerrordesc_np(-rc);
    return found;
}

/* A path that a client's bytes may have shaped must not climb, and must be one C string. */
static bool
path_is_sound(struct slice path, bool foreign_dots)
{
    return path.n > 0 && !foreign_dots && memchr(path.p, '\0', path.n) == NULL;
}

static struct slice
with_index(struct arena *a, struct slice directory, const char *index)
{
    size_t n = strlen(index);
    char *text = arena_alloc(a, directory.n + n + 1);

    if (text == NULL)
        return SLICE_NONE;
    memcpy(text, directory.p, directory.n);
    memcpy(text + directory.n, index, n + 1);
    return slice_make(text, directory.n + n);
}

static struct lookup
look_up(struct transaction *tx, const struct action_conf *action, const struct template *share)
{
    struct installed *in = transaction_installed(tx);
    struct lookup found = {.status = 404};
    struct slice path;
    bool dots;

    if (variables_expand(tx, share, &path, &dots) < 0 || !path_is_sound(path, dots))
        return found;
    if (path.p[path.n - 1] == '/') {
        path = with_index(&tx->req->arena, path, action->index);
        if (path.n > 0)
            found = open_file(in, path);
        if (found.status == 301) /* the index is a directory itself */
            found.status = 404;
        return found;
    }
    if (action->types != NULL &&
        !patterns_match(action->types, mime_find(in->conf->http.mime, path))) {
        found.status = 403;
        return found;
    }
    return open_file(in, path);
}

static void
redirect(struct transaction *tx)
{
    struct request *req = tx->req;
    struct field field = FIELD(LOCATION, "Location", SLICE_NONE);

    /* A share that does not depend on the path: one more slash would lead here again. */
    if (slice_ends(req->path, SLICE("/"))) {
        action_fail(tx, 404, NULL);
        return;
    }
    field.value = location_of_directory(&req->arena, req->path, req->query, req->has_query);
    response_send(req, 301, &field, 1, SLICE_NONE, NULL, NULL);
}

static const struct action_conf *
refuse_method(struct transaction *tx, const struct action_conf *action)
{
    const struct field allow = {.name = SLICE("Allow"), .value = SLICE("GET, HEAD")};

    if (action->fallback == NULL)
        response_error_fields(tx->req, 405, &allow, 1);
    return action->fallback;
}

const struct action_conf *
action_share(struct transaction *tx, const struct action_conf *action)
{
    enum req_method method = tx->req->method_id;
    struct lookup found = {.status = 404};

    if (method != METHOD_GET && method != METHOD_HEAD)
        return refuse_method(tx, action);
    for (size_t i = 0; i < action->share.n; i++) {
        found = look_up(tx, action, action->share.p[i]);
        if (found.status != 403 && found.status != 404)
            break;
    }
    switch (found.status) {
    case 200:
        file_send(tx, found.file);
        return NULL;
    case 301:
        redirect(tx);
        return NULL;
    case 500:
        action_fail(tx, 500, found.reason);
        return NULL;
    default:
        if (action->fallback == NULL)
            action_fail(tx, found.status, NULL);
        return action->fallback;
    }
}
