/* croft route VERB: route_<verb>.c. Read next: route_explain.c, docs/ROUTING.md. */
#include "cli.h"

int cmd_route(int argc, char **argv) { return cli_verbs_only("route", argc, argv); }
