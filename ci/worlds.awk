# Of the TAP of `nobrick run --hash`: "SCENARIO CELL HASH" for each cell that passed; HASH is that of
# its flash journal, CELL is - where there is only one.
/^# Subtest: / { scenario = $3; cell = "" }
/^ok / { scenario = $4; cell = "-" }
/^not ok / { cell = "" }
/^ +ok / { cell = $4 }
/^ +not ok / { cell = "" }
/ # SKIP/ { cell = "" }
/# history / && cell != "" { print scenario, cell, $NF; cell = "" }
