#pragma once
/// folder — folders that are still there after a power cut.
#include <sys/types.h>

/// Makes a folder, and flushes the one above, unless that may not be read: nobody can see to it then. One that is
/// there already is left as it is. yields: 0, or -errno.
[[nodiscard]] int folder_make(const char *path, mode_t mode);
