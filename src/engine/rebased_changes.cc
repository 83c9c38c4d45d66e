#include "engine/rebased_changes.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "merge/row_merge.h"

namespace dosql::engine {

RebasedChanges::RebasedChanges(const MergeContext& context, const MergedTable& table, Next changes)
    : context_(context),
      table_(table),
      changes_(std::move(changes)),
      first_(context.rebased.lower_bound({table.name, ""})),
      at_(first_),
      end_(std::find_if(first_, context.rebased.end(),
                        [&](const auto& row) { return row.first.first != table.name; })),
      brought_(context.find_brought(table.name)) {}

RebasedChanges::RebasedChanges(const MergeContext& context, const MergedTable& table,
                               merge::KeyedChanges changes)
    : RebasedChanges(context, table,
                     [all = std::make_shared<merge::KeyedChanges>(std::move(changes))](
                         merge::KeyedChange& change) { return all->next(change); }) {}

bool RebasedChanges::is_rebased(const merge::KeyedChange& change) const {
  if (first_ == end_) return false;
  return context_.rebased.contains(
      {table_.name,
       table_.key_json(change.in_base ? change.base : change.theirs,
                       change.in_base ? change.rowid_base : change.rowid_theirs, context_.encoding)});
}

bool RebasedChanges::is_taken_apart(const merge::KeyedChange& change) const {
  if (brought_ == nullptr) return false;
  const auto& row = change.in_base ? change.base : change.theirs;
  const std::int64_t rowid = change.in_base ? change.rowid_base : change.rowid_theirs;
  if (!table_.has_key(row)) return brought_->taken_apart.contains(rowid);
  return !brought_->followed.empty() &&
         brought_->followed.contains(table_.key_json(row, rowid, context_.encoding));
}

// False: nothing is to be done.
bool RebasedChanges::take(const RowPair& row, merge::KeyedChange& change) {
  const bool is_same_row = row.base && row.theirs ? merge::same_row(row.base->values(), row.theirs->values())
                                                  : !row.base && !row.theirs;
  const bool same = is_same_row && (!row.anew || row.anew->empty());
  if (same) return false;
  change.in_base = row.base.has_value();
  change.in_theirs = row.theirs.has_value();
  change.rowid_base = row.rowid_base;
  change.rowid_theirs = row.rowid_theirs;
  change.anew = row.anew;
  if (row.base) change.base.assign(row.base->values().begin(), row.base->values().end());
  if (row.theirs) change.theirs.assign(row.theirs->values().begin(), row.theirs->values().end());
  return true;
}

Result<bool> RebasedChanges::next(merge::KeyedChange& change) {
  change.anew.reset();
  while (!is_instead_) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes_(change));
    if (!found) break;
    if (!is_taken_apart(change) && !is_rebased(change)) return true;
  }
  is_instead_ = true;
  while (brought_ != nullptr && instead_ < brought_->instead.size()) {
    if (take(brought_->instead[instead_++], change) && !is_rebased(change)) return true;
  }
  is_instead_ = false;
  while (at_ != end_) {
    const RebasedRow& rebased = (at_++)->second;
    if (!take(rebased.change, change)) continue;
    rebased_ = &rebased;
    return true;
  }
  return false;
}

}  // namespace dosql::engine
