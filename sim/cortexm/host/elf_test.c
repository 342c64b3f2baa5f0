#include "sim/cortexm/host/elf.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/nobrick-elf-XXXXXX";

struct program {
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    uint8_t code[8];
};

static struct program whole_program(void)
{
    struct program program = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_ARM,
                   .e_phoff = offsetof(struct program, segment),
                   .e_phentsize = sizeof(Elf32_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = offsetof(struct program, code),
                    .p_filesz = sizeof program.code},
    };
    memcpy(program.header.e_ident, ELFMAG, SELFMAG);
    program.header.e_ident[EI_CLASS] = ELFCLASS32;
    program.header.e_ident[EI_DATA] = ELFDATA2LSB;
    return program;
}

static void expect(const struct program *program, size_t size, const char *flaw)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(program, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    const char *found = cortexm_elf_flaw(path);
    if (flaw == NULL)
        assert_null(found);
    else
        assert_string_equal(found != NULL ? found : "nothing", flaw);
}

static void a_program_is_taken(void **state)
{
    const struct program program = whole_program();
    (void)state;
    expect(&program, sizeof program, NULL);
}

static void others_are_named(void **state)
{
    static const char cut[] = "is an ELF file that was cut off";
    static const char other[] = "is an ELF file of another processor, not of a 32-bit Arm";
    const struct program good = whole_program();
    struct program bad = good;
    (void)state;
    expect(&good, 0, "is no ELF file");
    expect(&good, sizeof good.header - 1, cut);
    expect(&good, sizeof good.header + 1, cut);
    expect(&good, sizeof good - 1, cut);
    bad.header.e_ident[0] = 'M';
    expect(&bad, sizeof bad, "is no ELF file");
    bad = good;
    bad.header.e_machine = EM_X86_64;
    expect(&bad, sizeof bad, other);
    bad = good;
    bad.header.e_ident[EI_CLASS] = ELFCLASS64;
    expect(&bad, sizeof bad, other);
    bad = good;
    bad.header.e_type = ET_REL;
    expect(&bad, sizeof bad, "is an ELF file, but no linked program");
    bad = good;
    bad.header.e_phentsize = 1;
    expect(&bad, sizeof bad, "is a damaged ELF file");
    bad = good;
    bad.segment.p_offset = UINT32_MAX;
    expect(&bad, sizeof bad, cut);
    bad = good;
    bad.segment.p_filesz = 0;
    expect(&bad, sizeof bad, "is an ELF file with nothing to load");
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    assert_string_equal(cortexm_elf_flaw("/nowhere/loader.elf"), "No such file or directory");
    assert_string_equal(cortexm_elf_flaw("/tmp"), "Is a directory");
}

static int set_up(void **state)
{
    (void)state;
    int file = mkstemp(path);
    return file >= 0 ? close(file) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_taken),
        cmocka_unit_test(others_are_named),
        cmocka_unit_test(what_cannot_be_read_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
