// The sqlite3_vfs of one open Database.
//
// It serves three kinds of files:
//   - the main database file and its journal: MainFile and JournalFile;
//   - temporary files (sorter runs, temp tables, sub-journals): the host's, unlinked as soon as they are
//     created, so that what outgrows its cache spills to disk;
//   - plain SQLite files by ATTACH and VACUUM INTO: the host's, when the Database allows files.
//
// A main file is opened by Vfs::open only. Its name, `<directory>/main` (`.../main@5` for an old version), is
// what PRAGMA database_list shows; as the name of an ATTACH it is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <dosql/result.h>

#include "base/environment.h"
#include "engine/autoincrement.h"
#include "engine/main_file.h"
#include "engine/session.h"
#include "engine/writer_slot.h"
#include "version/version_store.h"

struct sqlite3;

namespace dosql::engine {

// Everything must outlive the Vfs.
struct VfsSetup {
  version::VersionStore* store = nullptr;
  WriterSlots* slots = nullptr;
  AutoincrementCounters* counters = nullptr;
  Clock* clock = nullptr;
  std::string directory;
  bool allow_files = false;
};

class Vfs {
 public:
  // REQUIRES: sqlite3_initialize() succeeded.
  explicit Vfs(VfsSetup setup);
  // REQUIRES: every handle that open() gave is closed.
  ~Vfs();
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  // Opens an SQLite handle on the head of main, or read-only on `point`, and puts it into `session`, which
  // the file holds on to until the handle is closed (by the caller, with sqlite3_close). The file belongs to
  // the handle.
  Result<MainFile*> open(std::shared_ptr<Session> session, std::optional<version::ReadPoint> point = {});
  // The same, on `point`, where every transaction that writes is a trial (main_file.h).
  Result<MainFile*> open_trial(std::shared_ptr<Session> session, const version::ReadPoint& point);
  // Attaches a read-only database on `point` to the session's handle, under the name `schema`. The file
  // belongs to the attachment.
  Result<MainFile*> attach(std::shared_ptr<Session> session, const std::string& schema,
                           const version::ReadPoint& point);

 private:
  struct Host;
  enum class Writes : std::uint8_t { kCommit, kTrial };
  Result<MainFile*> open(std::shared_ptr<Session> session, std::optional<version::ReadPoint> point,
                         Writes writes);

  std::unique_ptr<Host> host_;
};

// Why this thread's newest attempt to open a plain file was refused, once; SQLite itself says only "unable to
// open".
std::optional<Error> take_refused_file();

}  // namespace dosql::engine
