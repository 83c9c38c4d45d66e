// A directory in memory.
#pragma once

#include "io/storage.h"

namespace dosql::io {

// Starts empty; content lives as long as the Directory or any File opened from it.
std::unique_ptr<Directory> make_memory_directory();

}  // namespace dosql::io
