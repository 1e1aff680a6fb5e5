/* stub */
#include "task_report.h"
int task_report_html(const json_t *report, struct buf *out, struct err *e) { return ERR(e, UNSUPPORTED, "no"); }
