/* Values of a YAML file that have no fixed shape, as JSON. What is not quoted is read by YAML 1.2's core schema
 * (specification, 10.3.2): null, true and false, also as Null and NULL; 12, -19 and 010, all decimal; 0x3A and 0o7;
 * .5, 0. and -2E+05. JSON has no infinity: .inf and .nan are strings, as is everything else. */
#ifndef TASK_YAML_H
#define TASK_YAML_H

#include "base_buf.h"

#include <jansson.h>

/* The value under `key` of the file's top mapping: a string as it is, anything else as compact JSON. *out
 * (mem_free) stays as it was when there is no such key. */
int task_yaml_value(const char *path, const char *key, char **out, struct err *e) ERR_CHECK;
/* The whole file, whose top must be a mapping, as a JSON object (json_decref). */
int task_yaml_load(const char *path, json_t **out, struct err *e) ERR_CHECK;
/* Likewise, and where everything stands: which line of the file a member (by key) or an item (key NULL, by index) of
 * an object or array of the result begins in; 0: it is none of the file's. */
struct task_yaml_lines;
int task_yaml_load_lines(const char *path, json_t **out, struct task_yaml_lines **out_lines, struct err *e) ERR_CHECK;
void task_yaml_lines_free(struct task_yaml_lines *l);
int task_yaml_line(const struct task_yaml_lines *l, const json_t *parent, const char *key, size_t index);

#endif
