/* folder.h - the few file operations that pods need. */
#pragma once

#include "base/err.h"

/* Makes the folder and those above it (mode 0700). */
int folder_make(const char *path, struct err *err) __attribute__((warn_unused_result));
/* Removes it with all that is in it; links are not followed. What cannot be removed stays. */
void folder_remove(const char *path);
