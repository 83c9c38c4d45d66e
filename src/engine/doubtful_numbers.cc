#include "engine/doubtful_numbers.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/brought_rows.h"
#include "engine/column_lines.h"
#include "engine/connection_state.h"
#include "engine/moved_base_rows.h"
#include "engine/own_statement.h"
#include "engine/rebased_changes.h"
#include "engine/strangers.h"
#include "engine/table_pairing.h"
#include "engine/taken_away.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;

// What base calls a table of a commit. One that base does not know may be there under the same name.
std::string name_in_base(const TablePairs& pairs, const std::string& table) {
  for (const TablePair& pair : pairs.pairs) {
    if (pair.before != nullptr && pair.after != nullptr && equals_ignoring_case(pair.before->name, table))
      return pair.after->name;
  }
  return table;
}

class DoubtfulNumbers {
 public:
  DoubtfulNumbers(MergeContext& context, const MergedSchema& merged) : context_(context), merged_(merged) {}

  void add(const NotedMerge& noted, const TablePairs& pairs) {
    for (const version::MovedRun& run : noted.moved.runs) {
      const std::string name = run.table.empty() ? "" : name_in_base(pairs, run.table);
      for (const TableTask& task : merged_.tables) add_to(noted, run, name, task.base, task.merged.name);
      for (const VirtualTask& task : merged_.virtual_tables) add_to(noted, run, name, task.base, task.name);
    }
  }

 private:
  // `name`: in base; empty: every table is meant.
  void add_to(const NotedMerge& noted, const version::MovedRun& run, const std::string& name,
              const TableShape* base, const std::string& merged) {
    // What base has no rows of is in doubt for later merges only: a table that comes back, for example.
    const std::string& known_as = base != nullptr ? base->name : merged;
    if (!name.empty() && !equals_ignoring_case(known_as, name)) return;
    if (run.from == version::kBrought) {
      context_.brought[merged].runs.push_back(
          {run, noted.moved.commit, noted.in_ours, noted.in_theirs, noted.pending});
      return;
    }
    Doubts& doubts = context_.doubts[merged];
    if (noted.in_ours) doubts.ours.add(run.first, run.last);
    if (noted.in_theirs) doubts.theirs.add(run.first, run.last);
  }

  MergeContext& context_;
  const MergedSchema& merged_;
};

void add_key_columns(const MergedTable& table, Doubts& doubts) {
  if (table.rowid_column) doubts.key_columns.push_back(table.columns[*table.rowid_column].name);
  for (const MergedTable::Key& part : table.key)
    doubts.key_columns.push_back(table.columns[part.column].name);
}

// A number under which base has one row and theirs another one, as far as can be told.
Status find_arriving(const MergeContext& context, VersionPair& theirs, const TableTask& task,
                     Doubts& doubts) {
  if (doubts.theirs.empty()) return {};
  DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, task.merged));
  RebasedChanges changes(context, task.merged, std::move(all));
  merge::KeyedChange change;
  const auto add = [&](std::int64_t number) {
    if (doubts.theirs.contains(number)) doubts.arriving.add(number);
  };
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
    if (!found) return {};
    if (!change.in_base || !change.in_theirs || changes.is_instead()) continue;
    if (!task.merged.has_key(change.base)) add(change.rowid_base);
    for (const MergedTable::Key& part : task.merged.key) {
      const diff::Field& value = change.base[part.column];
      if (value.type == diff::FieldType::kInteger) add(value.integer);
    }
  }
}

// The table under the names that base has for it and its columns; none: base does not have what its rows are
// known by.
std::optional<MergedTable> table_in_base(const TableTask& task) {
  if (task.base == nullptr) return std::nullopt;
  MergedTable table = task.merged;
  table.name = task.base->name;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const diff::StoredColumn& stored = task.merged.changes.base[i];
    const auto column = std::ranges::find_if(task.base->columns, [&](const ColumnShape& one) {
      return (stored.place || stored.is_rowid) && one.stored.place == stored.place &&
             one.stored.is_rowid == stored.is_rowid;
    });
    table.columns[i].name = column == task.base->columns.end() ? "" : column->name;
  }
  const auto is_missing = [&](const MergedTable::Key& part) {
    return table.columns[part.column].name.empty();
  };
  if (std::ranges::any_of(table.key, is_missing)) return std::nullopt;
  if (task.base->kind == TableKind::kWithoutRowid) return table;
  table.rowid_name = task.base->rowid_name();
  if (table.rowid_name.empty()) return std::nullopt;
  return table;
}

// Rows of one table of ours that refer to numbers in doubt.
class ReferencesOfTable {
 public:
  ReferencesOfTable(MergeContext& context, const TableTask& task, ConnectionState& base)
      : context_(context), task_(task), in_base_(table_in_base(task)), base_(base) {}

  Status find(const ForeignKey& key, const std::vector<const NumberRuns*>& runs,
              std::vector<DoubtfulReference>& found) {
    std::vector<std::uint32_t> columns;
    for (const std::string& name : key.child_columns) {
      const auto column = std::ranges::find_if(task_.merged.columns, [&](const MergedColumn& one) {
        return equals_ignoring_case(one.name, name);
      });
      if (column == task_.merged.columns.end()) return {};
      columns.push_back(static_cast<std::uint32_t>(column - task_.merged.columns.begin()));
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (runs[i] != nullptr) DOSQL_RETURN_IF_ERROR(find(key, columns, columns[i], *runs[i], found));
    }
    return {};
  }

 private:
  Status find(const ForeignKey& key, const std::vector<std::uint32_t>& columns, std::uint32_t doubtful,
              const NumberRuns& runs, std::vector<DoubtfulReference>& found) {
    const MergedTable& table = task_.merged;
    std::string text = table.rowid_name.empty() ? "0" : sql::quoted(table.rowid_name);
    for (const MergedColumn& column : table.columns) text += ", " + sql::quoted(column.name);
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement rows,
        OwnStatement::prepare(context_.connection,
                              fmt::format("SELECT {} FROM main.{} WHERE {} BETWEEN ?1 AND ?2", text,
                                          sql::quoted(table.name), number_text(table.columns[doubtful]))));
    rows.bind(1, runs.lowest());
    rows.bind(2, runs.highest());
    std::vector<diff::Field> row(table.columns.size());
    int rc = SQLITE_OK;
    while ((rc = rows.step()) == SQLITE_ROW) {
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = rows.value(static_cast<int>(i) + 1);
      const auto number = number_meant(row[doubtful], context_.encoding);
      if (!number || !runs.contains(*number)) continue;
      const std::int64_t rowid = rows.integer(0);
      DOSQL_ASSIGN_OR_RETURN(const bool known, base_refers_so(row, rowid, columns));
      if (!known) found.push_back({&key, {RowCopy(row), rowid}});
    }
    return rc == SQLITE_DONE ? Status() : Status(context_.connection.error(rc));
  }

  // A column that makes no numbers of text is compared without its indexes.
  static std::string number_text(const MergedColumn& column) {
    const bool keeps_text = column.affinity == Affinity::kBlob || column.affinity == Affinity::kText;
    const std::string name = sql::quoted(column.name);
    return keeps_text ? fmt::format("CAST({} AS INTEGER)", name) : name;
  }

  Result<bool> base_refers_so(std::span<const diff::Field> row, std::int64_t rowid,
                              const std::vector<std::uint32_t>& columns) {
    if (!in_base_ || own_number_in_doubt(row, rowid)) return false;
    const bool has_no_key = !in_base_->has_key(row);
    const bool by_rowid = has_no_key && !in_base_->known_by_rowid();
    std::string text = in_base_->where_text("", by_rowid, 1);
    int parameter = 1 + static_cast<int>(has_no_key ? 1 : in_base_->key.size());
    for (const std::uint32_t column : columns) {
      if (in_base_->columns[column].name.empty()) return false;
      text += fmt::format(" AND {} IS ?{}", sql::quoted(in_base_->columns[column].name), parameter++);
    }
    DOSQL_ASSIGN_OR_RETURN(OwnStatement find,
                           OwnStatement::prepare(base_, fmt::format("SELECT 1 FROM main.{} WHERE {}",
                                                                    sql::quoted(in_base_->name), text)));
    parameter = bind_address(find, *in_base_,
                             {.key_of = has_no_key ? std::span<const diff::Field>() : row, .rowid = rowid},
                             context_.encoding, 1);
    for (const std::uint32_t column : columns) find.bind(parameter++, row[column], context_.encoding);
    const int rc = find.step();
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return base_.error(rc);
    return rc == SQLITE_ROW;
  }

  // What base has under the row's number need not be the row.
  bool own_number_in_doubt(std::span<const diff::Field> row, std::int64_t rowid) const {
    const auto doubts = context_.doubts.find(task_.merged.name);
    if (doubts == context_.doubts.end()) return false;
    if (!task_.merged.has_key(row)) return doubts->second.ours.contains(rowid);
    return std::ranges::any_of(task_.merged.key, [&](const MergedTable::Key& part) {
      const diff::Field& value = row[part.column];
      return value.type == diff::FieldType::kInteger && doubts->second.ours.contains(value.integer);
    });
  }

  MergeContext& context_;
  const TableTask& task_;
  const std::optional<MergedTable> in_base_;
  ConnectionState& base_;
};

// As SQLite gives a text to a column of numbers; none: it stays a text there.
std::optional<double> real_of_text(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Those that a number has exactly; beyond them SQLite finds no row by it either way.
std::optional<std::int64_t> integer_of(double value) {
  constexpr double kLimit = 9007199254740992.0;  // 2^53
  if (!(value >= -kLimit && value <= kLimit)) return std::nullopt;
  const auto integer = static_cast<std::int64_t>(value);
  return static_cast<double>(integer) == value ? std::optional(integer) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> number_meant(const diff::Field& reference, diff::TextEncoding encoding) {
  switch (reference.type) {
    case diff::FieldType::kInteger: return reference.integer;
    case diff::FieldType::kReal: return integer_of(reference.real);
    case diff::FieldType::kText: {
      const std::string text = diff::utf8_text(reference.bytes, encoding);
      std::int64_t integer = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
      if (error == std::errc() && end == text.data() + text.size()) return integer;
      const auto value = real_of_text(text);
      return value ? integer_of(*value) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

Result<std::vector<DoubtfulReference>> find_doubtful_references(MergeContext& context,
                                                                const MergeSource& source,
                                                                const ForeignKeys& keys,
                                                                const MergedSchema& merged) {
  std::vector<DoubtfulReference> found;
  if (context.doubts.empty()) return found;
  std::shared_ptr<ConnectionState> base;
  for (const TableTask& task : merged.tables) {
    for (const ForeignKey* const key : keys.from(task.merged.name)) {
      const std::vector<const NumberRuns*> runs = keys.doubtful(context, *key, &Doubts::arriving);
      if (runs.empty()) continue;
      if (!base) {
        DOSQL_ASSIGN_OR_RETURN(base, ConnectionState::open(context.connection.core(), source.base));
      }
      DOSQL_RETURN_IF_ERROR(ReferencesOfTable(context, task, *base).find(*key, runs, found));
    }
  }
  return found;
}

Status find_doubts(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                   const MergedSchema& merged, const ForeignKeys& keys) {
  version::VersionStore& store = context.connection.core().store();
  VersionSchemas schemas(context.connection.core());
  DoubtfulNumbers numbers(context, merged);
  for (const NotedMerge& noted : context.noted_merges) {
    ColumnLines lines(store, schemas, context.connection.db(), {noted.moved.commit, source.base});
    DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs, lines.pair_tables(noted.moved.commit, source.base));
    numbers.add(noted, pairs);
  }
  DOSQL_RETURN_IF_ERROR(find_moved_base_rows(context, source, theirs, merged));
  DOSQL_RETURN_IF_ERROR(find_brought(context, source, theirs, merged, keys));
  DOSQL_RETURN_IF_ERROR(find_taken_away(context, source, theirs, merged));
  DOSQL_RETURN_IF_ERROR(find_strangers(context, source, theirs, merged, keys));
  for (const TableTask& task : merged.tables) {
    const auto doubts = context.doubts.find(task.merged.name);
    if (doubts == context.doubts.end()) continue;
    add_key_columns(task.merged, doubts->second);
    DOSQL_RETURN_IF_ERROR(find_arriving(context, theirs, task, doubts->second));
  }
  return {};
}

void note_numbers(MergeContext& context) {
  for (const auto& [table, keys] : context.new_keys) {
    MovedNotes& notes = context.moved[table];
    const Brought* const brought = context.find_brought(table);
    for (const auto& [before, now] : keys.numbers) {
      notes.from_merged.add(before);
      if (brought != nullptr && brought->elsewhere.contains(before)) continue;
      // A row that is gone may have had it.
      notes.from_merged.add(now);
      notes.from_parent.add(now);
    }
  }
  for (const auto& [table, brought] : context.brought) {
    const bool says_something = !brought.elsewhere.empty() || !brought.replaced.empty();
    if (!says_something || context.by_content.contains(table)) continue;
    MovedNotes& notes = context.moved[table];
    for (const std::int64_t number : brought.replaced) notes.brought.emplace(number, number);
    for (const auto& [there, here] : brought.elsewhere) {
      notes.from_merged.add(there);
      notes.from_merged.add(here);
      if (brought.meeting(there) != Meeting::kUnknown)
        (context.only_changes ? notes.brought : notes.went)[there] = here;
    }
  }
  for (const auto& [table, numbers] : context.stay_as_ours) {
    MovedNotes& notes = context.moved[table];
    for (const auto& [there, here] : numbers) {
      for (const std::int64_t number : {there, here}) notes.from_merged.add(number);
      notes.went[there] = here;
    }
  }
  for (const auto& [table, numbers] : context.go_to_theirs) {
    MovedNotes& notes = context.moved[table];
    for (const auto& [before, now] : numbers) {
      for (const std::int64_t number : {before, now}) notes.from_parent.add(number);
      notes.went_from_parent[before] = now;
    }
  }
  for (const auto& [table, doubts] : context.doubts) {
    MovedNotes& notes = context.moved[table];
    notes.from_merged.add(doubts.ours);
    notes.from_parent.add(doubts.theirs);
  }
}

}  // namespace dosql::engine
