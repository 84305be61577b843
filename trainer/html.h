/* html.h - text and numbers into HTML. Everything that comes from data or users
 * goes through html_text(). */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/* Escaped for elements and quoted attributes. */
void html_text(struct buf *out, const char *text);

/* "12,345" */
void html_count(struct buf *out, size_t count);

/* Rounded to `decimals` places; a dash for NAN. */
void html_number(struct buf *out, double value, int decimals);

/* 0.2345 with one decimal: "23.5 %"; a dash for NAN. */
void html_percent(struct buf *out, double share, int decimals);
