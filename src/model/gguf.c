/* GGUF reader: maps the file, checks every byte of its header once, and hands out pointers into the map.
 *
 * The file, little-endian, as the format's specification gives it (v2 and v3 differ only in that v3 allows a
 * big-endian twin, which is refused here; v1 had 32-bit counts and is refused too):
 *
 *     off  size
 *       0     4  "GGUF"
 *       4     4  version: 2 or 3
 *       8     8  n_tensors
 *      16     8  n_kv
 *      24        n_kv times:      key      = u64 length, bytes
 *                                 type     = u32 (enum gguf_type)
 *                                 value    = scalar | string (u64 length, bytes)
 *                                          | array: u32 element type, u64 n, n elements (strings again with length)
 *                n_tensors times: name     = u64 length, bytes (≤ 255 here)
 *                                 n_dims   = u32 (1..4)
 *                                 ne       = u64[n_dims], ne[0] the contiguous one
 *                                 type     = u32 (enum kern_type)
 *                                 offset   = u64 from the start of the data section, a multiple of `alignment`
 *                padding to `alignment` (general.alignment, a power of two, default 32)
 *                data section
 *
 * A split model is N files NAME-00001-of-0000N.gguf …; metadata is the first part's, tensors are the union.
 *
 * Owns: the maps, and three arrays (kv, tensors, name index). Invariants after open: see model_gguf.h. Numbers in the
 * file are hostile: a count is compared with what is left of the file before it is used, so memory stays within a
 * small multiple of the file's size. Read next: model.c, which turns tensors into a model. */
#include "model_gguf.h"
#include "base_mem.h"
#include "base_sha256.h"

#include <errno.h>
#include <limits.h>

enum { MAX_PARTS = 256, MAX_NAME = 255, MAX_KEY = 65535 };

struct part {
    struct plat_map map;
    char *path; /* NULL: borrowed memory */
    size_t data_offset;
};

struct gguf {
    struct part *part;
    size_t n_parts;
    unsigned version;
    uint64_t alignment;
    struct gguf_kv *kv;
    size_t n_kv;
    struct gguf_tensor *tensor;
    size_t n_tensors;
    struct index {
        uint32_t *slot; /* 0: free, else 1 + position; open addressing, n_slots a power of two */
        size_t n_slots;
    } kv_index, tensor_index;
};

/* ---- reading cursor ---- */

struct cursor {
    const unsigned char *p;
    size_t size, pos;
    struct err *e;
};

static int damaged(struct cursor *c, const char *what)
{
    return err_set(c->e, CROFT_E_FORMAT, "GGUF", (long long)c->pos,
                   "The GGUF file is damaged at byte %zu: %s. Fetch the file again.", c->pos, what);
}

static int truncated(struct cursor *c)
{
    return damaged(c, "it ends in the middle of its header");
}

static inline uint32_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static int take(struct cursor *c, size_t n, const unsigned char **out)
{
    if (n > c->size - c->pos) return truncated(c);
    *out = c->p + c->pos;
    c->pos += n;
    return 0;
}

static int take32(struct cursor *c, uint32_t *out)
{
    const unsigned char *p;
    int rc = take(c, 4, &p);
    if (!rc) *out = load32(p);
    return rc;
}

static int take64(struct cursor *c, uint64_t *out)
{
    const unsigned char *p;
    int rc = take(c, 8, &p);
    if (!rc) *out = load64(p);
    return rc;
}

static int take_str(struct cursor *c, size_t max, struct str *out)
{
    uint64_t n;
    const unsigned char *p;
    int rc = take64(c, &n);
    if (rc) return rc;
    if (n > max) return damaged(c, "a string is longer than the file allows");
    rc = take(c, (size_t)n, &p);
    if (!rc) *out = (struct str){(const char *)p, (size_t)n};
    return rc;
}

/* ---- names ---- */

static const struct {
    const char *name;
    unsigned bytes; /* 0: variable */
} value_types[] = {{"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
                   {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8}};

const char *gguf_type_name(enum gguf_type t) { return (unsigned)t <= GGUF_F64 ? value_types[t].name : "?"; }

static int index_init(struct index *ix, size_t n, struct err *e)
{
    ix->n_slots = 16;
    while (ix->n_slots < 2 * n) ix->n_slots *= 2;
    ix->slot = mem_calloc(ix->n_slots, sizeof *ix->slot);
    return ix->slot ? 0 : err_nomem(e, ix->n_slots * sizeof *ix->slot);
}

/* The names live in arrays of different structs: `stride` apart, each starting with its struct str. */
static uint32_t *index_slot(const struct index *ix, const void *items, size_t stride, struct str name)
{
    size_t i = str_hash(name.p, name.n) & (ix->n_slots - 1);
    while (ix->slot[i]) {
        const struct str *have = (const void *)((const char *)items + stride * (ix->slot[i] - 1));
        if (str_eq(*have, name)) break;
        i = (i + 1) & (ix->n_slots - 1);
    }
    return &ix->slot[i];
}

/* ---- metadata ---- */

static int read_value(struct cursor *c, struct gguf_kv *kv)
{
    uint32_t type = kv->type, elem = type;
    uint64_t n = 1;
    int rc = 0;
    if (type > GGUF_F64) return damaged(c, "a metadata value has an unknown type");
    if (type == GGUF_ARRAY) {
        if ((rc = take32(c, &elem)) || (rc = take64(c, &n))) return rc;
        if (elem == GGUF_ARRAY || elem > GGUF_F64)
            return damaged(c, "an array has an element type that is not allowed");
    }
    kv->elem = (enum gguf_type)elem;
    kv->n = n;
    kv->data = c->p + c->pos;
    if (elem != GGUF_STRING) {
        unsigned each = value_types[elem].bytes;
        if (n > (c->size - c->pos) / each) return truncated(c);
        c->pos += (size_t)n * each;
        return 0;
    }
    if (n > (c->size - c->pos) / 8) return truncated(c);
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        struct str s;
        rc = take_str(c, c->size, &s);
    }
    return rc;
}

static int read_metadata(struct gguf *g, struct cursor *c, uint64_t n)
{
    /* The smallest pair: empty key (8), type (4), one byte. */
    if (n > (c->size - c->pos) / 13) return truncated(c);
    g->kv = mem_calloc((size_t)n, sizeof *g->kv);
    if (!g->kv) return err_nomem(c->e, (size_t)n * sizeof *g->kv);
    int rc = index_init(&g->kv_index, (size_t)n, c->e);
    for (; rc == 0 && g->n_kv < n; g->n_kv++) {
        struct gguf_kv *kv = &g->kv[g->n_kv];
        uint32_t type;
        if ((rc = take_str(c, MAX_KEY, &kv->key)) || (rc = take32(c, &type))) break;
        kv->type = (enum gguf_type)type;
        if ((rc = read_value(c, kv))) break;
        uint32_t *slot = index_slot(&g->kv_index, g->kv, sizeof *g->kv, kv->key);
        if (*slot) {
            rc = damaged(c, "a metadata key appears twice");
            break;
        }
        *slot = (uint32_t)(g->n_kv + 1);
    }
    return rc;
}

/* Skip the metadata of a later part, checking it as strictly. */
static int skip_metadata(struct cursor *c, uint64_t n)
{
    int rc = n > (c->size - c->pos) / 13 ? truncated(c) : 0;
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct gguf_kv kv = {0};
        uint32_t type;
        if ((rc = take_str(c, MAX_KEY, &kv.key)) || (rc = take32(c, &type))) break;
        kv.type = (enum gguf_type)type;
        rc = read_value(c, &kv);
    }
    return rc;
}

/* ---- tensors ---- */

static const char *known_elsewhere(uint32_t type)
{
    static const struct {
        uint32_t type;
        const char *name;
    } t[] = {{9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"},
             {21, "IQ3_S"}, {22, "IQ2_S"}, {24, "I8"},      {25, "I16"},    {26, "I32"},     {27, "I64"},
             {28, "F64"},   {29, "IQ1_M"}, {34, "TQ1_0"},   {35, "TQ2_0"},  {40, "NVFP4"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (t[i].type == type) return t[i].name;
    return "unknown";
}

static int read_tensor(struct cursor *c, uint64_t alignment, struct gguf_tensor *t, uint64_t *out_offset)
{
    uint32_t n_dims, type;
    int rc;
    if ((rc = take_str(c, MAX_NAME, &t->name)) || (rc = take32(c, &n_dims))) return rc;
    if (n_dims < 1 || n_dims > 4) return damaged(c, "a tensor has no dimension or more than four");
    uint64_t rows = 1;
    for (unsigned i = 0; i < 4; i++) {
        t->ne[i] = 1;
        if (i < n_dims && (rc = take64(c, &t->ne[i]))) return rc;
        if (t->ne[i] == 0 || t->ne[i] > INT64_MAX) return damaged(c, "a tensor has an impossible dimension");
        if (i > 0 && __builtin_mul_overflow(rows, t->ne[i], &rows))
            return damaged(c, "a tensor's dimensions overflow");
    }
    if ((rc = take32(c, &type)) || (rc = take64(c, out_offset))) return rc;
    const struct kern_type_info *info = type <= INT_MAX ? kern_type_get((int)type) : NULL;
    if (!info)
        return err_set(c->e, CROFT_E_UNSUPPORTED, "GGUF", (long long)c->pos,
                       "Tensor '%.*s' has type %u (%s), which Croft does not compute with. Use a file "
                       "quantised to F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS or MXFP4.",
                       (int)t->name.n, t->name.p, type, known_elsewhere(type));
    if (t->ne[0] % info->block) return damaged(c, "a tensor's row is not a whole number of blocks");
    t->type = (int)type;
    t->n_dims = n_dims;
    uint64_t row, bytes;
    if (__builtin_mul_overflow(t->ne[0] / info->block, info->bytes, &row) ||
        __builtin_mul_overflow(row, rows, &bytes) || bytes > c->size)
        return damaged(c, "a tensor is larger than the file");
    if (*out_offset % alignment) return damaged(c, "a tensor's offset is not aligned");
    t->row_bytes = (size_t)row;
    t->bytes = (size_t)bytes;
    return 0;
}

static int by_data(const void *a, const void *b)
{
    const struct gguf_tensor *const *x = a, *const *y = b;
    return ((*x)->data > (*y)->data) - ((*x)->data < (*y)->data);
}

/* No two tensors of the part may share bytes. */
static int check_overlap(struct gguf_tensor *t, size_t n, struct err *e)
{
    struct gguf_tensor **order = mem_calloc(n, sizeof(void *));
    if (!order) return err_nomem(e, n * sizeof(void *));
    for (size_t i = 0; i < n; i++) order[i] = &t[i];
    qsort(order, n, sizeof *order, by_data);
    int rc = 0;
    for (size_t i = 1; i < n && rc == 0; i++)
        if ((const char *)order[i - 1]->data + order[i - 1]->bytes > (const char *)order[i]->data)
            rc = ERR(e, FORMAT, "The GGUF file is damaged: tensors '%.*s' and '%.*s' overlap. Fetch the file again.",
                     (int)order[i - 1]->name.n, order[i - 1]->name.p, (int)order[i]->name.n, order[i]->name.p);
    mem_free(order);
    return rc;
}

/* Read n tensor descriptions of one part and append them to g->tensor. */
static int read_tensors(struct gguf *g, struct part *part, struct cursor *c, uint64_t n)
{
    /* The smallest description: empty name (8), n_dims (4), one dimension (8), type (4), offset (8). */
    if (n > (c->size - c->pos) / 32) return truncated(c);
    if (g->n_tensors + n >= UINT32_MAX) return damaged(c, "it has too many tensors");
    struct gguf_tensor *all = mem_realloc(g->tensor, (g->n_tensors + (size_t)n) * sizeof *all);
    if (!all) return err_nomem(c->e, (g->n_tensors + (size_t)n) * sizeof *all);
    g->tensor = all;
    struct gguf_tensor *first = all + g->n_tensors;
    uint64_t *offset = mem_calloc((size_t)n, sizeof *offset);
    if (!offset) return err_nomem(c->e, (size_t)n * sizeof *offset);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        first[i] = (struct gguf_tensor){0};
        rc = read_tensor(c, g->alignment, &first[i], &offset[i]);
    }
    if (rc == 0) {
        uint64_t start = (c->pos + g->alignment - 1) & ~(g->alignment - 1);
        part->data_offset = start < c->size ? (size_t)start : c->size;
        uint64_t room = c->size - part->data_offset;
        for (size_t i = 0; i < n && rc == 0; i++) {
            if (offset[i] > room || first[i].bytes > room - offset[i])
                rc = ERR(c->e, FORMAT,
                         "The GGUF file is truncated: the data of tensor '%.*s' ends %llu bytes past the end "
                         "of the "
                         "file. Fetch the file again.",
                         (int)first[i].name.n, first[i].name.p,
                         (unsigned long long)(offset[i] > room ? offset[i] - room
                                                               : first[i].bytes - (room - offset[i])));
            else first[i].data = c->p + part->data_offset + offset[i];
        }
        if (rc == 0) rc = check_overlap(first, (size_t)n, c->e);
    }
    mem_free(offset);
    if (rc == 0) g->n_tensors += (size_t)n;
    return rc;
}

static int index_tensors(struct gguf *g, struct err *e)
{
    int rc = index_init(&g->tensor_index, g->n_tensors, e);
    for (size_t i = 0; i < g->n_tensors && rc == 0; i++) {
        uint32_t *slot = index_slot(&g->tensor_index, g->tensor, sizeof *g->tensor, g->tensor[i].name);
        if (*slot)
            rc = ERR(e, FORMAT, "The GGUF file is damaged: tensor '%.*s' appears twice. Fetch the file again.",
                     (int)g->tensor[i].name.n, g->tensor[i].name.p);
        *slot = (uint32_t)(i + 1);
    }
    return rc;
}

/* ---- parts ---- */

static int read_part(struct gguf *g, struct part *part, bool first, struct err *e)
{
    struct cursor c = {part->map.data, part->map.size, 0, e};
    const unsigned char *magic;
    uint32_t version;
    uint64_t n_tensors, n_kv;
    if (c.size < 24 || memcmp(c.p, "GGUF", 4) != 0)
        return ERR(e, FORMAT, "This is not a GGUF file: it does not start with the four letters GGUF.");
    int rc = take(&c, 4, &magic);
    if (rc || (rc = take32(&c, &version))) return rc;
    if (version != 2 && version != 3)
        return ERR(e, UNSUPPORTED, "This GGUF file has version %u%s; versions 2 and 3 can be read. Convert it again.",
                   version, (version & 0xFFFF) == 0 ? " (a big-endian file)" : "");
    if ((rc = take64(&c, &n_tensors)) || (rc = take64(&c, &n_kv))) return rc;
    rc = first ? read_metadata(g, &c, n_kv) : skip_metadata(&c, n_kv);
    if (rc) return rc;
    if (first) {
        uint32_t a = 32;
        g->version = version;
        if (gguf_find(g, "general.alignment") && !gguf_get_u32(g, "general.alignment", &a)) a = 0;
        if (a == 0 || (a & (a - 1)) || a > (1u << 20))
            return ERR(e, FORMAT, "The GGUF file is damaged: general.alignment is not a power of two up to 1 MiB.");
        g->alignment = a;
    }
    return read_tensors(g, part, &c, n_tensors);
}

static void close_part(struct part *part)
{
    if (part->path) plat_map_close(&part->map);
    mem_free(part->path);
}

static int add_part(struct gguf *g, struct part part, struct err *e)
{
    struct part *all = mem_realloc(g->part, (g->n_parts + 1) * sizeof *all);
    if (!all) {
        close_part(&part);
        return err_nomem(e, sizeof *all);
    }
    g->part = all;
    all[g->n_parts++] = part;
    return read_part(g, &all[g->n_parts - 1], g->n_parts == 1, e);
}

static int open_part(struct gguf *g, const char *path, struct err *e)
{
    struct part part = {0};
    int rc = plat_map_open(&part.map, path);
    if (rc == -EINVAL)
        return ERR(e, USAGE, "'%.140s' is a device or a pipe. A model must be an ordinary file, which can be mapped.",
                   path);
    if (rc) return err_errno(e, -rc, "open the model file", path);
    if (part.map.size == 0) return ERR(e, FORMAT, "The file '%s' is empty, so it is not a GGUF model.", path);
    if (!(part.path = mem_strdup(path))) {
        plat_map_close(&part.map);
        return err_nomem(e, strlen(path));
    }
    return add_part(g, part, e);
}

/* "…-00001-of-00003.gguf": the number of parts, or 1; 0 if it is a later part. *stem_len: bytes before the dash. */
static unsigned split_count(const char *path, size_t *stem_len)
{
    const char *tail = "-00001-of-00001.gguf";
    size_t n = strlen(path), m = strlen(tail);
    if (n <= m) return 1;
    const char *s = path + n - m;
    unsigned no = 0, of = 0;
    for (size_t i = 0; i < m; i++) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (tail[i] >= '0' && tail[i] <= '9' ? !digit : s[i] != tail[i]) return 1;
        if (digit && i < 6) no = no * 10 + (unsigned)(s[i] - '0');
        if (digit && i > 6) of = of * 10 + (unsigned)(s[i] - '0');
    }
    *stem_len = n - m;
    return no == 1 ? of : 0;
}

static int part_path(const char *path, size_t stem, unsigned i, unsigned n, char out[PATH_MAX], struct err *e)
{
    if (snprintf(out, PATH_MAX, "%.*s-%05u-of-%05u.gguf", (int)stem, path, i, n) < PATH_MAX) return 0;
    return ERR(e, LIMIT, "The path '%s' is too long.", path);
}

static int open_all(struct gguf *g, const char *path, struct err *e)
{
    size_t stem = 0;
    unsigned n = split_count(path, &stem);
    if (n == 0)
        return ERR(e, USAGE, "'%s' is a later part of a split model; give its first part (…-00001-of-…).", path);
    if (n > MAX_PARTS) return ERR(e, LIMIT, "The model has %u parts; at most %d are supported.", n, MAX_PARTS);
    int rc = open_part(g, path, e);
    uint32_t count = 0;
    if (rc == 0 && gguf_get_u32(g, "split.count", &count) && count > 1 && count != n)
        rc = ERR(e, FORMAT, "The file says that its model has %u parts, but its name says %u: '%s'.", count, n, path);
    for (unsigned i = 2; i <= n && rc == 0; i++) {
        char name[PATH_MAX];
        rc = part_path(path, stem, i, n, name, e);
        if (rc == 0) rc = open_part(g, name, e);
    }
    return rc;
}

static int finish_open(struct gguf *g, int rc, struct gguf **out, struct err *e)
{
    if (rc == 0) rc = index_tensors(g, e);
    if (rc) gguf_close(g);
    else *out = g;
    return rc;
}

int gguf_open(const char *path, struct gguf **out, struct err *e)
{
    struct gguf *g = mem_calloc(1, sizeof *g);
    if (!g) return err_nomem(e, sizeof *g);
    return finish_open(g, open_all(g, path, e), out, e);
}

int gguf_open_memory(const void *data, size_t size, struct gguf **out, struct err *e)
{
    struct gguf *g = mem_calloc(1, sizeof *g);
    if (!g) return err_nomem(e, sizeof *g);
    return finish_open(g, add_part(g, (struct part){.map = {.data = data, .size = size}}, e), out, e);
}

void gguf_close(struct gguf *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->n_parts; i++) close_part(&g->part[i]);
    mem_free(g->part);
    mem_free(g->kv);
    mem_free(g->tensor);
    mem_free(g->kv_index.slot);
    mem_free(g->tensor_index.slot);
    mem_free(g);
}

/* ---- the fingerprint ---- */

/* Part after part; of one it is that part's own. */
struct sum {
    struct sha256 *all;
    unsigned n;
    char last[65];
};

static int sum_add(struct sum *s, const struct plat_map *m, const char *path, struct err *e)
{
    if (!s->all && !(s->all = sha256_new())) return err_nomem(e, 0);
    int rc = sha256_kept(m, path, s->last, e);
    if (rc == 0) sha256_add(s->all, s->last, 64);
    s->n++;
    return rc;
}

static int sum_end(struct sum *s, int rc, char out[65])
{
    char all[65];
    if (s->all) sha256_hex(s->all, all);
    if (rc == 0) snprintf(out, 65, "%s", s->n == 1 ? s->last : all);
    return rc;
}

int gguf_fingerprint(const struct gguf *g, char out[65], struct err *e)
{
    struct sum s = {0};
    int rc = 0;
    for (size_t i = 0; i < g->n_parts && rc == 0; i++) rc = sum_add(&s, &g->part[i].map, g->part[i].path, e);
    return sum_end(&s, rc, out);
}

int gguf_fingerprint_of(const char *path, char out[65], struct err *e)
{
    size_t stem = 0;
    unsigned n = split_count(path, &stem);
    struct sum s = {0};
    int rc = 0;
    for (unsigned i = 1; i <= (n > 1 ? n : 1) && rc == 0; i++) {
        char name[PATH_MAX];
        struct plat_map m;
        if (n > 1) rc = part_path(path, stem, i, n, name, e);
        const char *file = n > 1 ? name : path;
        int io = rc ? 0 : plat_map_open(&m, file);
        if (io) rc = err_errno(e, -io, "read", file);
        if (rc) break;
        rc = sum_add(&s, &m, file, e);
        plat_map_close(&m);
    }
    return sum_end(&s, rc, out);
}

/* ---- reading ---- */

unsigned gguf_version(const struct gguf *g) { return g->version; }
size_t gguf_n_kv(const struct gguf *g) { return g->n_kv; }
const struct gguf_kv *gguf_kv_at(const struct gguf *g, size_t i) { return i < g->n_kv ? &g->kv[i] : NULL; }
size_t gguf_n_tensors(const struct gguf *g) { return g->n_tensors; }

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i)
{
    return i < g->n_tensors ? &g->tensor[i] : NULL;
}

uint64_t gguf_file_bytes(const struct gguf *g)
{
    uint64_t n = 0;
    for (size_t i = 0; i < g->n_parts; i++) n += g->part[i].map.size;
    return n;
}

void gguf_drop(const struct gguf *g, const void *data, size_t size)
{
    for (size_t i = 0; i < g->n_parts; i++) {
        const unsigned char *from = g->part[i].map.data, *p = data;
        if (g->part[i].path && p >= from && p < from + g->part[i].map.size) plat_map_drop(data, size);
    }
}

void gguf_drop_all(const struct gguf *g)
{
    for (size_t i = 0; i < g->n_parts; i++)
        if (g->part[i].path) plat_map_drop(g->part[i].map.data, g->part[i].map.size);
}

const struct gguf_kv *gguf_find(const struct gguf *g, const char *key)
{
    if (!g->kv_index.slot) return NULL;
    uint32_t at = *index_slot(&g->kv_index, g->kv, sizeof *g->kv, str_of(key));
    return at ? &g->kv[at - 1] : NULL;
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name)
{
    uint32_t at = *index_slot(&g->tensor_index, g->tensor, sizeof *g->tensor, str_of(name));
    return at ? &g->tensor[at - 1] : NULL;
}

static bool is_integer(enum gguf_type t)
{
    return t != GGUF_F32 && t != GGUF_F64 && t != GGUF_STRING && t != GGUF_ARRAY && t != GGUF_BOOL;
}

int64_t gguf_kv_i64(const struct gguf_kv *kv, uint64_t i)
{
    if (i >= kv->n || kv->elem == GGUF_STRING) return 0;
    const unsigned char *p = kv->data + i * value_types[kv->elem].bytes;
    switch (kv->elem) {
    case GGUF_U8: return p[0];
    case GGUF_BOOL: return p[0] != 0;
    case GGUF_I8: return (int8_t)p[0];
    case GGUF_U16: return p[0] | p[1] << 8;
    case GGUF_I16: return (int16_t)(p[0] | p[1] << 8);
    case GGUF_U32: return load32(p);
    case GGUF_I32: return (int32_t)load32(p);
    case GGUF_U64:
    case GGUF_I64: return (int64_t)load64(p);
    default: {
        double v = gguf_kv_f64(kv, i);
        return v >= -9e18 && v <= 9e18 ? (int64_t)v : 0;
    }
    }
}

double gguf_kv_f64(const struct gguf_kv *kv, uint64_t i)
{
    if (i >= kv->n) return 0;
    if (kv->elem == GGUF_F32) {
        float f;
        memcpy(&f, kv->data + 4 * i, 4);
        return f;
    }
    if (kv->elem == GGUF_F64) {
        double d;
        memcpy(&d, kv->data + 8 * i, 8);
        return d;
    }
    return (double)gguf_kv_i64(kv, i);
}

struct str gguf_kv_next_str(const struct gguf_kv *kv, const unsigned char **cursor)
{
    if (kv->elem != GGUF_STRING) return (struct str){"", 0};
    const unsigned char *p = *cursor ? *cursor : kv->data;
    struct str s = {(const char *)p + 8, (size_t)load64(p)};
    *cursor = p + 8 + s.n;
    return s;
}

struct str gguf_kv_str(const struct gguf_kv *kv, uint64_t i)
{
    const unsigned char *cursor = NULL;
    struct str s = {"", 0};
    if (i >= kv->n) return s;
    for (uint64_t k = 0; k <= i; k++) s = gguf_kv_next_str(kv, &cursor);
    return s;
}

bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || !is_integer(kv->type)) return false;
    int64_t v = gguf_kv_i64(kv, 0);
    if (v < 0 || v > UINT32_MAX) return false;
    *out = (uint32_t)v;
    return true;
}

bool gguf_get_f32(const struct gguf *g, const char *key, float *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type == GGUF_STRING || kv->type == GGUF_ARRAY || kv->type == GGUF_BOOL) return false;
    *out = (float)gguf_kv_f64(kv, 0);
    return true;
}

bool gguf_get_bool(const struct gguf *g, const char *key, bool *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type != GGUF_BOOL) return false;
    *out = kv->data[0] != 0;
    return true;
}

bool gguf_get_str(const struct gguf *g, const char *key, struct str *out)
{
    const struct gguf_kv *kv = gguf_find(g, key);
    if (!kv || kv->type != GGUF_STRING) return false;
    *out = gguf_kv_str(kv, 0);
    return true;
}
