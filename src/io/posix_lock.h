// The lock file of a directory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/file_descriptor.h"
#include "io/storage.h"

namespace dosql::io {

// Takes an exclusive flock on the opened, writable lock file and writes `owner` and a line feed into it.
// flock belongs to the open file, so that a second opening within this process conflicts as well, and
// the system drops it with the process, however it ends.
Result<std::unique_ptr<DirectoryLock>> lock_posix_file(FileDescriptor descriptor, const std::string& path,
                                                       std::string_view owner);

}  // namespace dosql::io
