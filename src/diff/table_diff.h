// The rows that differ between two versions of a table.
//
// Read from the pages that differ: what both versions share is not read. A row is its record (record.h); what
// its columns are called, and what a short record's missing ones hold, only the version's schema tells.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "diff/key_order.h"
#include "diff/page_changes.h"
#include "version/version_store.h"

namespace dosql::diff {

enum class ChangeKind : std::uint8_t { kInsert, kUpdate, kDelete };

// The net change of one row: of a row that was deleted and inserted again, an update or nothing. Views are
// valid until the next call on the TableDiff.
struct RowChange {
  ChangeKind kind = ChangeKind::kInsert;
  std::int64_t rowid = 0;  // of a rowid table
  // Records. An update's differ in at least a byte, not always in a value: ALTER TABLE ADD COLUMN leaves rows
  // short until they are written again. (TablePlace::all_rows: not even in a byte.)
  Bytes before = {};  // empty: insert
  Bytes after = {};   // empty: delete
};

// One table in both versions, by its root pages; 0 where it does not exist. A WITHOUT ROWID table's `key`
// is its PRIMARY KEY's columns, with which its records begin; a rowid table has none. Where the versions
// disagree on the kind or the key the tables have no rows in common: compare each with nothing.
struct TablePlace {
  PageNo root_before{};
  PageNo root_after{};
  std::vector<KeyColumn> key = {};
  // Also rows whose records are the same are given, as updates: the versions read them otherwise. Costs
  // reading all of both.
  bool all_rows = false;
};

// Gives the changes one by one in the order of the rows' keys. Memory: a few bytes for each page that
// differs, never the rows. One thread at a time.
class TableDiff {
 public:
  // Between the versions that the readers have pinned, which they must keep, and of which `changes` was made.
  // All arguments but `place` must outlive the result. Errors: kCorrupt, kIo; kInvalidArgument (a key for a
  // rowid table, none for another, or both kinds at once).
  static Result<TableDiff> open(version::Reader& before, version::Reader& after, const PageChanges& changes,
                                const TablePlace& place);
  ~TableDiff();
  TableDiff(TableDiff&&) noexcept;

  // False: there are no more. After an error, too, there are no more. Errors: kCorrupt (also where the rows
  // are not in the order of the key), kIo.
  Result<bool> next(RowChange& change);

 private:
  class Merge;
  explicit TableDiff(std::unique_ptr<Merge> merge);
  std::unique_ptr<Merge> merge_;
};

}  // namespace dosql::diff
