# Sums up TAP on standard input as one line "PASSED FAILED SKIPPED MISSING": results that stand at
# the left margin (subtests are indented and belong to theirs), MISSING are planned but absent.
# CMocka reports a skipped test as "not ok N # SKIP".
/^1\.\.[0-9]+/ {
    planned += substr($1, 4)
}
/^(not )?ok( |$)/ {
    seen++
    if (toupper($0) ~ /# *SKIP/)
        skipped++
    else if ($1 == "ok")
        passed++
    else
        failed++
}
/^Bail out!/ {
    failed++
}
END {
    missing = planned > seen ? planned - seen : 0
    print passed + 0, failed + 0, skipped + 0, missing
}
