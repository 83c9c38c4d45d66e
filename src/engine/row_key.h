// What tells the rows of a table apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <dosql/result.h>

#include "diff/key_order.h"
#include "diff/record.h"
#include "diff/table_diff.h"

namespace dosql::engine {

// A rowid; or the record of a WITHOUT ROWID table's row, with which the values of its key begin. Owns its
// bytes, and only moves, for `fields` view them.
struct RowKey {
  RowKey() = default;
  explicit RowKey(std::int64_t number) : rowid(number) {}
  RowKey(RowKey&&) = default;
  RowKey& operator=(RowKey&&) = default;
  RowKey(const RowKey&) = delete;
  RowKey& operator=(const RowKey&) = delete;

  std::int64_t rowid = 0;
  std::vector<std::byte> record;
  std::vector<diff::Field> fields;
};

// Of the row that a change is about. Errors: kCorrupt.
Result<RowKey> key_of(const diff::RowChange& change, const std::vector<diff::KeyColumn>& order);

struct RowKeyLess {
  std::vector<diff::KeyColumn> order;  // empty: by rowid
  bool operator()(const RowKey& a, const RowKey& b) const {
    return order.empty() ? a.rowid < b.rowid : diff::compare_keys(a.fields, b.fields, order) < 0;
  }
};

}  // namespace dosql::engine
