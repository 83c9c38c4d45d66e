// The rows that differ between two versions of a table, paired by the table's key.
//
// A diff pairs rows as they are stored: by rowid, or by the PRIMARY KEY of a WITHOUT ROWID table. Where rows
// are known by another key, a row that was deleted and one that was inserted with the same key are one row
// that changed, and a row whose key changed is two: INSERT OR REPLACE gives a row a new rowid.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <dosql/result.h>

#include "diff/key_order.h"
#include "diff/row.h"
#include "diff/table_diff.h"

namespace dosql::merge {

// A column by which rows are known.
struct KeyPart {
  std::uint32_t column = 0;
  diff::KeyColumn order = {};
};

// A table's columns in the two versions, by the columns of the merged table.
struct ChangeColumns {
  std::vector<diff::StoredColumn> base;
  std::vector<diff::StoredColumn> theirs;
  // Columns that theirs does not have: a row of theirs has what it had in base, else what `theirs` says.
  std::vector<std::uint32_t> theirs_lacks = {};
};

struct KeyedChange {
  bool in_base = false;
  bool in_theirs = false;
  std::int64_t rowid_base = 0;
  std::int64_t rowid_theirs = 0;
  // One value for each column, where the row is there. Views that end with the next change.
  std::vector<diff::Field> base = {};
  std::vector<diff::Field> theirs = {};
  // Of a row whose references are by the numbers of a third version: the columns in which theirs is another
  // value than base, by their own numbers. None: the values say that.
  std::optional<std::vector<std::uint32_t>> anew = {};
};

// One thread at a time.
class KeyedChanges {
 public:
  // Opens the diffs that together are the table's: mostly one. Called once, or twice where rows are known by
  // another key than that of the diff.
  using Source = std::function<Result<std::vector<diff::TableDiff>>()>;

  // `key`: by which rows are known, where that is not the key of the diffs. Rows with a NULL in it have none:
  // two of them are one row if the diff pairs them, and never one with a row that has a key. Memory then: the
  // rows of base whose key went.
  static Result<KeyedChanges> open(const Source& source, ChangeColumns columns, std::vector<KeyPart> key);
  ~KeyedChanges();
  KeyedChanges(KeyedChanges&&) noexcept;

  // In the order of the diffs; rows whose key went and did not come back last. False: there are no more.
  // Errors: those of TableDiff, kCorrupt.
  Result<bool> next(KeyedChange& change);

 private:
  class Pairing;
  explicit KeyedChanges(std::unique_ptr<Pairing> pairing);
  std::unique_ptr<Pairing> pairing_;
};

}  // namespace dosql::merge
