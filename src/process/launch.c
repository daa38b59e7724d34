/*
 * launch.c - the launch card: pairs of text, written by one process, checked and read by others.
 *
 *   "BRDC" | version | n | key length, value length, key NUL value NUL | …
 *
 * The reader takes a private copy first and checks that: every length lies inside, every text
 * ends in its NUL and holds no other.  Numbers are in the machine's order: a card never leaves it.
 */
#include "process/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define VERSION 1

struct card_head {
    char magic[4];
    uint32_t version;
    uint32_t n;
};

#define PAIR_HEAD (sizeof(uint16_t) + sizeof(uint32_t))

struct pair {
    const char *key;
    const char *value;
};

struct launch {
    char *bytes;
    uint32_t n;
    struct pair pairs[];
};

void
launch_begin(struct buf *b)
{
    struct card_head head = {{'B', 'R', 'D', 'C'}, VERSION, 0};

    buf_init(b, LAUNCH_BYTES_MAX);
    buf_append(b, &head, sizeof(head));
}

static int
count_pair(struct buf *b)
{
    struct card_head head;

    memcpy(&head, b->p, sizeof(head));
    if (head.n == LAUNCH_PAIRS_MAX) {
        b->error = -EMSGSIZE;
        return b->error;
    }
    head.n++;
    memcpy(b->p, &head, sizeof(head));
    return 0;
}

int
launch_put(struct buf *b, const char *key, struct slice value)
{
    size_t key_n = strlen(key);
    uint16_t key_len = (uint16_t)key_n;
    uint32_t value_len = (uint32_t)value.n;

    if (b->error != 0)
        return b->error;
    if (key_n == 0 || key_n > UINT16_MAX || value.n > LAUNCH_BYTES_MAX ||
        (value.n > 0 && memchr(value.p, '\0', value.n) != NULL)) {
        b->error = -EINVAL;
        return b->error;
    }
    buf_append(b, &key_len, sizeof(key_len));
    buf_append(b, &value_len, sizeof(value_len));
    buf_append(b, key, key_n + 1);
    buf_append(b, value.p, value.n);
    buf_putc(b, '\0');
    return b->error != 0 ? b->error : count_pair(b);
}

int
launch_put_int(struct buf *b, const char *key, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)value);

    return launch_put(b, key, slice_make(text, (size_t)n));
}

int
launch_end(struct buf *b, int *ret_fd)
{
    int fd = b->error != 0 ? b->error : fd_memfd_sealed("brood-launch", b->p, b->n);

    buf_done(b);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

/* One pair at *at; moves it behind.  false: it does not fit or is no text. */
static bool
read_pair(const char *bytes, size_t n, size_t *at, struct pair *ret_pair)
{
    uint16_t key_len;
    uint32_t value_len;
    size_t left = n - *at;

    if (left < PAIR_HEAD)
        return false;
    memcpy(&key_len, bytes + *at, sizeof(key_len));
    memcpy(&value_len, bytes + *at + sizeof(key_len), sizeof(value_len));
    left -= PAIR_HEAD;
    if (left < (size_t)key_len + 1 || left - key_len - 1 < (size_t)value_len + 1)
        return false;
    ret_pair->key = bytes + *at + PAIR_HEAD;
    ret_pair->value = ret_pair->key + key_len + 1;
    *at += PAIR_HEAD + key_len + 1 + value_len + 1;
    return key_len > 0 && strnlen(ret_pair->key, (size_t)key_len + 1) == key_len &&
           strnlen(ret_pair->value, (size_t)value_len + 1) == value_len;
}

static struct launch *
parse(char *bytes, size_t n, struct br_err *err)
{
    struct card_head head;
    size_t at = sizeof(head);
    struct launch *card;

    if (n < sizeof(head) || memcmp(bytes, "BRDC", 4) != 0) {
        br_fail(err, -EBADMSG, "this is no launch card");
        return NULL;
    }
    memcpy(&head, bytes, sizeof(head));
    if (head.version != VERSION || head.n > LAUNCH_PAIRS_MAX) {
        br_fail(err, -EBADMSG, "launch card of version %u with %u pairs", head.version, head.n);
        return NULL;
    }
    card = calloc(1, sizeof(*card) + head.n * sizeof(card->pairs[0]));
    if (card == NULL) {
        br_fail(err, -ENOMEM, "launch card");
        return NULL;
    }
    for (uint32_t i = 0; i < head.n; i++) {
        if (!read_pair(bytes, n, &at, &card->pairs[i])) {
            free(card);
            br_fail(err, -EBADMSG, "launch card: pair %u is broken", i);
            return NULL;
        }
    }
    if (at != n) {
        free(card);
        br_fail(err, -EBADMSG, "launch card: %zu bytes too many", n - at);
        return NULL;
    }
    card->bytes = bytes;
    card->n = head.n;
    return card;
}

int
launch_read(int fd, struct launch **ret_card, struct br_err *err)
{
    char *bytes;
    size_t n;
    struct launch *card;
    struct br_err why = BR_ERR_NONE;
    int rc;

    if (!fd_is_sealed(fd))
        return br_fail(err, -EBADMSG, "launch card: not a sealed memory file");
    rc = fd_read_file(fd, LAUNCH_BYTES_MAX, &bytes, &n);
    if (rc < 0)
        return br_fail(err, rc == -EFBIG ? -EBADMSG : rc, "cannot read the launch card");
    card = parse(bytes, n, &why);
    if (card == NULL) {
        free(bytes);
        if (err != NULL)
            *err = why;
        return why.rc;
    }
    *ret_card = card;
    return 0;
}

void
launch_free(struct launch *card)
{
    if (card == NULL)
        return;
    free(card->bytes);
    free(card);
}

const char *
launch_get(const struct launch *card, const char *key, const char *fallback)
{
    unsigned pos = 0;
    const char *value = launch_next(card, key, &pos);

    return value != NULL ? value : fallback;
}

int64_t
launch_int(const struct launch *card, const char *key, int64_t fallback)
{
    const char *value = launch_get(card, key, NULL);
    char *end;
    long long number;

    if (value == NULL || *value == '\0')
        return fallback;
    errno = 0;
    number = strtoll(value, &end, 10);
    return errno != 0 || *end != '\0' ? fallback : number;
}

const char *
launch_next(const struct launch *card, const char *key, unsigned *pos)
{
    while (*pos < card->n) {
        const struct pair *p = &card->pairs[(*pos)++];

        if (strcmp(p->key, key) == 0)
            return p->value;
    }
    return NULL;
}
