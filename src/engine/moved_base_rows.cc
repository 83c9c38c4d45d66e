#include "engine/moved_base_rows.h"

#include <cstdint>
#include <optional>
#include <set>

#include "engine/number_traces.h"

namespace dosql::engine {
namespace {

class MovedBaseRows {
 public:
  MovedBaseRows(MergeContext& context, const MergeSource& source, const MergedTable& table,
                const Brought& brought)
      : context_(context), table_(table), traces_(context, source, table, brought) {}

  Status find(merge::KeyedChanges changes) {
    merge::KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return {};
      const Number number = change.in_base ? change.rowid_base : change.rowid_theirs;
      for (const Number other : traces_.numbers_with(number)) DOSQL_RETURN_IF_ERROR(look_at(other));
    }
  }

 private:
  using Number = std::int64_t;

  Status look_at(Number number) {
    if (!looked_at_.insert(number).second) return {};
    DOSQL_ASSIGN_OR_RETURN(const bool moved, is_moved(number));
    if (!moved) return {};
    context_.effects->tables.try_emplace(table_.name, table_);
    context_.effects->moved.emplace(table_.name, number);
    return {};
  }

  // Where both sides have it under its number, or one has there what became of it and the other one nothing,
  // the change says all.
  Result<bool> is_moved(Number number) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces_.find(traces_.base(), number));
    if (!in_base.row) return false;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_theirs, traces_.find(traces_.theirs().point, number));
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> in_ours, traces_.ours().find({.rowid = number}));
    const NumberTraces::Numbers numbers = traces_.numbers_with(number);
    if (numbers.size() == 1 && (!in_theirs.row || !in_ours)) return false;
    DOSQL_ASSIGN_OR_RETURN(const Counterpart theirs, traces_.find_in_theirs(number, numbers));
    DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces_.find_in_ours(traces_.base(), number, numbers));
    if (!theirs.sure || !ours.sure) return true;
    if (theirs.number == ours.number) return false;
    if (theirs.number && ours.number) return true;
    const bool is_free = theirs.number ? !in_ours : !in_theirs.row;
    return (theirs.number ? theirs.number : ours.number) != number || !is_free;
  }

  MergeContext& context_;
  const MergedTable& table_;
  NumberTraces traces_;
  std::set<Number> looked_at_;
};

}  // namespace

Status find_moved_base_rows(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                            const MergedSchema& merged) {
  if (!context.several_bases || context.effects == nullptr || context.identity == nullptr) return {};
  const bool may_be_others = context.identity->may_be_others(source.base, context.our_side) ||
                             context.identity->may_be_others(source.base, {source.theirs});
  if (!may_be_others) return {};
  for (const TableTask& task : merged.tables) {
    const MergedTable& table = task.merged;
    if (!table.rowid_column || context.by_content.contains(table.name)) continue;
    const auto found = context.brought.find(table.name);
    const Brought nothing;
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, table));
    DOSQL_RETURN_IF_ERROR(
        MovedBaseRows(context, source, table, found == context.brought.end() ? nothing : found->second)
            .find(std::move(all)));
  }
  return {};
}

}  // namespace dosql::engine
