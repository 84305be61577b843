#include "base/uri.h"
#include "contract/check.h"
#include "contract/reasons.h"
#include "job_builder.h"
#include "lookup.h"

/* Of pods that name no ServiceAccount. */
#define DEFAULT_ACCOUNT  "default"
#define RETRY_MINIMUM_MS 1000
#define RETRY_MAXIMUM_MS 60000
/* A listing is good for one decision, not for a later one. */
#define LISTING_AGE_MS 10000
/* How often a folder without a data file, or for a file that is not there, is looked again. */
#define EMPTY_FOLDER_MS 30000

/* --- images -------------------------------------------------------------- */

static bool is_same_account(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

bool lookup_is_answered(const struct image_fact *fact, const struct fact_request *request)
{
    const struct strings *asked = &request->pull_secrets, *had = &fact->pull_secrets;
    if (strcmp(fact->reference, request->argument) != 0 || asked->count != had->count ||
        !is_same_account(fact->service_account, request->service_account))
        return false;
    for (size_t i = 0; i < asked->count; i++)
        if (strcmp(had->items[i], asked->items[i]) != 0)
            return false;
    return true;
}

static const struct image_fact *find_image(const struct facts *facts,
                                           const struct fact_request *request)
{
    for (size_t i = 0; i < facts->image_count; i++)
        if (lookup_is_answered(&facts->images[i], request))
            return &facts->images[i];
    return NULL;
}

/* What asks for the image; without its probe, which only what goes into a plan needs. */
static struct fact_request image_request(struct arena *arena, const char *reference,
                                         const struct image_access *access)
{
    const struct list *pull_secrets = access->pull_secrets;
    const struct object_reference *secrets = pull_secrets ? pull_secrets->items : NULL;
    const char *account = access->pods ? access->pods->service_account_name : NULL;
    struct fact_request request = { .kind = FACT_IMAGE, .argument = reference };
    size_t count = pull_secrets ? pull_secrets->count : 0;
    if (count == 0)
        request.service_account = account ? account : DEFAULT_ACCOUNT;
    request.pull_secrets.count = count;
    request.pull_secrets.items = arena_zero(arena, count, sizeof(*request.pull_secrets.items));
    for (size_t i = 0; i < count; i++)
        request.pull_secrets.items[i] = secrets[i].name;
    return request;
}

/* NULL: there may be none. */
static json_t *build_probe(const struct object_view *view, const char *reference,
                           const struct image_access *access)
{
    const struct probe_order order = { .model = access->model,
                                       .image = reference,
                                       .pod_template = access->pods,
                                       .pull_secrets = access->pull_secrets };
    return view->settings->probe_pods ? job_build_probe(&order) : NULL;
}

static void need_image(const struct object_view *view, struct plan *plan,
                       const struct fact_request *request, const struct image_access *access,
                       int64_t newer_than_ms)
{
    auto_json json_t *probe = build_probe(view, request->argument, access);
    struct fact_request need = *request;
    need.probe = probe;
    need.newer_than_ms = newer_than_ms;
    plan_need(plan, &need);
}

static const char *image_reason(enum image_error error)
{
    switch (error) {
    case IMAGE_DENIED:
        return REASON_RegistryDenied;
    case IMAGE_NOT_FOUND:
        return REASON_ImageNotFound;
    case IMAGE_UNRESOLVABLE:
        return REASON_DigestUnresolvable;
    case IMAGE_OK:
    case IMAGE_UNREACHABLE:
        break;
    }
    return REASON_RegistryUnreachable;
}

static int64_t retry_delay(int64_t failing_ms)
{
    if (failing_ms < RETRY_MINIMUM_MS)
        return RETRY_MINIMUM_MS;
    return failing_ms > RETRY_MAXIMUM_MS ? RETRY_MAXIMUM_MS : failing_ms;
}

static void image_failed(const struct object_view *view, struct plan *plan,
                         const struct fact_request *request, const struct image_access *access,
                         const struct image_fact *fact, struct image_lookup *image)
{
    image->state = LOOKUP_FAILED;
    image->digest = fact->digest;
    image->reason = image_reason(fact->error);
    image->message = fact->message ? fact->message : "the look-up failed";
    image->failing_ms = view->steady_ms - fact->failing_since_ms;
    /* The delay is that of the last attempt, so that it does not grow while we wait. */
    int64_t due_ms = fact->checked_ms + retry_delay(fact->checked_ms - fact->failing_since_ms);
    if (image->failing_ms < REGISTRY_PATIENCE_MS)
        plan_requeue(plan, REGISTRY_PATIENCE_MS - image->failing_ms);
    if (fact->pending_ms > 0)
        need_image(view, plan, request, access, fact->pending_ms);
    else if (view->steady_ms >= due_ms)
        need_image(view, plan, request, access, view->steady_ms);
    else
        plan_requeue(plan, due_ms - view->steady_ms);
}

/* Waits for a look-up that began at started_ms; 0: it is being asked for now. */
static bool wait_for(const struct object_view *view, struct plan *plan, int64_t started_ms)
{
    int64_t waited_ms = started_ms > 0 ? view->steady_ms - started_ms : 0;
    if (waited_ms >= LOOKUP_PATIENCE_MS)
        return true;
    plan_requeue(plan, LOOKUP_PATIENCE_MS - waited_ms);
    return false;
}

/* What `fact`, which may be NULL, says when it is good; else waits for a look-up that begins at
 * or after wanted_ms. One that is under way is asked for all the same: somebody else may have
 * begun it, and only who asked is woken. */
static void look_up(const struct object_view *view, struct plan *plan,
                    const struct fact_request *request, const struct image_access *access,
                    const struct image_fact *fact, bool is_recent, int64_t wanted_ms,
                    struct image_lookup *ret_image)
{
    const char *pinned = strstr(request->argument, "@sha256:");
    *ret_image = (struct image_lookup){ .reference = request->argument };
    if (pinned) {
        ret_image->digest = pinned + 1;
    } else if (fact && fact->error != IMAGE_OK) {
        image_failed(view, plan, request, access, fact, ret_image);
    } else if (fact && fact->digest && is_recent) {
        ret_image->digest = fact->digest;
    } else {
        ret_image->state = LOOKUP_PENDING;
        ret_image->slow = wait_for(view, plan, fact ? fact->pending_ms : 0);
        need_image(view, plan, request, access, wanted_ms);
    }
}

void lookup_image(const struct object_view *view, struct plan *plan, const char *reference,
                  const struct image_access *access, int64_t newer_than_ms,
                  struct image_lookup *ret_image)
{
    const struct fact_request request = image_request(&plan->arena, reference, access);
    const struct image_fact *fact = find_image(&view->facts, &request);
    look_up(view, plan, &request, access, fact, fact && fact->checked_ms >= newer_than_ms,
            newer_than_ms, ret_image);
}

void lookup_recent_image(const struct object_view *view, struct plan *plan, const char *reference,
                         const struct image_access *access, int64_t age_ms,
                         struct image_lookup *ret_image)
{
    const struct fact_request request = image_request(&plan->arena, reference, access);
    const struct image_fact *fact = find_image(&view->facts, &request);
    int64_t oldest_ms = view->steady_ms - age_ms;
    bool is_recent = fact && fact->checked_ms + fact->took_ms >= oldest_ms;
    bool is_pending = fact && fact->pending_ms > 0;
    look_up(view, plan, &request, access, fact, is_recent,
            is_pending ? fact->pending_ms : oldest_ms, ret_image);
    if (fact && ret_image->state == LOOKUP_KNOWN)
        ret_image->good_for_ms = fact->checked_ms + fact->took_ms - oldest_ms + 1;
}

/* --- folders ------------------------------------------------------------- */

static bool is_below(struct span path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] == '/')
        length--;
    return path.length > length && memcmp(path.data, folder, length) == 0 &&
           path.data[length] == '/';
}

static bool is_below_root(const struct settings *settings, const struct uri *uri)
{
    for (size_t i = 0; i < settings->file_roots.count; i++)
        if (is_below(uri->path, settings->file_roots.items[i]))
            return true;
    return false;
}

/* Splits off "=<namespace>", which cannot be a part of a folder: that ends in '/'. */
static struct span split_allowed(const char *text, const char **ret_namespace)
{
    const char *equals = strrchr(text, '='), *slash = strrchr(text, '/');
    bool has_namespace = equals && slash && equals == slash + 1;
    *ret_namespace = has_namespace ? equals + 1 : NULL;
    return has_namespace ? (struct span){ text, (size_t)(equals - text) } : span_of(text);
}

int lookup_check_allowed(const char *text, struct err *err)
{
    const char *namespace;
    struct span folder = split_allowed(text, &namespace);
    auto_free char *uri = mem_strndup(folder.data, folder.length);
    if (strncmp(uri, "file:", 5) == 0 || check_folder_uri(uri, err) < 0)
        return err_set(err, ERR_INVALID,
                       "must be a folder in a bucket, like s3://bank/weekly_folder/, and may have "
                       "\"=<namespace>\" behind it");
    return namespace ? check_label(namespace, err) : 0;
}

/* By the controller's own identity, which other namespaces must not borrow. */
static bool is_allowed(const struct object_view *view, const char *uri)
{
    const struct strings *allowed = &view->settings->allowed_uris;
    for (size_t i = 0; i < allowed->count; i++) {
        const char *namespace;
        struct span folder = split_allowed(allowed->items[i], &namespace);
        if (strncmp(uri, folder.data, folder.length) == 0 &&
            (!namespace || strcmp(namespace, view->metadata.namespace_) == 0))
            return true;
    }
    return false;
}

bool lookup_is_visible(const struct object_view *view, const char *some_uri,
                       const struct credentials_spec *credentials)
{
    static const char *const schemes[] = { "file", "gs", "s3", NULL };
    struct uri uri;
    if (uri_parse(some_uri, schemes, &uri, NULL) < 0)
        return false;
    if (span_equals(uri.scheme, "file"))
        return is_below_root(view->settings, &uri);
    return credentials || is_allowed(view, some_uri);
}

const char *lookup_invisible(struct arena *arena, const char *uri)
{
    const char *folder = uri_is_folder(uri) ? "a folder " : "";
    if (strncmp(uri, "file://", strlen("file://")) == 0)
        return arena_format(arena, "must be %sbelow a --file-root of the controller", folder);
    return arena_format(
        arena, "must be %sbelow an --allowed-uri of the controller, or opened by spec.credentials",
        folder);
}

const char *lookup_secret(const char *uri, const struct credentials_spec *credentials)
{
    bool is_file = strncmp(uri, "file://", strlen("file://")) == 0;
    return credentials && !is_file ? credentials->secret_ref->name : NULL;
}

static const struct folder_fact *find_folder(const struct facts *facts, const char *uri)
{
    for (size_t i = 0; i < facts->folder_count; i++)
        if (strcmp(facts->folders[i].uri, uri) == 0)
            return &facts->folders[i];
    return NULL;
}

static void file_failed(struct file_lookup *file, const char *reason, const char *message)
{
    file->state = LOOKUP_FAILED;
    file->reason = reason;
    file->message = message;
}

static int64_t larger(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

/* Takes what the listing says when it is new enough; false when it is not: a file that
 * was there when the spec was written must be in it. */
static bool use_listing(const struct object_view *view, struct plan *plan,
                        const struct folder_fact *fact, const char *path, int64_t age_ms,
                        struct file_lookup *file)
{
    bool found = !fact->message && fact->newest_uri;
    int64_t good_until_ms = fact->checked_ms + fact->took_ms + (found ? age_ms : EMPTY_FOLDER_MS);
    if (fact->checked_ms == 0 || fact->checked_ms < larger(view->seen_ms, fact->pushed_ms) ||
        view->steady_ms >= good_until_ms)
        return false;
    if (found) {
        file->uri = fact->newest_uri;
        file->generation = fact->generation;
        file->bytes = fact->bytes;
        return true;
    }
    plan_requeue(plan, good_until_ms - view->steady_ms);
    if (fact->message)
        file_failed(file, REASON_FolderUnreadable,
                    arena_format(&plan->arena, "%s: %s", path, fact->message));
    else if (!uri_is_folder(fact->uri))
        file_failed(file, REASON_InputNotFound,
                    arena_format(&plan->arena, "%s: %s does not exist", path, fact->uri));
    else
        file_failed(file, REASON_FolderEmpty,
                    arena_format(&plan->arena, "%s: no data file in %s yet", path, fact->uri));
    return true;
}

void lookup_file(const struct object_view *view, struct plan *plan,
                 const struct file_question *question, struct file_lookup *ret_file)
{
    if (uri_is_folder(question->uri))
        lookup_existing_file(view, plan, question, ret_file);
    else
        *ret_file = (struct file_lookup){ .uri = question->uri };
}

static void look_at_file(const struct object_view *view, struct plan *plan,
                         const struct file_question *question, int64_t age_ms,
                         struct file_lookup *ret_file)
{
    const char *uri = question->uri;
    *ret_file = (struct file_lookup){ .uri = uri };
    if (!lookup_is_visible(view, uri, question->credentials)) {
        file_failed(ret_file, REASON_NotVisibleToController,
                    arena_format(&plan->arena, "%s: %s%s", question->path,
                                 lookup_invisible(&plan->arena, uri),
                                 uri_is_folder(uri) ? ", or a file" : ""));
        ret_file->stalled = true;
        return;
    }
    const struct folder_fact *fact = find_folder(&view->facts, uri);
    if (fact && use_listing(view, plan, fact, question->path, age_ms, ret_file))
        return;
    int64_t pending_ms = fact ? fact->pending_ms : 0;
    int64_t newer_than_ms = larger(view->seen_ms, view->steady_ms - age_ms);
    if (fact)
        newer_than_ms = larger(newer_than_ms, fact->pushed_ms);
    ret_file->state = LOOKUP_PENDING;
    ret_file->slow = wait_for(view, plan, pending_ms);
    plan_need(plan, &(struct fact_request){ .kind = FACT_FOLDER,
                                            .argument = uri,
                                            .secret = lookup_secret(uri, question->credentials),
                                            .newer_than_ms = pending_ms >= newer_than_ms
                                                                 ? pending_ms
                                                                 : newer_than_ms });
}

void lookup_existing_file(const struct object_view *view, struct plan *plan,
                          const struct file_question *question, struct file_lookup *ret_file)
{
    look_at_file(view, plan, question, LISTING_AGE_MS, ret_file);
}

void lookup_recent_file(const struct object_view *view, struct plan *plan,
                        const struct file_question *question, int64_t age_ms,
                        struct file_lookup *ret_file)
{
    look_at_file(view, plan, question, age_ms, ret_file);
    const struct folder_fact *fact = find_folder(&view->facts, question->uri);
    if (ret_file->state == LOOKUP_KNOWN)
        plan_requeue(plan, fact->checked_ms + fact->took_ms + age_ms - view->steady_ms);
}
