/* Does the local tier still agree with the one that it is checked against? A share of its confident answers is
 * compared in the background; when it disagrees more often than allowed, it is trusted less, then not at all.
 *
 * Each check multiplies a bet against "the rate of disagreement is at most `allowed`": by 1 + f (1 - allowed) /
 * allowed for a disagreement and by 1 - f for an agreement, as a mixture over three f. While the claim holds the
 * expected factor is at most 1, so that the largest product over all starting points (it is never let below 1)
 * reaches c no more often than once in c checks on average: an e-detector (Shin, Ramdas and Rinaldo, 2022). It may be
 * looked at after every check, which bounds for a fixed number of checks may not. */
#ifndef ROUTE_AGREE_H
#define ROUTE_AGREE_H

#include <stdbool.h>
#include <stdint.h>

enum route_trust {
    ROUTE_TRUSTED,
    ROUTE_WATCHED, /* evidence of 20: answers need a higher confidence; ends when the evidence is gone */
    ROUTE_DEMOTED  /* evidence of 1,000: nothing is answered here; ends with another calibration alone */
};
const char *route_trust_name(enum route_trust t);

struct route_agreement {
    uint64_t n, n_apart; /* checks; those that disagreed */
    double bet[3], evidence;
    enum route_trust trust;
};
void route_agreement_init(struct route_agreement *a);
/* Goes on where another left off: n, n_apart, bet and trust of what was kept. False, and *a is a beginning: they
 * cannot have been kept. */
bool route_agreement_resume(struct route_agreement *a, const struct route_agreement *kept);
/* allowed: 0 < allowed < 1 */
void route_agreement_note(struct route_agreement *a, bool agrees, double allowed);

#endif
