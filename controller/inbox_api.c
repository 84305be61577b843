#include "base/uri.h"
#include "contract/check.h"
#include "inbox_api.h"
#include "view.h"

const char *const inbox_existing_names[] = { "Ignore", "Latest", "All", NULL };

/* A member named by its own struct, so that BATCH_TEMPLATE_FIELDS has an offset of 0. */
struct template_alone {
    struct batch_template how;
};
static const struct field template_items[] = { BATCH_TEMPLATE_FIELDS(struct template_alone, how) };
static const struct fields template_fields = FIELDS(struct template_alone, template_items);

static const struct field inbox_spec_items[] = {
    FIELD(struct inbox_spec, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024,
          .check = check_folder_uri),
    FIELD(struct inbox_spec, poll_interval_ms, "pollInterval", FIELD_DURATION, .fallback = "1m",
          .minimum = 1000, .maximum = 86400000),
    FIELD(struct inbox_spec, existing, "existing", FIELD_ENUM, .fallback = "Ignore",
          .names = inbox_existing_names),
    FIELD(struct inbox_spec, max_active, "maxActive", FIELD_INT, .fallback = "4", .minimum = 1,
          .maximum = INBOX_ACTIVE_MAXIMUM),
    FIELD(struct inbox_spec, keep, "keep", FIELD_INT, .fallback = "100", .minimum = 0,
          .maximum = 10000),
    FIELD(struct inbox_spec, template, "template", FIELD_OBJECT, .flags = FIELD_REQUIRED,
          .table = &template_fields),
};
const struct fields inbox_spec_fields = FIELDS(struct inbox_spec, inbox_spec_items);

int inbox_spec_check(const struct inbox_spec *spec, const char *path, struct err *err)
{
    if (uri_is_folder(spec->template->output->uri))
        return 0;
    return err_set(err, ERR_INVALID,
                   "%s.template.output.uri: must name a folder, which ends in '/': each batch of "
                   "the inbox writes a file of its own",
                   path);
}

#define KEY_MAXIMUM 320 /* a time and the longest name of a file */

static const struct field pending_items[] = {
    FIELD(struct inbox_pending, name, "name", FIELD_STRING, .flags = FIELD_REQUIRED,
          .check = check_label),
    FIELD(struct inbox_pending, file, "file", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = 2048, .check = check_file_uri),
    FIELD(struct inbox_pending, generation, "generation", FIELD_STRING, .flags = FIELD_REQUIRED,
          .maximum = 256, .check = check_line),
};
static const struct fields pending_fields =
    FIELDS(struct inbox_pending, pending_items, .open = true);

static const struct field inbox_status_items[] = {
    FIELD(struct inbox_status, uri, "uri", FIELD_STRING, .flags = FIELD_REQUIRED, .maximum = 1024),
    FIELD(struct inbox_status, high_water_mark, "highWaterMark", FIELD_STRING, .maximum = 40),
    FIELD(struct inbox_status, last_file, "lastFile", FIELD_STRING, .maximum = 256),
    FIELD(struct inbox_status, created, "created", FIELD_INT, .flags = FIELD_KEEP),
    FIELD(struct inbox_status, active, "active", FIELD_INT, .flags = FIELD_KEEP),
    FIELD(struct inbox_status, floor, "floor", FIELD_STRING, .maximum = KEY_MAXIMUM),
    FIELD(struct inbox_status, taken, "taken", FIELD_STRINGS, .maximum = INBOX_FILES),
    FIELD(struct inbox_status, pending, "pending", FIELD_OBJECTS, .maximum = INBOX_ACTIVE_MAXIMUM,
          .table = &pending_fields),
};
const struct fields inbox_status_fields =
    FIELDS(struct inbox_status, inbox_status_items, .open = true);

json_t *inbox_batch_spec(const struct batch_template *template, const char *model,
                         const char *file_uri, const char *generation)
{
    json_t *spec = fields_encode(&template_fields, template);
    json_object_set_new(spec, "modelRef", json_pack("{ss}", "name", model));
    json_object_set_new(spec, "input",
                        json_pack("{ss ss}", "uri", file_uri, "generation", generation));
    return spec;
}
