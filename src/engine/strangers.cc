#include "engine/strangers.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "diff/row.h"
#include "engine/doubtful_numbers.h"
#include "engine/our_rows.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using diff::Field;
using merge::KeyedChange;
using sql::equals_ignoring_case;

using Values = std::span<const Field>;

std::optional<std::uint32_t> find_column(const MergedTable& table, const std::string& name) {
  const auto column = std::ranges::find_if(
      table.columns, [&](const MergedColumn& one) { return equals_ignoring_case(one.name, name); });
  if (column == table.columns.end()) return std::nullopt;
  return static_cast<std::uint32_t>(column - table.columns.begin());
}

class Strangers {
 public:
  Strangers(MergeContext& context, const MergeSource& source, VersionPair& theirs, const MergedSchema& merged,
            const ForeignKeys& keys)
      : context_(context), source_(source), theirs_(theirs), merged_(merged), keys_(keys) {}

  Status find() {
    if (context_.identity == nullptr) return {};
    // What is picked is counted from a version that ours need not contain: both may have inserted the number.
    in_ours_ = context_.only_changes || has_brought() ||
               context_.identity->may_be_others(source_.base, context_.our_side);
    in_theirs_ = context_.identity->may_be_others(source_.base, {source_.theirs});
    if (!in_ours_ && !in_theirs_) return {};
    for (const TableTask& task : merged_.tables) {
      if (!context_.by_content.contains(task.merged.name)) DOSQL_RETURN_IF_ERROR(find_in(task));
    }
    return {};
  }

 private:
  // A column that refers to the number of another table's row.
  struct Reference {
    std::uint32_t column = 0;
    const TableTask* parent = nullptr;
  };

  // In the open transaction: no version shows that.
  bool has_brought() const {
    return std::ranges::any_of(context_.noted_merges, [](const NotedMerge& noted) {
      return noted.pending && std::ranges::any_of(noted.moved.runs, [](const version::MovedRun& run) {
               return run.from == version::kBrought && raw(run.source) != 0;
             });
    });
  }

  std::vector<Reference> references_of(const MergedTable& table) const {
    std::vector<Reference> found;
    for (const ForeignKey* const key : keys_.from(table.name)) {
      const auto parent = std::ranges::find_if(merged_.tables, [&](const TableTask& task) {
        return equals_ignoring_case(task.merged.name, key->parent);
      });
      if (parent == merged_.tables.end() || !parent->merged.rowid_column) continue;
      for (std::size_t i = 0; i < key->child_columns.size(); ++i) {
        const auto column = find_column(table, key->child_columns[i]);
        const bool to_number =
            find_column(parent->merged, key->parent_columns[i]) == parent->merged.rowid_column;
        if (column && to_number) found.push_back({*column, &*parent});
      }
    }
    return found;
  }

  Status find_in(const TableTask& task) {
    const MergedTable& table = task.merged;
    const std::vector<Reference> references = references_of(table);
    const auto in_key = [&](const Reference& reference) {
      return std::ranges::find(table.key, reference.column, &MergedTable::Key::column) != table.key.end();
    };
    std::vector<Reference> numbers;
    std::ranges::copy_if(references, std::back_inserter(numbers), in_key);
    const bool by_number = table.rowid_column || (table.known_by_rowid() && !table.rowid_name.empty());
    if (!by_number && numbers.empty() && (references.empty() || !in_ours_)) return {};
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs_.changes(task.base, task.theirs, table));
    RebasedChanges changes(context_, table, std::move(all));
    OurRows& ours = ours_of(table);
    KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      // Those that follow have been traced.
      if (!found || changes.rebased() != nullptr) return {};
      const bool is_known = change.in_base && !changes.is_instead() && (by_number || !numbers.empty());
      if (is_known && (change.in_theirs || context_.only_changes))
        DOSQL_RETURN_IF_ERROR(look_at(table, ours, change, numbers));
      if (!change.in_theirs) continue;
      for (const Reference& reference : references) {
        const Field& value = change.theirs[reference.column];
        const auto number = in_ours_ && is_anew(change, reference.column)
                                ? number_meant(value, context_.encoding)
                                : std::nullopt;
        if (number) DOSQL_RETURN_IF_ERROR(look_at_parent(*reference.parent, *number));
      }
    }
  }

  Status look_at(const MergedTable& table, OurRows& ours, const KeyedChange& change,
                 const std::vector<Reference>& numbers) {
    if (!table.known_by_rowid() && !table.has_key(change.base)) return {};
    RowAddress address{.rowid = change.rowid_base};
    if (!table.known_by_rowid()) address.key_of = change.base;
    const auto add = [&](NumberRuns& runs) {
      if (table.known_by_rowid()) runs.add(change.rowid_base);
      for (const Reference& number : numbers) {
        const auto meant = number_meant(change.base[number.column], context_.encoding);
        if (meant) runs.add(*meant);
      }
    };
    if (in_theirs_ && change.in_theirs) {
      DOSQL_ASSIGN_OR_RETURN(const bool same, context_.identity->is_same(ours.followed(), address,
                                                                         source_.base, {source_.theirs}));
      if (!same) add(context_.doubts[table.name].theirs);
    }
    if (!in_ours_) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, ours.find(address));
    if (!here || merge::same_row(here->row.values(), change.base)) return {};
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, ours.compare(source_.base, address, address));
    if (same != SameRow::kNo) return {};
    Doubts& doubts = context_.doubts[table.name];
    add(doubts.ours);
    if (context_.only_changes) add(doubts.strangers);
    return {};
  }

  OurRows& ours_of(const MergedTable& table) {
    return ours_.try_emplace(&table, context_, table).first->second;
  }

  // Where ours has base's row there is nothing to trace.
  Status look_at_parent(const TableTask& parent, std::int64_t number) {
    const MergedTable& table = parent.merged;
    if (!looked_at_.insert({&parent, number}).second) return {};
    const RowAddress address{.rowid = number};
    OurRows& ours = ours_of(table);
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base,
                           context_.identity->rows().find(source_.base, ours.followed(), address));
    if (!in_base.row) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> found, ours.find(address));
    if (!found) return {};
    const Values here = found->row.values();
    const Values there = in_base.row->values();
    if (here.size() == there.size() && merge::same_row(here, there)) return {};
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, ours.compare(source_.base, address, address));
    if (same == SameRow::kNo) context_.doubts[table.name].ours.add(number);
    return {};
  }

  MergeContext& context_;
  const MergeSource& source_;
  VersionPair& theirs_;
  const MergedSchema& merged_;
  const ForeignKeys& keys_;
  bool in_ours_ = false;
  bool in_theirs_ = false;
  std::map<const MergedTable*, OurRows> ours_;
  std::set<std::pair<const TableTask*, std::int64_t>> looked_at_;
};

}  // namespace

Status find_strangers(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                      const MergedSchema& merged, const ForeignKeys& keys) {
  return Strangers(context, source, theirs, merged, keys).find();
}

}  // namespace dosql::engine
