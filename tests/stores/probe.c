/* One operation of lib/store, for tests against servers that others wrote: bytes by standard
 * input and output, the rest as one JSON line. Ends as trainer and scorer do. */
#include <errno.h>
#include <signal.h>

#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "contract/exit_code.h"
#include "contract/program.h"
#include "store/store.h"

struct arguments {
    int64_t patience_ms, denied_patience_ms, stall_ms, piece, offset, length, repeat;
    const char *generation;
    bool absent, public_hosts;
};

static const struct option options[] = {
    { .name = "patience",
      .kind = OPTION_DURATION,
      .fallback = "20s",
      .offset = offsetof(struct arguments, patience_ms),
      .argument = "TIME",
      .help = "how long trouble is waited out" },
    { .name = "denied-patience",
      .kind = OPTION_DURATION,
      .fallback = "1ms",
      .offset = offsetof(struct arguments, denied_patience_ms),
      .argument = "TIME",
      .help = "how long a missing right is" },
    { .name = "stall",
      .kind = OPTION_DURATION,
      .fallback = "30s",
      .offset = offsetof(struct arguments, stall_ms),
      .argument = "TIME",
      .help = "when a silent transfer is cut" },
    { .name = "generation",
      .kind = OPTION_TEXT,
      .offset = offsetof(struct arguments, generation),
      .argument = "TEXT",
      .help = "what the object must be" },
    { .name = "absent",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct arguments, absent),
      .help = "put: only if there is none" },
    { .name = "public-hosts",
      .kind = OPTION_FLAG,
      .offset = offsetof(struct arguments, public_hosts),
      .help = "endpoints may not lead to this machine" },
    { .name = "piece",
      .kind = OPTION_INT,
      .fallback = "65536",
      .minimum = 1,
      .maximum = 1 << 24,
      .offset = offsetof(struct arguments, piece),
      .argument = "N",
      .help = "bytes at a time" },
    { .name = "offset",
      .kind = OPTION_INT,
      .fallback = "-1",
      .minimum = -1,
      .maximum = INT64_MAX,
      .offset = offsetof(struct arguments, offset),
      .argument = "N",
      .help = "get: from this byte on" },
    { .name = "length",
      .kind = OPTION_INT,
      .fallback = "0",
      .maximum = INT64_MAX,
      .offset = offsetof(struct arguments, length),
      .argument = "N",
      .help = "get: so many bytes; 0: to the end" },
    { .name = "repeat",
      .kind = OPTION_INT,
      .fallback = "1",
      .minimum = 1,
      .maximum = 1000000,
      .offset = offsetof(struct arguments, repeat),
      .argument = "N",
      .help = "stat: so many times" },
};

static const struct program program = {
    .name = "churn-store-probe",
    .synopsis = "[options] OPERATION URI [URI...]",
    .description =
        "stat URI, get URI, put URI, delete URI, list FOLDER, entries FOLDER, clear "
        "FOLDER, or compose URI PART...: standard input and then the parts become the object.",
    .options = options,
    .option_count = ARRAY_SIZE(options),
    .maximum_operands = 1000,
};

static void print_info(const struct store_info *info)
{
    printf("{\"bytes\": %" PRId64 ", \"updated\": %" PRId64 ", \"generation\": \"%s\"}\n",
           info->bytes, info->updated_ns, info->generation);
}

static int get(struct store *store, const struct arguments *arguments, const char *uri,
               struct err *err)
{
    struct store_range range = { (uint64_t)arguments->offset, (uint64_t)arguments->length };
    auto_free char *buffer = mem_alloc((size_t)arguments->piece);
    size_t length = 0;
    auto_store_reader struct store_reader *reader = store_get(
        store, uri, arguments->generation, arguments->offset < 0 ? NULL : &range, NULL, err);

    if (!reader)
        return -1;
    do {
        if (byte_source_read(store_reader_source(reader), buffer, (size_t)arguments->piece, &length,
                             err))
            return -1;
        if (fwrite(buffer, 1, length, stdout) != length)
            return err_errno(err, errno, "standard output");
    } while (length > 0);
    return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

static int append_input(struct store_writer *writer, const struct arguments *arguments,
                        struct err *err)
{
    auto_free char *buffer = mem_alloc((size_t)arguments->piece);
    size_t length;

    while ((length = fread(buffer, 1, (size_t)arguments->piece, stdin)) > 0)
        if (store_writer_append(writer, buffer, length, err))
            return -1;
    return 0;
}

static int append_parts(struct store *store, struct store_writer *writer,
                        const struct strings *parts, struct err *err)
{
    for (size_t i = 2; i < parts->count; i++) {
        struct store_info info;

        if (store_stat(store, parts->items[i], &info, err) ||
            store_writer_append_object(writer, parts->items[i], info.generation, err))
            return -1;
    }
    return 0;
}

static int put(struct store *store, const struct arguments *arguments,
               const struct strings *operands, struct err *err)
{
    enum store_condition condition = arguments->absent       ? STORE_IF_ABSENT
                                     : arguments->generation ? STORE_IF_GENERATION
                                                             : STORE_ALWAYS;
    auto_store_writer struct store_writer *writer =
        store_put(store, operands->items[1], condition, arguments->generation, err);
    struct store_info info;

    if (!writer || append_input(writer, arguments, err) ||
        append_parts(store, writer, operands, err) || store_writer_commit(writer, &info, err))
        return -1;
    print_info(&info);
    return 0;
}

static int list(struct store *store, const char *uri, struct err *err)
{
    auto_store_listing struct store_listing listing = { 0 };
    auto_json json_t *names = json_array();

    if (store_list(store, uri, &listing, err))
        return -1;
    for (size_t i = 0; i < listing.count; i++)
        json_array_append_new(names, json_sprintf("%s%s", listing.entries[i].name,
                                                  listing.entries[i].is_folder ? "/" : ""));
    auto_free char *text = jx_canonical(names);
    printf("%s\n", text);
    return 0;
}

static int print_entry(void *context, const struct store_entry *entry, struct err *err)
{
    const struct store_info *info = &entry->info;
    auto_json json_t *object =
        json_pack("{s:o, s:I, s:I, s:s}", "name",
                  json_sprintf("%s%s", entry->name, entry->is_folder ? "/" : ""), "bytes",
                  (json_int_t)info->bytes, "updated", (json_int_t)info->updated_ns, "generation",
                  info->generation);
    auto_free char *text = jx_canonical(object);

    (void)context, (void)err;
    printf("%s\n", text);
    return 0;
}

static int look(struct store *store, const struct arguments *arguments, const char *uri,
                struct err *err)
{
    struct store_info info;

    for (int64_t i = 0; i < arguments->repeat; i++)
        if (store_stat(store, uri, &info, err))
            return -1;
    print_info(&info);
    return 0;
}

static int run(struct stores *stores, const struct arguments *arguments,
               const struct strings *operands, struct err *err)
{
    const char *operation = operands->items[0], *uri = operands->items[1];
    auto_store struct store *store = store_open(stores, uri, err);

    if (!store)
        return -1;
    if (strcmp(operation, "stat") == 0)
        return look(store, arguments, uri, err);
    if (strcmp(operation, "get") == 0)
        return get(store, arguments, uri, err);
    if (strcmp(operation, "put") == 0 || strcmp(operation, "compose") == 0)
        return put(store, arguments, operands, err);
    if (strcmp(operation, "delete") == 0)
        return store_delete(store, uri, err);
    if (strcmp(operation, "list") == 0)
        return list(store, uri, err);
    if (strcmp(operation, "entries") == 0)
        return store_walk(store, uri, print_entry, NULL, err);
    if (strcmp(operation, "clear") == 0)
        return store_delete_folder(store, uri, err);
    return err_reason(err, ERR_INVALID, "UsageError", "there is no operation %s", operation);
}

int main(int argc, char **argv)
{
    auto_arena struct arena arena = { 0 };
    struct arguments arguments = { 0 };
    struct strings operands;
    struct err err;
    int code;

    (void)signal(SIGPIPE, SIG_IGN);
    if (!options_begin(&program, argc, argv, &arena, &arguments, &operands, &code))
        return code;
    if (operands.count < 2)
        return EXIT_CODE_USAGE;
    auto_stores struct stores *stores = stores_new(&(struct stores_options){
        .variable = program_variable,
        .on_trouble = program_trouble,
        .patience_ms = arguments.patience_ms,
        .denied_patience_ms = arguments.denied_patience_ms,
        .stall_ms = arguments.stall_ms,
        .public_hosts_only = arguments.public_hosts,
    });
    if (run(stores, &arguments, &operands, &err) == 0)
        return EXIT_CODE_DONE;
    log_failure(LOG_ERROR, "failed", &err);
    return exit_code_of(&err);
}
