/* The policy: what croft.yaml says about tiers, data classes, budgets and redaction, and the order in which it
 * decides where a request is answered. Read-only once loaded; deciding is pure, so that a decision can be replayed.
 * docs/ROUTING.md
 *
 *     sensitivity ─ residency ─ device health ─ latency ─▶ local answer ─ confidence ─ cost ─▶ tier
 */
#ifndef ROUTE_POLICY_H
#define ROUTE_POLICY_H

#include "base_arena.h"
#include "route_health.h"
#include "route_redact.h"
#include "route_store.h"
#include "route_tier.h"

#include <jansson.h>

struct task_yaml_lines;

enum { ROUTE_MAX_CLASSES = 32, ROUTE_MAX_TIERS = 16, ROUTE_MAX_RULES = 256, ROUTE_MAX_WORDS = 64 };

/* What a rule may say; a narrower rule's word wins, setting by setting. -1, NULL: it says nothing. */
struct route_rule {
    int line; /* of the file where it begins */
    const char *name;         /* for receipts: "rules[2]" or its own */
    const char *task, *key;   /* whom it is for; NULL: any */
    const char *data_class;   /* at least this class */
    const char *const *tiers; /* [n_tiers] may be asked, in this order */
    int n_tiers;              /* -1: nothing said; 0: none, everything is answered here */
    double latency_ms;
    double min_confidence;                 /* above the calibration's threshold; needs a calibration */
    double check_share;                    /* of confident answers, compared with a tier in the background */
    double max_disagreement; /* the share of those that may differ; -1: a tenth */
    int defer, capture, uncalibrated_here; /* 0, 1 */
};
struct route_budget_rule {
    int line; /* of the file */
    const char *task, *key; /* both NULL: all */
    enum route_period period;
    money limit;
};
struct route_raise { /* a finding makes the data of at least this class */
    enum route_pii kind;
    const char *data_class;
};
struct route_config {
    const char *path;
    const char *const *classes; /* [n_classes] from the least to the most sensitive; local-only is above them all */
    int n_classes;
    struct route_tier *tier; /* [n_tiers] in the order in which they are asked */
    int n_tiers;
    const char *default_class; /* of what nobody classifies */
    const char *currency;
    const char *const *regions; /* [n_regions] that answers may come from; n_regions 0: any */
    int n_regions;
    double latency_ms;   /* 0: none */
    int64_t max_waiting; /* more waiting here: elsewhere; 0: never */
    struct route_health_conf health;
    struct route_redact_policy redact[3]; /* by enum route_place */
    const char *names_file, *addresses_file, *terms_file;
    struct route_pattern *pattern;
    int n_patterns;
    struct route_raise *raise;
    int n_raise;
    struct route_budget_rule *budget;
    int n_budgets;
    struct route_rule *rule; /* [n_rules] rule[0] is the policy's own: task and key NULL */
    int n_rules;
    struct arena arena;
};
/* The sections classes, tiers, policy and rules of a settings file. *out is NULL when it has no tiers. FORMAT
 * with file, line and what to do: unknown names, wrong types, negative prices, two rules for the same requests,
 * classes and tiers that do not exist. */
int route_config_read(const char *path, const json_t *file, const struct task_yaml_lines *lines,
                      struct route_config **out, struct err *e) ERR_CHECK;
int route_config_load(const char *path, struct route_config **out, struct err *e) ERR_CHECK; /* the same, by name */
bool route_config_section(const char *name);    /* is it one of those? */
void route_config_free(struct route_config *c); /* NULL is fine */

/* The detectors of these kinds (ROUTE_PII_BIT), with the configuration's lists and patterns. 0: those of which it
 * says something; *out is NULL when there are none. */
int route_config_detectors(const struct route_config *c, uint32_t kinds, struct route_detectors **out,
                           struct err *e) ERR_CHECK;
/* 0 … n_classes; n_classes is local-only. -1: there is no such class. */
int route_class_rank(const struct route_config *c, const char *name);
const char *route_class_name(const struct route_config *c, int rank);
int route_tier_find(const struct route_config *c, const char *name); /* or -1 */
/* All that rules say about a request of this task (or NULL) by this key (or NULL): key and task before task before
 * key before the policy's own. `name` is the narrowest rule's. */
struct route_rule route_rule_for(const struct route_config *c, const char *task, const char *key);

/* ---- deciding ---- */

enum route_local { ROUTE_LOCAL_READY, ROUTE_LOCAL_TOO_LONG, ROUTE_LOCAL_NOT_READY };
enum route_verdict_kind {               /* task_calib.h's verdicts, and those of requests that have none */
                          ROUTE_V_NONE, /* nothing to judge: chats, tasks where uncalibrated answers may stand */
                          ROUTE_V_ACCEPT,
                          ROUTE_V_LOW,
                          ROUTE_V_OUT_OF_SCOPE,
                          ROUTE_V_UNCALIBRATED,
                          ROUTE_V_DEMOTED, /* the local tier has lost trust (route_agree.h) */
    ROUTE_V_FAILED   /* there is no local answer */
};
/* One request, as far as it is known. Also what a receipt replays. */
struct route_facts {
    const char *task, *key;      /* or NULL */
    const char *asked_class;     /* by the request; or NULL */
    const char *asked_tier;      /* by the request: a tier's name, "local", or NULL */
    const char *task_class;      /* task.yaml's sensitivity, or NULL */
    uint32_t found[ROUTE_N_PII]; /* findings in its text */
    enum route_local local;
    int health; /* enum route_reason, or -1 */
    int64_t n_waiting;
    double local_ms; /* what an answer here takes, as measured; 0: unknown */
    double tier_ms[ROUTE_MAX_TIERS];
    double budget_ms; /* what the request may take; 0: no limit but the policy's */
    double task_ms;   /* task.yaml's latency_ms, or 0 */
};
struct route_step {
    enum route_reason reason;
    int tier; /* the tier that it is about, or -1 */
};
struct route_plan {
    struct route_rule rule;
    int data_class;                     /* rank */
    bool local_first;                   /* ask the local model */
    bool local_stands;                  /* its answer may stand where no tier gives one, marked degraded */
    int n_tiers, tier[ROUTE_MAX_TIERS]; /* to ask, in order, once the local answer is none */
    enum route_reason reason;           /* of the next answer: where it comes from, and why */
    int n_steps;
    struct route_step step[2 * ROUTE_MAX_TIERS];
};
/* Before a token is generated. DENIED: the request names a tier that may not have it; NOT_FOUND: no such tier or
 * class. */
int route_plan_begin(const struct route_config *c, const struct route_facts *f, struct route_plan *out,
                     struct err *e) ERR_CHECK;
/* With the local answer's verdict: true when it stands, else the tiers are next. confidence: NaN if there is none. */
bool route_plan_judge(const struct route_config *c, struct route_plan *p, enum route_verdict_kind v,
                      double confidence);
void route_plan_step(struct route_plan *p, enum route_reason reason, int tier);

#endif
