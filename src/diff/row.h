// From a table's record to the values of its columns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diff/record.h"

namespace dosql::diff {

// How a version of a table stores one of its columns. Only SQL text tells, so whoever reads that fills it in.
struct StoredColumn {
  // Which value of the record it is; none: a generated column that is not stored.
  std::optional<std::uint32_t> place = {};
  bool is_rowid = false;  // INTEGER PRIMARY KEY of a rowid table: the record has NULL in its place
  bool is_real = false;   // whole numbers are stored as integers, to save room
  // What a record holds that is too short for it: the DEFAULT of ALTER TABLE ADD COLUMN, the column's
  // affinity applied. Its bytes are the caller's to keep.
  Field missing = {};
};

// Replaces `values` by one for each column, as SELECT would show them; NULL for what is not stored. They view
// what `record` (decode_record()) and the columns view.
void decode_row(std::span<const Field> record, std::int64_t rowid, std::span<const StoredColumn> columns,
                std::vector<Field>& values);

// Stands for a column that a version does not have: all its rows have `value` there.
StoredColumn absent_column(const Field& value);

// How many values a record of the table has at most.
std::uint32_t record_values(std::span<const StoredColumn> columns);

// Whether a record of at most so many values may have another one as `a` than as `b`: the same bytes are not
// the same row where columns exchanged their names, or one came again with another DEFAULT.
bool read_otherwise(const StoredColumn& a, const StoredColumn& b, std::uint32_t values);

// Whether the two are the same value of the same type.
bool same_value(const Field& a, const Field& b);

}  // namespace dosql::diff
