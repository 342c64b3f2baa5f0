# Of the TAP of `nobrick run --journals DIR`: the file's name there for each cell that passed.
function name(cell) {
    file = scenario (cell == "" ? "" : "." cell) ".ops"
    gsub("/", "_", file)
    return file
}
/ # SKIP/ { next }
/^# Subtest: / { scenario = $3; cells = 1 }
/^ +ok / && cells { print name($4) }
/^ok / && !cells { scenario = $4; print name("") }
/^(not )?ok / { cells = 0 }
