/* Token trees: every node gets the logits that its path alone behind the prompt gets, but for the order in which
 * attention adds, wherever the tree is cut into chunks. Choices: the distribution from a tree against softmaxes of
 * whole logits. */
#include "golden.h"
#include "infer_choice.h"
#include "infer_sample.h"
#include "infer_tree.h"
#include "kern_ops.h"

#include <unistd.h>

enum { CTX = 96, PROMPT = 21, ASKED = 7 };
static const char *const models[] = {"llama", "qwen3", "gemma2", "gemma3", "phi3"};
enum { N_MODELS = sizeof models / sizeof models[0] };

static struct infer_engine *open_golden(const char *name, const char *level)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.gguf", GOLDEN_DIR, name);
    return golden_engine(path, 2, level);
}

/* Two questions with a common beginning and branches at several depths, neither in depth-first order. */
static const int32_t parents[] = {-1, 0, 1, 2, 1, 4, 5, -1, 7, 3, 9, 6, 8, 8, 13, 0, 15, 16};
enum { NODES = sizeof parents / sizeof parents[0] };
static int32_t node_token(size_t i) { return (int32_t)((i * 5 + 2) % 40); }

static void make_tree(struct infer_tree *t)
{
    struct err e = {0};
    uint32_t first;
    infer_tree_init(t);
    for (size_t i = 0; i < NODES; i++) {
        int32_t node;
        assert_ok(infer_tree_add(t, parents[i], node_token(i), &node, &e), e);
        assert_int_equal(node, i);
    }
    for (int32_t i = NODES - 1; i >= -1; i--) { /* against their order */
        int32_t ids[ASKED];
        for (int k = 0; k < ASKED; k++) ids[k] = (i + 1 + k * 5) % 40;
        assert_ok(infer_tree_ask(t, i, ids, ASKED, &first, &e), e);
        assert_int_equal(first, (NODES - 1 - i) * ASKED);
    }
}

/* The logits of a node's candidates from whole logits of its path. */
static void path_logits(struct infer_engine *g, uint32_t n_batch, const int32_t *prompt, int32_t node,
                        const int32_t *ids, float *out)
{
    struct err e = {0};
    int32_t all[PROMPT + NODES], path[NODES];
    size_t n = 0;
    for (int32_t i = node; i >= 0; i = parents[i]) path[n++] = node_token((size_t)i);
    memcpy(all, prompt, PROMPT * sizeof *prompt);
    for (size_t i = 0; i < n; i++) all[PROMPT + i] = path[n - 1 - i];
    struct infer_session *s = golden_session(g, CTX, n_batch, 1, INFER_KV_F32);
    assert_ok(infer_session_eval(s, all, PROMPT + n, INFER_LOGITS_LAST, &e), e);
    for (int k = 0; k < ASKED; k++) out[k] = infer_session_logits(s, 0)[ids[k]];
    infer_session_free(s);
}

static void against_paths(struct infer_engine *g, uint32_t n_batch, double close)
{
    struct infer_tree t;
    int32_t prompt[PROMPT];
    make_tree(&t);
    for (size_t i = 0; i < PROMPT; i++) prompt[i] = (int32_t)((i * 7 + 3) % 40);
    struct infer_session *s = golden_session(g, CTX, n_batch, 1, INFER_KV_F32);
    /* the first half of the prompt is there already, and another session decodes beside it */
    struct err e = {0};
    struct infer_session *other = golden_session(g, CTX, n_batch, 1, INFER_KV_F32);
    assert_ok(infer_session_eval(s, prompt, 10, INFER_LOGITS_NONE, &e), e);
    struct infer_batch_item item[] = {
        {.session = other, .tokens = prompt, .n = 3, .want = INFER_LOGITS_LAST},
        {.session = s, .tokens = prompt + 10, .n = PROMPT - 10, .tree = &t},
    };
    for (int round = 0; round < 2; round++) { /* the second on what the first left: only the last token again */
        assert_int_equal(infer_batch_eval(item, 2), 0);
        assert_int_equal(item[1].n_nodes_done, NODES);
        assert_int_equal(infer_session_n_past(s), PROMPT);
        assert_non_null(infer_session_logits(other, 0));
        for (uint32_t k = 0; k < t.n_asks; k++) {
            const struct infer_ask *a = &t.ask[k];
            float want[ASKED];
            path_logits(g, n_batch, prompt, a->node, t.candidate + a->first, want);
            double rms = golden_rms(t.logit + a->first, want, ASKED);
            if (!(rms <= close))
                fail_msg("%s %s batch %u node %d: %.2e", infer_engine_model(g)->arch, infer_engine_ops(g)->level,
                         n_batch, (int)a->node, rms);
        }
        assert_ok(infer_session_truncate(s, PROMPT - 1, &e), e);
        item[1].tokens = prompt + PROMPT - 1;
        item[1].n = 1;
    }
    infer_session_free(s);
    infer_session_free(other);
    infer_tree_done(&t);
    infer_engine_close(g);
}

static void nodes_as_paths(void **state)
{
    static const char *const types[] = {"Q8_0", "Q4_K_M"};
    for (const char *const *level = kern_levels(); *level; level++) {
        if (!kern_level_get(*level)) continue;
        bool ref = strcmp(*level, "ref") == 0, amx = strcmp(*level, "amx") == 0;
        for (uint32_t n_batch = 0; n_batch <= 5; n_batch += 5) {
            for (int k = 0; k < N_MODELS; k++)
                against_paths(open_golden(models[k], *level), n_batch, ref ? 1e-6 : 5e-4);
            for (int k = 0; k < 2; k++) {
                char path[256];
                snprintf(path, sizeof path, SHARED_DIR "/llama-dense-%s.gguf", types[k]);
                if (access(path, R_OK)) continue;
                against_paths(golden_engine(path, 2, *level), n_batch, ref ? 1e-3 : amx ? 3e-2 : 1e-2);
            }
        }
    }
}

static void wrong_use(void **state)
{
    struct err e = {0};
    struct infer_tree t;
    int32_t node, ids[] = {1, 1000000};
    uint32_t first;
    infer_tree_init(&t);
    assert_int_equal(infer_tree_add(&t, 0, 1, &node, &e), CROFT_E_USAGE);
    assert_ok(infer_tree_add(&t, -1, 1, &node, &e), e);
    assert_ok(infer_tree_add(&t, -1, 1, &node, &e), e);
    assert_int_equal(t.n, 1);
    assert_int_equal(infer_tree_ask(&t, 1, ids, 1, &first, &e), CROFT_E_USAGE);
    assert_ok(infer_tree_ask(&t, 0, ids, 2, &first, &e), e);
    struct infer_engine *g = open_golden("llama", NULL);
    struct infer_session *s = golden_session(g, CTX, 0, 1, INFER_KV_F32);
    struct infer_batch_item item = {.session = s, .tokens = ids, .n = 1, .tree = &t};
    assert_int_equal(infer_batch_eval(&item, 1), CROFT_E_USAGE); /* a candidate outside the vocabulary */
    infer_session_free(s);
    infer_engine_close(g);
    g = open_golden("qwen35", NULL);
    s = golden_session(g, CTX, 0, 1, INFER_KV_F32);
    item.session = s;
    assert_int_equal(infer_batch_eval(&item, 1), CROFT_E_UNSUPPORTED); /* a recurrent state */
    infer_session_free(s);
    infer_engine_close(g);
    infer_tree_done(&t);
    infer_tree_init(&t);
    for (int32_t i = -1; i < INFER_TREE_MAX - 1; i++) assert_ok(infer_tree_add(&t, i, 1, &node, &e), e);
    assert_int_equal(infer_tree_add(&t, node, 1, &node, &e), CROFT_E_LIMIT);
    infer_tree_done(&t);
}

/* ---- choices ---- */

#define VOCAB "tests/golden/tok/bpe.gguf"
static const char *const options[] = {"card", "card_late", "card_lost", "bill", "billing address", "b"};
enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* A made-up model: the logit of a token behind a path depends on both. */
static float made_up(uint32_t path, int32_t token)
{
    return (float)((path * 2654435761u + (uint32_t)token * 40503u) % 97) / 20;
}

/* P(option) the long way: at each of its tokens, the softmax over the tokens that any option has there. */
static double long_way(int32_t ids[][INFER_CHOICE_TOKENS], const size_t *n, size_t who)
{
    double p = 1;
    uint32_t path = 1;
    for (size_t d = 0; d < n[who]; d++) {
        int32_t seen[N_OPTIONS];
        size_t n_seen = 0;
        double all = 0;
        for (size_t k = 0; k < N_OPTIONS; k++) {
            if (n[k] <= d || memcmp(ids[k], ids[who], d * sizeof ids[0][0])) continue;
            bool known = false;
            for (size_t j = 0; j < n_seen; j++) known = known || seen[j] == ids[k][d];
            if (known) continue;
            seen[n_seen++] = ids[k][d];
            all += exp(made_up(path, ids[k][d]));
        }
        p *= exp(made_up(path, ids[who][d])) / all;
        path = path * 31 + (uint32_t)ids[who][d];
    }
    return p;
}

static void distribution(void **state)
{
    struct err e = {0};
    struct gguf *file = NULL;
    struct tok *tok = NULL;
    struct infer_choice *c = NULL;
    struct infer_tree t;
    uint32_t first;
    double logp[N_OPTIONS], sum = 0;
    int32_t ids[N_OPTIONS][INFER_CHOICE_TOKENS];
    size_t n[N_OPTIONS];
    assert_ok(gguf_open(VOCAB, &file, &e), e);
    assert_ok(tok_new(file, &tok, &e), e);
    assert_ok(infer_choice_new(tok, options, N_OPTIONS, &c, &e), e);
    infer_tree_init(&t);
    assert_ok(infer_choice_plant(c, &t, -1, &first, &e), e);
    uint32_t path[64];
    assert_true(t.n < 64);
    for (uint32_t i = 0; i < t.n; i++)
        path[i] = (t.parent[i] < 0 ? 1 : path[t.parent[i]]) * 31 + (uint32_t)t.token[i];
    for (uint32_t k = 0; k < t.n_asks; k++)
        for (uint32_t j = t.ask[k].first; j < t.ask[k].first + t.ask[k].n; j++)
            t.logit[j] = made_up(t.ask[k].node < 0 ? 1 : path[t.ask[k].node], t.candidate[j]);
    infer_choice_logprobs(c, &t, first, logp);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        int32_t *own;
        assert_ok(tok_encode(tok, options[i], strlen(options[i]), 0, 64, &own, &n[i], &e), e);
        memcpy(ids[i], own, n[i] * sizeof *own);
        mem_free(own);
    }
    for (size_t i = 0; i < N_OPTIONS; i++) /* the beginning of another: the end token */
        for (size_t k = 0, m = n[i]; k < N_OPTIONS; k++)
            if (k != i && n[k] > m && memcmp(ids[k], ids[i], m * sizeof ids[0][0]) == 0) {
                ids[i][m] = tok_eos(tok);
                n[i] = m + 1;
            }
    for (size_t i = 0; i < N_OPTIONS; i++) {
        assert_true(fabs(exp(logp[i]) - long_way(ids, n, i)) < 1e-6);
        sum += exp(logp[i]);
    }
    assert_true(fabs(sum - 1) < 1e-9);
    infer_choice_free(c);
    const char *twice[] = {"bill", "card", "bill"}, *none[] = {""};
    assert_int_equal(infer_choice_new(tok, twice, 3, &c, &e), CROFT_E_FORMAT);
    assert_int_equal(infer_choice_new(tok, none, 1, &c, &e), CROFT_E_FORMAT);
    assert_int_equal(infer_choice_new(tok, none, 0, &c, &e), CROFT_E_USAGE);
    infer_tree_done(&t);
    tok_free(tok);
    gguf_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nodes_as_paths), cmocka_unit_test(wrong_use),
                                       cmocka_unit_test(distribution)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
