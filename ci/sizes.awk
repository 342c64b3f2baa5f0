# The map file of a linked program: bytes of text, data and bss by the folder that an object is of.
# A section's line is `.text.name 0xADDRESS 0xSIZE OBJECT`, or its name stands alone on the line before.
BEGIN { section = "" }

/^Linker script and memory map/ { on = 1 }
!on { next }

/^ \.[a-zA-Z]/ && NF == 1 { section = $1; next }
/^ \.[a-zA-Z]/ && NF >= 4 { add($1, $3, $4); section = ""; next }
/^ +0x/ && section != "" && NF >= 3 { add(section, $2, $3); section = ""; next }
/^ COMMON / { add(".bss", $3, $4); next }
{ section = "" }

function kind(name) {
    if (name ~ /^\.(text|rodata|vectors|entry|tag|ARM)/) return "text"
    if (name ~ /^\.data/) return "data"
    if (name ~ /^\.bss/) return "bss"
    return ""
}

function part(object) {
    if (match(object, /obj\/[a-z]+\/lib\/[a-z-]+/)) {
        sub(/.*\/lib\//, "", object)
        sub(/\/.*/, "", object)
        return object
    }
    if (match(object, /obj\/[a-z]+\//)) {
        sub(/.*obj\/[a-z]+\//, "", object)
        if (object ~ /^scheme-/) return "sim/cortexm"
        if (object ~ /^sim\/cortexm\/guest\/net/) return "sim/cortexm/net"
        if (object ~ /^sim\/cortexm/) return "sim/cortexm"
        if (object ~ /^agent\/.*_words\.o/) return "words"
        if (object ~ /^agent\/[a-z_0-9]+\.o/) return "agent"
        if (match(object, /^[a-z]+\/[a-z]+\//)) return substr(object, 1, RLENGTH - 1)
        return "sim"
    }
    return "newlib"
}

function add(name, size, object,    what) {
    what = kind(name)
    if (what == "" || size !~ /^0x/) return
    sum[part(object), what] += hex(size)
    parts[part(object)] = 1
}

function hex(text,    i, n) {
    n = 0
    for (i = 3; i <= length(text); i++)
        n = n * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
    return n
}

END {
    for (p in parts)
        if (sum[p, "text"] + sum[p, "data"] + sum[p, "bss"] > 0)
            printf "%s %s %d %d %d\n", program, p, sum[p, "text"], sum[p, "data"], sum[p, "bss"]
}
