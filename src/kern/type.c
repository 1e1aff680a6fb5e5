/* Facts about tensor types (kern_type.h). */
#include "kern_ops.h"

#include <strings.h>

static const struct kern_type_info types[KERN_TYPE_COUNT] = {
#define X(name, number, block, bytes) [number] = {#name, (block), (bytes)},
    KERN_TYPE_TABLE(X)
#undef X
};

const struct kern_type_info *kern_type_get(int type)
{
    return type >= 0 && type < KERN_TYPE_COUNT && types[type].name ? &types[type] : NULL;
}

int kern_type_find(const char *name)
{
    for (int i = 0; i < KERN_TYPE_COUNT; i++)
        if (types[i].name && strcasecmp(types[i].name, name) == 0) return i;
    return -1;
}

size_t kern_row_bytes(int type, size_t n)
{
    const struct kern_type_info *t = kern_type_get(type);
    return t && n % t->block == 0 ? n / t->block * t->bytes : 0;
}

bool kern_type_wants_q8(int type) { return type != KERN_F32 && type != KERN_F16 && type != KERN_BF16; }
