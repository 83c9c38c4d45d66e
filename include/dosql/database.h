// A database: one directory, one history.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dosql/changes.h>
#include <dosql/connection.h>
#include <dosql/options.h>
#include <dosql/result.h>
#include <dosql/slots.h>
#include <dosql/time_point.h>

namespace dosql {

namespace engine {
class DatabaseCore;
struct DatabaseAccess;
}  // namespace engine

// done and total in bytes; return false to stop the work (DOSQL_INTERRUPTED).
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct ImportResult {
  std::uint64_t pages = 0;
  std::uint64_t bytes = 0;
  bool rewritten = false;  // the source had another page size
};

struct ExportResult {
  std::string branch;  // `branch@version` is what was written
  std::uint64_t version = 0;
  std::uint64_t bytes = 0;
};

// One thing that is wrong on disk.
struct Problem {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
};

struct AsOfOptions {
  // The branch on which LSNs, timestamps and relative points are counted.
  std::string branch = "main";
};

// A handle; copies share one open database, which closes when the last handle and the last Connection
// are gone. Threads: all methods may be called from any thread.
class Database {
 public:
  // Opens, or creates, the database directory `path`. One process at a time has it open for writing; any
  // number have it open for reading meanwhile, and their statements see what it has committed. Errors:
  // DOSQL_LOCKED names the process that has it, DOSQL_NOT_A_DATABASE (with a hint for a plain SQLite file),
  // DOSQL_FORMAT_TOO_NEW, DOSQL_CORRUPT, DOSQL_READ_ONLY, DOSQL_DISK_FULL, DOSQL_IO, DOSQL_NOT_FOUND.
  static Result<Database> open(const std::string& path, const Options& options = {});

  const std::string& path() const;
  bool read_only() const;
  // True when open() made the database.
  bool created() const;

  // A new connection on branch main. A Connection belongs to one thread at a time.
  Result<Connection> connect();
  // A read-only connection that stays at `point`: Connection::as_of() without a connection. Errors: also
  // DOSQL_BRANCH_NOT_FOUND.
  Result<Connection> as_of(const TimePoint& point, const AsOfOptions& options = {});

  // Makes the SQLite file `file` the first version (main@1). REQUIRES a database without versions.
  // Another page size is rewritten, a WAL file is applied in a private copy; the file is not changed.
  // Durable on return. Errors: DOSQL_INVALID_ARGUMENT (not empty), DOSQL_NOT_FOUND, DOSQL_CORRUPT,
  // DOSQL_NOT_A_DATABASE, DOSQL_DISK_FULL, DOSQL_IO.
  Result<ImportResult> import_sqlite(const std::string& file, const Progress& progress = {});

  // Writes version `version` of main (0: the newest) as an ordinary SQLite file, which must not exist.
  // Durable on return; on failure no file is left. Errors: DOSQL_ALREADY_EXISTS,
  // DOSQL_VERSION_NOT_FOUND, DOSQL_DISK_FULL, DOSQL_IO, DOSQL_CORRUPT.
  Result<ExportResult> export_sqlite(const std::string& file, std::uint64_t version = 0,
                                     const Progress& progress = {});
  // The same of any version; LSNs, timestamps and relative points are on main. Errors: also those of the
  // point.
  Result<ExportResult> export_sqlite(const std::string& file, const TimePoint& point,
                                     const Progress& progress = {});

  // Verifies every checksum of every file but those of slots, and SQLite's integrity_check of the newest
  // version of each branch.
  Result<std::vector<Problem>> check(const Progress& progress = {});

  // Waits until a commit, or a change of a branch's or snapshot's name, with an LSN above `after_lsn` is
  // visible, in this process or in the one that writes, at most for `timeout`. Returns the newest visible
  // LSN, with the timeout as it is then: pass it on to the next call. What it covers is there from the next
  // statement of each connection on. Any number of threads may wait. Errors: DOSQL_INTERRUPTED (close() by
  // another thread), DOSQL_INVALID_ARGUMENT (opened for reading where nothing can be followed:
  // docs/limits.md), DOSQL_CORRUPT, DOSQL_IO.
  Result<std::uint64_t> wait_for_commit(std::uint64_t after_lsn, std::chrono::milliseconds timeout);

  // A feed of what is committed on a branch (changes.h). Errors: DOSQL_BRANCH_NOT_FOUND, DOSQL_CORRUPT,
  // DOSQL_IO.
  Result<Changes> changes(ChangesOptions options = {});

  // The slots of the database's consumers of changes.
  Slots slots();

  // Copies the database with its whole history into `directory`, which must not exist or be empty, and
  // verifies it: damage is kCorrupt, and nothing stays there. Writers go on meanwhile. Durable on return.
  Status backup(const std::string& directory, const Progress& progress = {});

  // Does up to about `budget_us` of housekeeping; true when more waits. Call it when idle. What was begun is
  // ended, whatever the budget: the one piece of work there is now, a checkpoint, takes some 0.1 s for a
  // million versions of pages, and commits wait for it.
  Result<bool> maintain(std::uint64_t budget_us);

  // Checkpoints and closes. REQUIRES: no Connection is open (DOSQL_INVALID_ARGUMENT). Destroying the
  // last handle does the same but cannot report.
  Status close();

 private:
  friend struct engine::DatabaseAccess;
  explicit Database(std::shared_ptr<engine::DatabaseCore> core);
  std::shared_ptr<engine::DatabaseCore> core_;
};

}  // namespace dosql
