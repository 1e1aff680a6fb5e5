/* Fuzz target: any bytes as a YAML file of devices. A device that is accepted can be predicted. Seeds:
 * corpus/devices. */
#include "econ_roofline.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rates of any device are in order, positive, and no more than its limits. */
static void check_rate(const struct econ_rate *r)
{
    if (isnan(r->at)) return;
    if (!(r->lo > 0 && r->lo <= r->at * (1 + 1e-9) && r->lo <= r->hi && isfinite(r->hi))) abort();
    if (!isnan(r->limit) && r->hi > r->limit * (1 + 1e-9)) abort();
}

static void devices(const char *path)
{
    static const struct econ_model_shape shape = {.weights = {{"Q4_0", 4e8, 1e8, 225e6, 56e6}},
                                                  .n_weights = 1,
                                                  .n_layer = 24,
                                                  .ff_elements = 1e5,
                                                  .attn_ops = 8e4,
                                                  .kv_bytes = 12288,
                                                  .file_bytes = 3e8,
                                                  .decodes = true};
    static const struct econ_work work = {.prompt = 256, .cached = 10, .answer = 64};
    struct econ_devices d;
    struct econ_machine m;
    struct econ_prediction p;
    struct err e = {0};
    if (econ_devices_read(path, &d, &e)) return;
    for (size_t i = 0; i < d.n; i++) {
        econ_machine_of(&d.row[i], &m);
        if (econ_predict(&m, &shape, &work, &p, &e)) abort();
        check_rate(&p.prompt);
        check_rate(&p.decode);
    }
    econ_devices_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = memfd_create("devices", MFD_CLOEXEC);
    if (fd < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data, size) == (ssize_t)size) devices(path);
    close(fd);
    return 0;
}
