# The probe in bash: initialises once, then does what its first argument says.  See languages.py.
source "$PROBE_BASH/prefork_interp.bash"

init=${PROBE_INIT-} rest=
[[ $init == *' '* ]] && rest=${init#* } init=${init%% *}
case $init in
exit) exit "$rest" ;;
signal) kill -"$rest" $$ && sleep 10 ;;
sleep) read -rt "$rest" <> <(:) ;; # no process that outlives this one
run) eval "$rest" ;;
mark) echo $$ >>"$rest" ;;
esac
version() { echo none; }
[[ -e ${BASH_SOURCE[0]%/*}/probe_module.bash ]] && source "${BASH_SOURCE[0]%/*}/probe_module.bash"
printf -v token %08x "$SRANDOM"
[[ -v PROBE_CHECK ]] && prefork_autoreload_also_check "$PROBE_CHECK"
# shellcheck disable=SC2086 # a list of words
[[ $init == never ]] || prefork_initialisation_complete ${PROBE_OPTIONS-}

hexed() {
    printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
    echo
}

exec {nothing}<> <(:) # to wait in bash itself, where traps run at once

number_of() { # SIGNAL: its number
    kill -l "$1"
}

is_ignored() {
    local name set
    while read -r name set; do
        [[ $name == SigIgn: ]] && (((0x$set >> ($(number_of "$1") - 1) & 1) == 1)) && return 0
    done </proc/$$/status
    return 1
}

what=${1-}
[[ $# -gt 0 ]] && shift
case $what in
args) for word; do hexed "$word"; done ;;
env) env -0 | LC_ALL=C sort -z ;;
exit) exit "$1" ;;
fall) ;;
die) kill -"$1" $$; sleep 10 ;;
cat) cat ;;
line) read -r word 2>/dev/null && echo "got: $word" || echo "got: nothing" ;;
both) echo "$1"; echo "$2" >&2 ;;
where) pwd -P ;;
umask) umask ;;
who) echo "$token $$ $(version)" ;;
name) echo "$0" ;;
limit) ulimit -n ;;
nice) nice ;;
random) echo "$RANDOM $RANDOM $RANDOM" ;;
tty) for fd in 0 1 2; do [[ -t $fd ]] && printf 1 || printf 0; ((fd < 2)) && printf ' '; done; echo ;;
fd) [[ -e /proc/self/fd/$1 ]] && echo open || echo closed ;;
writefd) printf %s "$2" >&"$1" ;;
closed) printf x 2>/dev/null && echo written >&2 || echo refused >&2 ;;
ignored) is_ignored "$1" && echo yes || echo no ;;
sleep) echo ready; read -rt "$1" -u "$nothing"; echo slept ;;
trap)
    trap 'echo "caught '"$1"'"; exit '"$2" "$1"
    echo ready
    while :; do read -rt 0.02 -u "$nothing"; done
    ;;
background) (exec >/dev/null 2>&1; sleep 0.5; : >"$1") & ;;
child) bash -c 'echo "${PREFORK_INTERP-unset}"' ;;
file) trap 'printf buffered >"$1"' EXIT ;;
fail) no-such-command ;;
atend) trap 'echo "$1"' EXIT; exit 4 ;;
*)
    echo "probe: what is $what?" >&2
    exit 2
    ;;
esac
