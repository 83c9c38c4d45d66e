#include "engine/row_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "diff/record_comparison.h"

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using diff::Field;

}  // namespace

bool have_same_keys(const TableShape& before, const TableShape& after) {
  if (before.kind != after.kind) return false;
  if (before.kind == TableKind::kRowid) return true;
  return std::ranges::equal(before.key, after.key, [](const KeyPart& a, const KeyPart& b) {
    return a.descending == b.descending && diff::folded(a.collation) == diff::folded(b.collation);
  });
}

bool read_otherwise(const TableShape& before, const TableShape& after) {
  const std::uint32_t values =
      std::min(diff::record_values(before.stored_columns()), diff::record_values(after.stored_columns()));
  return std::ranges::any_of(before.columns, [&](const ColumnShape& column) {
    const auto other = after.find_column(column.name);
    return other && diff::read_otherwise(column.stored, after.columns[*other].stored, values);
  });
}

Result<std::unique_ptr<RowChanges>> RowChanges::open(version::Reader& before, version::Reader& after,
                                                     const diff::PageChanges& changes,
                                                     const TablePairs& pairs, const TablePair& pair,
                                                     sqlite3* handle, GivenRows given) {
  std::unique_ptr<RowChanges> made(new RowChanges(before, after, changes, given));
  DOSQL_RETURN_IF_ERROR(made->plan(pairs, pair, handle));
  return made;
}

Status RowChanges::plan(const TablePairs& pairs, const TablePair& pair, sqlite3* handle) {
  const TableShape* const before = pair.before;
  const TableShape* const after = pair.after;
  for (const TableShape* const table : {before, after}) {
    if (table == nullptr || table->kind != TableKind::kVirtual) continue;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is a virtual table: it has no rows of its own", table->name));
  }
  diff::TablePlace gone;
  diff::TablePlace come;
  set_table(before, after);
  if (before != nullptr) {
    gone.root_before = before->root;
    DOSQL_ASSIGN_OR_RETURN(gone.key, row_order(*before, pairs.before->encoding, handle));
  }
  if (after != nullptr) {
    come.root_after = after->root;
    DOSQL_ASSIGN_OR_RETURN(come.key, row_order(*after, pairs.after->encoding, handle));
  }
  if (before != nullptr && after != nullptr && have_same_keys(*before, *after)) {
    come.root_before = gone.root_before;
    come.all_rows =
        given_ == GivenRows::kAll || (given_ == GivenRows::kChanged && read_otherwise(*before, *after));
  } else if (before != nullptr) {
    places_.push_back(std::move(gone));
  }
  if (after != nullptr) places_.insert(places_.begin(), std::move(come));
  return {};
}

void ChangedRow::set_table(const TableShape* before, const TableShape* after) {
  shared_.clear();
  only_before_.clear();
  only_after_.clear();
  plain_.clear();
  if (before != nullptr) before_.columns = before->stored_columns();
  if (after != nullptr) after_.columns = after->stored_columns();
  if (before != nullptr && after != nullptr) match_columns(*before, *after);
}

void ChangedRow::match_columns(const TableShape& before, const TableShape& after) {
  for (std::size_t i = 0; i < before.columns.size(); ++i) {
    if (const auto other = after.find_column(before.columns[i].name)) {
      shared_.emplace_back(i, *other);
    } else {
      only_before_.push_back(i);
    }
  }
  for (std::size_t i = 0; i < after.columns.size(); ++i) {
    if (!before.find_column(after.columns[i].name)) only_after_.push_back(i);
  }
  if (only_before_.empty() && only_after_.empty()) find_plain_places();
}

void ChangedRow::find_plain_places() {
  if (before_.columns.size() != after_.columns.size()) return;
  for (const auto& [before, after] : shared_) {
    const diff::StoredColumn& column = before_.columns[before];
    const diff::StoredColumn& other = after_.columns[after];
    if (column.place != other.place || column.is_rowid != other.is_rowid || column.is_real != other.is_real) {
      plain_.clear();
      return;
    }
    if (!column.place || column.is_rowid || column.is_real) continue;
    plain_.resize(std::max<std::size_t>(plain_.size(), *column.place + 1));
    plain_[*column.place] = true;
  }
}

Result<bool> RowChanges::next() {
  diff::RowChange change;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next_record(change));
    if (!found) return false;
    show(change);
    if (change.kind != ChangeKind::kUpdate || given_ == GivenRows::kAll) return true;
    DOSQL_ASSIGN_OR_RETURN(const bool changed, differs());
    if (changed) return true;
  }
}

Result<bool> RowChanges::next_record(diff::RowChange& change) {
  while (true) {
    if (diff_) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, diff_->next(change));
      if (found) return true;
      diff_.reset();
    }
    if (places_.empty()) return false;
    auto diff = diff::TableDiff::open(reader_before_, reader_after_, changes_, places_.back());
    if (!diff) return std::move(diff).error();
    diff_.emplace(*std::move(diff));
    places_.pop_back();
  }
}

Result<std::span<const Field>> ChangedRow::decoded(Side& side, Bytes record) {
  if (!side.decoded) {
    DOSQL_RETURN_IF_ERROR(diff::decode_record(record, side.record));
    diff::decode_row(side.record, change_.rowid, side.columns, side.values);
    side.decoded = true;
  }
  return std::span<const Field>(side.values);
}

Result<bool> ChangedRow::differs() {
  if (!plain_.empty() && diff::surely_differ(change_.before, change_.after, plain_)) return true;
  DOSQL_ASSIGN_OR_RETURN(const auto then, before());
  DOSQL_ASSIGN_OR_RETURN(const auto now, after());
  const auto is_default = [](const Side& side, std::size_t column) {
    return diff::same_value(side.values[column], side.columns[column].missing);
  };
  return std::ranges::any_of(
             shared_,
             [&](const auto& both) { return !diff::same_value(then[both.first], now[both.second]); }) ||
         std::ranges::any_of(only_before_,
                             [&](std::size_t column) { return !is_default(before_, column); }) ||
         std::ranges::any_of(only_after_, [&](std::size_t column) { return !is_default(after_, column); });
}

}  // namespace dosql::engine
