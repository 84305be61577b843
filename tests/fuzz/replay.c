/* replay.c - main for builds without libFuzzer: runs a target over the files of its corpus.
 * Usage: fuzz_<parser> FOLDER. Fails when the folder holds no seed, so that none goes untested. */
#include <dirent.h>
#include <stdint.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
    auto_fclose FILE *file = fopen(path, "re");
    auto_free uint8_t *data = mem_alloc(1024 * 1024);

    if (!file) {
        perror(path);
        exit(1);
    }
    LLVMFuzzerTestOneInput(data, fread(data, 1, 1024 * 1024, file));
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned count = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 1;
    }
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        auto_free char *path = mem_format("%s/%s", argv[1], entry->d_name);
        replay(path);
        count++;
    }
    closedir(folder);
    printf("%u seeds replayed\n", count);
    return count > 0 ? 0 : 1;
}
