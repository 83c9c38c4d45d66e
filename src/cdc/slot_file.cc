#include "cdc/slot_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/checksum.h"
#include "log/format.h"

namespace dosql::cdc {
namespace {

// A creation that was cut short leaves it; the next one writes over it. No slot's name ends so, because '+'
// is in none.
constexpr std::string_view kUnfinished = "+new";
constexpr std::size_t kNameBytesMax = 64;

std::string file_name(std::string_view name) { return std::string(log::kSlotFilePrefix).append(name); }

bool is_name_byte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

std::uint64_t checksum_of(const SlotRecord& record) {
  return checksum64(bytes_of(record).first(offsetof(SlotRecord, checksum)), 0);
}

bool is_valid(const SlotRecord& record) {
  return std::memcmp(record.magic, kSlotMagic, sizeof kSlotMagic) == 0 &&
         record.checksum == checksum_of(record);
}

Result<std::optional<SlotRecord>> read_copy(io::File& file, std::uint64_t offset) {
  SlotRecord record{};
  DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file.read_at(offset, mutable_bytes_of(record)));
  if (got < sizeof record || !is_valid(record)) return std::optional<SlotRecord>();
  return std::optional(record);
}

void seal(SlotRecord& record) {
  std::memcpy(record.magic, kSlotMagic, sizeof kSlotMagic);
  record.format_version = kSlotFormatVersion;
  ++record.sequence;
  record.checksum = checksum_of(record);
}

}  // namespace

Status check_slot_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), is_name_byte);
  if (good) return {};
  return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' cannot be the name of a slot", name))
      .with_hint("1 to 64 letters, digits, '_', '-' and '.', the first no '.'");
}

Status SlotFile::create(io::Directory& directory, std::string_view name, SlotRecord record) {
  const std::string path = file_name(name);
  DOSQL_ASSIGN_OR_RETURN(const auto names, list(directory));
  if (std::ranges::find(names, name) != names.end())
    return Error(ErrorCode::kAlreadyExists, fmt::format("slot '{}' exists already", name));
  const std::string unfinished = path + std::string(kUnfinished);
  directory.remove(unfinished).ignore("mostly there is none");
  DOSQL_ASSIGN_OR_RETURN(auto file, directory.open(unfinished, io::OpenMode::kCreate));
  DOSQL_RETURN_IF_ERROR(file->truncate(kSlotFileBytes));
  DOSQL_RETURN_IF_ERROR(SlotFile(std::move(file), record).write(record));
  DOSQL_RETURN_IF_ERROR(directory.rename(unfinished, path));
  return directory.sync();
}

Result<SlotFile> SlotFile::open(io::Directory& directory, std::string_view name, io::OpenMode mode,
                                std::uint64_t database_id) {
  auto file = directory.open(file_name(name), mode);
  if (!file && file.error().code() == ErrorCode::kNotFound)
    return Error(ErrorCode::kNotFound, fmt::format("there is no slot '{}'", name));
  if (!file) return std::move(file).error();
  std::optional<SlotRecord> newest;
  for (const std::uint64_t offset : kSlotCopyOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto copy, read_copy(**file, offset));
    if (copy && (!newest || copy->sequence > newest->sequence)) newest = copy;
  }
  if (!newest || newest->database_id != database_id)
    return Error(ErrorCode::kCorrupt, fmt::format("'{}': {} is {}", directory.describe(), file_name(name),
                                                  newest ? "of another database" : "damaged"));
  if (newest->format_version > kSlotFormatVersion)
    return Error(ErrorCode::kFormatTooNew, fmt::format("slot '{}' was written by a newer release", name));
  return SlotFile(*std::move(file), *newest);
}

Status SlotFile::remove(io::Directory& directory, std::string_view name) {
  DOSQL_RETURN_IF_ERROR(directory.remove(file_name(name)));
  return directory.sync();
}

Result<std::vector<std::string>> SlotFile::list(io::Directory& directory) {
  DOSQL_ASSIGN_OR_RETURN(const auto files, directory.list());
  std::vector<std::string> names;
  for (const std::string& file : files) {
    if (!file.starts_with(log::kSlotFilePrefix)) continue;
    const std::string name = file.substr(log::kSlotFilePrefix.size());
    if (check_slot_name(name)) names.push_back(name);
  }
  return names;
}

Status SlotFile::write(SlotRecord record) {
  record.sequence = record_.sequence;
  seal(record);
  DOSQL_RETURN_IF_ERROR(file_->write_at(kSlotCopyOffsets[record.sequence % 2], bytes_of(record)));
  DOSQL_RETURN_IF_ERROR(file_->sync_data());
  record_ = record;
  return {};
}

}  // namespace dosql::cdc
