// One table along a line of versions: which shape it has in which of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dosql/result.h>
#include <dosql/value.h>

#include "diff/row.h"
#include "diff/row_lookup.h"
#include "engine/row_key.h"
#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

// The values of a row by the columns that are shown; none: there is no such row.
using RowState = std::optional<std::vector<Value>>;

// Versions one after the other in which nothing about the schema changed.
struct LineSegment {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // it included
  std::shared_ptr<const VersionSchema> schema;
  // Null: the table is not there, or its rows are told apart by another kind of key.
  const TableShape* table = nullptr;
  diff::TreePlace place;
  std::vector<diff::StoredColumn> stored;
  // Of each column that is shown its index here; none: the column is not there.
  std::vector<std::optional<std::size_t>> columns;
};

// The table that is called `name` in a version of the line, followed from there to both sides; it has one
// name in each segment (decision 021). Its columns are shown as they are in that version.
class TableLine {
 public:
  // `head` is the newest version, `shown` the one that names the table. `handle`: for collations. Errors:
  // kSql (no such table), kInvalidArgument (a virtual table), those of the store.
  static Result<TableLine> open(version::VersionStore& store, VersionSchemas& schemas,
                                const std::string& name, const version::ReadPoint& shown,
                                const version::ReadPoint& head, BranchId line, sqlite3* handle);

  const std::vector<LineSegment>& segments() const { return segments_; }
  // REQUIRES: 1 <= version <= that of the head.
  const LineSegment& at(std::uint64_t version) const;
  const TableShape& shown() const { return *shown_; }
  diff::TextEncoding encoding() const { return encoding_; }
  const std::vector<diff::KeyColumn>& order() const { return order_; }
  BranchId line() const { return line_; }
  std::uint64_t head_version() const { return segments_.back().last; }

  // Whether a record of both segments may have other values in the one than in the other.
  bool read_otherwise(const LineSegment& a, const LineSegment& b) const;

  // The columns that are shown, of a row's record in that segment. A column that it has not yet has the
  // DEFAULT it got. REQUIRES: segment.table is not null.
  Result<std::vector<Value>> values(const LineSegment& segment, Bytes record, std::int64_t rowid) const;
  // By the columns of a row that is decoded already.
  std::vector<Value> values(const LineSegment& segment, std::span<const diff::Field> fields) const;

 private:
  TableLine() = default;
  Status add_segments(version::VersionStore& store, VersionSchemas& schemas, const version::ReadPoint& head);
  Status find_tables(version::VersionStore& store, const std::string& name, std::uint64_t shown);
  Status place_tables(version::VersionStore& store);

  BranchId line_{};
  std::vector<LineSegment> segments_;
  std::vector<const TableShape*> tables_;  // of the segments, whatever their keys
  const TableShape* shown_ = nullptr;
  diff::TextEncoding encoding_ = diff::TextEncoding::kUtf8;
  std::vector<diff::KeyColumn> order_;
};

// Versions in which a row was the same. Their numbers; it was not in the one before `begin` as it is here,
// nor in `end`.
struct RowPeriod {
  std::uint64_t begin = 0;
  std::optional<std::uint64_t> end;  // none: it is still so
  std::vector<Value> values;
};

// The periods of one row that have a version in [first, last], the latest first. Costs as many looks at the
// pages on the way to the row as commits wrote them since the earliest of these periods began, however many
// others there were.
Result<std::vector<RowPeriod>> row_periods(version::VersionStore& store, const TableLine& table,
                                           const RowKey& key, std::uint64_t first, std::uint64_t last);

}  // namespace dosql::engine
