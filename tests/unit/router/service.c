/*
 * service.c - the test's side of a router: see service.h.
 */
#include "service.h"

/* --- the fake main --- */

struct socket_of_main *
service_socket(struct service *s, const char *name)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    struct socket_of_main *found;

    for (unsigned i = 0; i < s->n_sockets; i++) {
        if (strcmp(s->sockets[i].name, name) == 0)
            return &s->sockets[i];
    }
    assert_true(s->n_sockets < SOCKETS_MAX);
    found = &s->sockets[s->n_sockets++];
    snprintf(found->name, sizeof(found->name), "%s", name);
    found->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(found->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(found->fd, 64), 0);
    assert_int_equal(getsockname(found->fd, (struct sockaddr *)&sin, &len), 0);
    found->port = ntohs(sin.sin_port);
    return found;
}

static void
on_main_message(struct channel *ch, struct message *m)
{
    struct service *s = channel_owner(ch);
    const struct msg_open *open_it = m->payload;
    struct msg_result result = {.rc = s->open_rc, .text = ""};
    char path[128];
    int fd = -1;

    if (m->type != MSG_OPEN)
        return;
    s->n_opens++;
    if (s->open_rc < 0) {
        snprintf(result.text, sizeof(result.text), "cannot open \"%s\"", open_it->name);
    } else if (open_it->kind == OPEN_LISTENER) {
        fd = fcntl(service_socket(s, open_it->name)->fd, F_DUPFD_CLOEXEC, 3);
    } else {
        snprintf(path, sizeof(path), "%s/access.log", s->dir);
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    assert_int_equal(channel_send(ch, MSG_OPENED, &result, &fd, fd >= 0, 0, m->serial), 0);
}

static void
on_controller_message(struct channel *ch, struct message *m)
{
    struct service *s = channel_owner(ch);
    size_t n;

    if (m->type == MSG_CONF_PREPARED) {
        s->prepared = true;
        s->result = *(struct msg_result *)m->payload;
    } else if (m->type == MSG_CONF_LIVE) {
        s->live = true;
    } else if (m->type == MSG_CONF_RETIRED) {
        s->retired = ((struct msg_conf *)m->payload)->generation;
    } else if (m->type == MSG_STATUS) {
        assert_int_equal(fd_read_file(m->fds[0], 65536, (char **)&s->status, &n), 0);
    }
}

static void
on_worker_message(struct channel *ch, struct message *m)
{
    struct service *s = channel_owner(ch);

    if (m->type != MSG_BODY_FILE)
        return;
    s->body_came = true;
    s->body = *(struct msg_slot *)m->payload;
    s->body_fd = m->n_fds > 0 ? fd_take(&m->fds[0]) : -1;
}

static void
on_end_gone(struct channel *ch)
{
    channel_free(ch);
}

static const struct channel_ops main_ops = {.on_message = on_main_message, .on_gone = on_end_gone};
const struct channel_ops controller_ops = {.on_message = on_controller_message,
                                           .on_gone = on_end_gone};
const struct channel_ops worker_ops = {.on_message = on_worker_message, .on_gone = on_end_gone};

/* A line between the router and `role`; the test's end. */
struct channel *
service_line(struct service *s, enum role_id role, const struct channel_ops *ops, uint32_t launch,
             uint32_t instance)
{
    const struct peer them = {.role = role, .launch = launch, .instance = instance};
    const struct peer router = {.role = ROLE_ROUTER};
    struct channel *line, *end;
    int fds[2];

    assert_int_equal(channel_pair(fds), 0);
    line = dispatch_add(s->task.dispatch, fds[0], &them);
    assert_non_null(line);
    if (role == ROLE_MAIN)
        s->task.parent = line;
    end = channel_new(s->task.loop, fds[1], role, &router, ops, s);
    assert_non_null(end);
    return end;
}

/* --- life --- */

int
service_start(void **state)
{
    struct service *s = calloc(1, sizeof(*s));
    struct br_err err = BR_ERR_NONE;

    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_ALERT);
    snprintf(s->dir, sizeof(s->dir), "/tmp/brood-router-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->role = (struct br_role){.id = ROLE_ROUTER,
                               .name = "router",
                               .on_message = router_messages,
                               .on_peer_gone = router_on_peer_gone};
    s->settings = (struct settings){.routers = 1, .tmp_dir = s->dir};
    s->task = (struct task){.role = &s->role, .settings = &s->settings, .loop = loop_new()};
    s->task.dispatch = dispatch_new(&s->task);
    s->main_end = service_line(s, ROLE_MAIN, &main_ops, 0, 0);
    s->controller_end = service_line(s, ROLE_CONTROLLER, &controller_ops, 0, 0);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->nest_fd = s->bell = s->body_fd = -1;
    assert_int_equal(process_keep(&s->process, "wake0", s->wake_fd), 0);
    assert_int_equal(router_setup(&s->task, &s->process, &err), 0);
    *state = s;
    return 0;
}

struct router *
service_router(struct service *s)
{
    return s->task.data;
}

/* A turn of the loop; false when it was told to stop. */
bool
service_turn(struct service *s)
{
    loop_once(s->task.loop, 1);
    return !loop_stopped(s->task.loop);
}

/* --- configuration --- */

void
service_prepare(struct service *s, uint32_t generation, const char *conf, const char *launches)
{
    const struct msg_conf order = {.generation = generation};
    struct buf text;
    int fd;

    buf_init(&text, 1 << 20);
    buf_printf(&text, "{\"conf\": %s, \"launch\": {%s}}", conf, launches);
    fd = fd_memfd_sealed("conf", text.p, text.n);
    buf_done(&text);
    s->prepared = false;
    assert_int_equal(
        channel_send(s->controller_end, MSG_CONF_PREPARE, &order, &fd, 1, generation, 0), 0);
    service_until(s, s->prepared);
}

void
service_commit(struct service *s, uint32_t generation)
{
    const struct msg_conf order = {.generation = generation};

    s->live = false;
    assert_int_equal(
        channel_send(s->controller_end, MSG_CONF_COMMIT, &order, NULL, 0, generation, 0), 0);
    service_until(s, s->live);
}

void
service_configure(struct service *s, uint32_t generation, const char *conf, const char *launches)
{
    service_prepare(s, generation, conf, launches);
    if (s->result.rc != 0)
        fail_msg("not prepared: %s", s->result.text);
    assert_int_equal(s->result.generation, generation);
    service_commit(s, generation);
}

/* --- a client --- */

void
client_connect(struct service *s, struct client *c, const char *listener)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(service_socket(s, listener)->port)};

    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    buf_init(&c->in, 64 << 20);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    fd_set_nonblock(c->fd, true);
}

void
client_say(struct client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void
client_read(struct client *c)
{
    char block[65536];
    ssize_t n;

    while ((n = recv(c->fd, block, sizeof(block), 0)) > 0)
        buf_append(&c->in, block, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        c->eof = true;
}

void
client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

struct slice
reply_field(const struct reply *r, const char *name)
{
    struct slice rest = r->head, line, wanted = slice_cstr(name);

    while (slice_split(&rest, '\n', &line)) {
        if (line.n > wanted.n && slice_ieq(slice_sub(line, 0, wanted.n), wanted) &&
            line.p[wanted.n] == ':')
            return slice_trim(slice_sub(line, wanted.n + 1, line.n - 1));
    }
    return SLICE_NONE;
}

/* Is the first response in c->in whole?  Chunked bodies stay as they are on the wire. */
bool
client_has_reply(struct client *c, bool head_only, struct reply *ret)
{
    const char *end;
    struct slice length;
    uint64_t n = 0;

    client_read(c);
    end = c->in.n > 0 ? memmem(c->in.p, c->in.n, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return false;
    ret->head = slice_make(c->in.p, (size_t)(end + 4 - c->in.p));
    ret->body = slice_make(end + 4, (size_t)(c->in.p + c->in.n - end - 4));
    ret->status = (unsigned)atoi(c->in.p + 9);
    if (head_only || ret->status == 304 || ret->status == 204)
        return true;
    length = reply_field(ret, "Content-Length");
    if (length.p != NULL) {
        assert_int_equal(slice_u64(length, &n), 0);
        if (ret->body.n < n)
            return c->eof;
        ret->body.n = n;
        return true;
    }
    return c->eof || slice_ends(ret->body, SLICE("0\r\n\r\n"));
}

struct reply
client_reply(struct service *s, struct client *c, bool head_only)
{
    struct reply r;

    service_until(s, client_has_reply(c, head_only, &r) || c->eof);
    if (!client_has_reply(c, head_only, &r))
        fail_msg("the connection was closed without an answer");
    return r;
}

/* The answer is read; the next one begins. */
void
client_next(struct client *c, const struct reply *r)
{
    buf_consume(&c->in, r->head.n + r->body.n);
}

/* --- an application: a nest, and the test is its only lane --- */

void
service_app(struct service *s, uint32_t launch, uint32_t instance)
{
    const struct msg_nest m = {.launch = launch, .instance = instance, .size = nest_size()};
    struct br_err err = BR_ERR_NONE;
    int fds[2];

    s->nest_fd = nest_make();
    assert_true(s->nest_fd >= 0);
    assert_int_equal(nest_attach(s->nest_fd, &s->nest, &err), 0);
    s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(lane_open(s->nest, 0, &s->wake_fd, 1, &s->lane, &err), 0);
    fds[0] = fcntl(s->nest_fd, F_DUPFD_CLOEXEC, 3);
    fds[1] = fcntl(s->bell, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(channel_send(s->main_end, MSG_NEST_OPEN, &m, fds, 2, 0, 0), 0);
}

void
service_app_leave(struct service *s)
{
    lane_close(s->lane);
    nest_detach(s->nest);
    fd_close(&s->nest_fd);
    fd_close(&s->bell);
    s->nest = NULL;
}

void
service_tell_gone(struct service *s, uint32_t launch, uint32_t instance)
{
    const struct msg_process p = {.role = ROLE_PROTOTYPE, .launch = launch, .instance = instance};

    assert_int_equal(channel_send(s->main_end, MSG_PROCESS_GONE, &p, NULL, 0, 0, 0), 0);
}

/* The next request of the application. */
void
app_take(struct service *s, struct claim *c, struct wire_request *r)
{
    service_until(s, lane_claim(s->lane, c));
    assert_int_equal(wire_request_read(c->p, c->n, r), 0);
}

/* A head with one field, the body behind it. */
uint32_t
app_head(char *p, unsigned status, const char *name, const char *value, int64_t length)
{
    struct wire_writer w;
    uint32_t n;

    wire_response_begin(&w, p, NEST_CHUNK_BYTES, status);
    if (name != NULL)
        wire_response_field(&w, slice_cstr(name), slice_cstr(value));
    assert_int_equal(wire_response_end(&w, length, &n), 0);
    return n;
}

void
app_answer(struct service *s, const struct claim *c, unsigned status, const char *name,
           const char *value, const char *body)
{
    char *p;
    int chunk = -EAGAIN;
    uint32_t n;

    service_until(s, (chunk = lane_chunk_try(s->lane, c, &p)) >= 0);
    n = app_head(p, status, name, value, -1);
    memcpy(p + n, body, strlen(body));
    lane_publish(s->lane, c, chunk, n + (uint32_t)strlen(body), PIECE_HEAD | PIECE_END);
}

int
service_stop(void **state)
{
    struct service *s = *state;
    char command[128];

    router_done(&s->task);
    if (s->nest != NULL)
        service_app_leave(s);
    fd_close(&s->body_fd);
    if (s->worker_end != NULL)
        channel_free(s->worker_end);
    if (s->main_end != NULL)
        channel_free(s->main_end);
    channel_free(s->controller_end);
    dispatch_free(s->task.dispatch);
    loop_free(s->task.loop);
    for (unsigned i = 0; i < s->n_sockets; i++)
        close(s->sockets[i].fd);
    close(s->wake_fd);
    free(s->status);
    snprintf(command, sizeof(command), "rm -r %s", s->dir);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}
