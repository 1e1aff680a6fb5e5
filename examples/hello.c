/* The smallest program with Croft: continue a text with a GGUF model.
 *     cc hello.c $(pkg-config --cflags --libs croft) -o hello && ./hello MODEL.gguf "Once upon a time" */
#include <croft/croft.h>

#include <stdio.h>
#include <string.h>

static int print(void *user, const struct croft_piece *piece)
{
    (void)user;
    fwrite(piece->text, 1, piece->n, stdout);
    return fflush(stdout);
}

int main(int argc, char **argv)
{
    struct croft_model *model = NULL;
    struct croft_session *session = NULL;
    struct croft_sampling sampling;
    struct croft_err err = {0};
    int32_t *ids = NULL;
    size_t n;
    if (argc != 3) return fprintf(stderr, "usage: hello MODEL.gguf TEXT\n"), 64;
    croft_sampling_init(&sampling);
    sampling.max_tokens = 100;
    if (croft_model_open(argv[1], 0, &model, &err) || croft_session_new(model, NULL, &session, &err) ||
        croft_tokenize(model, argv[2], strlen(argv[2]), CROFT_ADD_SPECIAL, &ids, &n, &err) ||
        croft_generate(session, ids, n, &sampling, print, NULL, NULL, &err))
        fprintf(stderr, "hello: %s\n", err.msg);
    else puts("");
    croft_free(ids);
    croft_session_free(session);
    croft_model_close(model);
    return err.code != 0;
}
