#include "sql/branch_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace dosql::sql {
namespace {

bool is_allowed(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// A character in a message: printable ones as they are, a UTF-8 sequence whole, others by their byte's value.
std::string shown(std::string_view rest) {
  const auto first = static_cast<unsigned char>(rest[0]);
  if (first == ' ') return "a space";
  if (first > ' ' && first < 0x7f) return fmt::format("'{}'", rest[0]);
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
  const std::string_view sequence = rest.substr(0, bytes);
  const bool whole = bytes > 1 && first < 0xf5 && sequence.size() == bytes &&
                     std::all_of(sequence.begin() + 1, sequence.end(), is_continuation);
  return whole ? fmt::format("'{}'", sequence) : fmt::format("the byte 0x{:02x}", first);
}

Error refused(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message))
      .with_hint("letters, digits and . _ - / make a branch name, as in feature-x or team/v1.2");
}

}  // namespace

Status check_branch_name(std::string_view name) {
  if (name.empty()) return refused("a branch name cannot be empty");
  if (name.size() > kBranchNameBytesMax) {
    return refused(
        fmt::format("a branch name has at most {} bytes; this one has {}", kBranchNameBytesMax, name.size()));
  }
  const auto bad = std::find_if_not(name.begin(), name.end(), is_allowed);
  if (bad != name.end()) {
    return refused(fmt::format("a branch name cannot contain {}", shown(name.substr(bad - name.begin()))));
  }
  if (name.find("..") != std::string_view::npos) {
    return refused(fmt::format("a branch name cannot contain '..': '{}'", name));
  }
  if (name.find("//") != std::string_view::npos) {
    return refused(fmt::format("a branch name cannot contain '//': '{}'", name));
  }
  if (name.front() == '/') return refused(fmt::format("a branch name cannot begin with '/': '{}'", name));
  if (name.back() == '/') return refused(fmt::format("a branch name cannot end with '/': '{}'", name));
  return {};
}

}  // namespace dosql::sql
