/* Names of models and files: what is allowed, and what a file name tells. */
#ifndef NAME_H
#define NAME_H

#include "base_buf.h"

#define BUNDLE_FILE_NAME_BYTES 200

/* Lower-case [a-z0-9._-], at most one '/' and one ':' after it, no part empty or starting with '.' or '-',
 * no "..". */
bool bundle_name_valid(const char *name);
/* Copy in lower case; false when the result is no valid name. */
bool bundle_name_fold(const char *name, char out[]);
/* One path component that is safe to create and to print: printable ASCII, no '/', '\\', quote, leading
 * '.' or '-'. */
bool bundle_file_name_valid(const char *name);
/* The same for each part of a relative path. */
bool bundle_file_path_valid(const char *path);
const char *bundle_base_name(const char *path);

/* "model-00002-of-00003.gguf": true, 2, 3 and the length of "model". */
bool bundle_name_split(const char *file, int *out_i, int *out_n, size_t *out_stem);
/* The quantisation a file name mentions last ("Q4_K_M", as written), or "". */
void bundle_name_quant(const char *file, char out[32]);
/* Does the path mention `quant` as a whole word, ignoring case? */
bool bundle_name_has_quant(const char *path, const char *quant);
/* Default model name: from the repo (without "-GGUF") when not NULL, else from the file; ":quant" from the
 * file. */
bool bundle_name_default(const char *repo, const char *file, char out[]);
/* "qwen2.5" of "Qwen2.5-0.5B-Instruct-Q4_0.gguf": the first word, lower case. */
void bundle_name_family(const char *file, char out[32]);

#endif
