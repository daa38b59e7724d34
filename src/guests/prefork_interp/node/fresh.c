/*
 * fresh.c - the interpreter that stays, for a language that cannot be forked: starts it anew for
 * each call, ahead of the call.
 *
 *   brood-interp-fresh LINE WORD...
 *
 *   server --F--> fork, execute WORD...: the script initialises once more, then waits on its socket
 * (addon.c) server --R--> reap
 *
 * Node's virtual machine is threads, which a fork would lose; so a spare is a process that has
 * initialised by itself while nobody waited for it.  Numbers below PLACES_END are held by /dev/null
 * when it starts, so that none of the virtual machine's own descriptors is where a caller's
 * descriptor belongs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/slice.h"
#include "guests/prefork_interp/common/line.h"
#include "guests/prefork_interp/node/places.h"

static void
let_go_of_stdio(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

/* Does not return. */
static br_noreturn void
become_spare(int socket, char **words)
{
    char number[12];
    int fd = fcntl(socket, F_DUPFD, PLACES_END);

    if (fd < 0)
        _exit(127);
    close(socket);
    snprintf(number, sizeof(number), "%d", fd);
    setenv(SPARE_VARIABLE, number, 1);
    while ((fd = dup(STDIN_FILENO)) >= 0 && fd < PLACES_END)
        ;
    if (fd >= PLACES_END)
        close(fd);
    execvp(words[0], words);
    _exit(127);
}

int
main(int argc, char **argv)
{
    uint64_t line;

    if (argc < 3 || slice_u64(slice_cstr(argv[1]), &line) < 0 || line > INT16_MAX) {
        fprintf(stderr, "brood-interp-fresh is executed by prefork-interp's library for Node\n");
        return 127;
    }
    fd_set_cloexec((int)line, true);
    let_go_of_stdio();
    become_spare(line_serve((int)line), argv + 2);
}
