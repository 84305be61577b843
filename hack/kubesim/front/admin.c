/* admin.c - what the sub-commands fault, image and stats of kubesim talk to:
 *
 *   GET, POST, DELETE /kubesim/faults    list, add one, clear
 *   DELETE /kubesim/watches?resource=R   cut open watches
 *   GET, POST /kubesim/images            list, {reference, program, revision}
 *   POST /kubesim/registry               {mode, username, password, delay}
 *   GET, DELETE /kubesim/stats           requests by verb, resource and user agent; reset */
#include <string.h>

#include "base/limits.h"
#include "kubesim/front/request.h"

static void refuse(const struct request *request, const char *message)
{
    struct err err = { 0 };
    api_refuse(&err, 400, "BadRequest", "%s", message);
    request_refuse(request, &err, NULL);
}

static json_t *statistics(const struct front *front)
{
    json_t *requests = json_object();
    for (size_t i = 0; i < front->statistics.count; i++) {
        const struct index_entry *entry = &front->statistics.entries[i];
        uint64_t count = *(const uint64_t *)entry->value;
        if (count > 0)
            json_object_set_new(requests, entry->key, json_integer((json_int_t)count));
    }
    return json_pack("{so}", "requests", requests);
}

static void reset_statistics(struct front *front)
{
    for (size_t i = 0; i < front->statistics.count; i++)
        *(uint64_t *)front->statistics.entries[i].value = 0;
}

static json_t *images(const struct front *front)
{
    json_t *list = json_array();
    for (size_t i = 0; i < front->images.references.count; i++) {
        const struct index_entry *entry = &front->images.references.entries[i];
        const struct image *image = entry->value;
        json_array_append_new(list, json_pack("{ss ss ss}", "reference", entry->key, "program",
                                              image->program, "digest", image->digest));
    }
    return list;
}

static void set_image(struct request *request, const json_t *body)
{
    const char *reference = jx_string(body, "reference", NULL);
    const char *program = jx_string(body, "program", NULL);
    const struct image *image;
    struct err err;
    if (!reference || !program)
        refuse(request, "expected reference and program");
    else if (images_set(&request->front->images, reference, program,
                        jx_string(body, "revision", NULL), &image, &err) != 0)
        refuse(request, err.message);
    else
        request_reply(request, 200,
                      json_pack("{ss ss}", "reference", reference, "digest", image->digest));
}

static void set_registry(struct request *request, const json_t *body)
{
    struct arena arena = { 0 };
    struct registry_mode mode;
    struct err err;
    if (fields_decode(body, &registry_fields, "", &arena, &mode, &err) != 0)
        refuse(request, err.message);
    else {
        front_set_registry(request->front, &mode);
        request_reply(request, 200, json_object());
    }
    arena_release(&arena);
}

static void add_fault(struct request *request, const json_t *body)
{
    struct err err;
    if (faults_add(&request->front->faults, body, &err) != 0)
        refuse(request, err.message);
    else
        request_reply(request, 200, faults_list(&request->front->faults));
}

static void handle_post(struct request *request, const char *path)
{
    struct err err;
    auto_json json_t *body =
        jx_parse(request->exchange.body, LIMIT_HTTP_REQUEST_BODY, "request body", &err);
    if (!body)
        refuse(request, err.message);
    else if (strcmp(path, "faults") == 0)
        add_fault(request, body);
    else if (strcmp(path, "images") == 0)
        set_image(request, body);
    else if (strcmp(path, "registry") == 0)
        set_registry(request, body);
    else
        refuse(request, "unknown path");
}

static void handle_delete(struct request *request, const char *path)
{
    if (strcmp(path, "faults") == 0)
        faults_clear(&request->front->faults);
    else if (strcmp(path, "watches") == 0)
        watches_close(request->front, request_query(request, "resource"), true);
    else
        reset_statistics(request->front);
    request_reply(request, 200, json_object());
}

void handle_admin(struct request *request, const char *path)
{
    const char *method = request->exchange.method;
    if (strcmp(method, "POST") == 0)
        handle_post(request, path);
    else if (strcmp(method, "DELETE") == 0)
        handle_delete(request, path);
    else if (strcmp(path, "faults") == 0)
        request_reply(request, 200, faults_list(&request->front->faults));
    else if (strcmp(path, "images") == 0)
        request_reply(request, 200, images(request->front));
    else
        request_reply(request, 200, statistics(request->front));
}
