// The part of SchemaMerge about a table that both sides have: what they did to it, as ALTER TABLE says it,
// and which columns its rows have.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "engine/schema_merge.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using sql::equals_ignoring_case;
using sql::quoted;
using sql::same_definition;

// Whether a definition speaks of the column. SQLite would take a name in quotes for a text, were there none.
bool mentions(std::string_view definition, std::string_view column) {
  sql::Lexer lexer(definition);
  while (true) {
    const sql::Token token = lexer.next_significant();
    if (token.kind == sql::TokenKind::kEnd) return false;
    if (sql::equals_ignoring_case(sql::unquoted(token.span.of(definition)), column)) return true;
  }
}

}  // namespace

// --- What they did to it ---

// Steps that do to ours what they did to base's. Each part is false where it cannot be said, or not be done.
class SchemaMerge::AlterSteps {
 public:
  struct Definitions {
    sql::TableDefinition base;
    sql::TableDefinition ours;
    sql::TableDefinition theirs;
  };

  // `our_name`: what ours is called by now. All must outlive it.
  AlterSteps(const Trio& trio, Alteration& alteration, const Definitions& definitions,
             const sql::Renames& renamed, const std::string& our_name)
      : trio_(trio),
        alteration_(alteration),
        definitions_(definitions),
        renamed_(renamed),
        name_(our_name),
        kept_(trio.theirs->columns.size()) {}

  bool rename_the_table() {
    const std::string& theirs = trio_.theirs->name;
    if (equals_ignoring_case(trio_.base->name, theirs) || equals_ignoring_case(name_, theirs)) return true;
    if (!equals_ignoring_case(trio_.ours->name, trio_.base->name)) return false;
    steps_.push_back(rename_table(trio_.ours->name, theirs));
    name_ = theirs;
    return true;
  }

  // Drops and renames those of base.
  bool change_columns() {
    sql::Renames renames;
    for (std::size_t i = 0; i < trio_.base->columns.size(); ++i) {
      const std::optional<std::size_t> there = alteration_.matches[i];
      if (!(there ? keep_column(i, *there, renames) : drop_column(i))) return false;
    }
    add_renames(name_, renames, steps_);
    return true;
  }

  bool has_same_constraints() const {
    const auto same = [&](std::string_view a, std::string_view b) { return same_definition(a, b, renamed_); };
    return same_definition(definitions_.base.options, definitions_.theirs.options) &&
           std::ranges::equal(definitions_.base.constraints, definitions_.theirs.constraints, same);
  }

  // Those that base does not have. `added`: theirs, under the names that columns have in ours.
  bool add_columns(const sql::TableDefinition& added) {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      if (kept_[i]) continue;
      reordered_ = reordered_ || i < last_;
      const auto known = std::ranges::find(alteration_.theirs_of_ours, std::optional(i));
      const bool in_ours = known != alteration_.theirs_of_ours.end();
      const auto here = static_cast<std::size_t>(known - alteration_.theirs_of_ours.begin());
      if (!(in_ours ? is_same_column(i, here) : add_column(i, added.columns[i].text))) return false;
    }
    return true;
  }

  bool reordered() const { return reordered_; }
  std::vector<Step> take() { return std::move(steps_); }

 private:
  std::string place() const { return "main." + quoted(name_); }

  bool drop_column(std::size_t column) {
    const std::optional<std::size_t> here = alteration_.ours_of_base[column];
    const std::string& name = trio_.base->columns[column].name;
    if (!here) return true;
    if (!equals_ignoring_case(trio_.ours->columns[*here].name, name)) return false;
    steps_.push_back({.sql = fmt::format("ALTER TABLE {} DROP COLUMN {}", place(), quoted(name)),
                      .kind = StepKind::kDropColumn,
                      .dropped = column});
    return true;
  }

  bool keep_column(std::size_t column, std::size_t there, sql::Renames& renames) {
    if (!same_definition(definitions_.base.columns[column].rest, definitions_.theirs.columns[there].rest,
                         renamed_))
      return false;
    reordered_ = reordered_ || there < last_;
    last_ = std::max(last_, there);
    kept_[there] = true;
    const std::string& old_name = trio_.base->columns[column].name;
    const std::string& new_name = trio_.theirs->columns[there].name;
    if (equals_ignoring_case(old_name, new_name)) return true;
    const std::optional<std::size_t> here = alteration_.ours_of_base[column];
    if (!here) return false;
    const std::string& our_name = trio_.ours->columns[*here].name;
    if (equals_ignoring_case(our_name, new_name)) return true;
    if (!equals_ignoring_case(our_name, old_name)) return false;
    renames.emplace_back(our_name, new_name);
    return true;
  }

  // Where both have it from elsewhere, one of them may have given it another name.
  bool is_same_column(std::size_t there, std::size_t here) const {
    return same_definition(definitions_.theirs.columns[there].rest, definitions_.ours.columns[here].rest) &&
           equals_ignoring_case(trio_.theirs->columns[there].name, trio_.ours->columns[here].name);
  }

  bool add_column(std::size_t column, std::string_view text) {
    for (std::size_t i = 0; i < trio_.base->columns.size(); ++i) {
      const std::optional<std::size_t> there = alteration_.matches[i];
      const bool dropped_by_us = there && !alteration_.ours_of_base[i];
      if (dropped_by_us && mentions(text, trio_.theirs->columns[*there].name)) return false;
    }
    alteration_.new_in_ours.push_back(column);
    steps_.push_back({fmt::format("ALTER TABLE {} ADD COLUMN {}", place(), text)});
    return true;
  }

  const Trio& trio_;
  Alteration& alteration_;
  const Definitions& definitions_;
  const sql::Renames& renamed_;
  std::string name_;        // of the table, behind the steps that there are
  std::vector<bool> kept_;  // of theirs: those of base
  std::size_t last_ = 0;    // the last one of them as yet
  bool reordered_ = false;
  std::vector<Step> steps_;
};

// False: it cannot be said, or not be done to ours. Then nothing was done.
Result<bool> SchemaMerge::alter(const Trio& trio, Alteration& alteration) {
  const auto base = sql::table_definition(definition(bases_[trio.from].schema(), trio.base));
  const auto theirs = sql::table_definition(definition(theirs_, trio.theirs));
  const auto ours = sql::table_definition(definition(ours_, trio.ours));
  if (!base || !theirs || !ours) return false;
  if (base->columns.size() != trio.base->columns.size() ||
      theirs->columns.size() != trio.theirs->columns.size() ||
      ours->columns.size() != trio.ours->columns.size())
    return false;
  DOSQL_ASSIGN_OR_RETURN(const sql::Renames* const renamed, their_renames(trio.from));
  const AlterSteps::Definitions definitions{*base, *ours, *theirs};
  AlterSteps steps(trio, alteration, definitions, *renamed, live_name(*trio.ours));
  if (!steps.rename_the_table() || !steps.change_columns() || !steps.has_same_constraints()) return false;
  DOSQL_ASSIGN_OR_RETURN(const std::string followed, followed_definition(trio, OwnNames::kOurs));
  const auto added = sql::table_definition(followed);
  if (!added || added->columns.size() != theirs->columns.size() || !steps.add_columns(*added)) return false;
  // Columns go by their names; but where only they changed the table, it gets their order.
  const bool we_changed = !same_definition(definition_in_base(trio), definition(ours_, trio.ours)) ||
                          !is_identity(alteration.ours_of_base);
  if (steps.reordered() && !we_changed) return false;
  DOSQL_ASSIGN_OR_RETURN(alteration.done, run_alter(steps.take(), alteration));
  return alteration.done;
}

// --- Which columns its rows have ---

// The columns of its merged rows: where each is in base, ours and theirs.
class SchemaMerge::TaskColumns {
 public:
  // All must outlive it.
  TaskColumns(const Trio& trio, const Alteration& alteration, TableTask& task)
      : trio_(trio), alteration_(alteration), task_(task), places_(trio.ours->columns.size()) {}

  // `known_in`: what the table is called where it is known, in the order base, ours, theirs.
  void find(std::shared_ptr<MergedTable::Places> known_in) {
    known_in_ = std::move(known_in);
    for (std::size_t i = 0; i < trio_.ours->columns.size(); ++i) {
      if (has_value(trio_.ours->columns[i])) add_ours(i);
    }
    for (const std::size_t added : alteration_.new_in_ours) {
      const ColumnShape& column = trio_.theirs->columns[added];
      if (has_value(column)) add(column, column.name, {.theirs = added});
    }
    task_.merged.places = std::move(known_in_);
    find_key();
  }

 private:
  struct Indexes {
    std::optional<std::size_t> ours = {};
    std::optional<std::size_t> base = {};
    std::optional<std::size_t> theirs = {};
  };

  void add_ours(std::size_t place) {
    const ColumnShape& column = trio_.ours->columns[place];
    Indexes in{.ours = place, .base = index_of(alteration_.ours_of_base, place)};
    in.theirs = in.base ? alteration_.matches[*in.base] : alteration_.theirs_of_ours[place];
    // They dropped it, and so it was dropped here.
    const bool is_gone = in.base && !in.theirs && alteration_.done && !alteration_.kept.contains(*in.base);
    if (is_gone) return;
    const bool takes_name = in.base && in.theirs && alteration_.done &&
                            equals_ignoring_case(column.name, trio_.base->columns[*in.base].name);
    places_[place] = static_cast<std::uint32_t>(task_.merged.columns.size());
    add(column, takes_name ? trio_.theirs->columns[*in.theirs].name : column.name, in);
  }

  void add(const ColumnShape& column, const std::string& name, Indexes in) {
    auto place = known_in_->begin();
    if (trio_.base != nullptr) (place++)->columns.push_back(in.base);
    if (!trio_.taken) (place++)->columns.push_back(in.ours);
    if (trio_.theirs != nullptr) place->columns.push_back(in.theirs);
    const TableShape* const rows = task_.base;
    if (alteration_.rows) {
      in.base = index_of(alteration_.rows->ours, in.ours);
      if (!in.base) in.base = index_of(alteration_.rows->theirs, in.theirs);
    }
    if (in.base && (rows == nullptr || !has_value(rows->columns[*in.base]))) in.base.reset();
    if (in.theirs && !has_value(trio_.theirs->columns[*in.theirs])) in.theirs.reset();
    MergedTable& table = task_.merged;
    const ColumnShape* const there = in.theirs ? &trio_.theirs->columns[*in.theirs] : nullptr;
    const auto absent = diff::absent_column((there != nullptr ? *there : column).stored.missing);
    table.changes.base.push_back(in.base ? rows->columns[*in.base].stored : absent);
    table.changes.theirs.push_back(there != nullptr ? there->stored : absent);
    if (there == nullptr)
      table.changes.theirs_lacks.push_back(static_cast<std::uint32_t>(table.columns.size()));
    table.columns.push_back({name, column.affinity, column.collation, there != nullptr});
  }

  void find_key() {
    MergedTable& table = task_.merged;
    const TableShape& ours = *trio_.ours;
    if (ours.rowid_column) {
      table.rowid_column = places_[*ours.rowid_column];
    } else {
      for (const KeyPart& part : ours.key) {
        if (places_[part.column]) table.key.push_back({*places_[part.column], part.collation});
      }
    }
    table.rowid_name = table.rowid_column ? table.columns[*table.rowid_column].name : ours.rowid_name();
  }

  static std::optional<std::size_t> index_of(const ColumnMatches& matches,
                                             std::optional<std::size_t> wanted) {
    const auto found = wanted ? std::ranges::find(matches, wanted) : matches.end();
    return found == matches.end() ? std::optional<std::size_t>()
                                  : static_cast<std::size_t>(found - matches.begin());
  }

  const Trio& trio_;
  const Alteration& alteration_;
  TableTask& task_;
  std::vector<std::optional<std::uint32_t>> places_;  // of ours' columns among the merged ones
  std::shared_ptr<MergedTable::Places> known_in_;
};

TableTask SchemaMerge::task_of(const Trio& trio, const Alteration& alteration) const {
  TableTask task{.base = rows_of(trio), .theirs = trio.theirs, .merged = {}};
  MergedTable& table = task.merged;
  const bool renamed_by_them = alteration.done && trio.base != nullptr &&
                               !equals_ignoring_case(trio.base->name, trio.theirs->name) &&
                               equals_ignoring_case(trio.base->name, trio.ours->name);
  table.name = renamed_by_them ? trio.theirs->name : live_name(*trio.ours);
  if (trio.base != nullptr) table.origin = {bases_[trio.from].point(), trio.base->schema_rowid};
  table.autoincrement = trio.ours->autoincrement;
  auto known_in = std::make_shared<MergedTable::Places>();
  if (trio.base != nullptr) known_in->push_back({bases_[trio.from].point(), trio.base->name});
  if (!trio.taken) known_in->push_back({our_point_, trio.ours->name});
  if (trio.theirs != nullptr) known_in->push_back({their_point_, trio.theirs->name});
  TaskColumns(trio, alteration, task).find(std::move(known_in));
  return task;
}

}  // namespace dosql::engine
