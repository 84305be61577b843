#include "base/log.h"

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"

static _Atomic int minimum_level = LOG_INFO;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

static void write_character(struct buf *line, const char *bytes, size_t length)
{
    unsigned char first = (unsigned char)bytes[0];

    if (length == 0)
        buf_char(line, '?');
    else if (first == '"' || first == '\\')
        buf_format(line, "\\%c", first);
    else if (first == '\n')
        buf_string(line, "\\n");
    else if (first < 0x20)
        buf_format(line, "\\u%04x", first);
    else
        buf_append(line, bytes, length);
}

/* A JSON string; bytes that are no UTF-8 become '?'. */
static void write_text(struct buf *line, const char *text, size_t maximum)
{
    size_t length = strnlen(text, maximum);

    buf_char(line, '"');
    for (size_t i = 0; i < length;) {
        size_t step = utf8_character(text + i, length - i);

        write_character(line, text + i, step);
        i += step > 0 ? step : 1;
    }
    buf_char(line, '"');
}

static void write_member(struct buf *line, const struct log_member *member)
{
    char number[NUM_DOUBLE_TEXT];

    buf_char(line, ',');
    write_text(line, member->name, SIZE_MAX);
    buf_char(line, ':');
    if (member->kind == 't' && member->text) {
        write_text(line, member->text, SIZE_MAX);
    } else if (member->kind == 'n') {
        buf_format(line, "%" PRId64, member->number);
    } else if (member->kind == 'r' && member->real - member->real == 0) {
        num_format_double(member->real, number);
        buf_string(line, number);
    } else {
        buf_string(line, "null"); /* no text, or a number that is not finite */
    }
}

static void write_head(struct buf *line, enum log_level level, const char *message, size_t maximum)
{
    char now[NUM_TIME_TEXT];

    num_format_micro_time(clock_wall_ms(&clock_system), now);
    buf_format(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", now, level_names[level]);
    write_text(line, message, maximum);
}

void log_members(enum log_level level, const char *message, const struct log_member *members)
{
    auto_buf struct buf line = { 0 };

    if ((int)level < atomic_load_explicit(&minimum_level, memory_order_relaxed))
        return;
    buf_init(&line, LIMIT_LOG_LINE);
    write_head(&line, level, message, SIZE_MAX);
    for (; members->name; members++)
        write_member(&line, members);
    buf_string(&line, "}\n");
    if (line.overflow) {
        buf_clear(&line);
        write_head(&line, level, message, LIMIT_LOG_LINE / 16);
        buf_string(&line, ",\"truncated\":true}\n");
    }
    /* nobody is left to tell when stderr does not take it */
    ssize_t ignored = write(STDERR_FILENO, line.data, line.length);

    (void)ignored;
}

void log_failure(enum log_level level, const char *message, const struct err *failure)
{
    struct log_member members[] = {
        LOG_TEXT("error", failure->message),
        LOG_TEXT("kind", err_kind_name(failure->kind)),
        LOG_TEXT("reason", failure->reason),
        { 0 },
    };

    if (!failure->reason[0])
        members[2].name = NULL;
    log_members(level, message, members);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&minimum_level, (int)level, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *ret_level, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "log level must be debug, info, warning or error, not \"%.64s\"", text);
}
