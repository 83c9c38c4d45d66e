// errno to Error.
#pragma once

#include <string_view>

#include <dosql/result.h>

namespace dosql::io {

// For reading, writing and sizing an open file: kDiskFull for ENOSPC and EDQUOT, else kIo.
Error posix_data_error(int error_number, std::string_view action, std::string_view path);

// For making content or names durable: always kIo. A sync that lacks space has lost something that was
// written before, so kDiskFull's "nothing was changed" would be wrong.
Error posix_sync_error(int error_number, std::string_view path);

enum class NameUse {
  kRead,    // looks a name up to read behind it
  kChange,  // creates, removes, renames or opens for writing: a lack of permission is kReadOnly
};

// For opening, creating, removing, renaming and listing.
Error posix_name_error(int error_number, NameUse use, std::string_view action, std::string_view path);

}  // namespace dosql::io
