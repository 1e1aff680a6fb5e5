/* croft audit VERB: is the receipts' log what was written? Each verb is a file audit_<verb>.c.
 * Read next: audit_verify.c, docs/RECEIPTS.md. */
#include "cli.h"

int cmd_audit(int argc, char **argv) { return cli_verbs_only("audit", argc, argv); }
