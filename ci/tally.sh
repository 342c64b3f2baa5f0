# Sourced by the scripts of the gate: counts, and the line they all end with.
# With COUNTS=FILE in the environment the three numbers are also added to that file as a line, so
# that a script which calls others can sum up.
passed=0
failed=0
skipped=0

now_ms() {
    date +%s%N | sed 's/......$//'
}

seconds_since() { # START_MS
    awk -v start="$1" -v end="$(now_ms)" 'BEGIN { printf "%.1f s", (end - start) / 1000 }'
}

# As timeout(1), which gives the command a process group of its own: whoever stops the script stops it, too.
limited() { # SECONDS COMMAND...
    timeout "$@" &
    limited=$!
    trap 'kill "$limited" 2>/dev/null; wait "$limited"; exit 130' HUP INT TERM
    wait "$limited"
    set -- $?
    trap - HUP INT TERM
    return "$1"
}

heading() {
    printf '\n== %s\n' "$*"
}

count() { # PASSED FAILED SKIPPED
    passed=$((passed + $1))
    failed=$((failed + $2))
    skipped=$((skipped + $3))
}

# One check that is a test in itself.
check_passed() {
    count 1 0 0
    printf 'ok      %s\n' "$*"
}

check_failed() {
    count 0 1 0
    printf 'FAILED  %s\n' "$*"
}

check_skipped() {
    count 0 0 1
    printf 'skipped %s\n' "$*"
}

# Whatever the terminal's colours, the last line is plain: scripts read it.
sum_up() {
    if [ -n "${COUNTS:-}" ]; then
        printf '%d %d %d\n' "$passed" "$failed" "$skipped" >>"$COUNTS"
    fi
    printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" -eq 0 ]
}
