#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

#include "base/utf8.h"

/* A message ends in logs, conditions and JSON: one line of UTF-8. */
static void make_presentable(char *message, size_t capacity, size_t wanted_length)
{
    size_t length = wanted_length < capacity ? wanted_length : capacity - 1;

    if (wanted_length >= capacity) {
        /* the cut may have split a character: at most its last three bytes */
        for (size_t back = 1; back <= 3 && back <= length; back++) {
            unsigned char byte = (unsigned char)message[length - back];

            if (byte >= 0xC0) {
                if (utf8_character(message + length - back, back) == 0)
                    length -= back;
                break;
            }
            if (byte < 0x80)
                break;
        }
        message[length] = '\0';
    }
    utf8_one_line(message, length);
}

static void fill(struct err *err, enum err_kind kind, const char *reason, const char *format,
                 va_list arguments) __attribute__((format(printf, 4, 0)));

/* The text is built beside *err first: arguments may point into it. */
static void fill(struct err *err, enum err_kind kind, const char *reason, const char *format,
                 va_list arguments)
{
    struct err fresh = { .kind = kind };

    if (!err)
        return;
    int length = vsnprintf(fresh.message, sizeof(fresh.message), format, arguments);
    make_presentable(fresh.message, sizeof(fresh.message), length < 0 ? 0 : (size_t)length);
    snprintf(fresh.reason, sizeof(fresh.reason), "%s", reason);
    *err = fresh;
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(err, kind, "", format, arguments);
    va_end(arguments);
    return -1;
}

int err_reason(struct err *err, enum err_kind kind, const char *reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(err, kind, reason, format, arguments);
    va_end(arguments);
    return -1;
}

static enum err_kind kind_of_errno(int error_number)
{
    switch (error_number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EEXIST:
        return ERR_EXISTS;
    case EINTR:
    case EAGAIN:
        return ERR_RETRY;
    case ENOMEM:
        return ERR_INTERNAL;
    default:
        return ERR_IO;
    }
}

int err_errno(struct err *err, int error_number, const char *format, ...)
{
    const char *description = strerrordesc_np(error_number);
    struct err context;
    va_list arguments;

    va_start(arguments, format);
    fill(&context, ERR_NONE, "", format, arguments);
    va_end(arguments);
    if (!description)
        return err_set(err, kind_of_errno(error_number), "%s: error %d", context.message,
                       error_number);
    return err_set(err, kind_of_errno(error_number), "%s: %s", context.message, description);
}

/* Puts two parts together as the message of *err. */
static void join(struct err *err, const char *first, const char *middle, const char *last)
{
    char joined[2 * sizeof(err->message) + 2];
    size_t length = (size_t)snprintf(joined, sizeof(joined), "%s%s%s", first, middle, last);
    size_t kept = length < sizeof(err->message) ? length : sizeof(err->message) - 1;

    memcpy(err->message, joined, kept);
    err->message[kept] = '\0';
    make_presentable(err->message, sizeof(err->message), length);
}

int err_wrap(struct err *err, const char *format, ...)
{
    struct err context;
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    fill(&context, ERR_NONE, "", format, arguments);
    va_end(arguments);
    join(err, context.message, ": ", err->message);
    return -1;
}

int err_append(struct err *err, const char *format, ...)
{
    struct err addition;
    va_list arguments;

    if (!err)
        return -1;
    va_start(arguments, format);
    fill(&addition, ERR_NONE, "", format, arguments);
    va_end(arguments);
    join(err, err->message, "; ", addition.message);
    return -1;
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[] = {
        [ERR_NONE] = "None",          [ERR_INVALID] = "Invalid",
        [ERR_NOT_FOUND] = "NotFound", [ERR_EXISTS] = "Exists",
        [ERR_CONFLICT] = "Conflict",  [ERR_GONE] = "Gone",
        [ERR_DENIED] = "Denied",      [ERR_RETRY] = "Retry",
        [ERR_TOO_BIG] = "TooBig",     [ERR_UNSUPPORTED] = "Unsupported",
        [ERR_CANCELED] = "Canceled",  [ERR_IO] = "IO",
        [ERR_INTERNAL] = "Internal",
    };

    if (kind < 0 || (size_t)kind >= sizeof(names) / sizeof(names[0]))
        return "Unknown";
    return names[kind];
}
