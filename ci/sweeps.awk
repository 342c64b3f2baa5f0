# Sums up the sweeps in TAP of `nobrick run` in one line. A rate over less than 0.1 s would say nothing.
/ power cuts in / {
    cells++
    for (i = 2; i <= NF; i++) {
        if ($i ~ /^operations/) operations += $(i - 1)
        if ($i == "power") cuts += $(i - 1)
        if ($i == "in") seconds += $(i + 1)
        if ($i == "failed") failed += $(i - 1)
    }
}
END {
    printf "%d cases, %d operations, %d power cuts, %d bricks", cells, operations, cuts, failed
    if (seconds >= 0.1)
        printf ": %.1f s, %d points/s", seconds, cuts / seconds
    print ""
}
