/* csv_names.h - checking the names of a header; private to the reading of CSV. */
#pragma once

#include "ml/csv.h"

/* Trims the names. DataInvalid or ERR_TOO_BIG says what is wrong with one, with file and
 * line. */
int csv_check_names(const char *file, uint64_t line, struct csv_header *header, struct err *err)
    __attribute__((warn_unused_result));
