#include "engine/merge_changes.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "engine/column_lines.h"
#include "engine/connection_state.h"
#include "engine/content_merge.h"
#include "engine/doubtful_numbers.h"
#include "engine/foreign_key_merge.h"
#include "engine/own_statement.h"
#include "engine/rebased_changes.h"
#include "engine/schema_bases.h"
#include "engine/schema_merge.h"
#include "engine/schema_outcome.h"
#include "engine/table_merge.h"
#include "engine/table_statements.h"
#include "engine/temp_triggers.h"
#include "engine/version_pair.h"
#include "engine/virtual_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

// What happened on both sides already must not happen again.
class WithoutSideEffects {
 public:
  explicit WithoutSideEffects(sqlite3* db) : db_(db) {
    for (Setting& setting : settings_) {
      sqlite3_db_config(db_, setting.what, -1, &setting.before);
      sqlite3_db_config(db_, setting.what, 0, nullptr);
    }
  }
  ~WithoutSideEffects() {
    for (const Setting& setting : settings_) sqlite3_db_config(db_, setting.what, setting.before, nullptr);
  }
  WithoutSideEffects(const WithoutSideEffects&) = delete;
  WithoutSideEffects& operator=(const WithoutSideEffects&) = delete;

  bool enforced_foreign_keys() const { return settings_[0].before != 0; }

 private:
  struct Setting {
    int what;
    int before = 0;
  };
  sqlite3* const db_;
  Setting settings_[2] = {{SQLITE_DBCONFIG_ENABLE_FKEY}, {SQLITE_DBCONFIG_ENABLE_TRIGGER}};
};

// The schema of the version that the transaction stands on has to be the one that it sees.
Status refuse_changed_schema(ConnectionState& connection, const VersionSchema& schema) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(connection,
                            "SELECT type, name, ifnull(sql, '') FROM main.sqlite_schema ORDER BY rowid"));
  bool same = true;
  std::size_t count = 0;
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) {
    if (count < schema.entries.size()) {
      const diff::SchemaEntry& entry = schema.entries[count];
      same = same && entry.type == rows.text(0) && entry.name == rows.text(1) && entry.sql == rows.text(2);
    }
    ++count;
  }
  if (rc != SQLITE_DONE) return connection.error(rc);
  if (same && count == schema.entries.size()) return {};
  return Error(ErrorCode::kInvalidArgument,
               "a merge in a transaction that has changed the schema is not possible")
      .with_hint("COMMIT first");
}

class ChangeMerge {
 public:
  ChangeMerge(MergeContext& context, const MergeSource& source, ColumnLines& columns,
              TempTriggers& temp_triggers, const MergedVersions& versions, bool enforces_foreign_keys)
      : context_(context),
        source_(source),
        theirs_(*versions.bases[versions.row_base].theirs),
        ours_(*versions.bases[versions.row_base].ours->tables().after),
        schema_(context, columns, temp_triggers, versions),
        enforces_foreign_keys_(enforces_foreign_keys) {}

  Status run() {
    const bool changes_schema = schema_.they_changed_something();
    if (changes_schema) DOSQL_RETURN_IF_ERROR(foreign_keys_before_.read(context_.connection));
    DOSQL_ASSIGN_OR_RETURN(merged_, schema_.merge_tables());
    for (const TableTask& task : merged_.tables) DOSQL_RETURN_IF_ERROR(find_rebased(task.merged));
    DOSQL_RETURN_IF_ERROR(foreign_keys_.read(context_.connection));
    DOSQL_RETURN_IF_ERROR(find_doubts(context_, source_, theirs_, merged_, foreign_keys_));
    if (!changes_schema) foreign_keys_before_ = foreign_keys_;
    for (const TableTask& task : merged_.tables) {
      if (enforces_foreign_keys_) foreign_keys_.watch(context_, task.merged);
    }
    // First: what a row gets instead of its number must be none that the branch ever gave.
    DOSQL_RETURN_IF_ERROR(merge_counters());
    for (const TableTask& task : merged_.tables) DOSQL_RETURN_IF_ERROR(choose_new_keys(task));
    if (enforces_foreign_keys_) {
      DOSQL_ASSIGN_OR_RETURN(doubtful_references_,
                             find_doubtful_references(context_, source_, foreign_keys_, merged_));
    }
    for (const TableTask& task : merged_.tables) DOSQL_RETURN_IF_ERROR(merge_rows(task));
    if (enforces_foreign_keys_) DOSQL_RETURN_IF_ERROR(verify_foreign_keys());
    for (const VirtualTask& task : merged_.virtual_tables)
      DOSQL_RETURN_IF_ERROR(merge_virtual_table(context_, source_, theirs_, task));
    DOSQL_RETURN_IF_ERROR(rebuild_text_indexes(context_, theirs_, merged_.virtual_tables));
    note_numbers(context_);
    DOSQL_RETURN_IF_ERROR(schema_.merge_rest());
    return changes_schema ? tell_schema_changes(context_, ours_, schema_.our_names()) : Status();
  }

 private:
  Result<RebasedChanges> changes_of(const TableTask& task) {
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes, theirs_.changes(task.base, task.theirs, task.merged));
    return RebasedChanges(context_, task.merged, std::move(changes));
  }

  // Rows that are counted from what ours has. REQUIRES: they are ours yet.
  Status find_rebased(const MergedTable& table) {
    std::optional<TableStatements> statements;
    for (auto at = context_.rebased.lower_bound({table.name, ""});
         at != context_.rebased.end() && at->first.first == table.name; ++at) {
      if (!at->second.is_ours) continue;
      if (!statements) statements.emplace(context_.connection, table, context_.encoding);
      RowPair& change = at->second.change;
      DOSQL_ASSIGN_OR_RETURN(std::optional<FoundRow> ours, statements->find({.rowid = change.rowid_base}));
      if (ours && change.theirs) change.theirs = with_lacking(table, *change.theirs, ours->row);
      change.base.reset();
      if (ours) change.base = std::move(ours->row);
    }
    return {};
  }

  // In columns that theirs does not have a row of theirs has what ours has.
  static RowCopy with_lacking(const MergedTable& table, const RowCopy& theirs, const RowCopy& ours) {
    std::vector<diff::Field> row(theirs.values().begin(), theirs.values().end());
    for (const std::uint32_t column : table.changes.theirs_lacks) row[column] = ours.values()[column];
    return RowCopy(row);
  }

  Status verify_foreign_keys() {
    std::vector<VerifiedTable> tables;
    for (const TableTask& task : merged_.tables) {
      const bool is_new = ours_.find(task.merged.name) == nullptr;
      tables.push_back({.table = task.merged,
                        .is_new = is_new,
                        .replaced = !is_new && task.base == nullptr,
                        .changes = [&] { return changes_of(task); }});
    }
    return engine::verify_foreign_keys(context_, foreign_keys_before_, foreign_keys_, tables,
                                       doubtful_references_);
  }

  Status choose_new_keys(const TableTask& task) {
    // One that is a reference follows what it refers to.
    if (!task.merged.rowid_column || foreign_keys_.number_is_reference(task.merged)) return {};
    NewNumbers numbers;
    if (const Brought* const brought = context_.find_brought(task.merged.name))
      numbers.insert(brought->elsewhere.begin(), brought->elsewhere.end());
    if ((context_.renumber || task.merged.autoincrement) && context_.effects == nullptr) {
      DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, changes_of(task));
      DOSQL_ASSIGN_OR_RETURN(NewNumbers chosen,
                             TableMerge::choose_new_numbers(context_, task.merged, changes,
                                                            [&] { return highest_given(task); }));
      numbers.merge(chosen);
    }
    const std::string& column = task.merged.columns[*task.merged.rowid_column].name;
    if (!numbers.empty()) context_.new_keys[task.merged.name] = {column, std::move(numbers)};
    return {};
  }

  // The highest number that the table has given in base or theirs; at least 0.
  Result<std::int64_t> highest_given(const TableTask& task) {
    DOSQL_ASSIGN_OR_RETURN(const std::int64_t in_base, highest_given(task.base, source_.base));
    DOSQL_ASSIGN_OR_RETURN(const std::int64_t in_theirs, highest_given(task.theirs, source_.theirs));
    return std::max(in_base, in_theirs);
  }

  // `table`: null if the version has none.
  Result<std::int64_t> highest_given(const TableShape* table, const version::ReadPoint& at) {
    if (table == nullptr || !table->rowid_column) return 0;
    DOSQL_ASSIGN_OR_RETURN(const auto version, ConnectionState::open(context_.connection.core(), at));
    std::string text =
        fmt::format("ifnull((SELECT max({}) FROM main.{}), 0)",
                    sql::quoted(table->columns[*table->rowid_column].name), sql::quoted(table->name));
    if (table->autoincrement) {
      text += ", ifnull((SELECT max(CAST(seq AS INT)) FROM main.sqlite_sequence WHERE name = ?1), 0)";
    }
    DOSQL_ASSIGN_OR_RETURN(OwnStatement highest,
                           OwnStatement::prepare(*version, fmt::format("SELECT max(0, {})", text)));
    if (table->autoincrement) highest.bind(1, std::string_view(table->name));
    if (const int rc = highest.step(); rc != SQLITE_ROW) return version->error(rc);
    return highest.integer(0);
  }

  Status merge_rows(const TableTask& task) {
    const std::vector<NumberReference> references = foreign_keys_.renumbered(context_, task.merged);
    const auto counted = context_.by_content.find(task.merged.name);
    if (counted != context_.by_content.end())
      return apply_contents(context_, task.merged, counted->second, references);
    DOSQL_ASSIGN_OR_RETURN(const bool mergeable, rows_are_known(task));
    if (!mergeable) return refuse_rows(task);
    TableMergeCounts& counts = context_.counts_of(task.merged.name);
    DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, changes_of(task));
    TableMerge rows(context_, task.merged, counts, references);
    return rows.run([&](merge::KeyedChange& change) { return changes.next(change); });
  }

  // A row of base is found by its rowid, if nothing else, and that may be hidden by columns of all its names.
  Result<bool> rows_are_known(const TableTask& task) {
    const MergedTable& table = task.merged;
    const TableShape* const shape = task.theirs != nullptr ? task.theirs : task.base;
    const bool hides_rowid = table.rowid_name.empty() && shape->kind == TableKind::kRowid;
    if (!hides_rowid) return true;
    DOSQL_ASSIGN_OR_RETURN(RebasedChanges changes, changes_of(task));
    merge::KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return true;
      if (change.in_base && !table.has_key(change.base)) return false;
    }
  }

  Status refuse_rows(const TableTask& task) {
    if (context_.preference == merge::Preference::kOurs) return {};
    const std::string& name = task.merged.name;
    const std::string json = json_string(name);
    const Resolution* const resolution =
        context_.settle(context_.counts_of(name), {.kind = merge::ConflictKind::kSchema,
                                                   .table = name,
                                                   .key = json,
                                                   .base = json,
                                                   .main = json,
                                                   .branch = json});
    if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("rows of {} cannot be merged, only main's can stay: they have no key, and columns "
                    "called rowid, _rowid_ and oid hide their rowid",
                    name));
  }

  // The highest numbers that AUTOINCREMENT has given out.
  Status merge_counters() {
    constexpr const char* kCounters = "sqlite_sequence";
    const TableShape* const theirs = theirs_.tables().after->find(kCounters);
    const bool counts =
        std::ranges::any_of(merged_.tables, [](const TableTask& task) { return task.merged.autoincrement; });
    if (theirs == nullptr || !counts) return {};
    MergedTable table;
    table.name = kCounters;
    table.columns = {{.name = "name"}, {.name = "seq"}};
    table.changes = {.base = theirs->stored_columns(), .theirs = theirs->stored_columns()};
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges changes,
                           theirs_.changes(theirs_.tables().before->find(kCounters), theirs, table));
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement raise,
        OwnStatement::prepare(context_.connection,
                              "UPDATE main.sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1"));
    DOSQL_ASSIGN_OR_RETURN(
        OwnStatement add,
        OwnStatement::prepare(context_.connection,
                              "INSERT INTO main.sqlite_sequence(name, seq) SELECT ?1, ?2 WHERE NOT EXISTS "
                              "(SELECT 1 FROM main.sqlite_sequence WHERE name = ?1)"));
    merge::KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) return {};
      if (!change.in_theirs) continue;
      const std::string name = diff::utf8_text(change.theirs[0].bytes, context_.encoding);
      const auto task = std::ranges::find_if(merged_.tables, [&](const TableTask& one) {
        return one.theirs != nullptr && sql::equals_ignoring_case(one.theirs->name, name);
      });
      if (task == merged_.tables.end() || !task->merged.autoincrement) continue;
      for (OwnStatement* const statement : {&raise, &add}) {
        statement->bind(1, std::string_view(task->merged.name));
        statement->bind(2, change.theirs[1], context_.encoding);
        if (const int rc = statement->run(); rc != SQLITE_DONE) return context_.connection.error(rc);
      }
    }
  }

  MergeContext& context_;
  const MergeSource& source_;
  VersionPair& theirs_;
  const VersionSchema& ours_;
  SchemaMerge schema_;
  const bool enforces_foreign_keys_;
  MergedSchema merged_;
  ForeignKeys foreign_keys_before_;
  ForeignKeys foreign_keys_;
  std::vector<DoubtfulReference> doubtful_references_;
};

// The bases, each beside both sides.
class AllVersions {
 public:
  AllVersions(MergeContext& context, const MergeSource& source)
      : connection_(context.connection),
        bases_(context.schema_bases != nullptr ? context.schema_bases->points() : std::vector{source.base}),
        theirs_(source.theirs),
        own_columns_(connection_.core().store(), connection_.schemas(), connection_.db(), all_points()),
        columns_(context.lines != nullptr ? *context.lines : own_columns_) {
    merged_.row_base = static_cast<std::size_t>(std::ranges::find(bases_, source.base) - bases_.begin());
  }

  Status open() {
    for (const version::ReadPoint& base : bases_) {
      BasePairs pairs;
      DOSQL_ASSIGN_OR_RETURN(pairs.ours, pair(base, connection_.file().point()));
      DOSQL_ASSIGN_OR_RETURN(pairs.theirs, pair(base, theirs_));
      merged_.bases.push_back(pairs);
    }
    return {};
  }

  const MergedVersions& merged() const { return merged_; }
  ColumnLines& columns() { return columns_; }

 private:
  std::vector<version::ReadPoint> all_points() const {
    std::vector<version::ReadPoint> all = bases_;
    all.push_back(theirs_);
    all.push_back(connection_.file().point());
    return all;
  }

  Result<VersionPair*> pair(const version::ReadPoint& base, const version::ReadPoint& side) {
    DOSQL_ASSIGN_OR_RETURN(TablePairs tables, columns_.pair_tables(base, side));
    DOSQL_ASSIGN_OR_RETURN(
        pairs_.emplace_back(),
        VersionPair::make(connection_.core().store(), connection_.db(), std::move(tables), base, side));
    return pairs_.back().get();
  }

  ConnectionState& connection_;
  const std::vector<version::ReadPoint> bases_;
  const version::ReadPoint theirs_;
  ColumnLines own_columns_;
  ColumnLines& columns_;
  std::vector<std::unique_ptr<VersionPair>> pairs_;
  MergedVersions merged_;
};

}  // namespace

Status merge_changes(MergeContext& context, const MergeSource& source) {
  ConnectionState& connection = context.connection;
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  AllVersions versions(context, source);
  DOSQL_RETURN_IF_ERROR(versions.open());
  const VersionSchema& our_schema = *versions.merged().bases[0].ours->tables().after;
  const VersionSchema& their_schema = *versions.merged().bases[0].theirs->tables().after;
  DOSQL_RETURN_IF_ERROR(refuse_changed_schema(connection, our_schema));
  const bool both_have_tables = !our_schema.entries.empty() && !their_schema.entries.empty();
  if (both_have_tables && our_schema.encoding != their_schema.encoding)
    return Error(ErrorCode::kInvalidArgument, "the two branches encode text differently");
  context.encoding = their_schema.encoding;
  const WithoutSideEffects quiet(connection.db());
  TempTriggers temp_triggers(connection);
  DOSQL_RETURN_IF_ERROR(temp_triggers.drop());
  ChangeMerge merge(context, source, versions.columns(), temp_triggers, versions.merged(),
                    quiet.enforced_foreign_keys());
  DOSQL_RETURN_IF_ERROR(merge.run());
  DOSQL_RETURN_IF_ERROR(temp_triggers.create());
  std::erase_if(context.tables, [](const TableMergeCounts& counts) {
    return counts.inserted + counts.updated + counts.deleted + counts.conflicts == 0 && counts.schema.empty();
  });
  return {};
}

}  // namespace dosql::engine
