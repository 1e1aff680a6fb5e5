/* The table of devices (econ_device.h): shipped rows, and a user's YAML file of the same columns:
 *
 *     devices:
 *       - name: till-box            # required; no other row of the file has it
 *         kind: cpu                 # required: cpu, gpu or npu
 *         group: point of sale
 *         cores: 4
 *         memory_gb: 16
 *         bandwidth_gbs: 51.2
 *         int8_tops: 1.2            # dense
 *         fp16_tflops: 0.3
 *         watts: 25
 *         source: the maker's data sheet, revision 3    # required
 *         read_on: "2026-11-21"
 *         note: with one memory module
 *
 * A row of the user hides a shipped one of the same name. Strings are in the list's arena; nothing of the file is
 * kept. Read next: roofline.c. */
#include "econ_device.h"
#include "base_mem.h"
#include "base_str.h"
#include "task_fields.h"

#include <string.h>

enum { MAX_DEVICES = 1024, MAX_BYTES = 4 << 20 };

const char *const econ_kinds[] = {"cpu", "gpu", "npu", NULL};

static const struct econ_device shipped[] = {
#define DEVICE(name_, group_, kind_, cores_, memory, bandwidth, int8, fp16, watts_, source_, read_, note_)           \
    {.name = name_,                                                                                                  \
     .group = group_,                                                                                                \
     .kind = kind_,                                                                                                  \
     .cores = cores_,                                                                                                \
     .memory_gb = memory,                                                                                            \
     .bandwidth_gbs = bandwidth,                                                                                     \
     .int8_tops = int8,                                                                                              \
     .fp16_tflops = fp16,                                                                                            \
     .watts = watts_,                                                                                                \
     .source = source_,                                                                                              \
     .read_on = read_,                                                                                               \
     .note = note_},
#include "devices.inc"
#undef DEVICE
};
enum { N_SHIPPED = sizeof shipped / sizeof shipped[0] };

const struct econ_device *econ_devices_shipped(size_t *out_n)
{
    *out_n = N_SHIPPED;
    return shipped;
}

/* ---- a user's file ---- */

/* The upper bounds are a few times what the largest devices have, so that other units (bytes, MB/s, GOPS) are refused
 * for all but the smallest. */
#define AT(field) offsetof(struct econ_device, field)
static const struct task_field fields[] = {
    {"name", TASK_NAME, .at = AT(name), .required = true},
    {"kind", TASK_WORD, .at = AT(kind), .required = true, .words = econ_kinds},
    {"group", TASK_TEXT, .at = AT(group)},
    {"cores", TASK_WHOLE, .at = AT(cores), .min = 1, .max = 4096},
    {"memory_gb", TASK_NUMBER, .at = AT(memory_gb), .min = 0.001, .max = 16384},
    {"bandwidth_gbs", TASK_NUMBER, .at = AT(bandwidth_gbs), .min = 0.01, .max = 20000},
    {"int8_tops", TASK_NUMBER, .at = AT(int8_tops), .min = 0.0001, .max = 20000},
    {"fp16_tflops", TASK_NUMBER, .at = AT(fp16_tflops), .min = 0.0001, .max = 20000},
    {"watts", TASK_NUMBER, .at = AT(watts), .min = 0.01, .max = 20000},
    {"source", TASK_TEXT, .at = AT(source), .required = true},
    {"read_on", TASK_TEXT, .at = AT(read_on)},
    {"note", TASK_TEXT, .at = AT(note)},
    {.name = NULL}};

static int read_rows(struct task_reader *r, const json_t *file, struct econ_devices *d)
{
    const json_t *list = json_object_get(file, "devices");
    const char *key;
    json_t *o, *v;
    size_t i;
    char within[32];
    json_object_foreach((json_t *)file, key, v) if (strcmp(key, "devices") != 0) return task_complain(
        r, file, key, 0, "there is no '%.60s' here: the file holds a list 'devices'.", key);
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > MAX_DEVICES)
        return task_complain(r, file, "devices", 0, "'devices' must be a list of 1 to %d devices.", MAX_DEVICES);
    d->row = arena_alloc(&d->arena, json_array_size(list) * sizeof *d->row);
    if (!d->row) return err_nomem(r->e, 0);
    json_array_foreach(list, i, o)
    {
        struct econ_device *row = &d->row[i];
        snprintf(within, sizeof within, "devices[%zu]", i);
        r->within = within;
        *row = (struct econ_device){.group = "the user's own", .read_on = "not said"};
        int rc = task_read_fields(r, list, NULL, i, o, fields, row);
        if (rc) return rc;
        for (size_t k = 0; k < i; k++)
            if (strcmp(d->row[k].name, row->name) == 0)
                return task_complain(r, o, "name", 0, "there are two devices with the name '%s'.", row->name);
        d->n = i + 1;
    }
    return 0;
}

int econ_devices_read(const char *path, struct econ_devices *out, struct err *e)
{
    struct task_yaml_lines *lines = NULL;
    struct econ_devices d = {0};
    json_t *file = NULL;
    int rc = task_yaml_load_lines(path, &file, &lines, e);
    if (rc) return rc;
    arena_init(&d.arena, MAX_BYTES);
    struct task_reader r = {.arena = &d.arena, .path = path, .lines = lines, .e = e, .within = "the file"};
    rc = read_rows(&r, file, &d);
    task_yaml_lines_free(lines);
    json_decref(file);
    if (rc)
        arena_done(&d.arena);
    else
        *out = d;
    return rc;
}

void econ_devices_done(struct econ_devices *d)
{
    arena_done(&d->arena);
    *d = (struct econ_devices){0};
}

/* ---- by name ---- */

static const struct econ_device *find_in(const struct econ_device *row, size_t n, const char *name, size_t *near,
                                         const char **best)
{
    for (size_t i = 0; i < n; i++) {
        size_t d = str_distance(name, row[i].name);
        if (strcmp(row[i].name, name) == 0) return &row[i];
        if (d < *near) *near = d, *best = row[i].name;
    }
    return NULL;
}

int econ_device_find(const struct econ_devices *own, const char *name, const struct econ_device **out, struct err *e)
{
    size_t near = 5;
    const char *best = NULL;
    const struct econ_device *d = own ? find_in(own->row, own->n, name, &near, &best) : NULL;
    if (!d) d = find_in(shipped, N_SHIPPED, name, &near, &best);
    if (!d)
        return ERR(e, NOT_FOUND, "There is no device '%.60s'.%s%s%s 'croft qualify --list-devices' shows all.", name,
                   best ? " Did you mean '" : "", best ? best : "", best ? "'?" : "");
    *out = d;
    return 0;
}
