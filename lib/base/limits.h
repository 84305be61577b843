/* limits.h - every maximum of what we take into memory, each with its reason.
 *
 * A size that comes from outside (network, file, user) is compared with one of
 * these before memory is allocated for it. Values are bytes unless the name
 * says otherwise. Ranges of fields of the API stand where their tables are
 * (contract/spec.h, controller/model_api.h), bounds of a grammar in its parser. */
#pragma once

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* --- documents ---------------------------------------------------------- */

/* A JSON or YAML document that we build a tree of. etcd caps an object at
 * 1.5 MiB; a list page of 500 such objects is cut item by item instead. */
#define LIMIT_JSON_DOCUMENT (8 * MIB)
/* Values in a page of a listing of Google Cloud Storage: a thousand objects have four members each,
 * those of an emulator some dozens. In a tree each may take more than 200 bytes, in a text two. */
#define LIMIT_GS_VALUES (64 * 1024)
/* Nesting of JSON. The deepest thing we meet is a CRD schema (about 30); jansson
 * parses recursively and its own limit of 2048 overflows small thread stacks. */
#define LIMIT_JSON_DEPTH 64
/* A kubeconfig with dozens of clusters and inline certificates. */
#define LIMIT_YAML_DOCUMENT (4 * MIB)
/* A job document lives in a pod annotation (all annotations together: 256 KiB). */
#define LIMIT_JOB_DOCUMENT (64 * KIB)
/* The names of columns that a training's document tells, as JSON without their quotes; all else in
 * a document takes less than the rest. */
#define LIMIT_TOLD_NAMES (32 * KIB)
/* The kubelet keeps at most 4 KiB of a termination message; 2 KiB leave room
 * for multi-container pods, which share 12 KiB. */
#define LIMIT_RESULT_DOCUMENT (2 * KIB)
/* What the kubelet keeps of a termination message: another program may fill it. */
#define LIMIT_TERMINATION_MESSAGE (4 * KIB)
/* The manifest beside an output: much more than any real one has. */
#define LIMIT_MANIFEST (64 * KIB)
/* Tokens, certificates, passwords: a file that holds one credential. */
#define LIMIT_CREDENTIAL (256 * KIB)

/* A compiled time zone: the largest have 4 KiB. */
#define LIMIT_ZONE_FILE (64 * KIB)

/* --- text --------------------------------------------------------------- */

#define LIMIT_OBJECT_NAME 1024 /* GCS object names and S3 keys end here */
#define LIMIT_URI         2048 /* with scheme and bucket, and room for a path */
/* An HTTP URL: an object name percent-encoded (3 x 1024) with a signed query. */
#define LIMIT_URL      (8 * KIB)
#define LIMIT_LOG_LINE (16 * KIB)
/* Kubernetes allows 32768 in a condition message; people read far less. */
#define LIMIT_CONDITION_MESSAGE 1024
#define LIMIT_EVENT_NOTE        1024 /* events.k8s.io/v1 refuses more */

/* --- HTTP --------------------------------------------------------------- */

/* One answer that is collected in memory (everything but lists and watches). */
#define LIMIT_HTTP_BODY (8 * MIB)
/* The body of a failure, as far as it is looked into for an explanation: the API server's have a
 * few KiB, and with an object's values in it some more. */
#define LIMIT_HTTP_PROBLEM (256 * KIB)
/* All response header lines of one answer. */
#define LIMIT_HTTP_HEADERS (64 * KIB)
/* A request body that our own servers accept. */
#define LIMIT_HTTP_REQUEST_BODY (4 * MIB)
/* Bytes of further requests that our servers keep while they answer one. */
#define LIMIT_HTTP_PIPELINE (64 * KIB)
/* Descriptors of one of our servers: far more than a cluster's clients and
 * scrapers need, far less than a flood could take. */
#define LIMIT_HTTP_CONNECTIONS 4096
/* A signed token in a header: Google's have 1 KiB. */
#define LIMIT_TOKEN (8 * KIB)
/* A JWKS: some keys of 4096 bits with their certificates. */
#define LIMIT_JWKS (256 * KIB)
/* Keys in it: issuers have some, of which one or two are in use. */
#define LIMIT_JWKS_KEYS 64
/* A push about objects that came: SNS sends at most 256 KiB, in which an event is escaped text. */
#define LIMIT_PUSH (256 * KIB)
/* Objects that one push names: stores send one; events are never joined by the thousand. */
#define LIMIT_PUSH_OBJECTS 1000
/* Pushes that wait for their answers, each with a body of that size: a flood stays outside. */
#define LIMIT_PUSH_CONNECTIONS 128
/* A manifest (registries refuse to store more than 4 MiB) or a token. */
#define LIMIT_REGISTRY_BODY (4 * MIB)
/* One watch event, or one item of a list: one object of at most 1.5 MiB in
 * etcd, which JSON escaping and managedFields can make larger on the wire. */
#define LIMIT_KUBE_OBJECT (8 * MIB)
/* The path and query of a request to the API server; a continue token is the longest part
 * (about 1 KiB). With the server before it, it must fit into LIMIT_URL. */
#define LIMIT_KUBE_PATH (7 * KIB)
/* How much of a credential plugin's stderr is read for its last line; the rest is thrown away. */
#define LIMIT_PLUGIN_ERRORS (4 * KIB)
/* Answers of S3: elements in each other (listings have 4), bytes of their names joined, and of
 * one element's text (a key, encoded, has 3 KiB). */
#define LIMIT_XML_DEPTH 16
#define LIMIT_XML_PATH  256
#define LIMIT_XML_TEXT  (16 * KIB)
/* Pages of one listing of a bucket, of 1000 names each: ten million objects, more than one folder
 * should hold; a server could bring pages without end. */
#define LIMIT_STORE_PAGES 10000
/* What one turn of a transport brings of a download is below half of this. */
#define LIMIT_DOWNLOAD_TURN (16 * MIB)

/* --- data files --------------------------------------------------------- */

/* One CSV record. Real rows are below 64 KiB; an unclosed quote would otherwise
 * swallow the rest of the file. */
#define LIMIT_CSV_RECORD  (1 * MIB)
#define LIMIT_CSV_COLUMNS 4096 /* columns of one file */
#define LIMIT_CSV_NAME    256  /* one header cell */
/* A header that we write: every name may need quotes. */
#define LIMIT_CSV_HEADER (2 * LIMIT_CSV_RECORD)
/* The text of a block of scored rows: a row has at most LIMIT_CSV_RECORD, and blocks of
 * long rows are small (csv.c), so this is never met by real files. */
#define LIMIT_SCORED_BLOCK (64 * MIB)
/* The window that unpacking a .zst file may need. zstd asks for more than this
 * only with --ultra or --long, and scoring promises flat memory. */
#define LIMIT_ZSTD_WINDOW (8 * MIB)

/* --- models ------------------------------------------------------------- */

/* model.json: most of it are levels of categorical columns. */
#define LIMIT_MODEL_DOCUMENT (32 * MIB)
/* Levels of one category in it. */
#define LIMIT_MODEL_LEVELS (1024 * 1024)
/* Counts of a shard: of at most as many bins as a model document has. */
#define LIMIT_PART LIMIT_MODEL_DOCUMENT
/* Trees: 5000 of depth 10 in UBJSON are about 200 MiB, ordinary ones 1 MiB. */
#define LIMIT_MODEL_WEIGHTS (256 * MIB)
