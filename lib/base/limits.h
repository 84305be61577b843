/* limits.h - every maximum in the system, each with its reason.
 *
 * A size that comes from outside (network, file, user) is compared with one of
 * these before memory is allocated for it. Values are bytes unless the name
 * says otherwise. */
#pragma once

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* --- documents ---------------------------------------------------------- */

/* A JSON or YAML document that we build a tree of. etcd caps an object at
 * 1.5 MiB; a list page of 500 such objects is cut item by item instead. */
#define LIMIT_JSON_DOCUMENT (8 * MIB)
/* Nesting of JSON. The deepest thing we meet is a CRD schema (about 30); jansson
 * parses recursively and its own limit of 2048 overflows small thread stacks. */
#define LIMIT_JSON_DEPTH 64
/* A kubeconfig with dozens of clusters and inline certificates. */
#define LIMIT_YAML_DOCUMENT (4 * MIB)
/* A job document lives in a pod annotation (all annotations together: 256 KiB). */
#define LIMIT_JOB_DOCUMENT (64 * KIB)
/* The kubelet keeps at most 4 KiB of a termination message; 2 KiB leave room
 * for multi-container pods, which share 12 KiB. */
#define LIMIT_RESULT_DOCUMENT (2 * KIB)
/* Tokens, certificates, passwords: a file that holds one credential. */
#define LIMIT_CREDENTIAL (256 * KIB)

/* A compiled time zone: the largest have 4 KiB. */
#define LIMIT_ZONE_FILE (64 * KIB)

/* --- text --------------------------------------------------------------- */

#define LIMIT_URI 2048 /* GCS object names end at 1024, S3 keys too */
/* An HTTP URL: an object name percent-encoded (3 x 1024) with a signed query. */
#define LIMIT_URL      (8 * KIB)
#define LIMIT_LOG_LINE (16 * KIB)
/* Kubernetes allows 32768 in a condition message; people read far less. */
#define LIMIT_CONDITION_MESSAGE 1024
#define LIMIT_EVENT_NOTE        1024 /* events.k8s.io/v1 refuses more */

/* --- HTTP --------------------------------------------------------------- */

/* One answer that is collected in memory (everything but lists and watches). */
#define LIMIT_HTTP_BODY (8 * MIB)
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
/* A push about objects that came: SNS sends at most 256 KiB, in which an event is escaped text. */
#define LIMIT_PUSH (256 * KIB)
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

/* --- data files --------------------------------------------------------- */

/* One CSV record. Real rows are below 64 KiB; an unclosed quote would otherwise
 * swallow the rest of the file. */
#define LIMIT_CSV_RECORD  (1 * MIB)
#define LIMIT_CSV_COLUMNS 4096 /* columns of one file */
#define LIMIT_CSV_NAME    256  /* one header cell */
/* The window that unpacking a .zst file may need. zstd asks for more than this
 * only with --ultra or --long, and scoring promises flat memory. */
#define LIMIT_ZSTD_WINDOW (8 * MIB)

/* --- models ------------------------------------------------------------- */

/* model.json: most of it are levels of categorical columns. */
#define LIMIT_MODEL_DOCUMENT (32 * MIB)
/* Trees: 5000 of depth 10 in UBJSON are about 200 MiB, ordinary ones 1 MiB. */
#define LIMIT_MODEL_WEIGHTS (256 * MIB)
