/* JSON as models write it and as schemas say it: numbers with the digits that they came with. */
#ifndef INFER_JSON_H
#define INFER_JSON_H

#include <jansson.h>

/* The flag for json_dump*: 15 digits for reals, as decimals have them that people write (0.1), or 17 when some number
 * in the value would not come back from 15. */
size_t infer_json_digits(const json_t *value);

#endif
