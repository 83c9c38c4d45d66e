#include "diff/row.h"

#include <algorithm>
#include <limits>

#include "diff/key_order.h"

namespace dosql::diff {
namespace {

Field value_of(std::span<const Field> record, std::int64_t rowid, const StoredColumn& column) {
  if (column.is_rowid) return {.type = FieldType::kInteger, .integer = rowid};
  if (!column.place) return {};
  if (*column.place >= record.size()) return column.missing;
  const Field& stored = record[*column.place];
  if (!column.is_real || stored.type != FieldType::kInteger) return stored;
  return {.type = FieldType::kReal, .real = static_cast<double>(stored.integer)};
}

}  // namespace

void decode_row(std::span<const Field> record, std::int64_t rowid, std::span<const StoredColumn> columns,
                std::vector<Field>& values) {
  values.clear();
  for (const StoredColumn& column : columns) values.push_back(value_of(record, rowid, column));
}

StoredColumn absent_column(const Field& value) {
  return {.place = std::numeric_limits<std::uint32_t>::max(), .missing = value};
}

std::uint32_t record_values(std::span<const StoredColumn> columns) {
  std::uint32_t values = 0;
  for (const StoredColumn& column : columns) {
    if (column.place) values = std::max(values, *column.place + 1);
  }
  return values;
}

bool read_otherwise(const StoredColumn& a, const StoredColumn& b, std::uint32_t values) {
  if (a.is_rowid || b.is_rowid) return a.is_rowid != b.is_rowid;
  if (!a.place || !b.place) return a.place != b.place;
  // What is behind the end is missing, wherever that is.
  if (std::min(*a.place, values) != std::min(*b.place, values)) return true;
  return (*a.place < values && a.is_real != b.is_real) || !same_value(a.missing, b.missing);
}

bool same_value(const Field& a, const Field& b) {
  if (a.type != b.type) return false;
  switch (a.type) {
    case FieldType::kNull: return true;
    case FieldType::kInteger: return a.integer == b.integer;
    case FieldType::kReal: return a.real == b.real;
    case FieldType::kText:
    case FieldType::kBlob: return compare_binary(a.bytes, b.bytes) == 0;
  }
  return false;
}

}  // namespace dosql::diff
