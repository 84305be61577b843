/* selector.h - label and field selectors of list and watch.
 *
 * Labels: "a=b", "a==b", "a!=b", "a", "!a", joined by commas; no sets ("in", "notin").
 * Fields: "path=value" and "path!=value"; every path of strings works, which is more than
 * Kubernetes allows, because kubectl asks for events by several. */
#pragma once

#include "base/json.h"

struct selector {
    json_t *labels, *fields; /* arrays of {key, value, negative}; without value: existence */
};

/* NULL or "" select everything. ERR_INVALID quotes what could not be read. */
int selector_parse(const char *labels, const char *fields, struct selector *ret_selector,
                   struct err *err) __attribute__((warn_unused_result));
void selector_release(struct selector *selector);
bool selector_matches(const struct selector *selector, const json_t *object);
