// What open_posix_directory does, with a choice of features for tests.
#pragma once

#include <memory>
#include <string>

#include "io/posix_file.h"
#include "io/posix_storage.h"

namespace dosql::io {

Result<std::unique_ptr<Directory>> open_posix_directory_with(const std::string& path, CreateDirectory create,
                                                             PosixFeatures features);

}  // namespace dosql::io
