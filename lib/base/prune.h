/* prune.h - pure: cuts members out of a JSON text before it is parsed.
 *
 * Parsing costs far more than skipping, and half of what the API server sends (managedFields,
 * pod templates) is thrown away right after. What is cut is not checked; everything else stays
 * byte by byte, so that the parser finds what is wrong with it (its columns count without the
 * cut). */
#pragma once

#include "base/buf.h"
#include "base/span.h"

/* `text` without the members that `paths` name: "metadata.managedFields", from the outermost
 * object on, or from its member `below` when that is not NULL. Lists are not entered; dots in
 * names are written as they are ("metadata.annotations.example.com/x"). `paths` ends in NULL;
 * NULL cuts nothing. Valid as long as `text` and `storage`, which is an
 * initialized buffer that may hold as much as the text. */
struct span prune(struct span text, const char *below, const char *const *paths,
                  struct buf *storage);
