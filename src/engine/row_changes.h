// The row changes of one table between two versions, as values of its columns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "diff/page_changes.h"
#include "diff/row.h"
#include "diff/table_diff.h"
#include "engine/table_pairing.h"
#include "version/version_store.h"

namespace dosql::engine {

// Whether the rows of both can be told to be the same: both have rowids, or the same kind of key. Else a
// difference is all rows of one gone and all of the other come.
bool have_same_keys(const TableShape& before, const TableShape& after);

// A change of a row of a table, as values of the columns that the table has in each version. Of a column that
// only one version has, the other has the DEFAULT. Columns that are computed when they are read (VIRTUAL)
// have no values here.
//
// One thread at a time.
class ChangedRow {
 public:
  // REQUIRES of these: a change is shown. Views end with the next one.
  diff::ChangeKind kind() const { return change_.kind; }
  // Of a table that has rowids.
  std::int64_t rowid() const { return change_.rowid; }
  const diff::RowChange& change() const { return change_; }
  // By the columns of the table in that version; REQUIRES: there is such a row. Errors: kCorrupt.
  Result<std::span<const diff::Field>> before() { return decoded(before_, change_.before); }
  Result<std::span<const diff::Field>> after() { return decoded(after_, change_.after); }

  // Of which table; both must outlive this. Null: the table is not there.
  void set_table(const TableShape* before, const TableShape* after);
  // REQUIRES: the table is set; what the records view lasts until another one is shown.
  void show(const diff::RowChange& change) {
    change_ = change;
    before_.decoded = after_.decoded = false;
  }
  // Whether a value of an update differs: a row that was only stored in another way did not change. Errors:
  // kCorrupt.
  Result<bool> differs();

 private:
  // One version's side of it.
  struct Side {
    std::vector<diff::StoredColumn> columns;
    std::vector<diff::Field> record;
    std::vector<diff::Field> values;
    bool decoded = false;
  };

  void match_columns(const TableShape& before, const TableShape& after);
  void find_plain_places();
  Result<std::span<const diff::Field>> decoded(Side& side, Bytes record);

  diff::RowChange change_;
  Side before_;
  Side after_;
  // Of the columns that both versions have: their indexes. And those of only one.
  std::vector<std::pair<std::size_t, std::size_t>> shared_;
  std::vector<std::size_t> only_before_;
  std::vector<std::size_t> only_after_;
  // Of a table that is the same in both versions (diff/record_comparison.h); empty: it is not.
  std::vector<bool> plain_;
};

// Whether a record of both may have other values in the one than in the other, in a column that both have.
bool read_otherwise(const TableShape& before, const TableShape& after);

enum class GivenRows : std::uint8_t {
  kChanged,  // an update has a value that differs, be it that only the shape of the table tells it
  kWritten,  // of these the rows whose records differ
  kAll,      // also rows that are the same, as updates
};

// Gives the changes one by one, in the order of the rows' keys.
//
// One thread at a time.
class RowChanges : public ChangedRow {
 public:
  // `pair` of `pairs`, between the versions that the readers have pinned, which they must keep, and of which
  // `changes` was made. All arguments must outlive the result; `handle` is for collations. Errors: kCorrupt,
  // kIo, kSql (no such collation), kInvalidArgument (a virtual table).
  static Result<std::unique_ptr<RowChanges>> open(version::Reader& before, version::Reader& after,
                                                  const diff::PageChanges& changes, const TablePairs& pairs,
                                                  const TablePair& pair, sqlite3* handle,
                                                  GivenRows given = GivenRows::kChanged);

  // False: there are no more. Views of the one before end.
  Result<bool> next();

 private:
  RowChanges(version::Reader& before, version::Reader& after, const diff::PageChanges& changes,
             GivenRows given)
      : reader_before_(before), reader_after_(after), changes_(changes), given_(given) {}
  Status plan(const TablePairs& pairs, const TablePair& pair, sqlite3* handle);
  Result<bool> next_record(diff::RowChange& change);

  version::Reader& reader_before_;
  version::Reader& reader_after_;
  const diff::PageChanges& changes_;
  const GivenRows given_;
  std::vector<diff::TablePlace> places_;  // those still to come; the last one is next
  std::optional<diff::TableDiff> diff_;
};

}  // namespace dosql::engine
