#!/bin/sh
# pack.sh OUT CC AR OBJCOPY ARCHIVE... - one static library from the archives of the rooms.
#
# All objects are linked into one and every hidden name becomes local to it, so that a program may
# have a loop_new of its own.
set -eu
out=$1 cc=$2 ar=$3 objcopy=$4
shift 4
"$cc" -r -nostdlib -o "$out.o" -Wl,--whole-archive "$@"
"$objcopy" --localize-hidden "$out.o"
rm -f "$out"
"$ar" rcs "$out" "$out.o"
rm -f "$out.o"
