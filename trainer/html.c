#include "trainer/html.h"

#include <math.h>

#include "base/num.h"

void html_text(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            buf_string(out, "&amp;");
            break;
        case '<':
            buf_string(out, "&lt;");
            break;
        case '>':
            buf_string(out, "&gt;");
            break;
        case '"':
            buf_string(out, "&quot;");
            break;
        case '\'':
            buf_string(out, "&#39;");
            break;
        default:
            buf_char(out, *c);
        }
    }
}

void html_count(struct buf *out, size_t count)
{
    if (count >= 1000) {
        html_count(out, count / 1000);
        buf_format(out, ",%03zu", count % 1000);
    } else {
        buf_format(out, "%zu", count);
    }
}

void html_number(struct buf *out, double value, int decimals)
{
    char text[NUM_DOUBLE_TEXT];
    if (isnan(value)) {
        buf_string(out, "&ndash;");
        return;
    }
    num_format_fixed(value, decimals, text);
    buf_string(out, text);
}

void html_percent(struct buf *out, double share, int decimals)
{
    html_number(out, 100 * share, decimals);
    if (!isnan(share))
        buf_string(out, "&nbsp;%");
}
