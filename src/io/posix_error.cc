#include "io/posix_error.h"

#include <cerrno>
#include <system_error>

#include "io/storage_error.h"

namespace dosql::io {
namespace {

// EFBIG: there is no more room for this file, by a limit of the process or of the file system.
bool says_full(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
}

ErrorCode name_error_code(int error_number, NameUse use) {
  if (says_full(error_number)) return ErrorCode::kDiskFull;
  switch (error_number) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case EROFS: return ErrorCode::kReadOnly;
    case EACCES:
    case EPERM: return use == NameUse::kChange ? ErrorCode::kReadOnly : ErrorCode::kIo;
    default: return ErrorCode::kIo;
  }
}

std::string words(int error_number) { return std::generic_category().message(error_number); }

}  // namespace

Error posix_data_error(int error_number, std::string_view action, std::string_view path) {
  return storage_error(says_full(error_number) ? ErrorCode::kDiskFull : ErrorCode::kIo, action, path,
                       words(error_number));
}

Error posix_sync_error(int error_number, std::string_view path) {
  return storage_error(ErrorCode::kIo, "sync", path, words(error_number));
}

Error posix_name_error(int error_number, NameUse use, std::string_view action, std::string_view path) {
  return storage_error(name_error_code(error_number, use), action, path, words(error_number));
}

}  // namespace dosql::io
