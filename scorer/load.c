#include "scorer/load.h"

#include "base/limits.h"
#include "base/mem.h"
#include "store/store.h"

static int attach(struct store *store, const struct model_source *source, struct model *model,
                  struct err *err)
{
    auto_free char *uri = mem_format("%s%s", source->uri, model_weights_file(model));
    auto_free char *weights = NULL;
    size_t length;

    if (store_get_text(store, uri, LIMIT_MODEL_WEIGHTS, &weights, &length, err))
        return -1;
    if (model_attach(model, (struct span){ weights, length }, err))
        return err_wrap(err, "%s", source->uri);
    return 0;
}

int load_model(struct stores *stores, const struct model_source *source, struct model *ret_model,
               struct err *err)
{
    auto_store struct store *store = store_open(stores, source->uri, err);
    auto_free char *uri = mem_format("%s" MODEL_FILE, source->uri);
    auto_free char *text = NULL;
    auto_model struct model model = { 0 };
    size_t length;

    if (!store || store_get_text(store, uri, LIMIT_MODEL_DOCUMENT, &text, &length, err) ||
        model_parse(uri, (struct span){ text, length }, &model, err) ||
        attach(store, source, &model, err))
        return -1;
    if (source->version && strcmp(source->version, model.version) != 0)
        return err_reason(err, ERR_INVALID, "DataInvalid",
                          "%s holds version %s, expected version %s", source->uri, model.version,
                          source->version);
    *ret_model = model;
    model = (struct model){ 0 };
    return 0;
}
