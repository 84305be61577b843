/* prune.h - pure: cuts members out of a JSON text before it is parsed.
 *
 * Parsing costs far more than skipping, and most of what the API server sends is read much later
 * or never. What is cut is not checked; everything else stays byte by byte, so that the parser
 * finds what is wrong with it (its columns count without the cut).
 *
 * Members are named by paths from the outermost object on: "metadata.managedFields". Of a list
 * the path goes on in each object ("items.metadata.name"), and all else in it stays. Dots in names
 * are written as they are ("metadata.annotations.example.com/x"), and a name that is written with
 * escapes is another. `paths` ends in NULL. */
#pragma once

#include "base/buf.h"
#include "base/span.h"

/* `text` without the members that `paths` name; NULL cuts nothing. Valid as long as `text` and
 * `storage`, which is an initialized buffer that may hold as much as the text. */
struct span prune(struct span text, const char *const *paths, struct buf *storage);

/* The same, but nothing is left except what `paths` name, and the objects around it; NULL leaves
 * everything. */
struct span pick(struct span text, const char *const *paths, struct buf *storage);

/* The text of the value that a member of the outermost object has, the first if there are more;
 * empty when there is none. A part of `text`. */
struct span member_text(struct span text, const char *name);

/* The same of a string that is written without escapes, as names are; the caller frees. NULL: the
 * member is none. */
char *member_word(struct span text, const char *name) __attribute__((warn_unused_result));
