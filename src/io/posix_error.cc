#include "io/posix_error.h"

#include <cerrno>
#include <system_error>

#include "io/storage_error.h"

namespace dosql::io {
namespace {

ErrorCode name_error_code(int error_number, NameUse use) {
  switch (error_number) {
    case ENOENT: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT: return ErrorCode::kDiskFull;
    case EROFS: return ErrorCode::kReadOnly;
    case EACCES:
    case EPERM: return use == NameUse::kChange ? ErrorCode::kReadOnly : ErrorCode::kIo;
    default: return ErrorCode::kIo;
  }
}

std::string words(int error_number) { return std::generic_category().message(error_number); }

}  // namespace

Error posix_data_error(int error_number, std::string_view action, std::string_view path) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return storage_error(full ? ErrorCode::kDiskFull : ErrorCode::kIo, action, path, words(error_number));
}

Error posix_sync_error(int error_number, std::string_view path) {
  return storage_error(ErrorCode::kIo, "sync", path, words(error_number));
}

Error posix_name_error(int error_number, NameUse use, std::string_view action, std::string_view path) {
  return storage_error(name_error_code(error_number, use), action, path, words(error_number));
}

}  // namespace dosql::io
