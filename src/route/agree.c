/* Evidence against the local tier (route_agree.h). Pure. */
#include "route_agree.h"

#include <math.h>

static const double shares[3] = {0.1, 0.3,
                                 0.6}; /* f: small ones see small excesses, large ones see large ones soon */
static const double watch_at = 20, demote_at = 1000, most = 1e12;

const char *route_trust_name(enum route_trust t)
{
    static const char *const names[] = {"trusted", "watched", "demoted"};
    return names[t];
}

void route_agreement_init(struct route_agreement *a)
{
    *a = (struct route_agreement){.bet = {1, 1, 1}, .evidence = 1};
}

bool route_agreement_resume(struct route_agreement *a, const struct route_agreement *kept)
{
    bool sound = kept->n_apart <= kept->n && (unsigned)kept->trust <= ROUTE_DEMOTED;
    for (int i = 0; i < 3; i++) sound = sound && kept->bet[i] >= 0 && kept->bet[i] <= most;
    route_agreement_init(a);
    if (!sound) return false;
    *a = *kept;
    a->evidence = (a->bet[0] + a->bet[1] + a->bet[2]) / 3;
    return true;
}

void route_agreement_note(struct route_agreement *a, bool agrees, double allowed)
{
    double sum = 0;
    a->n++;
    a->n_apart += !agrees;
    for (int i = 0; i < 3; i++) {
        double factor = agrees ? 1 - shares[i] : 1 + shares[i] * (1 - allowed) / allowed;
        a->bet[i] = fmin(fmax(a->bet[i], 1) * factor, most);
        sum += a->bet[i];
    }
    a->evidence = sum / 3;
    if (a->trust == ROUTE_DEMOTED) return;
    if (a->evidence >= demote_at)
        a->trust = ROUTE_DEMOTED;
    else if (a->evidence >= watch_at)
        a->trust = ROUTE_WATCHED;
    else if (a->evidence <= 1)
        a->trust = ROUTE_TRUSTED; /* hysteresis: what began at 20 ends at 1 */
}
