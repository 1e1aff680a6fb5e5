/* Fuzz target: the GGUF reader. After a successful open everything it hands out must be readable. */
#include "model_gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *g = NULL;
    struct err e = {0};
    if (gguf_open_memory(data, size, &g, &e)) return 0;
    volatile uint64_t sum = 0;
    for (size_t i = 0; i < gguf_n_kv(g); i++) {
        const struct gguf_kv *kv = gguf_kv_at(g, i);
        const unsigned char *cursor = NULL;
        for (uint64_t k = 0; k < kv->n && k < 1000; k++) {
            if (kv->elem == GGUF_STRING) {
                struct str s = gguf_kv_next_str(kv, &cursor);
                sum += str_hash(s.p, s.n);
            } else {
                sum += (uint64_t)gguf_kv_i64(kv, k);
            }
        }
    }
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        sum += str_hash(t->data, t->bytes);
    }
    (void)sum;
    gguf_close(g);
    return 0;
}
