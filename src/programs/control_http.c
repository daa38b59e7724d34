/*
 * control_http.c - one request to the control socket, and its answer.
 *
 *   word --http_target--> path --> connect, write, read to the end of the stream --> status, body
 *
 * The control API closes behind each answer and always says its length (control API, 1), so an
 * answer is the whole stream, and a short one is recognised.  A server that refuses a body may stop
 * reading it: a failed write does not count as long as an answer can be read.
 */
#include "programs/control_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "programs/broodctl.h"
#include "programs/control_line.h"

#define ANSWER_BYTES_MAX (512u * 1024 * 1024)

static void
send_request(struct ctl_line *line, const struct ctl *ctl, const struct ctl_request *r)
{
    bool has_body = strcmp(r->method, "PUT") == 0 || strcmp(r->method, "POST") == 0;
    struct buf head;

    buf_init(&head, 1 << 20);
    buf_printf(&head, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", r->method,
               r->target);
    if (r->if_match.n > 0)
        buf_printf(&head, "If-Match: " SLICE_FMT "\r\n", SLICE_ARG(r->if_match));
    if (ctl->token != NULL && strncmp(ctl->control, "unix:", 5) != 0)
        buf_printf(&head, "Authorization: Bearer %s\r\n", ctl->token);
    if (has_body)
        buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n", r->body.n);
    buf_puts(&head, "\r\n");
    line_send(line, buf_slice(&head));
    if (has_body)
        line_send(line, r->body);
    buf_done(&head);
}

/* The field of that name, or SLICE_NONE. */
static struct slice
field(struct slice head, struct slice name)
{
    struct slice line;

    while (slice_split(&head, '\n', &line)) {
        if (line.n <= name.n || line.p[name.n] != ':' ||
            !slice_ieq(slice_sub(line, 0, name.n), name))
            continue;
        return slice_trim(slice_sub(line, name.n + 1, line.n - slice_ends(line, SLICE("\r"))));
    }
    return SLICE_NONE;
}

/* Status, tag and body of a whole answer; -EPROTO when it is none. */
static int
take_apart(struct slice text, struct ctl_answer *ret)
{
    const char *blank = memmem(text.p, text.n, "\r\n\r\n", 4);
    uint64_t status, length;
    struct slice head;

    if (blank == NULL || !slice_starts(text, SLICE("HTTP/1.1 ")))
        return -EPROTO;
    head = slice_make(text.p, (size_t)(blank - text.p));
    if (slice_u64(slice_sub(head, 9, 12), &status) < 0 ||
        slice_u64(field(head, SLICE("Content-Length")), &length) < 0)
        return -EPROTO;
    ret->status = (unsigned)status;
    ret->etag = field(head, SLICE("ETag"));
    ret->body = slice_sub(text, (size_t)(blank + 4 - text.p), text.n);
    return ret->body.n == length ? 0 : -EPROTO;
}

int
http_exchange(const struct ctl *ctl, struct arena *a, const struct ctl_request *request,
              struct ctl_answer *ret, struct br_err *err)
{
    struct ctl_answer answer = {0};
    struct ctl_line line;
    size_t offset;
    struct buf b;
    int rc = line_open(&line, ctl, request->timeout_ms, err);

    if (rc < 0) {
        line_close(&line);
        return rc;
    }
    send_request(&line, ctl, request);
    buf_init(&b, ANSWER_BYTES_MAX);
    rc = line_receive(&line, &b, err);
    line_close(&line);
    if (rc == 0)
        rc = take_apart(buf_slice(&b), &answer);
    if (rc < 0) {
        buf_done(&b);
        br_fail(err, rc, "no proper answer from \"%s\"", ctl->control);
        return -EPROTO;
    }
    arena_on_done(a, free, b.p);
    if (json_parse(a, answer.body, &answer.value, &offset, NULL) < 0)
        answer.value = NULL;
    *ret = answer;
    return 0;
}

/* What may stand in a path as it is (RFC 3986, 3.3), with '%' for those who encode themselves. */
static bool
is_path_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

static const char *
encoded(struct arena *a, const char *prefix, const char *word, const char *also)
{
    char *text = arena_alloc(a, strlen(prefix) + 3 * strlen(word) + 1);
    char *to = stpcpy(text, prefix);

    for (; *word != '\0'; word++) {
        static const char digits[] = "0123456789ABCDEF";
        unsigned char byte = (unsigned char)*word;

        if (is_path_byte(*word) || strchr(also, *word) != NULL) {
            *to++ = *word;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to = '\0';
    return text;
}

const char *
http_target(struct arena *a, const char *word)
{
    return encoded(a, word[0] == '/' ? "" : "/config/", word, "/%");
}

const char *
http_segment(struct arena *a, const char *name)
{
    return encoded(a, "", name, "");
}
