// The sentences of all storage bodies, so that one failure reads the same from each of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::io {

// "cannot {action} '{path}': {reason}".
Error storage_error(ErrorCode code, std::string_view action, std::string_view path, std::string_view reason);

// "write 4096 bytes at offset 8192 of": an action for storage_error.
std::string range_action(std::string_view verb, std::uint64_t offset, std::uint64_t size_bytes);
// "reserve 4096 bytes for": likewise.
std::string size_action(std::string_view verb, std::uint64_t size_bytes);

// A write to a File that was opened with OpenMode::kReadOnly.
Error opened_read_only_error(std::string_view action, std::string_view path);

// kLocked with the holder's own text; with words that fit in its place when it has not written one yet.
Error locked_error(std::string_view holder);

// Whether `name` can be a file's name within a Directory: not empty, no '/', not "." or "..".
bool is_plain_name(std::string_view name);

}  // namespace dosql::io
