/* Passes each file on the command line to the entry of the fuzzer once: for compilers without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) return 0;
    size_t size = (size_t)ftell(file);
    uint8_t *data = malloc(size + 1);
    rewind(file);
    int is_read = data && fread(data, 1, size, file) == size;
    fclose(file);
    if (is_read) LLVMFuzzerTestOneInput(data, size);
    free(data);
    return is_read;
}

int main(int count, char **paths) {
    for (int i = 1; i < count; i++)
        if (!replay(paths[i])) return perror(paths[i]), 1;
    return 0;
}
