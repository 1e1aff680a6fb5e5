/* What this machine can do at most: the two ceilings that a measured rate is compared with. Each call takes under a
 * second, allocates for its duration only, and reports the best of several passes. */
#ifndef KERN_PROBE_H
#define KERN_PROBE_H

#include "base_err.h"

/* Bytes per second that n_threads together read from memory (a buffer several times the last cache, every byte once):
 * the ceiling of decoding, which reads all weights for each token. */
int kern_probe_read_bandwidth(int n_threads, double *out_bytes_per_s, struct err *e) ERR_CHECK;
/* Operations per second (a multiply and an add are two) that n_threads together do in registers with the
 * instructions that the chosen level multiplies a weight type with: the ceiling of prompt evaluation. A level
 * without a measure of its own (plain C; int8 on NEON without dot products) is measured by its own matrix
 * product on operands in the first cache. */
int kern_probe_peak(int type, int n_threads, double *out_ops_per_s, struct err *e) ERR_CHECK;

#endif
