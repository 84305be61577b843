/* check.h - rules for strings that resources and documents share.
 *
 * Each function has the type field_check (base/fields.h): it is put into field
 * tables, returns 0 or -1 with ERR_INVALID, and its message continues a path
 * ("spec.data.uri: must ..."). The CRD schemas express the same rules as
 * patterns; tests hold both together. */
#pragma once

#include "base/err.h"

/* A Kubernetes name: RFC 1123 label, at most 63 characters. */
int check_label(const char *text, struct err *err) __attribute__((warn_unused_result));
/* An RFC 1123 subdomain, at most 253 characters (names of Secrets). */
int check_subdomain(const char *text, struct err *err) __attribute__((warn_unused_result));
/* "namespace/name", or "name" alone on a laptop. */
int check_object(const char *text, struct err *err) __attribute__((warn_unused_result));

/* file://, gs:// or s3:// URI of a file or, with '/' at its end, of a folder. */
int check_uri(const char *text, struct err *err) __attribute__((warn_unused_result));
/* The same, folders only. */
int check_folder_uri(const char *text, struct err *err) __attribute__((warn_unused_result));
/* The same, files only. */
int check_file_uri(const char *text, struct err *err) __attribute__((warn_unused_result));

/* A column name: 1 to LIMIT_CSV_NAME bytes, no control characters, no blanks
 * at its ends (header names are trimmed). */
int check_column(const char *text, struct err *err) __attribute__((warn_unused_result));

/* "Auto" or a decimal number within [0,1]. */
int check_threshold(const char *text, struct err *err) __attribute__((warn_unused_result));

/* An image reference: 1 to 512 printable characters without blanks. What it
 * names is parsed by the registry client. */
int check_image(const char *text, struct err *err) __attribute__((warn_unused_result));
/* "sha256:" and 64 lower-case hex digits. */
int check_digest(const char *text, struct err *err) __attribute__((warn_unused_result));

/* Lower-case hex digits: 64 (SHA-256), 32 (run key, spec hash), 16 (version). */
int check_sha256(const char *text, struct err *err) __attribute__((warn_unused_result));
int check_key(const char *text, struct err *err) __attribute__((warn_unused_result));
int check_version(const char *text, struct err *err) __attribute__((warn_unused_result));
/* A version, or "" for none. */
int check_pin(const char *text, struct err *err) __attribute__((warn_unused_result));

/* The name of a metric: "auc", "lift_at_10". */
int check_metric(const char *text, struct err *err) __attribute__((warn_unused_result));
/* A word as reasons and step names are: "DataInvalid". */
int check_word(const char *text, struct err *err) __attribute__((warn_unused_result));
/* One line of printable text, for messages of programs. */
int check_line(const char *text, struct err *err) __attribute__((warn_unused_result));
