# Sourced by scripts that start much: on Ctrl-C and SIGTERM all of it ends with them.
# What is started from here on bears a mark in its environment, and so does all that it starts: some of
# it (timeout, servers) leaves its process group. Whoever runs parts in the background keeps their pids
# in $parts and waits with `wait`, which a signal interrupts.
mark=nobrick-$$.$(date +%s%N)
NOBRICK_STARTED="${NOBRICK_STARTED:+$NOBRICK_STARTED }$mark"
export NOBRICK_STARTED
parts=

still_running() { # the pids of what bears the mark; those who look do not
    env -u NOBRICK_STARTED sh -c 'grep -lsF "$1" /proc/[0-9]*/environ | sed "s|^/proc/||; s|/environ$||"' \
        sh "$mark"
}

end_started() {
    # shellcheck disable=SC2086  # a list of pids
    [ -z "$parts" ] || kill $parts 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=$(still_running)
        [ -n "$left" ] || return
        # shellcheck disable=SC2086  # a list of pids
        kill $left 2>/dev/null
        sleep 0.5
    done
    # shellcheck disable=SC2046  # a list of pids
    kill -KILL $(still_running) 2>/dev/null
}

stopped() { # SIGNAL, a number
    trap '' INT TERM HUP
    end_started
    echo "$0: stopped by signal $1" >&2
    exit $((128 + $1))
}
trap 'stopped 1' HUP
trap 'stopped 2' INT
trap 'stopped 15' TERM
