// Brings the changes of the schema into the version that is merged into, and says which of its tables is
// which of theirs.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/column_lines.h"
#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "engine/renamed_schema.h"
#include "engine/table_pairing.h"
#include "engine/table_shape.h"
#include "engine/temp_triggers.h"
#include "engine/version_pair.h"
#include "engine/virtual_base.h"
#include "sql/stored_definition.h"

namespace dosql::engine {

// A table whose rows are to be merged; base or theirs may be missing. Views the schemas.
struct TableTask {
  const TableShape* base = nullptr;
  const TableShape* theirs = nullptr;
  MergedTable merged;
};

// The same for a virtual table, by its name in the version that is merged into.
struct VirtualTask {
  const TableShape* base = nullptr;
  const TableShape* theirs = nullptr;
  std::string name;
};

struct MergedSchema {
  std::vector<TableTask> tables;
  std::vector<VirtualTask> virtual_tables;
};

// A base beside ours, and beside theirs.
struct BasePairs {
  VersionPair* ours = nullptr;
  VersionPair* theirs = nullptr;
};

// All versions that count: where MergeContext::schema_bases is set, its bases; else one. Rows are counted
// from one of them.
struct MergedVersions {
  std::vector<BasePairs> bases;
  std::size_t row_base = 0;
};

// What has an effect on rows comes before them, indexes and what else is made of tables after them: an index
// that is built of the rows costs less than one that follows them, and its UNIQUE holds at the end only.
//
// Indexes, views and triggers are compared under the names that tables and columns have in the end, so that
// one which only speaks of something that was renamed has not changed.
//
// A definition that only they changed is taken. Where both changed a table, what they added, dropped and
// renamed is done to ours too; where that does not make sense, it is a conflict.
class SchemaMerge {
 public:
  // All must outlive it.
  SchemaMerge(MergeContext& context, ColumnLines& columns, TempTriggers& temp_triggers,
              const MergedVersions& versions)
      : context_(context),
        columns_(columns),
        temp_triggers_(temp_triggers),
        row_base_(versions.row_base),
        ours_(*versions.bases[0].ours->tables().after),
        theirs_(*versions.bases[0].theirs->tables().after),
        our_point_(versions.bases[0].ours->after()),
        their_point_(versions.bases[0].theirs->after()) {
    for (const BasePairs& base : versions.bases) bases_.emplace_back(base);
  }

  // REQUIRES of both: inside a transaction, the schema is ours. Errors: what SQLite says of a definition.
  Result<MergedSchema> merge_tables();
  Status merge_rest();
  // Whether their schema is another than that of a base.
  bool they_changed_something() const;
  // From the names in ours to the merged ones, once all is merged.
  std::span<const NameChange> our_names() const { return our_names_; }

 private:
  // What is compared with ours and theirs.
  struct Base {
    explicit Base(const BasePairs& pairs) : ours(pairs.ours), theirs(pairs.theirs) {}
    const VersionSchema& schema() const { return *theirs->tables().before; }
    const version::ReadPoint& point() const { return theirs->before(); }

    VersionPair* ours;
    VersionPair* theirs;
    std::vector<NameChange> names;  // from those in it to the merged ones
    std::optional<sql::Renames> their_renames;
    std::optional<std::vector<NameChange>> our_changes;
    std::optional<std::vector<NameChange>> their_changes;
  };
  // A table, and which base it is counted from; its rows are from the one that all rows are.
  struct Trio {
    const TableShape* base = nullptr;
    const TableShape* ours = nullptr;
    const TableShape* theirs = nullptr;
    std::size_t from = 0;
    bool disputed = false;                      // it cannot be told which: both sides changed it
    bool taken = false;                         // ours is theirs by now
    std::vector<const TableShape*> bases = {};  // in all of them; empty: in none
  };

  static bool is_mergeable(const TableShape* table);
  static bool has_value(const ColumnShape& column);
  static const TableShape* follow(const VersionPair& pair, const TableShape& base, const VersionSchema& now);
  std::vector<Trio> trios();
  std::optional<Trio> trio_of(std::size_t base, const TableShape& table) const;
  const TableShape* rows_of(const Trio& trio) const;
  // What its columns are on the sides.
  struct BaseColumns {
    ColumnMatches ours;
    ColumnMatches theirs;
  };
  // What they did to a table, as ALTER TABLE says it; columns by their index.
  struct Alteration {
    ColumnMatches matches;                 // of base in theirs
    ColumnMatches ours_of_base;            // of base in ours
    ColumnMatches theirs_of_ours;          // of ours in theirs
    bool done = false;                     // to ours, too
    std::vector<std::size_t> new_in_ours;  // those that ours did not have
    std::set<std::size_t> kept = {};       // of base: those that they dropped and ours keeps
    // Where rows are counted from another base than the table: the columns of that.
    std::optional<BaseColumns> rows = {};
  };
  Result<BaseColumns> columns_of(std::size_t base, const Trio& trio);
  const std::string& definition_in_base(const Trio& trio) const;
  std::size_t base_of(std::string_view type, std::string_view name) const;
  bool is_disputed(std::string_view type, std::string_view name) const;
  const diff::SchemaEntry* entry_in_base(std::string_view type, std::string_view name) const;
  // What ours is called by now.
  const std::string& live_name(const TableShape& ours) const;
  Status exchange_names(const std::vector<Trio>& tables);
  Status drop_gone();
  Status drop_gone(std::size_t from, const diff::SchemaEntry& entry, const diff::SchemaEntry& ours,
                   bool disputed);
  Status merge_table(const Trio& trio, MergedSchema& merged);
  Status create_table(const Trio& trio, MergedSchema& merged);
  Status merge_both_created(const Trio& trio, MergedSchema& merged);
  // Whether one side changed a table of base, or its rows, indexes or triggers.
  Result<bool> changed(const VersionSchema& now, const Trio& trio, VersionPair* Base::*side);
  void note_all_brought(const std::string& table);
  Status merge_dropped_by_theirs(const Trio& trio, MergedSchema& merged);
  Status merge_dropped_by_us(const Trio& trio, MergedSchema& merged);
  Status merge_definitions(const Trio& trio, MergedSchema& merged);
  Result<Alteration> compare(const Trio& trio);
  Result<const sql::Renames*> their_renames(std::size_t from);
  Result<const std::vector<NameChange>*> changes_of(std::size_t from, VersionPair* Base::*side);
  enum class OwnNames : std::uint8_t { kTheirs, kOurs };
  // Their definition under the names that ours gave to what they call as base does.
  Result<std::string> followed_definition(const Trio& trio, OwnNames own);
  enum class Decision : std::uint8_t { kOurs, kTheirs, kUndecided };
  enum class StepKind : std::uint8_t { kOther, kRename, kDropColumn };
  struct Step {
    std::string sql;
    StepKind kind = StepKind::kOther;
    // Of a rename: of which table, and the new name, its own or that of a column.
    std::string table = {};
    std::string our_table = {};  // as ours calls it
    std::string new_table = {};
    std::string new_column = {};
    std::size_t dropped = 0;  // which column of base
  };
  static Step rename_table(const std::string& from, const std::string& to);
  static void add_renames(const std::string& table,
                          const std::vector<std::pair<std::string, std::string>>& renames,
                          std::vector<Step>& steps);
  // What of ours speaks of a column that they dropped.
  struct Hindrance {
    const diff::SchemaEntry* entry = nullptr;
    std::size_t column = 0;   // of base
    bool was_broken = false;  // it could not be compiled before either
  };
  static bool postpone_drop(Step step, std::size_t tried, std::deque<Step>& left);
  Status run_step(const Step& step);
  Status drop_column(const Step& step);
  std::optional<Hindrance> find_hindrance(const std::string& problem, std::size_t column) const;
  Result<Decision> decide_hindrance(const Hindrance& hindrance);
  Result<bool> run_alter(std::vector<Step> steps, Alteration& alteration);
  Status rename(const Step& step);
  // Triggers of a table that cannot run.
  struct StuckTrigger {
    std::string name;
    std::string sql;
    std::string problem;
    bool was_stuck = false;  // in ours already
  };
  Result<std::vector<StuckTrigger>> take_stuck_triggers(const std::string& table);
  Status refuse_taken_name(const Step& step) const;
  class AlterSteps;
  Result<bool> alter(const Trio& trio, Alteration& alteration);
  Result<bool> run_steps(const std::vector<Step>& steps);
  Result<bool> rename_for_replacing(const TableShape& ours, const TableShape& theirs,
                                    const ColumnMatches& matches);
  // Ours was as theirs but for its name, and has that by now.
  Result<bool> was_only_named_otherwise(const Trio& trio, const ColumnMatches& matches);
  Status replace_table(const Trio& trio, MergedSchema& merged);
  Status replace_emptied(const Trio& trio, MergedSchema& merged);
  Status add_task(const Trio& trio, const Alteration& alteration, MergedSchema& merged);
  class TaskColumns;
  TableTask task_of(const Trio& trio, const Alteration& alteration) const;
  Status note_names(const Trio& trio, const Alteration& alteration, const std::string& table);
  Status note_names_of_gone(const Trio& trio);
  Status note_names_in(std::size_t base, const Trio& trio, const std::string& table,
                       const std::vector<std::string>& our_columns,
                       const std::vector<std::string>& their_columns);
  // The table is theirs now, by its definition.
  Status add_plain_task(const Trio& trio, MergedSchema& merged);

  Result<Decision> decide(const std::string& name, const std::string& base, const std::string& ours,
                          const std::string& theirs);
  // Whether the name is free for what they call so, be it that what has it goes.
  Result<bool> make_room(const std::string& name, const std::string& theirs);
  Result<bool> rows_changed(const Trio& trio, const TableShape& now, VersionPair* Base::*side);
  // kUnknown: they are others than in that base, as the bases merged may have them.
  enum class RowsSince : std::uint8_t { kSame, kChanged, kUnknown };
  Result<RowsSince> rows_since(std::size_t from, const TableShape& base, const TableShape& now,
                               VersionPair* Base::*side, std::optional<VirtualBase>& merged_bases);
  Result<bool> objects_changed(const VersionSchema& now, const TableShape& table, VersionPair* Base::*side);

  static const diff::SchemaEntry* entry_of(const VersionSchema& schema, std::string_view type,
                                           std::string_view name);
  static const std::string& definition(const VersionSchema& schema, const TableShape* table);
  Result<std::optional<std::string>> live_definition(std::string_view type, const std::string& name) const;
  Result<std::string> free_name(const std::string& wanted) const;
  Status create(const std::string& sql, const std::string& name);
  Status drop(std::string_view type, const std::string& name);

  // An index, view or trigger by its definitions under the merged names; null: it is not there.
  struct Object {
    std::string type;
    std::string name;
    const RenamedEntry* base = nullptr;
    const RenamedEntry* ours = nullptr;
    const RenamedEntry* theirs = nullptr;
  };
  Result<bool> is_only_renamed(std::size_t from, const diff::SchemaEntry& base, const diff::SchemaEntry& now,
                               VersionPair* Base::*side);
  Status merge_object(const Object& object);
  static bool is_same(const RenamedEntry& a, const RenamedEntry& b);
  Result<const RenamedEntry*> wanted(const Object& object);
  Status refused(const Object& object, const RenamedEntry& wanted, const Error& error);
  Result<std::string> find_problem() const;
  Status settle_problems(const std::vector<Object>& objects);
  Status settle_triggers(const std::vector<Object>& objects);
  Status settle_problem(const Object& object, const std::string& problem);
  bool is_undecided(const std::string& name) const;
  static Error cannot_be(const Object& object, std::string_view side, const Error& error);
  static bool is_theirs(const Object& object);

  MergeContext& context_;
  ColumnLines& columns_;
  TempTriggers& temp_triggers_;
  std::vector<Base> bases_;
  const std::size_t row_base_;
  const VersionSchema& ours_;
  const VersionSchema& theirs_;
  const version::ReadPoint our_point_;
  const version::ReadPoint their_point_;
  // From the names in a version to the merged ones.
  std::vector<NameChange> our_names_;
  std::vector<NameChange> their_names_;
  std::set<std::string> dropped_by_them_;               // objects: type, space, folded name
  std::set<std::string> back_;                          // tables that ours had dropped
  std::map<const TableShape*, std::string> new_names_;  // of tables of ours, given by exchange_names()
  std::vector<const TableShape*> followed_;             // tables of ours that base has, too
  std::string old_problem_;                             // of ours
  std::vector<Hindrance> hindrances_;                   // that the steps took away
};

}  // namespace dosql::engine
