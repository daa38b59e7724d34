# Pay a bash script's start-up once: the script's side of prefork-interp.
#
#   source /usr/local/lib/brood/bash/prefork_interp.bash
#   source large-library.bash ...                        # what takes its time
#   prefork_initialisation_complete idle_timeout=3600    # returns once for each call, in a process of its own
#
# Started by prefork-interp, the two commands are builtins (prefork_interp.so beside this file), since bash
# itself can neither receive descriptors nor fork a server.  Otherwise they do nothing.
if [[ -v PREFORK_INTERP ]]; then
    enable -f "${BASH_SOURCE[0]%/*}/prefork_interp.so" \
        prefork_initialisation_complete prefork_autoreload_also_check source . || exit 2
else
    prefork_autoreload_also_check() { :; }

    prefork_initialisation_complete() {
        local option
        for option; do
            case $option in
            max_servers=* | idle_timeout=* | autoreload_inc=* | autoreload_extra=* | max_errors=* | log_facility=* | spare=* | \
                max_calls=* | int_grace=* | term_grace=* | warmup=*) ;;
            *)
                printf '%s: prefork_initialisation_complete: unknown option %s\n' "$0" "$option" >&2
                exit 2
                ;;
            esac
        done
    }
fi
