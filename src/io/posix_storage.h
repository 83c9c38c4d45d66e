// Real files.
#pragma once

#include "io/storage.h"

namespace dosql::io {

enum class CreateDirectory { kNo, kIfMissing };

// Opens the directory at `path`. Created with mode 0700 (only its last component). kNotFound when it
// is missing and not to be created; kNotADatabase when it is not a directory.
// allocate() uses fallocate; store_at() maps the file on file systems known to keep the promise that
// allocated blocks stay writable (ext4, xfs, tmpfs), and falls back to pwrite elsewhere.
Result<std::unique_ptr<Directory>> open_posix_directory(const std::string& path, CreateDirectory create);

}  // namespace dosql::io
