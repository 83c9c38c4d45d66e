// What the parts of one merge share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dosql/merge.h>

#include "diff/schema.h"
#include "engine/merged_table.h"
#include "engine/number_runs.h"
#include "engine/own_changes.h"
#include "engine/row_copy.h"
#include "engine/row_identity.h"
#include "merge/conflict.h"
#include "merge/row_merge.h"
#include "version/moved_numbers.h"

namespace dosql::engine {

class ColumnLines;
class ConnectionState;
class SchemaBases;

// A row by its table and its key as JSON.
using RowName = std::pair<std::string, std::string>;

// A row as a merge has it to bring in, by the columns of the merged table; none: the version does not have
// it.
struct RowPair {
  std::optional<RowCopy> base = {};
  std::optional<RowCopy> theirs = {};
  std::int64_t rowid_base = 0;
  std::int64_t rowid_theirs = 0;
  std::optional<std::vector<std::uint32_t>> anew = {};  // as KeyedChange has it
};

// What a merge does to a row: its new values as JSON, or "null". Of a conflict: what it would be if theirs
// was taken.
struct RowEffect {
  std::string json;
  RowPair change;
  std::string ours;  // as it was, as JSON
  bool in_conflict = false;
};
struct RowEffects {
  std::map<RowName, RowEffect> rows;
  std::map<std::string, MergedTable> tables;  // those that they are of
  // Of these rows are known by keys of which a part may have followed: it may be other rows in another base.
  std::set<std::string> with_followed_keys;
  // By table and number in this base: rows that the sides have under different numbers (moved_base_rows.h).
  std::set<std::pair<std::string, std::int64_t>> moved;
  diff::TextEncoding encoding = diff::TextEncoding::kUtf8;
};

// A row that is not counted from the base that others are.
struct RebasedRow {
  RowPair change;
  bool takes_theirs = false;  // so it was decided: where both sides changed it, theirs stands
  bool is_ours = false;       // its base is what ours has under its number, which is not in the change yet
};

// Values are JSON texts; "null" also stands for a row that is not there.
struct Conflict {
  merge::ConflictKind kind = merge::ConflictKind::kUpdateUpdate;
  std::string table;
  std::string key;  // the key's value, or an array of its values; of a schema conflict the object's name
  std::string base;
  std::string main;
  std::string branch;
  bool renumber_helps = false;

  friend bool operator==(const Conflict&, const Conflict&) = default;
};

// What somebody decided about a conflict.
struct Resolution {
  enum class Take : std::uint8_t { kOurs, kTheirs, kDelete, kValue };
  Take take = Take::kOurs;
  std::string value;  // JSON: an object with columns' values, or the value of the only column in question
};

// The numbers that rows of a table got instead of those that they have in theirs.
using NewNumbers = std::unordered_map<std::int64_t, std::int64_t>;
struct NewKeys {
  std::string column;
  NewNumbers numbers;
};

// What a decision or the merge of cells did to rows that foreign keys are about: more than can be seen in the
// changes of theirs. By the columns of the merged table.
struct TouchedRows {
  struct Row {
    RowCopy row;
    std::int64_t rowid = 0;
  };
  std::set<std::uint32_t> child_columns;   // that refer to something
  std::set<std::uint32_t> parent_columns;  // that something refers to
  std::vector<Row> came;
  std::vector<RowCopy> gone;
};

// Rows of one content: so many more, or less.
struct ContentChange {
  RowCopy row;
  std::int64_t count = 0;
  std::string became;  // of less: the content that one of them has now, if that comes; empty: none is known
};
using ContentChanges = std::map<std::string, ContentChange>;  // by what is the same for the same rows only

// What a commit says of numbers that are in doubt, and which sides contain it.
struct NotedMerge {
  version::MovedBy moved;
  bool in_ours = false;
  bool in_theirs = false;
  bool pending = false;  // it is the open transaction that says so
};

// Numbers of one table, in its key or, where that is hidden, its rowids, which may be one row in base and
// another one on a side.
struct Doubts {
  NumberRuns ours;
  NumberRuns theirs;
  NumberRuns arriving;  // of theirs: in rows of base that they changed
  // Of ours, where it has another row, or may have: no strategy does to that what theirs did to base's.
  NumberRuns strangers;
  std::vector<std::string> key_columns;
};

// What two rows are that both sides have under one number and base has not.
enum class Meeting : std::uint8_t {
  kTwoRows,  // as far as anybody has noted
  kOneRow,   // it came to one of the sides otherwise than by being inserted there
  kUnknown,  // cannot be told
};

// Of one table.
struct Brought {
  struct Run {
    version::MovedRun run;
    version::ReadPoint commit;  // of the open transaction: what it stands on
    bool in_ours = false;
    bool in_theirs = false;
    bool pending = false;  // of the open transaction
  };
  std::vector<Run> runs;
  // By the number in theirs: what is none of two rows, and what has another number in ours.
  std::unordered_map<std::int64_t, Meeting> meetings;
  std::unordered_map<std::int64_t, std::int64_t> elsewhere;
  // Numbers that are other rows in base, ours or theirs, and what is done instead of what theirs did under
  // them: a row of base has the number that ours gives it. What is `told` of these is in no doubt any more.
  std::set<std::int64_t> taken_apart;
  std::vector<RowPair> instead;
  std::set<std::int64_t> told;
  // The same of rows that are known by keys, as JSON, of which a part followed: those that base has, or
  // theirs has for them, and those that ours has.
  std::set<std::string> followed;
  std::set<std::string> told_keys;
  // Of a REVERT or CHERRY PICK: under which theirs has another row than base.
  std::set<std::int64_t> replaced;

  bool says_something() const {
    return !meetings.empty() || !elsewhere.empty() || !taken_apart.empty() || !followed.empty();
  }
  Meeting meeting(std::int64_t number) const {
    const auto found = meetings.find(number);
    return found == meetings.end() ? Meeting::kTwoRows : found->second;
  }
};

// What is to be noted of a table, as MovedFrom has it.
struct MovedNotes {
  NumberRuns from_merged;
  NumberRuns from_parent;
  // By the number there the one here; of a merge those that a decision kept or brought back.
  std::map<std::int64_t, std::int64_t> brought = {};
  // The same of what a merge gave another number: of what it merged, and of its parent.
  std::map<std::int64_t, std::int64_t> went = {};
  std::map<std::int64_t, std::int64_t> went_from_parent = {};
  bool all_brought = false;
};

struct MergeContext {
  ConnectionState& connection;
  diff::TextEncoding encoding = diff::TextEncoding::kUtf8;
  merge::Preference preference = merge::Preference::kNone;
  bool renumber = false;
  // Of a REVERT or CHERRY PICK: theirs is not contained in what is made, and what comes from it is brought.
  bool only_changes = false;
  // Each of them counts rows by itself, and they have to mean the same rows by their numbers.
  bool several_bases = false;
  // Of the transaction, before the merge began.
  OwnChanges own_changes = {};
  // Null: nothing was decided about it.
  std::function<const Resolution*(const Conflict&)> resolution = {};
  // Rows to which nothing is done, and those to which something else is than what follows from the base.
  std::set<RowName> left_alone = {};
  std::map<RowName, RebasedRow> rebased = {};
  // By table and by their numbers in theirs: rows about which it was decided that they stay under the number
  // that ours gives them; by those in ours: that they go to the one that theirs gives them.
  std::map<std::string, NewNumbers> stay_as_ours = {};
  std::map<std::string, NewNumbers> go_to_theirs = {};
  // By table: what is done to its rows instead of what follows from the base.
  std::map<std::string, ContentChanges> by_content = {};
  // Which of several bases the schema is counted from; null: from the one that rows are counted from, since
  // there is no other, or theirs is the same.
  const SchemaBases* schema_bases = nullptr;
  // Commits since a base that make numbers doubtful, or say that they brought rows.
  std::vector<NotedMerge> noted_merges = {};
  // Whether rows of two versions are the same; null: nobody asks.
  RowIdentity* identity = nullptr;
  // What is which table and column in any version; null: each part asks for itself.
  ColumnLines* lines = nullptr;
  RowSide our_side = {};

  // What came of it.
  std::vector<Conflict> conflicts = {};
  std::deque<TableMergeCounts> tables = {};
  // Null: nobody wants to know. Else no row is decided about, and none gets another number.
  RowEffects* effects = nullptr;
  // Rows of ours that made room for others and cannot be put back, with the conflicts about them that nothing
  // was decided about.
  std::map<RowName, std::optional<Conflict>> not_put_back = {};
  std::map<std::string, TouchedRows> touched = {};  // by table: those that foreign keys are about
  // By table.
  std::map<std::string, NewKeys> new_keys = {};
  std::map<std::string, NewNumbers> moved_rowids = {};  // where nobody sees them
  std::map<std::string, Doubts> doubts = {};            // empty: nothing is in doubt
  std::map<std::string, Brought> brought = {};          // empty: nobody brought anything
  // By their keys in theirs as JSON: rows that base has not, and that ours had brought and deleted.
  std::map<std::string, std::set<std::string>> taken_away = {};
  std::map<std::string, MovedNotes> moved = {};

  TableMergeCounts& counts_of(const std::string& table) {
    const auto found = std::ranges::find(tables, table, &TableMergeCounts::table);
    return found != tables.end() ? *found : tables.emplace_back(TableMergeCounts{.table = table});
  }

  // For the merge to be done again.
  void forget_results() {
    conflicts.clear();
    tables.clear();
    not_put_back.clear();
    touched.clear();
    new_keys.clear();
    moved_rowids.clear();
    doubts.clear();
    brought.clear();
    taken_away.clear();
    moved.clear();
  }

  // Null: all that meets there are two rows.
  const Brought* find_brought(const std::string& table) const {
    const auto found = brought.find(table);
    return found == brought.end() || !found->second.says_something() ? nullptr : &found->second;
  }

  // Of a conflict that nothing was decided about; those go to `conflicts`.
  const Resolution* settle(TableMergeCounts& counts, Conflict conflict) {
    const Resolution* const found = resolution ? resolution(conflict) : nullptr;
    if (found != nullptr) return found;
    ++counts.conflicts;
    conflicts.push_back(std::move(conflict));
    return nullptr;
  }
};

}  // namespace dosql::engine
