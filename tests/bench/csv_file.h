/* csv_file.h - a local CSV file as a byte source, for bench-generate and bench-kernel. */
#pragma once

#include "base/stream.h"
#include "ml/csv.h"

struct csv_file {
    int descriptor; /* -1 once closed */
    struct byte_source source;
    struct csv_reader *reader; /* owned */
};

int csv_file_open(const char *path, struct csv_file *ret_file, struct err *err)
    __attribute__((warn_unused_result));
void csv_file_close(struct csv_file *file); /* safe on a zeroed struct */
#define auto_csv_file __attribute__((cleanup(csv_file_close)))
