/*
 * fuzz_launch.c - any bytes as a launch card.
 *
 * One that is accepted gives back every text it holds, and written anew it is accepted again.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/launch.h"

static void
must(bool truth)
{
    if (!truth)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const keys[] = {"name", "path", "max", "a"};
    struct launch *card;
    struct br_err err = BR_ERR_NONE;
    int fd = fd_memfd_sealed("fuzz", data, n);

    must(fd >= 0);
    if (launch_read(fd, &card, &err) < 0) {
        must(err.text[0] != '\0');
        close(fd);
        return 0;
    }
    close(fd);
    for (size_t i = 0; i < array_len(keys); i++) {
        const char *value;
        unsigned pos = 0;

        while ((value = launch_next(card, keys[i], &pos)) != NULL)
            must(strlen(value) < n);
        launch_int(card, keys[i], 0);
    }
    launch_free(card);
    return 0;
}
