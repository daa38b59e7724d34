/*
 * nest.c - the shared mapping as a whole: make, check, map.
 *
 *   main: nest_make -> fd -> prototype, routers: nest_attach -> struct nest
 *
 * The memfd is sealed against resizing before anybody else sees it, so that no process can make
 * another one fault by cutting the file.  What lies inside: layout.h; who may write what: slots.c,
 * queue.c, outbox.c, wake.c.  See memfd_create(2), fcntl(2) under "File sealing".
 */
#include "nest/nest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "nest/layout.h"
#include "nest/wake.h"

#define NEST_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

size_t
nest_size(void)
{
    return sizeof(struct nest_map);
}

/* NULL, with errno. */
static struct nest_map *
map_fd(int fd)
{
    void *p = mmap(NULL, nest_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return p == MAP_FAILED ? NULL : p;
}

int
nest_make(void)
{
    br_cleanup(fd_closep) int fd = fd_memfd("brood-nest", nest_size());
    struct nest_map *map;

    if (fd < 0)
        return fd;
    map = map_fd(fd);
    if (map == NULL)
        return -errno;
    map->magic = NEST_MAGIC;
    map->version = NEST_VERSION;
    map->routers_max = NEST_ROUTERS;
    map->bytes = nest_size();
    munmap(map, nest_size());
    if (fcntl(fd, F_ADD_SEALS, NEST_SEALS) < 0)
        return -errno;
    return fd_take(&fd);
}

static int
check_file(int fd, struct br_err *err)
{
    struct stat st;
    int seals;

    if (fstat(fd, &st) < 0)
        return br_fail(err, -errno, "cannot examine the nest");
    if (st.st_size != (off_t)nest_size())
        return br_fail(err, -EBADMSG, "the nest has %lld bytes instead of %zu",
                       (long long)st.st_size, nest_size());
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return br_fail(err, -errno, "the nest is not a memfd");
    if ((seals & NEST_SEALS) != NEST_SEALS)
        return br_fail(err, -EBADMSG, "the nest is not sealed");
    return 0;
}

int
nest_attach(int fd, struct nest **ret_nest, struct br_err *err)
{
    struct nest_map *map;
    struct nest *nest;
    int rc;

    rc = check_file(fd, err);
    if (rc < 0)
        return rc;
    map = map_fd(fd);
    if (map == NULL)
        return br_fail(err, -errno, "cannot map the nest");
    if (map->magic != NEST_MAGIC || map->version != NEST_VERSION || map->bytes != nest_size()) {
        munmap(map, nest_size());
        return br_fail(err, -EBADMSG, "the nest was made by another version of brood");
    }
    nest = calloc(1, sizeof(*nest));
    if (nest == NULL) {
        munmap(map, nest_size());
        return br_fail(err, -ENOMEM, "cannot attach the nest");
    }
    nest->map = map;
    *ret_nest = nest;
    return 0;
}

void
nest_detach(struct nest *nest)
{
    munmap(nest->map, nest_size());
    free(nest);
}

void
nest_want_bell(struct nest *nest, bool wanted)
{
    atomic_store_explicit(&nest->map->bell_wanted, wanted, memory_order_seq_cst);
    wake_fence();
}

bool
nest_bell_wanted(const struct nest *nest)
{
    return atomic_load_explicit(&nest->map->bell_wanted, memory_order_seq_cst) != 0;
}

int64_t
nest_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
