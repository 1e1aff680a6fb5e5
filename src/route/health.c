/* Device health as a reason to route elsewhere (route_health.h).
 *
 * Each of memory, heat and battery is a state with two limits: it is entered at the first and left at the second, and
 * lasts at least hold_ms, so that a value near a limit does not send requests back and forth.
 *
 *     pressure  ──────╱╲───╱╲──────── enter
 *                    ╱  ╲_╱  ╲
 *               ────╱─────────╲────── leave
 *     state      no  yes yes yes no
 *
 * Heat is also entered when the kernel's count of throttlings has grown since the last look: no sensor says more
 * surely that this machine is slower than it was.
 *
 * Any thread asks; one of them looks at the system when the last look is older than every_ms, the others go on with
 * what is known. Owns a copy of the root's path. */
#include "route_health.h"

#include "base_mem.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MEMORY, HEAT, BATTERY, N_STATES };
static const int reasons[N_STATES] = {ROUTE_R_MEMORY, ROUTE_R_HEAT, ROUTE_R_BATTERY};

struct route_health {
    struct route_health_conf conf;
    char *root;
    pthread_mutex_t lock; /* of what follows but `reason` and `next_ns` */
    bool on[N_STATES];
    uint64_t since_ns[N_STATES]; /* when it was last entered, or heat last seen */
    int64_t throttles;           /* of the last look */
    struct plat_health facts;
    _Atomic int reason;
    _Atomic uint64_t next_ns; /* when to look again; 0: at once */
};

void route_health_defaults(struct route_health_conf *conf)
{
    *conf = (struct route_health_conf){.root = "",
                                       .every_ms = 1000,
                                       .hold_ms = 10000,
                                       .pressure_enter = 20,
                                       .pressure_leave = 5,
                                       .available_enter = 4,
                                       .available_leave = 8,
                                       .heat_margin_enter = 2,
                                       .heat_margin_leave = 7,
                                       .battery_enter = 15,
                                       .battery_leave = 20};
}

static bool percent(double v) { return v >= 0 && v <= 100; }

int route_health_conf_check(const struct route_health_conf *conf, struct err *e)
{
    if (!percent(conf->pressure_enter) || !percent(conf->pressure_leave) ||
        conf->pressure_leave > conf->pressure_enter)
        return ERR(e, USAGE, "Memory pressure is left at a percentage not above the one at which it is entered.");
    if (!percent(conf->available_enter) || !percent(conf->available_leave) ||
        conf->available_leave < conf->available_enter)
        return ERR(e, USAGE, "Shortage of memory is left at a percentage not below the one at which it is entered.");
    if (!percent(conf->battery_enter) || !percent(conf->battery_leave) || conf->battery_leave < conf->battery_enter)
        return ERR(e, USAGE, "A low battery is left at a percentage not below the one at which it is entered.");
    if (!isfinite(conf->heat_margin_enter) || !isfinite(conf->heat_margin_leave) ||
        conf->heat_margin_leave < conf->heat_margin_enter)
        return ERR(e, USAGE, "Heat is left at a margin not below the one at which it is entered.");
    return 0;
}

int route_health_new(const struct route_health_conf *conf, struct route_health **out, struct err *e)
{
    int rc = route_health_conf_check(conf, e);
    if (rc) return rc;
    struct route_health *h = mem_calloc(1, sizeof *h);
    if (h) h->root = mem_strdup(conf->root);
    if (!h || !h->root) {
        mem_free(h);
        return err_nomem(e, sizeof *h);
    }
    h->conf = *conf;
    h->conf.root = h->root;
    h->throttles = -1;
    h->reason = -1;
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
    return 0;
}

void route_health_limits(struct route_health *h, const struct route_health_conf *conf)
{
    pthread_mutex_lock(&h->lock);
    h->conf = *conf;
    h->conf.root = h->root;
    atomic_store(&h->next_ns, 0);
    pthread_mutex_unlock(&h->lock);
}

void route_health_free(struct route_health *h)
{
    if (!h) return;
    pthread_mutex_destroy(&h->lock);
    mem_free(h->root);
    mem_free(h);
}

/* NAN is neither: comparisons with it are false, so the unknown never enters, and a state whose value went away is
 * left. */
static void step(struct route_health *h, int state, bool enter, bool stay, uint64_t now_ns)
{
    if (enter) {
        h->on[state] = true;
        h->since_ns[state] = now_ns;
    } else if (h->on[state] && !stay && now_ns - h->since_ns[state] >= h->conf.hold_ms * UINT64_C(1000000)) {
        h->on[state] = false;
    }
}

static void look(struct route_health *h, uint64_t now_ns)
{
    const struct route_health_conf *c = &h->conf;
    struct plat_health *f = &h->facts;
    plat_health_read(f, h->root);
    bool throttled = h->throttles >= 0 && f->throttle_count > h->throttles, on_battery = f->on_battery == 1;
    h->throttles = f->throttle_count;
    step(h, MEMORY, f->psi_some_10s >= c->pressure_enter || f->memory_available <= c->available_enter,
         f->psi_some_10s > c->pressure_leave || f->memory_available < c->available_leave, now_ns);
    step(h, HEAT, throttled || f->heat_margin <= c->heat_margin_enter, f->heat_margin < c->heat_margin_leave, now_ns);
    step(h, BATTERY, on_battery && f->battery <= c->battery_enter, on_battery && f->battery < c->battery_leave,
         now_ns);
    int reason = -1;
    for (int i = N_STATES - 1; i >= 0; i--)
        if (h->on[i]) reason = reasons[i];
    atomic_store(&h->reason, reason);
}

int route_health_check(struct route_health *h, uint64_t now_ns, struct plat_health *facts)
{
    if (now_ns >= atomic_load(&h->next_ns) && pthread_mutex_trylock(&h->lock) == 0) {
        if (now_ns >= atomic_load(&h->next_ns)) {
            look(h, now_ns);
            atomic_store(&h->next_ns, now_ns + h->conf.every_ms * UINT64_C(1000000));
        }
        pthread_mutex_unlock(&h->lock);
    }
    if (facts) {
        pthread_mutex_lock(&h->lock);
        *facts = h->facts;
        pthread_mutex_unlock(&h->lock);
    }
    return atomic_load(&h->reason);
}
