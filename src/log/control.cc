#include "log/control.h"

#include <fmt/format.h>

#include "base/checksum.h"

namespace dosql::log {

std::uint64_t checksum_of_control_slot(const ControlSlot& slot) {
  return checksum64(bytes_of(slot).first(offsetof(ControlSlot, checksum)), 0);
}

namespace {

bool slot_valid(const ControlSlot& slot) {
  return std::memcmp(slot.magic, kControlMagic, sizeof kControlMagic) == 0 &&
         slot.checksum == checksum_of_control_slot(slot);
}

Result<std::optional<ControlSlot>> read_slot(io::File& file, std::uint64_t offset) {
  ControlSlot slot{};
  DOSQL_ASSIGN_OR_RETURN(const std::size_t got, file.read_at(offset, mutable_bytes_of(slot)));
  if (got < sizeof slot || !slot_valid(slot)) return std::optional<ControlSlot>();
  return std::optional(slot);
}

// One after the other, so that a crash tears at most one copy.
Status write_both(io::File& file, ControlSlot& slot) {
  slot.checksum = checksum_of_control_slot(slot);
  for (const std::uint64_t offset : kControlSlotOffsets) {
    DOSQL_RETURN_IF_ERROR(file.write_at(offset, bytes_of(slot)));
    DOSQL_RETURN_IF_ERROR(file.sync_data());
  }
  return {};
}

}  // namespace

Result<std::optional<Control>> Control::read(io::Directory& directory, io::OpenMode mode) {
  auto file = directory.open(kControlFile, mode);
  if (!file) {
    if (file.error().code() == ErrorCode::kNotFound) return std::optional<Control>();
    return std::move(file).error();
  }
  std::optional<ControlSlot> newest;
  for (const std::uint64_t offset : kControlSlotOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto slot, read_slot(**file, offset));
    if (slot && (!newest || slot->sequence > newest->sequence)) newest = slot;
  }
  if (!newest) return std::optional<Control>();
  if (newest->format_version > kFormatVersion) {
    return Error(ErrorCode::kFormatTooNew,
                 fmt::format("'{}' has format version {}, this release reads up to version {}",
                             directory.describe(), newest->format_version, kFormatVersion))
        .with_hint("open it with a newer release of DoSQL");
  }
  return std::optional(Control(*std::move(file), *newest));
}

Result<Control> Control::create(io::Directory& directory, const ControlSlot& slot) {
  DOSQL_ASSIGN_OR_RETURN(auto file, directory.open(kControlFile, io::OpenMode::kCreate));
  Control control(std::move(file), slot);
  DOSQL_RETURN_IF_ERROR(control.file_->allocate(kControlFileBytes));
  DOSQL_RETURN_IF_ERROR(write_both(*control.file_, control.slot_));
  return control;
}

Status Control::extend_lease(Lsn lease) {
  ControlSlot next = slot_;
  next.lsn_lease = dosql::raw(lease);
  next.closed_end = 0;
  ++next.sequence;
  DOSQL_RETURN_IF_ERROR(write_both(*file_, next));
  slot_ = next;
  return {};
}

Status Control::mark_closed(Position end) {
  ControlSlot next = slot_;
  next.closed_end = raw(end);
  DOSQL_RETURN_IF_ERROR(write_both(*file_, next));
  slot_ = next;
  return {};
}

Status Control::mend() {
  for (const std::uint64_t offset : kControlSlotOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto found, read_slot(*file_, offset));
    if (found) continue;
    DOSQL_RETURN_IF_ERROR(file_->write_at(offset, bytes_of(slot_)));
    DOSQL_RETURN_IF_ERROR(file_->sync_data());
  }
  return {};
}

Status Control::check(io::Directory& directory,
                      std::vector<std::pair<std::uint64_t, std::string>>& problems) {
  DOSQL_ASSIGN_OR_RETURN(auto file, directory.open(kControlFile, io::OpenMode::kReadOnly));
  for (const std::uint64_t offset : kControlSlotOffsets) {
    DOSQL_ASSIGN_OR_RETURN(const auto slot, read_slot(*file, offset));
    if (!slot) problems.emplace_back(offset, "control slot is damaged");
  }
  return {};
}

}  // namespace dosql::log
