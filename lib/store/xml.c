#include "store/xml.h"

#include <expat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

struct walk {
    XML_Parser parser;
    const char *what;
    xml_visit visit;
    void *context;
    struct buf path, text;
    unsigned depth;
    bool failed;
    struct err failure;
};

static void stop(struct walk *walk)
{
    walk->failed = true;
    XML_StopParser(walk->parser, XML_FALSE);
}

static void refuse(struct walk *walk, enum err_kind kind, const char *why)
{
    err_set(&walk->failure, kind, "%s line %lu: %s", walk->what,
            (unsigned long)XML_GetCurrentLineNumber(walk->parser), why);
    stop(walk);
}

static void on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    struct walk *walk = context;
    const char *colon = strchr(name, ':');

    (void)attributes;
    if (walk->failed)
        return;
    buf_clear(&walk->text);
    buf_format(&walk->path, "%s%s", walk->depth > 0 ? "/" : "", colon ? colon + 1 : name);
    if (++walk->depth > LIMIT_XML_DEPTH || walk->path.overflow)
        refuse(walk, ERR_TOO_BIG, "elements are too deep in each other");
}

static void leave(struct walk *walk)
{
    const char *slash = memrchr(buf_text(&walk->path), '/', walk->path.length);

    walk->path.length = slash ? (size_t)(slash - walk->path.data) : 0;
    if (walk->path.data)
        walk->path.data[walk->path.length] = '\0';
    walk->depth--;
    buf_clear(&walk->text);
}

static void on_end(void *context, const XML_Char *name)
{
    struct walk *walk = context;

    (void)name;
    if (walk->failed)
        return;
    if (walk->visit(walk->context, buf_text(&walk->path),
                    (struct span){ buf_text(&walk->text), walk->text.length }, &walk->failure) < 0)
        stop(walk);
    leave(walk);
}

static void on_text(void *context, const XML_Char *text, int length)
{
    struct walk *walk = context;

    buf_append(&walk->text, text, (size_t)length);
    if (walk->text.overflow && !walk->failed)
        refuse(walk, ERR_TOO_BIG, "the text of an element is too long");
}

static void on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    refuse(context, ERR_INVALID, "a document type is not accepted");
}

static void *resize(void *block, size_t size)
{
    return mem_resize(block, size, 1);
}

static int parse(struct walk *walk, struct span document, struct err *err)
{
    XML_SetUserData(walk->parser, walk);
    XML_SetElementHandler(walk->parser, on_start, on_end);
    XML_SetCharacterDataHandler(walk->parser, on_text);
    XML_SetStartDoctypeDeclHandler(walk->parser, on_doctype);
    enum XML_Status status =
        XML_Parse(walk->parser, document.length > 0 ? document.data : "", (int)document.length, 1);
    if (walk->failed) {
        if (err)
            *err = walk->failure;
        return -1;
    }
    if (status == XML_STATUS_OK)
        return 0;
    return err_set(err, ERR_INVALID, "%s line %lu, column %lu: %s", walk->what,
                   (unsigned long)XML_GetCurrentLineNumber(walk->parser),
                   (unsigned long)XML_GetCurrentColumnNumber(walk->parser) + 1,
                   XML_ErrorString(XML_GetErrorCode(walk->parser)));
}

int xml_walk(struct span document, const char *what, xml_visit visit, void *context,
             struct err *err)
{
    static const XML_Memory_Handling_Suite memory = { mem_alloc, resize, free };
    struct walk walk = { .what = what, .visit = visit, .context = context };

    if (document.length > LIMIT_HTTP_BODY)
        return err_set(err, ERR_TOO_BIG, "%s is larger than %zu bytes", what, LIMIT_HTTP_BODY);
    buf_init(&walk.path, LIMIT_XML_PATH);
    buf_init(&walk.text, LIMIT_XML_TEXT);
    walk.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    int result = parse(&walk, document, err);
    XML_ParserFree(walk.parser);
    buf_release(&walk.path);
    buf_release(&walk.text);
    return result;
}
