#include "trainer/plot.h"

#include <math.h>

#include "base/mem.h"
#include "trainer/html.h"

/* In SVG units; the figure is scaled to its column. */
#define WIDTH  440.0
#define HEIGHT 330.0
#define LEFT   56.0
#define RIGHT  16.0
#define TOP    30.0
#define BOTTOM 48.0

#define BAR_HEIGHT 26.0
#define BAR_NAMES  190.0 /* room for names  */
#define BAR_WIDTH  900.0
#define BAR_VALUES 70.0 /* room for values */

static double x_of(const struct plot *plot, double x)
{
    return LEFT +
           (x - plot->x_minimum) / (plot->x_maximum - plot->x_minimum) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct plot *plot, double y)
{
    return HEIGHT - BOTTOM -
           (y - plot->y_minimum) / (plot->y_maximum - plot->y_minimum) * (HEIGHT - TOP - BOTTOM);
}

/* A round step that gives four to seven ticks: 1, 2 or 5 times a power of ten. */
static double tick_step(double span)
{
    double power = pow(10, floor(log10(span / 4)));
    double ratio = span / 4 / power;
    return power * (ratio >= 5 ? 5 : ratio >= 2 ? 2 : 1);
}

static void tick_label(struct buf *out, double value, bool percent, double step)
{
    double unit = percent ? 100 * step : step;
    int decimals = unit >= 1 ? 0 : (int)ceil(-log10(unit) - 1e-9);
    if (percent)
        html_percent(out, value, decimals);
    else
        html_number(out, value, decimals);
}

static void draw_x_axis(struct buf *out, const struct plot *plot)
{
    double step = plot->x_step > 0 ? plot->x_step : tick_step(plot->x_maximum - plot->x_minimum);
    for (double x = ceil(plot->x_minimum / step - 1e-9) * step; x <= plot->x_maximum + step * 1e-9;
         x += step) {
        buf_format(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                   x_of(plot, x), x_of(plot, x), TOP, HEIGHT - BOTTOM);
        buf_format(out, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">",
                   x_of(plot, x), HEIGHT - BOTTOM + 16);
        tick_label(out, x, plot->x_percent, step);
        buf_string(out, "</text>");
    }
    buf_format(out, "<text class=\"label\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">",
               (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
    html_text(out, plot->x_label);
    buf_string(out, "</text>");
}

static void draw_y_axis(struct buf *out, const struct plot *plot)
{
    double step = tick_step(plot->y_maximum - plot->y_minimum);
    for (double y = ceil(plot->y_minimum / step - 1e-9) * step; y <= plot->y_maximum + step * 1e-9;
         y += step) {
        buf_format(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                   LEFT, WIDTH - RIGHT, y_of(plot, y), y_of(plot, y));
        buf_format(out, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">", LEFT - 7,
                   y_of(plot, y) + 4);
        tick_label(out, y, plot->y_percent, step);
        buf_string(out, "</text>");
    }
    buf_format(out,
               "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(14 %.1f) "
               "rotate(-90)\">",
               (TOP + HEIGHT - BOTTOM) / 2);
    html_text(out, plot->y_label);
    buf_string(out, "</text>");
}

void plot_begin(struct buf *out, const struct plot *plot)
{
    buf_string(out, "<figure class=\"card\"><h3>");
    html_text(out, plot->title);
    buf_format(out, "</h3><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH,
               HEIGHT);
    html_text(out, plot->description);
    buf_string(out, "\">");
    draw_x_axis(out, plot);
    draw_y_axis(out, plot);
}

void plot_end(struct buf *out, const char *caption)
{
    buf_string(out, "</svg>");
    if (caption != NULL) {
        buf_string(out, "<figcaption>");
        html_text(out, caption);
        buf_string(out, "</figcaption>");
    }
    buf_string(out, "</figure>\n");
}

static void draw_points(struct buf *out, const struct plot *plot, const struct curve_point *points,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_format(out, "%s%.1f,%.1f", i == 0 ? "" : " ", x_of(plot, points[i].x),
                   y_of(plot, points[i].y));
}

void plot_line(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count)
{
    buf_format(out, "<polyline class=\"line %s\" points=\"", class);
    draw_points(out, plot, points, count);
    buf_string(out, "\"/>");
}

void plot_area(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count)
{
    if (count == 0)
        return;
    double floor_y = y_of(plot, plot->y_minimum);
    buf_format(out, "<polygon class=\"area %s\" points=\"%.1f,%.1f ", class,
               x_of(plot, points[0].x), floor_y);
    draw_points(out, plot, points, count);
    buf_format(out, " %.1f,%.1f\"/>", x_of(plot, points[count - 1].x), floor_y);
}

void plot_dots(struct buf *out, const struct plot *plot, const char *class,
               const struct curve_point *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_format(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>", class,
                   x_of(plot, points[i].x), y_of(plot, points[i].y));
}

void plot_bar(struct buf *out, const struct plot *plot, const char *class, double from, double to,
              double height)
{
    double top = y_of(plot, height);
    buf_format(out, "<rect class=\"bar %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
               class, x_of(plot, from), top, x_of(plot, to) - x_of(plot, from),
               y_of(plot, plot->y_minimum) - top);
}

void plot_mark(struct buf *out, const struct plot *plot, double x, const char *label)
{
    bool right_half = x > (plot->x_minimum + plot->x_maximum) / 2;
    buf_format(out, "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
               x_of(plot, x), x_of(plot, x), TOP, HEIGHT - BOTTOM);
    buf_format(out, "<text class=\"note\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">",
               right_half ? "end" : "start", x_of(plot, x) + (right_half ? -6 : 6), TOP + 12);
    html_text(out, label);
    buf_string(out, "</text>");
}

void plot_legend(struct buf *out, const struct plot_legend *entries, size_t count)
{
    const double character_width = 6.4;
    double x = LEFT;
    for (size_t i = 0; i < count; i++) {
        buf_format(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"12\" r=\"4.5\"/>",
                   entries[i].class, x + 5);
        buf_format(out, "<text class=\"tick\" x=\"%.1f\" y=\"16\">", x + 14);
        html_text(out, entries[i].label);
        buf_string(out, "</text>");
        x += 30 + character_width * (double)strlen(entries[i].label);
    }
}

void plot_ranked_bars(struct buf *out, const char *description, const struct bar *bars,
                      size_t count, int decimals)
{
    double greatest = 0, room = BAR_WIDTH - BAR_NAMES - BAR_VALUES;
    for (size_t i = 0; i < count; i++)
        greatest = fmax(greatest, bars[i].value);
    buf_format(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", BAR_WIDTH,
               BAR_HEIGHT * (double)count + 4);
    html_text(out, description);
    buf_string(out, "\">");
    for (size_t i = 0; i < count; i++) {
        double y = BAR_HEIGHT * (double)i + 2;
        double width = greatest > 0 ? fmax(bars[i].value / greatest * room, 1) : 1;
        buf_format(out, "<text class=\"name\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">",
                   BAR_NAMES - 10, y + 17);
        html_text(out, bars[i].name);
        buf_format(out,
                   "</text><rect class=\"bar model\" rx=\"3\" x=\"%.1f\" y=\"%.1f\" "
                   "width=\"%.1f\" height=\"%.1f\"/>",
                   BAR_NAMES, y + 4, width, BAR_HEIGHT - 8);
        buf_format(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">", BAR_NAMES + width + 8,
                   y + 17);
        html_number(out, bars[i].value, decimals);
        if (bars[i].note != NULL) {
            buf_char(out, ' ');
            html_text(out, bars[i].note);
        }
        buf_string(out, "</text>");
    }
    buf_string(out, "</svg>");
}
