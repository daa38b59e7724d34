/*
 * numbers.h - ask routers and prototypes for their counters, wait for all, hand over what came.
 */
#ifndef CONTROLLER_NUMBERS_H
#define CONTROLLER_NUMBERS_H

#include "base/list.h"
#include "ipc/status.h"
#include "process/role.h"

struct numbers;

/* Called once, from the loop or before numbers_ask returns; n is valid during the call. */
typedef void numbers_fn(void *arg, const struct numbers *n);
/* asking: the list of those under way. */
void numbers_ask(struct task *task, struct list *asking, numbers_fn *fn, void *arg);
/* Wait no longer: call each fn with what has come. */
void numbers_finish(struct list *asking);

/* How many routers answered; their sums. */
unsigned numbers_routers(const struct numbers *n, struct status_router *ret_sum);
/* Requests of that launch, summed over routers. */
struct status_app numbers_app(const struct numbers *n, uint32_t launch);
/* What was taken away from that launch's newest prototype, bits CONFINED_; false: it did not say.
 */
bool numbers_filters(const struct numbers *n, uint32_t launch, uint32_t *ret_filters);
/* The workers of that launch's newest prototype, and how many; NULL: it did not answer. */
const struct status_worker *numbers_workers(const struct numbers *n, uint32_t launch,
                                            struct status_stream *ret_stream, uint32_t *ret_count);
/* The same of an application that is a program, with its sums. */
const struct status_program *numbers_programs(const struct numbers *n, uint32_t launch,
                                              struct status_front *ret_sums, uint32_t *ret_count);

/* Rows of main's own answer (not asked by numbers_ask); NULL when the text is no such thing. */
const struct status_process *numbers_processes(const char *text, size_t size, uint32_t *ret_count);

/*
 * Read the text of a STATUS message: 0, and *ret_text is to be freed; -EBADMSG: not sealed, which
 * only memory can be, so that no reader ever waits for it.
 */
struct message;
int numbers_read(const struct message *m, char **ret_text, size_t *ret_size);

#endif
