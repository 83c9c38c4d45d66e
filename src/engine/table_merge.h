// Brings the changes of one table's rows into the version that is merged into.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/rebased_changes.h"
#include "engine/row_copy.h"
#include "engine/table_statements.h"
#include "merge/keyed_changes.h"
#include "merge/row_merge.h"

namespace dosql::engine {

// A column of the table that refers to rows of another by the number that is their key.
struct NumberReference {
  std::uint32_t column = 0;
  const NewNumbers* numbers = nullptr;
};

// Whether theirs has something else there than base, as what refers to a row by its number means it.
bool is_anew(const merge::KeyedChange& change, std::uint32_t column);

// What they made refer to a row of theirs refers to the same row under its new number.
void renumber(std::span<const NumberReference> references, const MergedTable& table,
              merge::KeyedChange& change);

// Most rows that they changed are as they were in base: so each change is tried as one statement that has an
// effect only then, and only where it has none, our row is read and the three versions are merged. What a
// UNIQUE constraint is in the way of is done again once all else is: two rows may have swapped values.
//
// Afterwards the table holds what both sides agree on, and what was decided about the rest; conflicts are in
// the context. A row of ours that had to make room and can no longer be put back is there, too: the merge is
// to be undone then, and done again with that row left alone. REQUIRES: inside a transaction, with triggers
// and foreign keys off.
class TableMerge {
 public:
  // All must outlive it.
  TableMerge(MergeContext& context, const MergedTable& table, TableMergeCounts& counts,
             std::span<const NumberReference> references);

  // Errors: those of the changes, what SQLite reports.
  using NextChange = std::function<Result<bool>(merge::KeyedChange&)>;
  Status run(const NextChange& next);

  // What incoming rows whose numbers are taken get instead: numbers above all that ours has and, by
  // `highest_given`, base or theirs: also above those of rows that do not come. REQUIRES: table.rowid_column.
  static Result<NewNumbers> choose_new_numbers(MergeContext& context, const MergedTable& table,
                                               RebasedChanges& changes,
                                               const std::function<Result<std::int64_t>()>& highest_given);

 private:
  using Values = std::span<const diff::Field>;

  // A row that waits for the others.
  struct Waiting {
    std::optional<RowCopy> base;
    std::optional<FoundRow> ours;           // taken out meanwhile
    RowName name;                           // of the change
    std::vector<std::int64_t> brings = {};  // numbers, where it is brought
    // For who compares merges.
    RowPair change = {};
    std::string was_ours = {};
    RowCopy row;
    std::optional<std::int64_t> rowid;
  };

  Status take(merge::KeyedChange& change);
  Status take_delete(const merge::KeyedChange& change);
  Status take_update(const merge::KeyedChange& change);
  Status take_insert(const merge::KeyedChange& change);
  bool was_taken_away(const merge::KeyedChange& change) const;
  Status bring_back(const merge::KeyedChange& change);
  Status merge_with_ours(const merge::KeyedChange& change);
  Status merge_with_ours(const merge::KeyedChange& change, merge::KeyOrigin origin);
  Result<bool> meets_another(const merge::KeyedChange& change);
  bool in_doubt(Values row, std::int64_t rowid) const;
  void note_other_row(const merge::KeyedChange& change, version::MovedFrom from);
  void note_other_row(std::int64_t number, std::uint8_t from);
  std::vector<std::int64_t> brought_numbers(const merge::KeyedChange& change) const;
  void note_brought(std::span<const std::int64_t> numbers, Values row);
  void note_went(std::int64_t number, std::int64_t now);
  void note_replaced(const merge::KeyedChange& change);
  void note_kept(const std::optional<FoundRow>& ours);
  void follow(merge::KeyedChange& change);
  void meet(merge::KeyedChange& change);
  Status decide(const merge::KeyedChange& change, const std::optional<FoundRow>& ours,
                const merge::RowOutcome& outcome, merge::KeyOrigin origin);
  Status apply(const merge::KeyedChange& change, const std::optional<FoundRow>& ours,
               const merge::RowOutcome& outcome);
  Status put(const merge::KeyedChange& change, const std::optional<FoundRow>& ours, Values row);
  Status erase(const FoundRow& ours, const RowAddress& address);
  Result<RowCopy> resolved_row(Values row, std::string_view json, std::span<const std::uint32_t> columns);

  Status insert_new(const merge::KeyedChange& change);
  Status refused(const merge::KeyedChange& change, const std::optional<FoundRow>& ours, Values row);
  Status place_waiting();
  Status place(const Waiting& waiting);
  Result<Effect> insert_waiting(TableStatements::Columns columns, std::optional<std::int64_t> rowid,
                                Values row, bool is_theirs);
  Status settle_refused(const Waiting& waiting);
  Status put_back(const Waiting& waiting, const Conflict& conflict, bool decided);
  void note_gone(const FoundRow& ours);
  void note_came(const std::optional<FoundRow>& ours, Values row);
  void note_changed(const merge::KeyedChange& change, const std::optional<FoundRow>& ours, Values row,
                    std::span<const std::uint32_t> columns);
  static TableStatements::Columns columns_of(const Waiting& waiting);
  Result<std::optional<FoundRow>> find_in_the_way(const Waiting& waiting, Values row);
  Result<std::vector<FoundRow>> find_all_in_the_way(const Waiting& waiting);
  Status take_out_all_in_the_way(const Waiting& waiting, std::vector<FoundRow>& found);
  std::string rows_json(std::span<const FoundRow> rows) const;
  Result<Effect> insert_in_place_of_others(const Waiting& waiting, Values row);

  RowAddress address_of(Values row, std::int64_t rowid) const;
  RowAddress address_of(const merge::KeyedChange& change) const;
  RowAddress address_of(const FoundRow& found) const;
  RowName name_of(const merge::KeyedChange& change) const;
  merge::Preference preference_about(const merge::KeyedChange& change) const;
  // What the current change did to its row, for who compares merges.
  void note(merge::RowValues now, std::span<const std::uint32_t> columns);
  void note(merge::RowValues now) { note(now, all_columns_); }
  void note_conflict(std::span<const std::uint32_t> columns);
  void note_waiting(const Waiting& waiting, bool in_conflict);
  std::string key_json(Values row, std::int64_t rowid) const {
    return table_.key_json(row, rowid, context_.encoding);
  }
  std::string row_json(merge::RowValues row, std::span<const std::uint32_t> columns) const;
  std::string row_json(merge::RowValues row) const { return row_json(row, all_columns_); }
  merge::ConflictKind kind_of_refusal() const;
  std::optional<std::int64_t> hidden_rowid(std::int64_t rowid) const;

  MergeContext& context_;
  const MergedTable& table_;
  TableMergeCounts& counts_;
  const std::span<const NumberReference> references_;
  TouchedRows* const touched_;    // null: no foreign key is about the table
  const Doubts* const doubts_;    // null: its rows are what their keys say
  const Brought* const brought_;  // null: what meets are two rows
  TableStatements statements_;
  std::vector<std::uint32_t> all_columns_;
  std::vector<std::uint32_t> changed_;
  const merge::KeyedChange* current_ = nullptr;
  // For who compares merges: as it is before it follows.
  std::string current_ours_;
  RowName current_name_;
  RowPair current_pair_;
  Meeting meeting_ = Meeting::kTwoRows;                      // of what it inserts, under its number in theirs
  std::vector<std::int64_t> their_numbers_;                  // of it, before it follows; empty: it does not
  merge::Preference preference_ = merge::Preference::kNone;  // about it
  merge::RowOutcome outcome_;
  std::vector<Waiting> waiting_;
};

}  // namespace dosql::engine
