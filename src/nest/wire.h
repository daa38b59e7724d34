/*
 * wire.h - request and response heads in compact binary form, as they lie in slots and chunks.
 *
 * Offsets are 32 bits from the start of the record, lengths 16 or 32; every bound is checked by
 * the reader, on a private copy of the fixed part.  Names of common fields are numbers from
 * base/names.def; 0 means the name follows as text.
 */
#ifndef NEST_WIRE_H
#define NEST_WIRE_H

#include "base/names.h"

enum wire_text {
    TEXT_METHOD,
    TEXT_TARGET,  /* raw request target */
    TEXT_PATH,    /* decoded, normalised */
    TEXT_QUERY,   /* raw, without '?' */
    TEXT_VERSION, /* "HTTP/1.1" */
    TEXT_REMOTE_ADDR,
    TEXT_LOCAL_ADDR,
    TEXT_LOCAL_PORT,
    TEXT_SERVER_NAME,
    TEXT_REMOTE_PORT,
    TEXT_APP_TARGET, /* name of the application's target, or empty */
    WIRE_TEXTS,
};

#define WIRE_TLS       1u
#define WIRE_HAS_BODY  2u /* Content-Length was sent, or a chunked body was decoded */
#define WIRE_BODY_FILE 4u /* ask for it: it does not lie here */

struct wire_field {
    uint16_t name_id; /* enum field_name, or 0: name_at, name_n */
    uint16_t name_n;
    uint32_t name_at;
    uint32_t value_at;
    uint32_t value_n;
};

/* Writing a request into a slot. */
struct wire_writer {
    char *p;
    uint32_t room;
    uint32_t at;
    bool overflow; /* sticky: it did not fit */
};

void wire_request_begin(struct wire_writer *w, char *p, uint32_t room, unsigned n_fields);
void wire_request_text(struct wire_writer *w, enum wire_text which, struct slice text);
void wire_request_field(struct wire_writer *w, unsigned i, unsigned name_id, struct slice name,
                        struct slice value);
void wire_request_flags(struct wire_writer *w, uint32_t flags, uint64_t body_length);
/* Reserve place for the inline body: where to copy it, or NULL when it does not fit. */
char *wire_request_body(struct wire_writer *w, uint32_t n);
/* 0 or -EMSGSIZE; the record's length. */
int wire_request_end(struct wire_writer *w, uint32_t *ret_n);

/* Reading one. */
struct wire_request {
    struct slice text[WIRE_TEXTS];
    uint32_t flags;
    uint64_t body_length;
    struct slice body; /* the inline one */
    unsigned n_fields;
    const struct wire_field *fields;
    const char *base;
    uint32_t n;
};

/* 0, or -EBADMSG. */
int wire_request_read(const char *p, uint32_t n, struct wire_request *ret);
/* -EBADMSG when the i-th field does not lie inside. */
int wire_request_field_read(const struct wire_request *r, unsigned i, unsigned *ret_name_id,
                            struct slice *ret_name, struct slice *ret_value);

/*
 * A response head: status, then fields as (u16 id, u16 name length, u32 value length, name, value),
 * packed one after the other.
 */
struct wire_response_head {
    uint32_t n; /* bytes of the whole head, this struct included */
    uint16_t status;
    uint16_t n_fields;
    int64_t body_length; /* Content-Length as the application gave it, or -1 */
};

void wire_response_begin(struct wire_writer *w, char *p, uint32_t room, unsigned status);
void wire_response_field(struct wire_writer *w, struct slice name, struct slice value);
int wire_response_end(struct wire_writer *w, int64_t body_length, uint32_t *ret_n);

/* p is a private copy.  Each field in turn: *at starts at 0.  1, 0 at the end, -EBADMSG. */
int wire_response_read(const char *p, uint32_t n, struct wire_response_head *ret);
int wire_response_next(const char *p, const struct wire_response_head *h, uint32_t *at,
                       struct slice *ret_name, struct slice *ret_value);

#endif
