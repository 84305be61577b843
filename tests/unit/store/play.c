#include "unit.h"

#include <string.h>

#include "play.h"

struct play play;

static struct span with_writer(struct span body)
{
    static const char key[] = "\"churn-writer\":\"";
    static char text[1024];
    const char *id = memmem(play.sent.data, play.sent.length, key, strlen(key));

    assert_non_null(id);
    assert_true(body.length < sizeof(text));
    memcpy(text, body.data, body.length);
    memcpy(memmem(text, body.length, PLAY_WRITER, 32), id + strlen(key), 32);
    return (struct span){ text, body.length };
}

static void serve(void *context, const struct http_request *request, struct fake_reply *ret_reply)
{
    const struct scene *scene = &play.scenes[play.next];

    (void)context;
    if (play.next == play.count)
        fail_msg("not expected: %s %s", request->method, request->url);
    const char *part = strchr(scene->question, ' ') + 1;
    size_t method = (size_t)(part - scene->question) - 1;
    if (strncmp(request->method, scene->question, method) != 0 || !strstr(request->url, part))
        fail_msg("%s %s, expected %s", request->method, request->url, scene->question);
    if (scene->header && (!fake_sent(request, scene->header) ||
                          strcmp(fake_sent(request, scene->header), scene->value) != 0))
        fail_msg("%s: %s is %s, expected %s", scene->question, scene->header,
                 fake_sent(request, scene->header), scene->value);
    if (request->body.length > 0)
        buf_append(&play.sent, request->body.data, request->body.length);
    *ret_reply = scene->reply;
    if (ret_reply->body.length > 0 &&
        memmem(ret_reply->body.data, ret_reply->body.length, PLAY_WRITER, 32))
        ret_reply->body = with_writer(ret_reply->body);
    play.next++;
}

void play_begin(const char *uri, const struct scene *scenes, size_t count,
                const char *const *variables)
{
    struct stores_options options;
    struct err err;

    play = (struct play){ .scenes = scenes, .count = count };
    buf_init(&play.sent, 64 << 20);
    fake_cloud_init(&play.cloud, serve, NULL);
    play.cloud.piece = 1 << 20;
    play.cloud.variables = variables;
    options = fake_cloud_options(&play.cloud);
    play.stores = stores_new(&options);
    play.store = store_open(play.stores, uri, &err);
    if (!play.store)
        fail_msg("%s", err.message);
}

void play_end(void)
{
    assert_int_equal(play.next, play.count);
    store_close(play.store);
    stores_free(play.stores);
    fake_cloud_release(&play.cloud);
    buf_release(&play.sent);
}

void play_check_error(const struct err *err, enum err_kind kind, const char *part)
{
    if (err->kind != kind || !strstr(err->message, part))
        fail_msg("%s: %s", err_kind_name(err->kind), err->message);
}
