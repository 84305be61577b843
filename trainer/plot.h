/* plot.h - small SVG charts, drawn inline into HTML.
 *
 * A plot is begun with its axes, then marks are added, then it is ended. Colours
 * are CSS classes of the page (report_style.c), so that charts follow its light
 * and dark themes and print well. All titles and labels are escaped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "ml/metrics.h"

struct plot {
    const char *title, *x_label, *y_label;
    double x_minimum, x_maximum, y_minimum, y_maximum;
    bool x_percent, y_percent; /* ticks: 0.2 as "20 %" */
    double x_step;             /* between ticks; 0: a round one that fits */
    const char *description;   /* for those who cannot see it */
};

/* Opens a <figure> with grid, ticks and labels; about five ticks on each axis. */
void plot_begin(struct buf *out, const struct plot *plot);
/* `caption` may be NULL. */
void plot_end(struct buf *out, const char *caption);

/* Marks; `class` is "model", "muted", "churn", "stay", "guide", ... */
void plot_line(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count);
/* Filled down to the lower end of the y axis. */
void plot_area(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count);
void plot_dots(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count);
/* From the x axis up, between two x values. */
void plot_bar(struct buf *out, const struct plot *plot, const char *class, double from, double to,
              double height);
/* An upright line with a short label at its top. */
void plot_mark(struct buf *out, const struct plot *plot, double x, const char *label);
/* Legend entries from the left, below the title. */
struct plot_legend {
    const char *class, *label;
};
void plot_legend(struct buf *out, const struct plot_legend *entries, size_t count);

/* Horizontal bars with a name on the left and a number at the end. */
struct bar {
    const char *name;
    double value;     /* >= 0 */
    const char *note; /* behind the number; NULL: none */
};
void plot_ranked_bars(struct buf *out, const char *description, const struct bar *bars,
                      size_t count, int decimals);
