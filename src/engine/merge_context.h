// What the parts of one merge share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dosql/merge.h>

#include "diff/schema.h"
#include "engine/row_copy.h"
#include "merge/conflict.h"
#include "merge/row_merge.h"

namespace dosql::engine {

class ConnectionState;

// A row by its table and its key as JSON.
using RowName = std::pair<std::string, std::string>;

// What a merge does to a row: its new values as JSON, or "null".
struct RowEffect {
  std::string json;
  RowCopy row;  // by which it is found
  std::int64_t rowid = 0;
};
using RowEffects = std::map<RowName, RowEffect>;

// Values are JSON texts; "null" also stands for a row that is not there.
struct Conflict {
  merge::ConflictKind kind = merge::ConflictKind::kUpdateUpdate;
  std::string table;
  std::string key;  // the key's value, or an array of its values; of a schema conflict the object's name
  std::string base;
  std::string main;
  std::string branch;

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

struct MergeContext {
  ConnectionState& connection;
  diff::TextEncoding encoding = diff::TextEncoding::kUtf8;
  merge::Preference preference = merge::Preference::kNone;
  bool renumber = false;
  // The transaction had changed something before the merge began.
  bool has_own_changes = false;
  // Null: nothing was decided about it.
  std::function<const Resolution*(const Conflict&)> resolution = {};
  // Rows to which nothing is done, but what is said of some here: one effect after the other.
  std::set<RowName> left_alone = {};
  std::map<RowName, std::vector<RowEffect>> taken = {};

  // What came of it.
  std::vector<Conflict> conflicts = {};
  std::deque<TableMergeCounts> tables = {};
  RowEffects* effects = nullptr;  // null: nobody wants to know
  // By table.
  std::map<std::string, NewKeys> new_keys = {};
  std::map<std::string, NewNumbers> moved_rowids = {};  // where nobody sees them

  TableMergeCounts& counts_of(const std::string& table) {
    const auto found = std::ranges::find(tables, table, &TableMergeCounts::table);
    return found != tables.end() ? *found : tables.emplace_back(TableMergeCounts{.table = table});
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
