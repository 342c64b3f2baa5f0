#include "sim/cortexm/host/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *header_flaw(const Elf32_Ehdr *header)
{
    const unsigned char *id = header->e_ident;
    if (memcmp(id, ELFMAG, SELFMAG) != 0)
        return "is no ELF file";
    if (id[EI_CLASS] != ELFCLASS32 || id[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_ARM)
        return "is an ELF file of another processor, not of a 32-bit Arm";
    if (header->e_type != ET_EXEC)
        return "is an ELF file, but no linked program";
    return header->e_phentsize == sizeof(Elf32_Phdr) ? NULL : "is a damaged ELF file";
}

/* Is all that it loads in the file? */
static const char *segments_flaw(FILE *file, const Elf32_Ehdr *header, uint64_t size)
{
    bool loads = false;
    Elf32_Phdr segment;
    if (fseek(file, (long)header->e_phoff, SEEK_SET) != 0)
        return strerror(errno);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (fread(&segment, sizeof segment, 1, file) != 1 ||
            (uint64_t)segment.p_offset + segment.p_filesz > size)
            return "is an ELF file that was cut off";
        loads = loads || (segment.p_type == PT_LOAD && segment.p_filesz != 0);
    }
    return loads ? NULL : "is an ELF file with nothing to load";
}

const char *cortexm_elf_flaw(const char *path)
{
    Elf32_Ehdr header;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return strerror(errno);
    memset(&header, 0, sizeof header);
    errno = 0;
    bool whole = fread(&header, sizeof header, 1, file) == 1;
    const char *flaw = ferror(file) ? strerror(errno) : header_flaw(&header);
    if (flaw == NULL && !whole)
        flaw = "is an ELF file that was cut off";
    if (flaw == NULL) {
        long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
        flaw = size < 0 ? strerror(errno) : segments_flaw(file, &header, (uint64_t)size);
    }
    fclose(file);
    return flaw;
}
