/* file_moves.c - files come, change and go: those that models and batches name, and those of an
 * inbox. */
#include "sim/play.h"

#define INBOX_NAMES 12

static const char *const files[] = {
    "file:///data/in/h.csv",     "file:///data/history/1.csv", "file:///data/weekly/a.csv",
    "file:///data/weekly/c.csv", "file:///data/weekly/d.csv",  "file:///data/drop/1.csv",
};

static void write_file(struct play *play, const char *uri, const char *content)
{
    volume_write(&play->sim->volume, uri, content);
    play_tell(play, "write %s: %s", uri, content);
}

static void remove_file(struct play *play, const char *uri)
{
    volume_remove(&play->sim->volume, uri);
    play_tell(play, "remove %s", uri);
}

static char *any_content(struct random *random)
{
    static const char *const kinds[] = { "good", "good", "good", "poor", "bad", "drifted" };
    const char *kind = kinds[random_below(random, ARRAY_SIZE(kinds))];

    return mem_format("%s %d", kind, (int)random_below(random, 3));
}

/* --- files that are named ----------------------------------------------------------------------
 */

void move_file(struct play *play, struct random *random)
{
    const char *uri = files[random_below(random, ARRAY_SIZE(files))];
    char *content auto_free = any_content(random);

    write_file(play, uri, content);
}

void move_remove_file(struct play *play, struct random *random)
{
    remove_file(play, files[random_below(random, ARRAY_SIZE(files))]);
}

void move_new_file(struct play *play, struct random *random)
{
    static const char *const folders[] = { "history", "drop" };
    char *uri auto_free =
        mem_format("file:///data/%s/%d.csv", folders[random_below(random, ARRAY_SIZE(folders))],
                   (int)random_below(random, 4));

    write_file(play, uri, "good");
}

void users_write_files(struct play *play)
{
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        volume_write(&play->sim->volume, files[i], "good");
}

/* --- files of an inbox -------------------------------------------------------------------------
 */

static char *any_inbox_uri(struct random *random)
{
    return mem_format(INBOX_URI "%d.csv", (int)random_below(random, INBOX_NAMES));
}

/* Some that are there already are replaced by the way. */
void move_inbox_files(struct play *play, struct random *random)
{
    unsigned count = 1 + (unsigned)random_below(random, random_below(random, 4) ? 3 : 8);

    while (count-- > 0) {
        char *uri auto_free = any_inbox_uri(random);
        char *content auto_free = any_content(random);

        write_file(play, uri, content);
    }
}

static char *any_file_there(struct play *play, struct random *random)
{
    size_t first = random_below(random, INBOX_NAMES);

    for (size_t i = 0; i < INBOX_NAMES; i++) {
        char *uri = mem_format(INBOX_URI "%d.csv", (int)((first + i) % INBOX_NAMES));

        if (volume_read(&play->sim->volume, uri))
            return uri;
        free(uri);
    }
    return NULL;
}

void move_replace_in_inbox(struct play *play, struct random *random)
{
    char *uri auto_free = any_file_there(play, random);

    if (uri)
        write_file(play, uri, "good again");
}

void move_remove_from_inbox(struct play *play, struct random *random)
{
    char *uri auto_free = any_file_there(play, random);

    if (uri)
        remove_file(play, uri);
}

static void end_upload(void *context)
{
    struct play *play = context;

    if (!play->upload_uri[0])
        return;
    write_file(play, play->upload_uri, "good");
    play->upload_uri[0] = '\0';
}

/* Under its own name at once, as one should not: what is there at first cannot be read. */
void move_upload(struct play *play, struct random *random)
{
    char *uri auto_free = any_inbox_uri(random);

    end_upload(play);
    (void)snprintf(play->upload_uri, sizeof(play->upload_uri), "%s", uri);
    write_file(play, uri, "bad, the half of it");
    timer_set(&play->sim->timers, &play->upload,
              1 + (int64_t)random_below(random, 30 * (uint64_t)SECOND));
}

void files_init(struct play *play)
{
    play->upload = (struct timer){ .fire = end_upload, .context = play };
    users_write_files(play);
}
