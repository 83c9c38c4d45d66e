// The control file: identity, format version and LSN lease of a database, kept twice.
#pragma once

#include <memory>
#include <optional>

#include <dosql/result.h>

#include "io/storage.h"
#include "log/format.h"

namespace dosql::log {

// What ControlSlot::checksum must be.
std::uint64_t checksum_of_control_slot(const ControlSlot& slot);

class Control {
 public:
  // Reads the newest valid slot. None: there is no control file, or neither slot was ever finished.
  // Errors: kFormatTooNew, kIo.
  static Result<std::optional<Control>> read(io::Directory& directory, io::OpenMode mode);

  // Writes a new control file; durable on return, its name not before the directory is synced.
  static Result<Control> create(io::Directory& directory, const ControlSlot& slot);

  const ControlSlot& slot() const { return slot_; }

  // L2, and L7: the log is not closed any more. Durable on return. On an error the old lease holds.
  Status extend_lease(Lsn lease);

  // L7: its records end at `end`, and the mark of the close follows. Durable on return.
  Status mark_closed(Position end);

  // Writes a copy that a crash tore again, as the other has it; durable on return.
  Status mend();

  // Both copies, verified. Appends a description of each that is damaged.
  static Status check(io::Directory& directory, std::vector<std::pair<std::uint64_t, std::string>>& problems);

 private:
  Control(std::unique_ptr<io::File> file, const ControlSlot& slot) : file_(std::move(file)), slot_(slot) {}

  std::unique_ptr<io::File> file_;
  ControlSlot slot_;
};

}  // namespace dosql::log
