#include "engine/doubtful_contents.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <functional>
#include <set>

#include "engine/column_lines.h"
#include "engine/connection_state.h"
#include "engine/content_merge.h"
#include "engine/doubtful_numbers.h"
#include "engine/merged_table.h"
#include "engine/own_statement.h"
#include "engine/row_identity.h"
#include "sql/lexer.h"
#include "version/moved_numbers.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;
using version::ReadPoint;

using Look = std::function<Result<bool>(std::int64_t rowid, std::span<const diff::Field> row)>;

// Until one looks right; whether one does. Of its columns all that are not generated.
Result<bool> any_row(ConnectionState& connection, const TableShape& table, const Look& look) {
  const std::string rowid = table.rowid_name();
  std::string text = rowid.empty() ? "0" : sql::quoted(rowid);
  for (const ColumnShape& column : table.columns) {
    if (column.generated == Generated::kNo) text += ", " + sql::quoted(column.name);
  }
  DOSQL_ASSIGN_OR_RETURN(OwnStatement rows,
                         OwnStatement::prepare(connection, fmt::format("SELECT {} FROM main.{}", text,
                                                                       sql::quoted(table.name))));
  std::vector<diff::Field> row(static_cast<std::size_t>(rows.columns()) - 1);
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = rows.value(static_cast<int>(i) + 1);
    DOSQL_ASSIGN_OR_RETURN(const bool found, look(rows.integer(0), row));
    if (found) return true;
  }
  return rc == SQLITE_DONE ? Result<bool>(false) : Result<bool>(connection.error(rc));
}

// What ours calls a table of a commit.
std::string name_in_ours(const TablePairs& pairs, const std::string& table) {
  const auto pair = std::ranges::find_if(pairs.pairs, [&](const TablePair& one) {
    return one.before != nullptr && one.after != nullptr && equals_ignoring_case(one.before->name, table);
  });
  return pair == pairs.pairs.end() ? table : pair->after->name;
}

MergedTable table_of(const TableShape& shape) {
  MergedTable table;
  table.name = shape.name;
  for (const ColumnShape& column : shape.columns) table.columns.push_back({.name = column.name});
  table.rowid_column = static_cast<std::uint32_t>(*shape.rowid_column);
  table.rowid_name = shape.columns[*shape.rowid_column].name;
  return table;
}

}  // namespace

// --- Which columns refer to which numbers ---

Status DoubtfulContents::read() {
  if (is_read_) return {};
  is_read_ = true;
  DOSQL_RETURN_IF_ERROR(keys_.read(connection_));
  DOSQL_ASSIGN_OR_RETURN(schema_, connection_.schemas().of(connection_.file().point()));
  return read_notes();
}

Status DoubtfulContents::read_notes() {
  for (const NotedMerge& noted : context_.noted_merges) {
    DOSQL_ASSIGN_OR_RETURN(const TablePairs pairs,
                           context_.lines->pair_tables(noted.moved.commit, connection_.file().point()));
    for (const version::MovedRun& run : noted.moved.runs) {
      const bool is_brought = run.from == version::kBrought;
      // It has the number that it had.
      if (is_brought && run.now == run.first && run.source != version::kLostSource) continue;
      const std::string name = run.table.empty() ? "" : name_in_ours(pairs, run.table);
      for (const TableShape& table : schema_->tables) {
        if (!name.empty() && !equals_ignoring_case(table.name, name)) continue;
        for (auto* const runs : {&moved_, &in_ours_, &in_theirs_}) {
          if ((runs == &in_theirs_ && noted.in_ours) || (runs == &in_ours_ && noted.in_theirs)) continue;
          (*runs)[table.name].add(run.first, run.last);
          if (is_brought) (*runs)[table.name].add(run.now, version::number_here(run, run.last));
        }
      }
    }
  }
  return {};
}

// A number that is a reference itself is that of the row to which it refers, too; `depth` references are
// left.
void DoubtfulContents::add_parents(const std::string& table, const std::string& name, std::size_t column,
                                   std::size_t depth, References& found) const {
  for (const ForeignKey* const key : keys_.from(table)) {
    const TableShape* const parent = depth == 0 ? nullptr : schema_->find(key->parent);
    for (std::size_t i = 0; parent != nullptr && i < key->child_columns.size(); ++i) {
      if (!equals_ignoring_case(key->child_columns[i], name)) continue;
      const std::string& meant = key->parent_columns[i];
      const bool is_number =
          parent->rowid_column && equals_ignoring_case(parent->columns[*parent->rowid_column].name, meant);
      if (is_number) found.push_back({column, parent});
      add_parents(parent->name, meant, column, depth - 1, found);
    }
  }
}

DoubtfulContents::References DoubtfulContents::references_of(const std::string& table) const {
  References found;
  const TableShape* const shape = schema_->find(table);
  if (shape == nullptr) return found;
  std::size_t column = 0;
  for (const ColumnShape& one : shape->columns) {
    if (one.generated != Generated::kNo) continue;
    add_parents(table, one.name, column++, keys_.all().size(), found);
  }
  return found;
}

bool DoubtfulContents::is_noted(const References& references) const {
  return std::ranges::any_of(references,
                             [&](const Reference& one) { return moved_.contains(one.parent->name); });
}

// --- Which numbers are in doubt ---

Result<bool> DoubtfulContents::refers_to_doubtful(const References& references,
                                                  std::span<const diff::Field> row) {
  for (const Reference& reference : references) {
    const auto moved = moved_.find(reference.parent->name);
    if (moved == moved_.end()) continue;
    const auto number = number_meant(row[reference.column], schema_->encoding);
    if (!number || !moved->second.contains(*number)) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool clear, is_clear(*reference.parent, *number));
    if (!clear) return true;
  }
  return false;
}

Result<bool> DoubtfulContents::is_clear(const TableShape& parent, std::int64_t number) {
  // What the transaction has changed itself is in no version.
  if (context_.own_changes.may_touch(parent.name)) return false;
  const std::pair name(&parent, number);
  const auto known = clear_.find(name);
  if (known != clear_.end()) return known->second;
  DOSQL_ASSIGN_OR_RETURN(const bool found, find_clear(parent, number));
  clear_.emplace(name, found);
  return found;
}

Result<bool> DoubtfulContents::find_clear(const TableShape& parent, std::int64_t number) {
  const MergedTable table = table_of(parent);
  const RowAddress row{.rowid = number};
  RowIdentity& identity = *context_.identity;
  const auto find = [&](const ReadPoint& version) { return identity.rows().find(version, table, row); };
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found ours, find(context_.our_side.point));
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found theirs, find(what_.theirs));
  if (!ours.row || !theirs.known) return false;
  SameRow same = SameRow::kYes;
  if (theirs.row) {
    DOSQL_ASSIGN_OR_RETURN(same, identity.compare(table, row, what_.theirs, row, context_.our_side));
  }
  for (const ReadPoint& base : what_.bases) {
    if (same != SameRow::kYes) return false;
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, find(base));
    // What neither base nor theirs has may be there under another number.
    if (!in_base.known || (!in_base.row && !theirs.row)) return false;
    if (!in_base.row) continue;
    DOSQL_ASSIGN_OR_RETURN(same, identity.compare(table, row, base, row, context_.our_side));
  }
  return same == SameRow::kYes;
}

// Whether theirs does not put another row there.
Result<bool> DoubtfulContents::stays_there(const TableShape& parent, std::int64_t number) {
  const auto moved = moved_.find(parent.name);
  if (moved == moved_.end() || !moved->second.contains(number)) return true;
  const MergedTable table = table_of(parent);
  const RowAddress row{.rowid = number};
  RowIdentity& identity = *context_.identity;
  DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found theirs, identity.rows().find(what_.theirs, table, row));
  if (!theirs.known) return false;
  if (!theirs.row) return true;
  for (const ReadPoint& base : what_.bases) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, identity.rows().find(base, table, row));
    if (!in_base.known) return false;
    if (!in_base.row) continue;
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, identity.compare(table, row, base, row, {what_.theirs}));
    if (same != SameRow::kYes) return false;
  }
  return true;
}

Result<bool> DoubtfulContents::may_be_two(const std::string& table, std::span<const RowCopy> rows) {
  DOSQL_RETURN_IF_ERROR(read());
  for (const Reference& reference : references_of(table)) {
    for (const RowCopy& row : rows) {
      const auto number = number_meant(row.values()[reference.column], schema_->encoding);
      if (!number) continue;
      DOSQL_ASSIGN_OR_RETURN(const bool clear, is_clear(*reference.parent, *number));
      if (!clear) return true;
    }
  }
  return false;
}

// --- Tables ---

Result<bool> DoubtfulContents::in_doubt(const std::string& table) {
  if (context_.noted_merges.empty()) return false;
  DOSQL_RETURN_IF_ERROR(read());
  const References references = references_of(table);
  if (!is_noted(references)) return false;
  return in_doubt(table, references);
}

Result<bool> DoubtfulContents::in_doubt(const std::string& table, const References& references) {
  ContentMerge contents(connection_, connection_.schemas(), table);
  DOSQL_ASSIGN_OR_RETURN(const bool has_hidden_rowids, contents.has_hidden_rowids());
  if (!has_hidden_rowids) return false;
  DOSQL_ASSIGN_OR_RETURN(const TablePairs sides,
                         context_.lines->pair_tables(what_.theirs, connection_.file().point()));
  const TablePair* const pair = sides.find(table);
  // What it did to rows is not looked for under another name.
  if (pair != nullptr && pair->renamed()) return ours_refers_so(table, references);
  if (what_.bases.size() > 1) return in_doubt_of_several(table, contents, references);
  const ReadPoint& base = what_.bases[0];
  DOSQL_ASSIGN_OR_RETURN(const std::optional<Changes> theirs,
                         changes_since(contents, base, what_.theirs, references));
  if (!theirs) return ours_refers_so(table, references);
  DOSQL_ASSIGN_OR_RETURN(const bool only_adds, only_adds_others(base, table, references, *theirs));
  if (only_adds) return false;
  // Else what ours has of base becomes as theirs has it, numbers and all, and these are no others here.
  DOSQL_ASSIGN_OR_RETURN(const bool only_theirs, only_theirs_gave_numbers(base, references));
  if (!only_theirs) return true;
  DOSQL_ASSIGN_OR_RETURN(const std::optional<Changes> ours,
                         changes_since(contents, base, context_.our_side.point, references));
  if (!ours || ours->touched) return true;
  return std::ranges::any_of(ours->came, [&](const std::string& content) {
    return std::ranges::find(theirs->came, content) != theirs->came.end();
  });
}

// What is counted from several versions has to mean the same in all of them.
Result<bool> DoubtfulContents::in_doubt_of_several(const std::string& table, ContentMerge& contents,
                                                   const References& references) {
  DOSQL_ASSIGN_OR_RETURN(const bool refers, ours_refers_so(table, references));
  if (refers) return true;
  for (const ReadPoint& base : what_.bases) {
    for (const ReadPoint& side : {what_.theirs, context_.our_side.point}) {
      DOSQL_ASSIGN_OR_RETURN(const std::optional<Changes> changes,
                             changes_since(contents, base, side, references));
      if (changes && (changes->touched || !changes->came.empty())) return true;
    }
  }
  return false;
}

// Whether theirs did no more to rows that refer to such numbers than add some, other ones than ours has:
// these come, and follow, whatever the others are.
Result<bool> DoubtfulContents::only_adds_others(const ReadPoint& base, const std::string& table,
                                                const References& references, const Changes& theirs) {
  if (theirs.touched) return false;
  DOSQL_ASSIGN_OR_RETURN(const bool hides, hides_another(base, table, references, theirs));
  if (hides) return false;
  DOSQL_ASSIGN_OR_RETURN(const bool has_one, ours_has_one(table, theirs.came));
  return !has_one;
}

Result<std::optional<DoubtfulContents::Changes>> DoubtfulContents::changes_since(
    ContentMerge& contents, const ReadPoint& base, const ReadPoint& side, const References& references) {
  Changes found;
  const auto look = [&](const merge::KeyedChange& change) -> Status {
    if (change.in_base) {
      found.rowids.push_back(change.rowid_base);
      DOSQL_ASSIGN_OR_RETURN(const bool before, refers_to_doubtful(references, change.base));
      found.touched = found.touched || before;
    }
    if (!change.in_theirs) return {};
    DOSQL_ASSIGN_OR_RETURN(const bool now, refers_to_doubtful(references, change.theirs));
    if (!now) return {};
    found.came.push_back(content_of(change.theirs));
    found.touched = found.touched || change.in_base;
    return {};
  };
  DOSQL_ASSIGN_OR_RETURN(const bool fits, contents.for_each_change(base, side, look));
  if (!fits) return std::optional<Changes>();
  std::ranges::sort(found.rowids);
  return std::optional(std::move(found));
}

// Whether all such numbers are in ours what they are in base.
Result<bool> DoubtfulContents::only_theirs_gave_numbers(const ReadPoint& base, const References& references) {
  // What the transaction has changed itself is in no version.
  if (!context_.own_changes.empty()) return false;
  for (const Reference& reference : references) {
    const std::string& parent = reference.parent->name;
    const auto moved = moved_.find(parent);
    if (moved == moved_.end()) continue;
    if (in_ours_.contains(parent)) return false;
    ContentMerge rows(connection_, connection_.schemas(), parent);
    bool changed = false;
    const auto look = [&](const merge::KeyedChange& change) -> Status {
      changed = changed || moved->second.contains(change.in_base ? change.rowid_base : change.rowid_theirs);
      return {};
    };
    DOSQL_ASSIGN_OR_RETURN(const bool fits, rows.for_each_change(base, context_.our_side.point, look));
    if (!fits || changed) return false;
  }
  return true;
}

Result<bool> DoubtfulContents::cannot_stay(const std::string& table) {
  const References references = references_of(table);
  return any_row(connection_, *schema_->find(table),
                 [&](std::int64_t, std::span<const diff::Field> row) -> Result<bool> {
                   for (const Reference& reference : references) {
                     const auto number = number_meant(row[reference.column], schema_->encoding);
                     if (!number) continue;
                     DOSQL_ASSIGN_OR_RETURN(const bool stays, stays_there(*reference.parent, *number));
                     if (!stays) return true;
                   }
                   return false;
                 });
}

Result<bool> DoubtfulContents::ours_refers_so(const std::string& table, const References& references) {
  return any_row(connection_, *schema_->find(table), [&](std::int64_t, std::span<const diff::Field> row) {
    return refers_to_doubtful(references, row);
  });
}

Result<bool> DoubtfulContents::ours_has_one(const std::string& table,
                                            const std::vector<std::string>& contents) {
  if (contents.empty()) return false;
  const std::set<std::string> wanted(contents.begin(), contents.end());
  return any_row(connection_, *schema_->find(table),
                 [&](std::int64_t, std::span<const diff::Field> row) -> Result<bool> {
                   return wanted.contains(content_of(row));
                 });
}

Result<bool> DoubtfulContents::hides_another(const ReadPoint& base, const std::string& table,
                                             const References& references, const Changes& changes) {
  const auto moved = in_theirs_.find(table);
  if (moved == in_theirs_.end()) return false;
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection_.schemas().of(base));
  const TableShape* const shape = schema->find(table);
  if (shape == nullptr) return false;
  DOSQL_ASSIGN_OR_RETURN(const auto in_base, ConnectionState::open(connection_.core(), base));
  return any_row(*in_base, *shape, [&](std::int64_t rowid, std::span<const diff::Field> row) -> Result<bool> {
    if (!moved->second.contains(rowid) || std::ranges::binary_search(changes.rowids, rowid)) return false;
    return refers_to_doubtful(references, row);
  });
}

}  // namespace dosql::engine
