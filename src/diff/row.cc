#include "diff/row.h"

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
