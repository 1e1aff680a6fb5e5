/* The words of routing: data classes, where a tier stands, and why an answer came from where it came. */
#ifndef ROUTE_H
#define ROUTE_H

#include "base_money.h"

/* Where a tier stands. Its place decides what "leaves": `device` never does, `premises` leaves this machine, `cloud`
 * leaves the organisation. */
enum route_place { ROUTE_DEVICE, ROUTE_PREMISES, ROUTE_CLOUD };
extern const char *const route_places[]; /* their words, and NULL */
const char *route_place_name(enum route_place p);
int route_place_find(const char *name); /* or -1 */

/* A data class is a word of the organisation ("public", "patient"). This one is built in: it goes to `device` tiers
 * only, whatever a tier's list says. */
#define ROUTE_LOCAL_ONLY "local-only"
enum { ROUTE_NAME_MAX = 64 }; /* of tiers, classes, regions, tasks, with the NUL */

/*  X(constant, header's word, sentence) */
#define ROUTE_REASON_TABLE(X)                                                                                        \
    X(LOCAL, "local", "Answered here: nothing asked for another tier.")                                              \
    X(CONFIDENT, "confident", "Answered here: the confidence reached the fitted threshold.")                         \
    X(LOCAL_ONLY, "local_only", "Data of this class may not leave this device.")                                     \
    X(CLASS, "class", "No other tier may see data of this class.")                                                   \
    X(REGION, "region", "No other tier stands in a region that the policy allows.")                                  \
    X(EXPLICIT, "explicit", "The request named the tier.")                                                           \
    X(TOO_LONG, "too_long", "The prompt does not fit the local model.")                                              \
    X(OUT_OF_SCOPE, "out_of_scope", "The input is unlike those that the local model was calibrated on.")             \
    X(LOW_CONFIDENCE, "low_confidence", "The confidence fell short of the fitted threshold.")                        \
    X(UNCALIBRATED, "uncalibrated", "No calibration holds for these weights and this task.")                         \
    X(MEMORY, "memory", "This device is short of memory.")                                                           \
    X(HEAT, "heat", "This device is throttled by heat.")                                                             \
    X(BATTERY, "battery", "This device's battery is low.")                                                           \
    X(QUEUE, "queue", "Too many requests wait here.")                                                                \
    X(NOT_READY, "not_ready", "The local model is not ready.")                                                       \
    X(LATENCY, "latency", "The local tier's measured latency exceeds the request's budget.")                         \
    X(LOCAL_ERROR, "local_error", "The local tier failed.")                                                          \
    X(DEMOTED, "demoted", "The local tier's agreement with the other tier broke its bound.")                         \
    X(BUDGET, "budget", "The cost budget is spent.")                                                                 \
    X(UNREDACTABLE, "unredactable", "What must be redacted could not be.")                                           \
    X(UPSTREAM, "upstream", "The other tiers failed.")                                                               \
    X(OFFLINE, "offline", "The other tiers cannot be reached; the work waits.")                                      \
    X(CHECK, "check", "A background comparison of tiers.")                                                           \
    X(REFUSED, "refused", "No tier may or can answer.")

enum route_reason {
#define X(name, word, sentence) ROUTE_R_##name,
    ROUTE_REASON_TABLE(X)
#undef X
        ROUTE_N_REASONS
};
const char *route_reason_word(enum route_reason r);
const char *route_reason_text(enum route_reason r);
int route_reason_find(const char *word); /* or -1 */

#endif
