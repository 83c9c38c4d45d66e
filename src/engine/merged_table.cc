#include "engine/merged_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/json_text.h"
#include "engine/row_json.h"
#include "sql/lexer.h"

namespace dosql::engine {

MergedTable MergedTable::followed() const {
  MergedTable table = *this;
  table.follows_names = places != nullptr && !is_virtual;
  return table;
}

bool MergedTable::has_key(std::span<const diff::Field> row) const {
  return !known_by_rowid() && std::ranges::none_of(key, [&](const Key& part) {
    return row[part.column].type == diff::FieldType::kNull;
  });
}

std::vector<std::int64_t> MergedTable::numbers_of(std::span<const diff::Field> row,
                                                  std::int64_t rowid) const {
  if (!has_key(row)) return {rowid};
  std::vector<std::int64_t> numbers;
  for (const Key& part : key) {
    const diff::Field& value = row[part.column];
    if (value.type == diff::FieldType::kInteger) numbers.push_back(value.integer);
  }
  return numbers;
}

std::string MergedTable::key_json(std::span<const diff::Field> row, std::int64_t rowid,
                                  diff::TextEncoding encoding) const {
  if (rowid_column) return value_json(row[*rowid_column], encoding);
  if (!has_key(row)) return std::to_string(rowid);
  if (key.size() == 1) return value_json(row[key[0].column], encoding);
  std::string text = "[";
  for (const Key& part : key) text += (text.size() > 1 ? "," : "") + value_json(row[part.column], encoding);
  return text + "]";
}

std::string MergedTable::row_json(std::span<const diff::Field> row, std::span<const std::uint32_t> some,
                                  diff::TextEncoding encoding) const {
  std::string text = "{";
  for (const std::uint32_t column : some) {
    if (text.size() > 1) text += ',';
    text += json_string(columns[column].name) + ":" + value_json(row[column], encoding);
  }
  return text + "}";
}

std::string MergedTable::row_json(std::span<const diff::Field> row, diff::TextEncoding encoding) const {
  std::vector<std::uint32_t> all(columns.size());
  std::iota(all.begin(), all.end(), 0U);
  return row_json(row, all, encoding);
}

std::string MergedTable::where_text(std::string_view prefix, bool by_rowid, int first_parameter) const {
  std::string text;
  if (by_rowid || known_by_rowid()) {
    // Another row may have the rowid of one without a key: one that is known by its key.
    for (const Key& part : key) {
      text += fmt::format("{}{}{} IS NULL", text.empty() ? " AND (" : " OR ", prefix,
                          sql::quoted(columns[part.column].name));
    }
    if (!text.empty()) text += ')';
    return fmt::format("{}{} = ?{}{}", prefix, sql::quoted(rowid_name), first_parameter, text);
  }
  for (const Key& part : key) {
    text +=
        fmt::format("{}{}{} = ?{} COLLATE {}", text.empty() ? "" : " AND ", prefix,
                    sql::quoted(columns[part.column].name), first_parameter++, sql::quoted(part.collation));
  }
  return text;
}

int bind_address(OwnStatement& statement, const MergedTable& table, const RowAddress& row,
                 diff::TextEncoding encoding, int first_parameter) {
  if (row.key_of.empty() || table.known_by_rowid()) {
    statement.bind(first_parameter, row.rowid);
    return first_parameter + 1;
  }
  for (const MergedTable::Key& part : table.key)
    statement.bind(first_parameter++, row.key_of[part.column], encoding);
  return first_parameter;
}

}  // namespace dosql::engine
