/* shap.h - exact SHAP values of a forest's margins, by table look-ups.
 *
 * What is computed: path-dependent TreeSHAP (Lundberg et al., Nature Machine
 * Intelligence 2, 2020), as libxgboost's pred_contribs. A leaf with value v and the
 * m distinct features f of its path adds to feature f
 *
 *   v (o_f - z_f) * integral over t in (0, 1) of
 *                   product over the other features j of (o_j t + z_j (1 - t))
 *
 * where o_j is 1 if the row passes all splits of j on the path, else 0, and z_j is
 * the share of the training data that does (product of child's through parent's
 * cover). The integral is the Shapley sum over subsets, because
 * |S|! (m - 1 - |S|)! / m! is the integral of t^|S| (1 - t)^(m - 1 - |S|); its integrand is a
 * polynomial of degree m - 1, so Gauss-Legendre with (m + 1) / 2 nodes is exact
 * (Quadrature-TreeSHAP, arXiv 2605.04497).
 *
 * How: a row reaches what it gets from a leaf only through its o. The leaves are dealt
 * to groups. What matters of a row to a group is its state: in each lane (ranks.h) of the
 * group's splits, how many of them it goes left at. A group has at most SHAP_STATES states; for
 * each a table holds what the group adds to each source column. Boosting asks for the same
 * splits again and again, so a leaf goes where its splits multiply the states least, and a
 * group has leaves of many trees. A row costs compares of bytes,
 * thirty-two rows at once, and one look-up per group. Leaves that fit into no group, or not
 * into SHAP_TABLES, are summed by the formula. Tables are floats, sums doubles in an order that
 * only the forest gives: results do not depend on the processor, nor on what other rows there
 * are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ml/forest.h"

#define SHAP_STATES 256                /* of a group, so that a byte has them */
#define SHAP_PLACES 8                  /* features of a group: 2^8 states     */
#define SHAP_TABLES ((size_t)48 << 20) /* bytes of all tables of a forest    */

struct shap;

/* `sources`: for each feature the source column that it was made of, below
 * source_count: contributions of features are added up to it. `table_bytes`:
 * SHAP_TABLES; tests also take 0, which leaves the formula alone. The forest is borrowed,
 * `sources` is not. */
struct shap *shap_new(const struct forest *forest, const uint32_t *sources, size_t source_count,
                      size_t table_bytes) __attribute__((returns_nonnull));
void shap_free(struct shap *shap);
void shap_cleanup(struct shap **shap);
#define auto_shap __attribute__((cleanup(shap_cleanup)))

/* The margin that every row starts from: base + contributions = margin. */
double shap_base(const struct shap *shap);

/* How many look-ups a row costs; leaves that are summed by the formula are not counted. */
size_t shap_groups(const struct shap *shap);

/* `rows` x columns floats to rows x source_count doubles. Any thread. */
void shap_rows(const struct shap *shap, const float *values, size_t rows, double *ret_sources);

/* The same without the instructions that not every processor has: the same bits. */
void shap_rows_portable(const struct shap *shap, const float *values, size_t rows,
                        double *ret_sources);
