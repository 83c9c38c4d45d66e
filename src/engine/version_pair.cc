#include "engine/version_pair.h"

#include <algorithm>

namespace dosql::engine {
namespace {

using diff::TableDiff;
using diff::TablePlace;

PageNo root_of(const TableShape* table) { return table == nullptr ? PageNo{} : table->root; }

bool same_key(const TableShape& a, const TableShape& b) {
  return std::ranges::equal(a.key, b.key, [&](const KeyPart& one, const KeyPart& other) {
    return a.columns[one.column].name == b.columns[other.column].name && one.collation == other.collation &&
           one.descending == other.descending;
  });
}

// Whether a record of both may have other values in the one than in the other.
bool read_otherwise(const TableShape& before, const TableShape& after, const MergedTable& merged) {
  const merge::ChangeColumns& columns = merged.changes;
  const std::uint32_t values =
      std::min(diff::record_values(before.stored_columns()), diff::record_values(after.stored_columns()));
  for (std::uint32_t i = 0; i < columns.base.size(); ++i) {
    const bool is_bases = std::ranges::find(columns.theirs_lacks, i) != columns.theirs_lacks.end();
    if (!is_bases && diff::read_otherwise(columns.base[i], columns.theirs[i], values)) return true;
  }
  return false;
}

bool are_stored_alike(const TableShape& a, const TableShape& b) {
  return a.kind == b.kind && (a.kind == TableKind::kRowid || same_key(a, b));
}

}  // namespace

Result<std::unique_ptr<VersionPair>> VersionPair::make(version::VersionStore& store, sqlite3* handle,
                                                       TablePairs tables, const version::ReadPoint& before,
                                                       const version::ReadPoint& after) {
  std::unique_ptr<VersionPair> pair(new VersionPair(store, handle));
  pair->before_.pin(before);
  pair->after_.pin(after);
  DOSQL_ASSIGN_OR_RETURN(diff::PageChanges pages,
                         diff::PageChanges::between(store, pair->before_, pair->after_));
  pair->pages_ = std::make_unique<diff::PageChanges>(std::move(pages));
  pair->tables_ = std::move(tables);
  return pair;
}

// One place where rows are stored alike in both, else one for each.
Result<std::vector<TablePlace>> VersionPair::places(const TableShape* before, const TableShape* after) const {
  std::vector<TablePlace> places;
  const auto add = [&](const TableShape* from, const TableShape* to, const VersionSchema& schema) -> Status {
    DOSQL_ASSIGN_OR_RETURN(auto key, row_order(from != nullptr ? *from : *to, schema.encoding, handle_));
    places.push_back({root_of(from), root_of(to), std::move(key)});
    return {};
  };
  if (before != nullptr && after != nullptr && are_stored_alike(*before, *after)) {
    DOSQL_RETURN_IF_ERROR(add(before, after, *tables_.after));
    return places;
  }
  if (before != nullptr) DOSQL_RETURN_IF_ERROR(add(before, nullptr, *tables_.before));
  if (after != nullptr) DOSQL_RETURN_IF_ERROR(add(nullptr, after, *tables_.after));
  return places;
}

Result<std::vector<TableDiff>> VersionPair::open(const std::vector<TablePlace>& places) {
  std::vector<TableDiff> diffs;
  for (const TablePlace& place : places) {
    DOSQL_ASSIGN_OR_RETURN(TableDiff diff, TableDiff::open(before_, after_, *pages_, place));
    diffs.push_back(std::move(diff));
  }
  return diffs;
}

// By which rows have to be paired again, because the diff did it by something else.
Result<std::vector<merge::KeyPart>> VersionPair::other_key(const TableShape* before, const TableShape* after,
                                                           const MergedTable& merged) const {
  std::vector<merge::KeyPart> key;
  if (before == nullptr || after == nullptr) return key;
  const bool alike = are_stored_alike(*before, *after);
  if (merged.known_by_rowid()) {
    const bool by_rowid = alike && before->kind == TableKind::kRowid &&
                          before->rowid_column.has_value() == after->rowid_column.has_value();
    if (!by_rowid && merged.rowid_column) key.push_back({.column = *merged.rowid_column});
    return key;
  }
  if (alike && before->kind == TableKind::kWithoutRowid) return key;
  for (const MergedTable::Key& part : merged.key) {
    // Only row_order() makes an order of a collation's name.
    TableShape alone;
    alone.name = merged.name;
    alone.kind = TableKind::kWithoutRowid;
    alone.key.push_back({.collation = part.collation});
    DOSQL_ASSIGN_OR_RETURN(auto order, row_order(alone, tables_.after->encoding, handle_));
    key.push_back({part.column, std::move(order.front())});
  }
  return key;
}

Result<merge::KeyedChanges> VersionPair::changes(const TableShape* before, const TableShape* after,
                                                 const MergedTable& merged) {
  DOSQL_ASSIGN_OR_RETURN(std::vector<TablePlace> stored, places(before, after));
  if (stored.size() == 1 && before != nullptr && after != nullptr)
    stored.front().all_rows = read_otherwise(*before, *after, merged);
  DOSQL_ASSIGN_OR_RETURN(std::vector<merge::KeyPart> key, other_key(before, after, merged));
  return merge::KeyedChanges::open([&] { return open(stored); }, merged.changes, std::move(key));
}

Result<bool> VersionPair::rows_differ(const TableShape* before, const TableShape* after) {
  if (before == nullptr || after == nullptr) return before != after;
  if (before->kind == TableKind::kVirtual || after->kind == TableKind::kVirtual) return true;
  DOSQL_ASSIGN_OR_RETURN(const std::vector<TablePlace> stored, places(before, after));
  DOSQL_ASSIGN_OR_RETURN(std::vector<TableDiff> diffs, open(stored));
  diff::RowChange change;
  for (TableDiff& diff : diffs) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, diff.next(change));
    if (found) return true;
  }
  return false;
}

}  // namespace dosql::engine
