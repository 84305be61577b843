#include "fact.h"

static size_t count_uses(const struct fact_user *user, enum fact_kind kind)
{
    size_t count = 0;

    for (const struct fact_use *use = user->uses; use; use = use->next_of_user)
        count += use->fact->kind == kind;
    return count;
}

/* A look-up that stands in the line begins later than that, which is as good. */
static int64_t pending_ms(const struct fact *fact)
{
    return fact->pending_ms ? fact->pending_ms : fact->waiting_ms;
}

static struct image_fact image_view(const struct fact *fact)
{
    return (struct image_fact){ .reference = fact->argument,
                                .pull_secrets = fact->pull_secrets,
                                .service_account = fact->service_account,
                                .digest = fact->value,
                                .checked_ms = fact->checked_ms,
                                .took_ms = fact->took_ms,
                                .pending_ms = pending_ms(fact),
                                .error = fact->error,
                                .message = fact->message,
                                .failing_since_ms = fact->failing_since_ms };
}

static struct folder_fact folder_view(const struct fact *fact)
{
    return (struct folder_fact){ .uri = fact->argument,
                                 .newest_uri = fact->value,
                                 .generation = fact->generation,
                                 .bytes = fact->bytes,
                                 .checked_ms = fact_checked_ms(fact),
                                 .took_ms = fact->took_ms,
                                 .pending_ms = pending_ms(fact),
                                 .pushed_ms = fact->pushed_ms,
                                 .message = fact->message };
}

static struct inbox_fact inbox_view(const struct fact *fact)
{
    return (struct inbox_fact){ .uri = fact->argument,
                                .newest = fact->question->newest,
                                .files = fact->inbox.items,
                                .file_count = fact->inbox.count,
                                .checked_ms = fact->checked_ms,
                                .took_ms = fact->took_ms,
                                .pending_ms = pending_ms(fact),
                                .pushed_ms = fact->pushed_ms,
                                .message = fact->message };
}

void fact_user_view(const struct fact_user *user, struct arena *arena, struct facts *facts)
{
    struct image_fact *images = arena_zero(arena, count_uses(user, FACT_IMAGE), sizeof(*images));
    struct folder_fact *folders =
        arena_zero(arena, count_uses(user, FACT_FOLDER), sizeof(*folders));

    struct inbox_fact *inboxes = arena_zero(arena, count_uses(user, FACT_INBOX), sizeof(*inboxes));

    facts->image_count = facts->folder_count = facts->inbox_count = 0;
    for (const struct fact_use *use = user->uses; use; use = use->next_of_user) {
        if (use->fact->kind == FACT_IMAGE)
            images[facts->image_count++] = image_view(use->fact);
        else if (use->fact->kind == FACT_FOLDER)
            folders[facts->folder_count++] = folder_view(use->fact);
        else
            inboxes[facts->inbox_count++] = inbox_view(use->fact);
    }
    facts->images = images;
    facts->folders = folders;
    facts->inboxes = inboxes;
}
