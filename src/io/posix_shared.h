// Shared memory of real processes: a mapped file, locks on its bytes, a futex.
#pragma once

#include <memory>
#include <string>

#include "io/file_descriptor.h"
#include "io/storage.h"

namespace dosql::io {

// Maps the opened, writable file, which is made `size_bytes` long first, or with kNo is as good as missing
// where it is shorter. Locks are those of the open file (F_OFD_SETLK), so that a second opening within this
// process conflicts as well, and the system drops them with the last descriptor, however the process ends.
// `path` is for messages.
Result<std::unique_ptr<SharedMemory>> map_posix_shared(FileDescriptor descriptor, std::string path,
                                                       std::size_t size_bytes,
                                                       Directory::CreateShared create);

}  // namespace dosql::io
