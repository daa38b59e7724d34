#!/bin/sh
# run.sh [NAME...] - search the model of the nest in all its variants, or in those named.
#
# A sound variant must be searched to the end without an error; a broken one must show its error.
# Each search is bounded in memory and processor time (MEMORY_MB, SECONDS_MAX); one that meets a bound fails.
# Prints the table that README.md quotes.  Needs spin and a C compiler.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

MEMORY_MB=${MEMORY_MB:-4000}
SECONDS_MAX=${SECONDS_MAX:-600}
failed=0

# variant sound|broken NAME DEFINES...
variant() {
    expect=$1 name=$2
    shift 2
    case " $wanted " in "  " | *" $name "*) ;; *) return 0 ;; esac
    rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run"
    spin -a "$@" "$here/nest.pml" >spin.log 2>&1 || { cat spin.log; exit 1; }
    ${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM="$MEMORY_MB" -o pan pan.c
    (ulimit -t "$SECONDS_MAX"; exec ./pan -m100000 -n) >pan.log 2>&1 || true
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
    depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' pan.log)
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
    found=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' pan.log | sed 's/||/ or /g')
    if grep -q -e 'max search depth' -e 'reached memory' -e 'Search not completed' pan.log; then
        [ "${errors:-0}" != 0 ] || errors=
    fi
    case $expect:${errors:-none} in
        sound:0) verdict='ok, exhaustive' ;;
        broken:[1-9]*) verdict="ok, found: $found" ;;
        *:none) verdict='FAILED: not searched to the end' failed=1 ;;
        sound:*) verdict="FAILED: $found" failed=1 ;;
        *) verdict='FAILED: the fault was not found' failed=1 ;;
    esac
    printf '| %s | `%s` | %s | %s | %s |\n' "$name" "$*" "${states:--}" "${depth:--}" "$verdict"
}

wanted="$*"
echo '| variant | defines | states | depth | result |'
echo '| --- | --- | --- | --- | --- |'
variant sound two-lanes -DREQUESTS=2
variant sound store-buffer -DTSO -DREQUESTS=1 -DSLOTS=1
variant sound ring-wraps -DREQUESTS=2 -DSLOTS=1 -DRING=1
variant sound death -DKILLS=1 -DREQUESTS=1 -DSLOTS=1 -DSTRICT
variant sound death-no-successor -DKILLS=1 -DREQUESTS=1 -DSLOTS=1 -DSTRICT -DNO_RESPAWN
variant sound two-deaths -DLANES=1 -DREQUESTS=2 -DKILLS=2 -DSTRICT
variant sound two-pieces -DLANES=1 -DREQUESTS=2 -DPIECES=2
variant sound two-pieces-deaths -DLANES=1 -DREQUESTS=2 -DPIECES=2 -DKILLS=2 -DSTRICT
variant sound cancel -DLANES=1 -DREQUESTS=3 -DRING=2 -DCANCELS=2
variant sound cancel-two-pieces -DLANES=1 -DREQUESTS=2 -DPIECES=2 -DCANCELS=1
variant sound cancel-death -DLANES=1 -DREQUESTS=2 -DPIECES=2 -DCANCELS=1 -DKILLS=1 -DSTRICT
variant sound router-dies -DLANES=1 -DREQUESTS=3 -DSLOTS=1 -DROUTER_KILLS=2
variant sound router-dies-two-pieces -DLANES=1 -DREQUESTS=3 -DSLOTS=1 -DPIECES=2 -DROUTER_KILLS=1
variant sound both-die -DLANES=1 -DREQUESTS=2 -DSLOTS=1 -DKILLS=1 -DROUTER_KILLS=1 -DSTRICT
variant broken no-fence -DTSO -DNO_FENCE -DREQUESTS=1 -DSLOTS=1
variant broken no-recheck -DNO_RECHECK -DREQUESTS=1
variant broken no-chunk-recheck -DNO_CHUNK_RECHECK -DLANES=1 -DREQUESTS=2 -DPIECES=2
variant broken no-help -DNO_HELP -DLANES=1 -DREQUESTS=1 -DSLOTS=1 -DKILLS=1
variant broken no-event -DNO_EVENT -DKILLS=1 -DREQUESTS=1 -DSLOTS=1
variant broken no-token-for-all -DNO_TOKENS -DKILLS=1 -DREQUESTS=1 -DSLOTS=1 -DNO_RESPAWN
variant broken no-token-at-open -DNO_OPEN_TOKENS -DLANES=1 -DREQUESTS=3 -DSLOTS=1 -DROUTER_KILLS=1
variant broken drain-before-note -DDRAIN_FIRST -DLANES=1 -DREQUESTS=2 -DKILLS=2 -DSTRICT
variant broken head-before-hold -DHEAD_FIRST -DLANES=1 -DREQUESTS=2 -DSLOTS=1 -DKILLS=1
variant broken head-before-free -DHEAD_BEFORE_FREE -DLANES=1 -DREQUESTS=3 -DSLOTS=1 -DROUTER_KILLS=1
variant broken sweep-before-drain -DSWEEP_FIRST -DLANES=1 -DREQUESTS=3 -DSLOTS=1 -DPIECES=2 -DROUTER_KILLS=2
variant broken reuse-before-passed -DNO_PASSING -DLANES=1 -DREQUESTS=3 -DRING=2 -DCANCELS=2
exit $failed
