/* Logging to standard error for the program and the server; library code returns errors instead. Thread-safe.
 * CROFT_LOG=error|warn|info|debug sets the level (default warn). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base_err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
