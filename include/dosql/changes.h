// A feed of changes: what was inserted, updated and deleted on a branch, commit by commit.
//
//   auto changes = database.changes({.after_lsn = 0, .filter = {.tables = {"users"}}}).value();
//   while (auto change = changes.next(std::chrono::seconds(1)).value()) { ... save change->lsn ... }
//
// What comes: the net change of each row in each commit, a row that a commit inserted and deleted again not
// at all. In which order: commits as they were made; in one commit deletes (children before the parents that
// their foreign keys refer to), then updates, then inserts (parents first), each by table and key. Every row
// change has an LSN of its own, and the LSNs ascend: a feed that begins after the LSN of a change, whichever,
// gives what came behind that change, all of it and nothing else.
//
// When: a change comes once its commit is durable. A feed in the process that writes syncs the log for it
// where the commits' own durability is less; in a process that follows, commits of less durability come as
// they are, and after a power loss may turn out not to have been.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dosql/result.h>
#include <dosql/statement.h>
#include <dosql/time_point.h>
#include <dosql/value.h>

namespace dosql {

namespace engine {
class ChangeFeed;
}

enum class ChangeType : std::uint8_t {
  kInsert,
  kUpdate,
  kDelete,
  kBegin,   // a commit's first event
  kSchema,  // a table came, went, or was altered or renamed; in front of the commit's row changes
  kCommit,  // a commit's last event
};

// "insert", "update", "delete", "begin", "schema", "commit".
std::string_view change_type_name(ChangeType type);

struct Change {
  ChangeType type = ChangeType::kInsert;
  // A row change's own. Of kBegin and kSchema the one in front of the commit's changes, of kCommit the last
  // that the commit owns.
  std::uint64_t lsn = 0;
  std::uint64_t transaction = 0;  // the same for all events of a commit: the last LSN that it owns
  Timestamp timestamp = {};       // of the commit
  // What follows is empty for kBegin and kCommit.
  std::string table = {};  // as it is called after the commit; of a dropped one, before it
  // The values of the PRIMARY KEY, of a table without one the rowid, as SQLite's record format encodes them
  // (fileformat2.html, "Record Format").
  Blob key = {};
  // The row by the columns that the table had then. Columns that are computed when they are read (VIRTUAL)
  // are not there. Of kSchema, CREATE statements in a column `sql`.
  std::optional<Row> before = {};
  std::optional<Row> after = {};
  bool snapshot = false;  // it was there when the feed began (ChangesOptions::snapshot)
};

// What comes has to pass all of it. LSNs do not depend on it.
struct ChangeFilter {
  std::vector<std::string> tables = {};  // in any case of letters; empty: all
  bool inserts = true;
  bool updates = true;
  bool deletes = true;
  std::function<bool(const Change&)> predicate = {};  // of row changes; empty: all
  bool transactions = false;                          // also kBegin and kCommit
  bool schema = false;                                // also kSchema
};

struct ChangesOptions {
  std::string branch = "main";
  // 0: from the beginning. Where it is in the future, nothing comes until the branch has got there.
  std::uint64_t after_lsn = 0;
  // Begins with all rows that there are, as inserts with the LSN of the newest version, and goes on with the
  // changes after that; `after_lsn` does not count. Rows of the snapshot cannot be resumed in their middle.
  bool snapshot = false;
  ChangeFilter filter = {};
};

// One thread at a time, but for stop(). It keeps the database open and its branch from being dropped. Memory:
// at most 6 MiB of page images and patches of the commits before, a few bytes for each page and row that one
// commit changed, and one row.
class Changes {
 public:
  Changes(Changes&&) noexcept;
  Changes& operator=(Changes&&) noexcept;
  ~Changes();

  // The next event; none: there was none within `timeout`, or the feed was stopped. Errors: DOSQL_CORRUPT,
  // DOSQL_IO, DOSQL_OUTCOME_UNKNOWN (a sync failed), DOSQL_INTERRUPTED (the database is being closed),
  // DOSQL_INVALID_ARGUMENT (a timeout where nothing new can be seen: Database::wait_for_commit); after one
  // the feed can be asked again, and goes on in front of the commit that it was in.
  Result<std::optional<Change>> next(std::chrono::milliseconds timeout = std::chrono::milliseconds(0));

  // All changes up to this LSN were given, or left out by the filter: what a consumer may acknowledge that
  // has dealt with all it was given, so that it does not fall behind on what it does not want. Moves with
  // each change, and over the rest of a commit when next() is asked for more. 0 while a snapshot is given.
  std::uint64_t given_lsn() const;

  // Any thread: next() returns at once, now and from now on.
  void stop();
  bool stopped() const;

 private:
  friend class Database;
  friend class Slots;
  explicit Changes(std::shared_ptr<engine::ChangeFeed> feed);
  std::shared_ptr<engine::ChangeFeed> feed_;
};

}  // namespace dosql
