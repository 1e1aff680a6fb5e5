/* Runs a fuzz target without a fuzzing engine: every file given (folders are read), then deterministic mutants of each.
 * Usage: PROGRAM [-n MUTANTS] FILE|FOLDER…   The compiler needs nothing special, so gcc's sanitizers can be used, and a
 * crash found by an engine is replayed by naming its file. Prints "N passed, 0 failed, 0 skipped" (a crash ends it).
 * Read next: run.sh, which runs the same targets under libFuzzer. */
#include <dirent.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 20 };

static uint64_t state = 42;
static uint32_t next(uint32_t below) /* xorshift64*: the same mutants in every run */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return below ? (uint32_t)(state * 0x2545F4914F6CDD1Du >> 32) % below : 0;
}

/* The target gets a buffer of exactly the input's size, so that a read beyond it is seen. */
static void run(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) abort();
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void mutate(const uint8_t *data, size_t n)
{
    static const uint64_t odd[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
    uint8_t *m = malloc(n + 8);
    size_t size = n;
    if (!m) abort();
    memcpy(m, data, n);
    memset(m + n, 0, 8);
    for (uint32_t k = 1 + next(4); k > 0 && n > 0; k--) {
        /* Headers come first in every format: half of the changes hit the first 512 bytes. */
        size_t at = next((uint32_t)(next(2) && n > 512 ? 512 : n));
        uint64_t v = odd[next(sizeof odd / sizeof odd[0])];
        switch (next(4)) {
        case 0: m[at] ^= (uint8_t)(1u << next(8)); break;
        case 1: m[at] = (uint8_t)next(256); break;
        case 2: memcpy(m + at, &v, (size_t)1 << next(4)); break;
        case 3: size = next(2) ? at : size; break;
        }
    }
    run(m, size);
    free(m);
}

static int run_file(const char *path, int n_mutants)
{
    static uint8_t data[MAX_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    run(data, n);
    for (int i = 0; i < n_mutants; i++) mutate(data, n);
    return 1;
}

int main(int argc, char **argv)
{
    int n_mutants = 200, n_files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            n_mutants = (int)strtol(argv[++i], NULL, 10);
            continue;
        }
        DIR *d = opendir(argv[i]);
        if (!d) n_files += run_file(argv[i], n_mutants);
        for (struct dirent *e; d && (e = readdir(d));) {
            char path[4096];
            if (e->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            n_files += run_file(path, n_mutants);
        }
        if (d) closedir(d);
    }
    printf("%d files with %d mutants each\n%d passed, 0 failed, 0 skipped\n", n_files, n_mutants, n_files > 0);
    return n_files == 0;
}
