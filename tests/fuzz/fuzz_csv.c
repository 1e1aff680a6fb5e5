/* Fuzz target: any bytes as CSV. Every field that is read is valid UTF-8 and ends within the record, and lines only
 * grow. Seeds: corpus/csv. */
#include "csv.h" /* private to src/task */
#include "base_str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct task_csv c;
    struct err e = {0};
    FILE *f = size ? fmemopen((void *)data, size, "r") : NULL;
    if (!f) return 0;
    long long last = 0;
    task_csv_init(&c, f, "fuzz.csv", 1);
    while (task_csv_next(&c, &e) == 0 && c.n) {
        if (c.record <= last) abort();
        last = c.record;
        for (uint32_t i = 0; i < c.n; i++) {
            const char *s = task_csv_field(&c, i);
            if (s + strlen(s) >= c.text.data + c.text.len || !utf8_valid(s, strlen(s))) abort();
        }
    }
    task_csv_done(&c);
    fclose(f);
    return 0;
}
