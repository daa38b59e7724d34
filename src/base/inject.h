/*
 * inject.h - moments at which a test can end this process, or make it fail; nothing in a release.
 *
 *   INJECT(main, keep_renamed);                          a point: its row is in inject.def
 *   INJECT_OF(router, switched, task->index);            one such point for each index
 *   if (INJECT(main, save_written) < 0 || fsync(fd) < 0) a call that can be made to fail
 *
 * Only a build with -Dinjection=true has any; elsewhere both are 0 and leave no trace.  There
 * BROOD_INJECT names a directory, looked at whenever a process comes to a point: the one that takes
 * the file ROLE.NAME (ROLE.NAME.INDEX) does what the file says:
 *
 *   kill        the process ends by SIGKILL; an empty file says the same
 *   abort       … by SIGABRT
 *   stop        it stands still until SIGCONT
 *   sleep MS    it stands still so long
 *   errno N     the point gives -1 and that errno, as a call that failed
 *
 * To take is to unlink: of all processes that come to the point one does it, once, and whoever
 * armed it sees that it was reached.
 */
#ifndef BASE_INJECT_H
#define BASE_INJECT_H

enum inject_point {
#define POINT(role, name, indexed, when) INJECT_##role##_##name,
#include "base/inject.def"
#undef POINT
    INJECT_POINTS,
};

#define INJECT_NO_INDEX (-1)

#ifdef BROOD_INJECTION
/* 0; or -1 and errno when the file says so. */
int inject_at(enum inject_point point, int index);
#else
static inline int
inject_at(enum inject_point point, int index)
{
    (void)point, (void)index;
    return 0;
}
#endif

#define INJECT(role, name)           inject_at(INJECT_##role##_##name, INJECT_NO_INDEX)
#define INJECT_OF(role, name, index) inject_at(INJECT_##role##_##name, (int)(index))

#endif
