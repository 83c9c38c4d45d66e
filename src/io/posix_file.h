// One open real file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "io/file_descriptor.h"
#include "io/storage.h"

namespace dosql::io {

// Ways that not every file system offers. A File uses one only when it is enabled here and the file
// system has it; tests disable them to run the other way on any file system.
struct PosixFeatures {
  bool use_fallocate = true;
  bool use_mapping = true;
};

enum class FileAccess { kRead, kReadAndWrite };

// `path` is for messages. Takes a descriptor opened for `access`.
// While store_at is in use, the file must not be made shorter other than by this File's truncate.
std::unique_ptr<File> make_posix_file(FileDescriptor descriptor, std::string path, FileAccess access,
                                      PosixFeatures features);

}  // namespace dosql::io
