/* Models that lie. A committed golden model is changed in memory, one thing at a time, and must be refused
 * with a sentence that names the fault; then hundreds of random changes, which must do anything but crash
 * (run it under ASan). */
#include "golden.h"

enum { ROUNDS = 400 };

static unsigned char *load(const char *name, size_t *size)
{
    struct plat_map map;
    char path[256];
    snprintf(path, sizeof path, GOLDEN_DIR "/%s.gguf", name);
    assert_int_equal(plat_map_open(&map, path), 0);
    unsigned char *copy = mem_aligned(64, map.size);
    memcpy(copy, map.data, map.size);
    *size = map.size;
    plat_map_close(&map);
    return copy;
}

/* Where a byte string is, after `from`. */
static unsigned char *find(unsigned char *p, size_t size, const char *what)
{
    size_t n = strlen(what);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(p + i, what, n) == 0) return p + i;
    fail_msg("%s is not in the file", what);
    return NULL;
}

static void expect(unsigned char *file, size_t size, int code, const char *words)
{
    struct infer_engine *g = NULL;
    struct infer_engine_params p = {.n_threads = 1};
    struct err e = {0};
    int rc = infer_engine_open_memory(file, size, &p, &g, &e);
    infer_engine_close(g);
    if (rc != code || !strstr(e.msg, words))
        fail_msg("%d \"%s\"; expected %d \"%s\"", rc, e.msg, code, words);
    mem_free(file);
}

/* Metadata of four bytes (u32, f32): key, then u32 type, then the value. */
static void with_value(const char *model, const char *key, uint32_t value, int code, const char *words)
{
    size_t size;
    unsigned char *file = load(model, &size), *p = find(file, size, key) + strlen(key) + 4;
    memcpy(p, &value, 4);
    expect(file, size, code, words);
}

static void hyperparameters(void **state)
{
    with_value("llama", "llama.attention.head_count", 0, CROFT_E_FORMAT, "heads");
    with_value("llama", "llama.attention.head_count", 1u << 31, CROFT_E_FORMAT, "heads");
    with_value("llama", "llama.attention.head_count_kv", 3, CROFT_E_FORMAT, "key/value heads");
    with_value("llama", "llama.attention.head_count_kv", 0, CROFT_E_FORMAT, "key/value heads");
    with_value("llama", "llama.block_count", 1u << 31, CROFT_E_FORMAT, "layers");
    with_value("llama", "llama.block_count", 0, CROFT_E_FORMAT, "layers");
    with_value("llama", "llama.block_count", 3, CROFT_E_FORMAT, "blk.2.attn_norm.weight is missing");
    with_value("llama", "llama.block_count", 1, CROFT_E_FORMAT, "blk.1.");
    with_value("llama", "llama.embedding_length", 0, CROFT_E_FORMAT, "embedding length");
    with_value("llama", "llama.embedding_length", 25, CROFT_E_FORMAT, "shape");
    with_value("llama", "llama.feed_forward_length", 0, CROFT_E_FORMAT, "feed-forward");
    with_value("llama", "llama.feed_forward_length", 48, CROFT_E_FORMAT, "shape");
    with_value("llama", "llama.attention.key_length", 7, CROFT_E_FORMAT, "odd");
    with_value("llama", "llama.attention.key_length", 1u << 20, CROFT_E_FORMAT, "head size");
    with_value("llama", "llama.rope.dimension_count", 8, CROFT_E_FORMAT, "rotary");
    with_value("llama", "llama.rope.dimension_count", 0, CROFT_E_FORMAT, "rotary");
    with_value("llama", "llama.rope.freq_base", 0, CROFT_E_FORMAT, "rotary");
    with_value("llama", "llama.rope.freq_base", 0x7fc00000, CROFT_E_FORMAT, "finite");
    with_value("llama", "llama.attention.layer_norm_rms_epsilon", 0xbf800000, CROFT_E_FORMAT, "epsilon");
    with_value("llama", "llama.context_length", 0, CROFT_E_FORMAT, "context");
    with_value("qwen35", "qwen35.ssm.group_count", 0, CROFT_E_FORMAT, "delta-net");
    with_value("qwen35", "qwen35.ssm.conv_kernel", 1u << 30, CROFT_E_FORMAT, "delta-net");
    with_value("qwen35", "qwen35.ssm.state_size", 1u << 30, CROFT_E_FORMAT, "delta-net");
    with_value("lfm2", "lfm2.shortconv.l_cache", 1, CROFT_E_FORMAT, "l_cache");
    with_value("lfm2", "lfm2.shortconv.l_cache", 5, CROFT_E_FORMAT, "elements");
    with_value("bert-mean", "bert.pooling_type", 4, CROFT_E_UNSUPPORTED, "pooling");
    with_value("bert-mean", "bert.context_length", 63, CROFT_E_FORMAT, "position_embd");
    with_value("bert-mean", "tokenizer.ggml.token_type_count", 0, CROFT_E_FORMAT, "token_type_count");
}

/* Change a name in the file, of the same length. */
static void renamed(const char *model, const char *from, const char *to, int code, const char *words)
{
    size_t size;
    unsigned char *file = load(model, &size), *p = find(file, size, from);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(p, to, strlen(to));
    expect(file, size, code, words);
}

static void names(void **state)
{
    renamed("llama", "general.architecture", "general.architexture", CROFT_E_FORMAT, "general.architecture");
    renamed("llama", "output_norm.weight", "output_nurm.weight", CROFT_E_FORMAT,
            "output_norm.weight is missing");
    renamed("llama", "blk.1.ffn_up.weight", "blk.1.ffn_ap.weight", CROFT_E_FORMAT,
            "blk.1.ffn_up.weight is missing");
    renamed("llama", "blk.0.attn_q.bias", "blk.0.attn_x.bias", CROFT_E_FORMAT, "blk.0.attn_x.bias");
    renamed("llama", "token_embd.weight", "taken_embd.weight", CROFT_E_FORMAT, "token_embd.weight");
    renamed("llama", "llama.block_count", "llama.blockxcount", CROFT_E_FORMAT, "llama.block_count");
    renamed("mistral3", "yarn", "warn", CROFT_E_UNSUPPORTED, "warn");
    size_t size;
    unsigned char *file = load("llama", &size), *p = find(file, size, "general.architecture") + 20 + 4 + 8;
    assert_memory_equal(p, "llama", 5);
    memcpy(p, "mamba", 5);
    expect(file, size, CROFT_E_UNSUPPORTED, "\"mamba\" is not supported; known: llama");
}

/* Swap the two dimensions of a tensor: name, u32 number of dimensions, u64 each. */
static void shapes(void **state)
{
    static const char *const tensors[] = {"blk.0.ffn_up.weight", "token_embd.weight",
                                          "blk.1.ffn_down.weight"};
    for (int i = 0; i < 3; i++) {
        size_t size;
        uint64_t ne[2];
        unsigned char *file = load("llama", &size),
                      *p = find(file, size, tensors[i]) + strlen(tensors[i]) + 4;
        memcpy(ne, p, 16);
        memcpy(p, &ne[1], 8);
        memcpy(p + 8, &ne[0], 8);
        expect(file, size, CROFT_E_FORMAT, i == 1 ? "rows" : tensors[i]);
    }
}

/* Weights that are not numbers open (nobody reads all of them first), but are no answer. */
static void not_numbers(void **state)
{
    static const char *const models[] = {"llama", "qwen35", "lfm2", "bert-mean"};
    for (int i = 0; i < 4; i++) {
        size_t size;
        unsigned char *file = load(models[i], &size);
        struct infer_engine *g = NULL;
        struct infer_session *s = NULL;
        struct infer_engine_params ep = {.n_threads = 1};
        struct infer_session_params sp = {.n_ctx = 8};
        struct err e = {0};
        float out[64];
        const int32_t token = 1;
        assert_ok(infer_engine_open_memory(file, size, &ep, &g, &e), e);
        const struct gguf_tensor *t = gguf_tensor_find(infer_engine_gguf(g), "blk.0.ffn_down.weight");
        assert_non_null(t);
        assert_true(t->bytes >= 4 && infer_engine_model(g)->n_embd <= 64);
        memset((void *)t->data, 0xff, 4); /* a NaN as F32, and as two F16 */
        assert_ok(infer_session_new(g, &sp, &s, &e), e);
        if (i < 3) {
            assert_int_equal(infer_session_eval(s, &token, 1, INFER_LOGITS_LAST, &e), CROFT_E_FORMAT);
            assert_non_null(strstr(e.msg, "not numbers"));
            assert_null(infer_session_logits(s, 0));
        }
        assert_int_equal(infer_session_embed(s, &token, 1, MODEL_POOL_MEAN, true, out, &e), CROFT_E_FORMAT);
        infer_session_free(s);
        infer_engine_close(g);
        mem_free(file);
    }
}

/* A number of another type must not be read as some other choice. */
static void types(void **state)
{
    size_t size;
    const uint32_t f32 = GGUF_F32;
    unsigned char *file = load("bert-mean", &size), *p = find(file, size, "bert.pooling_type");
    memcpy(p + strlen("bert.pooling_type"), &f32, 4);
    expect(file, size, CROFT_E_FORMAT, "not a whole number");
}

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

static void run_anyhow(const unsigned char *file, size_t size)
{
    struct infer_engine *g = NULL;
    struct infer_session *s = NULL;
    struct infer_engine_params ep = {.n_threads = 1};
    struct infer_session_params sp = {.n_ctx = 8};
    struct err e = {0};
    int32_t tokens[4] = {1, 2, 3, 0};
    int rc = infer_engine_open_memory(file, size, &ep, &g, &e);
    if (!rc) rc = infer_session_new(g, &sp, &s, &e);
    if (!rc && infer_engine_model(g)->head.data) rc = infer_session_eval(s, tokens, 4, INFER_LOGITS_LAST, &e);
    if (rc) assert_true(e.msg[0] && e.code == rc);
    infer_session_free(s);
    infer_engine_close(g);
}

static void random_changes(void **state)
{
    static const char *const models[] = {"llama", "mistral3", "gemma3", "phi3", "qwen35", "lfm2", "bert-cls"};
    static const uint32_t values[] = {0,        1,          2,          3,          255,       1u << 16,
                                      1u << 31, UINT32_MAX, 0x7f800000, 0x7fc00000, 0x3f800000};
    uint64_t seed = 88172645463325252ull;
    for (int k = 0; k < 7; k++) {
        size_t size;
        unsigned char *file = load(models[k], &size), *spare = mem_aligned(64, size);
        for (int i = 0; i < ROUNDS; i++) {
            memcpy(spare, file, size);
            for (uint64_t n = 1 + next(&seed) % 3; n > 0; n--) {
                size_t at = next(&seed) % 5000 % (size - 4); /* metadata and tensor list come first */
                if (next(&seed) % 2) spare[at] ^= 1u << next(&seed) % 8;
                else memcpy(spare + at, &values[next(&seed) % (sizeof values / sizeof values[0])], 4);
            }
            run_anyhow(spare, next(&seed) % 8 ? size : next(&seed) % size);
        }
        mem_free(file);
        mem_free(spare);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hyperparameters),
        cmocka_unit_test(names),
        cmocka_unit_test(shapes),
        cmocka_unit_test(not_numbers),
        cmocka_unit_test(types),
        cmocka_unit_test(random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
