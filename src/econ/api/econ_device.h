/* Devices that a model could run on, by what their data sheets say: a table that ships (src/econ/devices.inc, each
 * row with its source and the day it was looked up) and rows of the user's own from a YAML file. docs/QUALIFY.md says
 * what the columns mean. */
#ifndef ECON_DEVICE_H
#define ECON_DEVICE_H

#include "base_arena.h"
#include "base_err.h"

enum econ_kind { ECON_CPU, ECON_GPU, ECON_NPU };
extern const char *const econ_kinds[]; /* "cpu", "gpu", "npu", NULL */

/* Numbers are 0 where the source does not say. Operations are dense: a figure that counts on sparsity is halved. */
struct econ_device {
    const char *name;
    const char *group;    /* "laptop NPU", "embedded GPU", … */
    int kind;             /* enum econ_kind */
    int cores;            /* of a CPU: threads that compute */
    double memory_gb;     /* that weights can be in */
    double bandwidth_gbs; /* of that memory, 10^9 bytes per second, theoretical */
    double int8_tops, fp16_tflops;
    double watts;                 /* of the whole device or module, at most */
    const char *source, *read_on; /* where the numbers are from, and when they were looked up (YYYY-MM-DD) */
    const char *note;             /* NULL: none */
};

const struct econ_device *econ_devices_shipped(size_t *out_n);

/* Rows of a user. */
struct econ_devices {
    struct econ_device *row; /* [n] */
    size_t n;
    struct arena arena;
};
/* A YAML file with a list `devices`. FORMAT names file, line and what would be right; names must differ. */
int econ_devices_read(const char *path, struct econ_devices *out, struct err *e) ERR_CHECK;
void econ_devices_done(struct econ_devices *d);
/* By name, the user's rows (may be NULL) first. NOT_FOUND names the nearest. */
int econ_device_find(const struct econ_devices *own, const char *name, const struct econ_device **out,
                     struct err *e) ERR_CHECK;

#endif
