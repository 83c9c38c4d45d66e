#include "io/storage_error.h"

#include <fmt/format.h>

namespace dosql::io {

Error storage_error(ErrorCode code, std::string_view action, std::string_view path, std::string_view reason) {
  return Error(code, fmt::format("cannot {} '{}': {}", action, path, reason));
}

std::string range_action(std::string_view verb, std::uint64_t offset, std::uint64_t size_bytes) {
  return fmt::format("{} {} bytes at offset {} of", verb, size_bytes, offset);
}

std::string size_action(std::string_view verb, std::uint64_t size_bytes) {
  return fmt::format("{} {} bytes for", verb, size_bytes);
}

Error opened_read_only_error(std::string_view action, std::string_view path) {
  return storage_error(ErrorCode::kReadOnly, action, path, "it was opened for reading only");
}

Error locked_error(std::string_view holder) {
  return Error(ErrorCode::kLocked,
               std::string(holder.empty() ? "a process that has not said who it is" : holder));
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace dosql::io
