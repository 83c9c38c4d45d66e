// The row changes of one commit in their canonical order, each with its LSN.
//
// A commit owns the LSNs (first, last]. Its row changes have the first of them, in this order:
//
//   E1  Deletes, then updates, then inserts.
//   E2  Inserts and updates by table, parents first: a table comes behind those that its foreign keys refer
//       to. Deletes the other way round. Tables that refer to each other in a circle stand together.
//   E3  What E2 leaves open is decided by the rowid of the table's row in sqlite_schema (after the commit, of
//       a table that was dropped before it), the smaller one first, also for deletes reversed.
//   E4  Within a table by key: the rowid, or the PRIMARY KEY of a WITHOUT ROWID table.
//
// Rows whose values only the shape of their table changed, as where columns exchange their names, are among
// them as long as the LSNs suffice, which go by the pages that the commit wrote; else none of these is.
//
// All tables count but SQLite's own (sqlite_...), virtual tables and what these keep their content in. The
// order depends on nothing but the two versions, so whoever numbers them gets the same numbers.
#pragma once

#include <memory>
#include <vector>

#include <dosql/result.h>

#include "engine/row_changes.h"
#include "engine/table_pairing.h"
#include "version/version_store.h"

namespace dosql::engine {

// Whether the changes of the table have LSNs.
bool has_events(const TableShape& table);

// The tables of `pairs` in the order of E2 and E3, by their indexes.
std::vector<std::size_t> parents_first(const TablePairs& pairs);

// Errors: kCorrupt, when the commit has fewer LSNs than events.
Status check_lsns(const version::CommitInfo& commit, std::uint64_t events);

// A table that a commit changed, and the LSN of its first change of each kind. Those that follow in the order
// of the key count up.
struct TableEvents {
  const TablePair* table = nullptr;
  std::uint64_t deletes = 0;
  std::uint64_t updates = 0;
  std::uint64_t inserts = 0;
  Lsn first_delete{};
  Lsn first_update{};
  Lsn first_insert{};
};

// One thread at a time. Keeps both versions pinned.
class CommitEvents {
 public:
  // Of the version `commit`, which is not 0. Reads the changes of all tables once, to count them. `handle` is
  // for collations; all but the point must outlive the result. Errors: kCorrupt (there are more changes than
  // the commit has LSNs, among others), kIo, kSql.
  static Result<std::unique_ptr<CommitEvents>> open(version::VersionStore& store, VersionSchemas& schemas,
                                                    const version::ReadPoint& commit, sqlite3* handle);

  const version::CommitInfo& info() const { return info_; }
  const TablePairs& pairs() const { return pairs_; }
  // Parents first.
  const std::vector<TableEvents>& tables() const { return tables_; }

  // The changes of one of its tables, by key.
  Result<std::unique_ptr<RowChanges>> changes_of(const TablePair& table);

  // The next event in the canonical order; false: there are no more. Errors: as of open().
  Result<bool> next();
  // REQUIRES of these: next() was true.
  Lsn lsn() const { return lsn_; }
  const TablePair& table() const { return *tables_[table_].table; }
  RowChanges& row() { return *rows_; }

 private:
  CommitEvents(version::VersionStore& store, sqlite3* handle)
      : store_(store), handle_(handle), before_(store), after_(store) {}
  Status find_changed();
  Status find_versions(VersionSchemas& schemas, const version::ReadPoint& commit);
  bool may_differ(const TablePair& pair) const;
  Status count();
  std::uint64_t number();
  Result<bool> open_next_table();
  std::uint64_t events_of(const TableEvents& table) const;

  version::VersionStore& store_;
  sqlite3* const handle_;
  version::Reader before_;
  version::Reader after_;
  version::CommitInfo info_;
  diff::PageChanges changes_;
  TablePairs pairs_;
  GivenRows given_ = GivenRows::kChanged;
  std::vector<TableEvents> tables_;

  // Where next() is: the kind of change, the table and its rows.
  diff::ChangeKind phase_ = diff::ChangeKind::kDelete;
  std::size_t tables_done_ = 0;  // in this phase
  std::size_t table_ = 0;
  std::unique_ptr<RowChanges> rows_;
  bool done_ = false;
  Lsn lsn_{};
};

// For loops over commits, which may be long. Errors: kInterrupted.
Status check_interrupt(sqlite3* handle);

// The version before; that of version 1 is empty.
Result<version::ReadPoint> version_before(version::VersionStore& store, const version::ReadPoint& point);

}  // namespace dosql::engine
