/* bank.h - a folder with a history of customers and a model that was trained on it. */
#pragma once

#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/limits.h"
#include "scorer/score.h"
#include "trainer/run.h"

#define BANK_TRAIN_JOB                                                                             \
    "{\"version\": 1, \"kind\": \"Train\", \"model\": \"m\", \"artifacts\": {\"uri\": "            \
    "\"file://%1$s/models/\"}, \"data\": {\"uri\": \"file://%1$s/history.csv\", \"target\": "      \
    "\"left\", \"positiveLabel\": \"yes\", \"id\": \"id\"}, \"algorithm\": "                       \
    "\"LogisticRegression\"}"

static char bank_folder[64];

static inline int bank_set_up(void **state)
{
    (void)state;
    snprintf(bank_folder, sizeof(bank_folder), "/tmp/churn-score-XXXXXX");
    if (!mkdtemp(bank_folder))
        return -1;
    auto_free char *path = mem_format("%s/history.csv", bank_folder);
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    fprintf(file, "id,age,left\n");
    for (int i = 0; i < 200; i++)
        fprintf(file, "c%d,%d,%s\n", i, 20 + i % 50, i % 50 + i % 7 > 30 ? "yes" : "no");
    return fclose(file);
}

static inline int bank_remove_entry(const char *path, const struct stat *status, int type,
                                    struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static inline int bank_tear_down(void **state)
{
    (void)state;
    return nftw(bank_folder, bank_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline json_t *bank_parse(const char *text)
{
    struct err err;
    json_t *document = jx_parse(span_of(text), LIMIT_JOB_DOCUMENT, "job", &err);
    assert_non_null(document);
    return document;
}

/* Writes the URI of the version's folder into the arena. */
static inline const char *bank_train(struct arena *arena)
{
    auto_free char *text = mem_format(BANK_TRAIN_JOB, bank_folder);
    json_t *document auto_json = bank_parse(text);
    auto_training struct training training = { .threads = 1 };
    struct progress progress;
    struct result result;
    struct err err;
    progress_init(&progress, &clock_system);
    if (train_job_decode(document, &training.arena, &training.job, &err) < 0 ||
        run_training(&training, &progress, &result, &err) < 0)
        fail_msg("%s", err.message);
    return arena_strdup(arena, result.model->uri);
}
