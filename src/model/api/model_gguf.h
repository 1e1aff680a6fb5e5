/* GGUF files: memory-mapped, v2 and v3, split files joined. Format: see the drawing in src/model/gguf.c.
 * Everything is validated at open: after it, a tensor's data lies inside the map, its size fits its type and shape,
 * names are unique, and metadata strings are inside the map (they may hold any bytes, NUL included).
 * Read-only after open; share freely between threads. */
#ifndef MODEL_GGUF_H
#define MODEL_GGUF_H

#include "base_err.h"
#include "base_str.h"
#include "kern_type.h"

enum gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
    GGUF_U64, GGUF_I64, GGUF_F64
};

struct gguf_kv {
    struct str key;
    enum gguf_type type;      /* GGUF_ARRAY: see elem, n */
    enum gguf_type elem;      /* element type of an array (never GGUF_ARRAY: nested arrays are refused) */
    uint64_t n;               /* elements of an array; 1 for a scalar */
    const unsigned char *data; /* scalar or first element, little-endian, unaligned; a string: its u64 length first */
};

struct gguf_tensor {
    struct str name;
    int type;           /* enum kern_type */
    unsigned n_dims;    /* 1..4 */
    uint64_t ne[4];     /* ne[0] is the row length (contiguous); missing dimensions are 1 */
    const void *data;   /* aligned as the file says (general.alignment, default 32) */
    size_t bytes, row_bytes;
};

struct gguf;

/* Opens `path`; a file named …-00001-of-0000N.gguf opens its siblings too. */
int gguf_open(const char *path, struct gguf **out, struct err *e) ERR_CHECK;
/* The same from memory (borrowed until close): for tests and fuzzing. One part only. */
int gguf_open_memory(const void *data, size_t size, struct gguf **out, struct err *e) ERR_CHECK;
void gguf_close(struct gguf *g);

unsigned gguf_version(const struct gguf *g);
uint64_t gguf_file_bytes(const struct gguf *g); /* all parts */
size_t gguf_n_kv(const struct gguf *g);
const struct gguf_kv *gguf_kv_at(const struct gguf *g, size_t i);
size_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i);
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key);              /* NULL if absent */
const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name); /* NULL if absent */

/* Typed reads. They return false when the key is absent or of another kind (any integer width converts when the value
 * fits; f64 converts to f32), leaving *out as it was: set the default first. */
bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out);
bool gguf_get_f32(const struct gguf *g, const char *key, float *out);
bool gguf_get_bool(const struct gguf *g, const char *key, bool *out);
bool gguf_get_str(const struct gguf *g, const char *key, struct str *out);
/* Element i of a kv (scalar: i = 0). The numeric ones return 0 for a string. */
struct str gguf_kv_str(const struct gguf_kv *kv, uint64_t i);  /* O(i) for arrays of strings: iterate instead */
int64_t gguf_kv_i64(const struct gguf_kv *kv, uint64_t i);
double gguf_kv_f64(const struct gguf_kv *kv, uint64_t i);
/* Iterate an array of strings: *cursor starts as NULL; n times. */
struct str gguf_kv_next_str(const struct gguf_kv *kv, const unsigned char **cursor);
/* What weights are called by what is kept for them alone: the SHA-256 of the file, as sha256sum prints it; of a model
 * in parts, that of its parts' SHA-256 in hexadecimal, one behind the other. Reads all of the file when it must be
 * computed (base_sha256.h: sha256_kept). */
int gguf_fingerprint(const struct gguf *g, char out[65], struct err *e) ERR_CHECK;
/* The same of the model at `path`, which need not be a GGUF file. */
int gguf_fingerprint_of(const char *path, char out[65], struct err *e) ERR_CHECK;
/* Memory that [data, data + size) of a mapped file takes may go; reading it again brings it back. */
void gguf_drop(const struct gguf *g, const void *data, size_t size);
void gguf_drop_all(const struct gguf *g);
const char *gguf_type_name(enum gguf_type t);

#endif
