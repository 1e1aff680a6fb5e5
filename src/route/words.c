/* The words of routing (route.h): tables to names and back. Pure functions. Read next:
 * the policy that uses them. */
#include "route.h"

#include <string.h>

const char *const route_places[] = {"device", "premises", "cloud", NULL};
static const char *const words[] = {
#define X(name, word, sentence) word,
    ROUTE_REASON_TABLE(X)
#undef X
};
static const char *const sentences[] = {
#define X(name, word, sentence) sentence,
    ROUTE_REASON_TABLE(X)
#undef X
};

static int find(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return i;
    return -1;
}

const char *route_place_name(enum route_place p) { return route_places[p]; }

int route_place_find(const char *name) { return find(route_places, 3, name); }

const char *route_reason_word(enum route_reason r) { return words[r]; }

const char *route_reason_text(enum route_reason r) { return sentences[r]; }

int route_reason_find(const char *word) { return find(words, ROUTE_N_REASONS, word); }
