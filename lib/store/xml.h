/* xml.h - small XML documents of servers, walked once (by expat).
 *
 * Neither DTDs nor entities besides XML's own five and numeric ones; names lose their namespace
 * prefix. Whatever the document's encoding, texts are UTF-8. */
#pragma once

#include "base/err.h"
#include "base/span.h"

/* An element has ended. `path`: the names from the root to it ("Error/Code"); `text`: the
 * characters after its last child, which is all of them for an element without children. Both are
 * borrowed. -1 with *err ends the walk. */
typedef int (*xml_visit)(void *context, const char *path, struct span text, struct err *err);

/* `what` begins messages, which have line and column. ERR_INVALID for what is no XML or not
 * accepted, ERR_TOO_BIG for what is larger than above. */
int xml_walk(struct span document, const char *what, xml_visit visit, void *context,
             struct err *err) __attribute__((warn_unused_result));
