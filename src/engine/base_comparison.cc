#include "engine/base_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "diff/row.h"
#include "engine/connection_state.h"
#include "engine/content_merge.h"
#include "engine/doubtful_contents.h"
#include "engine/event_order.h"
#include "engine/merge_changes.h"
#include "engine/number_groups.h"
#include "engine/own_numbers.h"
#include "engine/own_statement.h"
#include "engine/row_json.h"
#include "engine/undo.h"
#include "engine/virtual_base.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"
#include "version/line_merges.h"
#include "version/moved_numbers.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;

// A merge counted from one base, to be undone; `look` is asked before that.
using Look = std::function<Status(const MergeContext&)>;
Status try_from(ConnectionState& connection, const VersionMerge& what, const ReadPoint& base,
                const MergeContext& whole, RowEffects& effects, const Look& look) {
  MergeContext context = context_of(connection, what, whole.own_changes);
  context.schema_bases = whole.schema_bases;
  context.noted_merges = whole.noted_merges;
  context.identity = whole.identity;
  context.lines = whole.lines;
  context.our_side = whole.our_side;
  context.effects = &effects;
  // What was decided about a row was so about the merge of all bases.
  context.resolution = [&](const Conflict& conflict) -> const Resolution* {
    return conflict.kind == merge::ConflictKind::kSchema && what.resolution ? what.resolution(conflict)
                                                                            : nullptr;
  };
  DOSQL_RETURN_IF_ERROR(run_own(connection, "SAVEPOINT dosql_base"));
  Status merged = merge_changes(context, {.base = base, .theirs = what.theirs});
  effects.encoding = context.encoding;
  if (merged) merged = look(context);
  const Status undone = undo_savepoint(connection, "dosql_base");
  // It may have ended the transaction, and the savepoint with it.
  DOSQL_RETURN_IF_ERROR(merged);
  return undone;
}

// What a merge does to each row, counted from one base. `moved`: tables in which it gave a row another rowid.
Result<RowEffects> effects_from(ConnectionState& connection, const VersionMerge& what, const ReadPoint& base,
                                const MergeContext& whole, std::set<std::string>& moved,
                                NumberGroups& groups) {
  RowEffects effects;
  const auto note_tables = [&](const MergeContext& context) {
    for (const auto& [table, rowids] : context.moved_rowids) moved.insert(table);
    for (const auto& [table, brought] : context.brought) {
      for (const Brought::Run& one : brought.runs) groups.add(table, one.run);
    }
    return Status();
  };
  DOSQL_RETURN_IF_ERROR(try_from(connection, what, base, whole, effects, note_tables));
  return effects;
}

// --- The schema ---

// What a merge makes of each thing of the schema, by its name: its definition, or that there is a conflict.
using SchemaEffects = std::map<std::string, std::string>;

Status read_schema(ConnectionState& connection, const MergeContext& context, SchemaEffects& effects) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement rows,
      OwnStatement::prepare(connection, "SELECT name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL"));
  int rc = SQLITE_OK;
  while ((rc = rows.step()) == SQLITE_ROW) effects[diff::folded(rows.text(0))] = rows.text(1);
  if (rc != SQLITE_DONE) return connection.error(rc);
  for (const Conflict& conflict : context.conflicts) {
    if (conflict.kind == merge::ConflictKind::kSchema) effects[diff::folded(conflict.table)] = "";
  }
  return {};
}

// Those of which they make different things.
std::set<std::string> differing(const std::vector<SchemaEffects>& all) {
  std::set<std::string> names;
  for (const SchemaEffects& one : all) {
    for (const auto& [name, definition] : one) {
      const bool same = std::ranges::all_of(all, [&, &wanted = definition](const SchemaEffects& other) {
        const auto found = other.find(name);
        return found != other.end() && sql::same_definition(found->second, wanted);
      });
      if (!same) names.insert(name);
    }
  }
  return names;
}

Result<bool> have_same_schema(ConnectionState& connection, const std::vector<ReadPoint>& points) {
  DOSQL_ASSIGN_OR_RETURN(const auto first, connection.schemas().of(points[0]));
  for (const ReadPoint& point : std::span(points).subspan(1)) {
    DOSQL_ASSIGN_OR_RETURN(const auto other, connection.schemas().of(point));
    const auto same = [](const diff::SchemaEntry& a, const diff::SchemaEntry& b) {
      return a.type == b.type && a.name == b.name && a.table == b.table && a.sql == b.sql;
    };
    if (!std::ranges::is_permutation(first->entries, other->entries, same)) return false;
  }
  return true;
}

// --- Rows ---

// What each base says of a row; none: it says that nothing happens to it.
using RowOpinions = std::vector<std::optional<RowEffect>>;
using Opinions = std::map<RowName, RowOpinions>;

Opinions opinions_of(std::vector<RowEffects>& effects) {
  Opinions opinions;
  for (std::size_t base = 0; base < effects.size(); ++base) {
    for (auto& [row, effect] : effects[base].rows) {
      RowOpinions& all = opinions[row];
      all.resize(effects.size());
      all[base] = std::move(effect);
    }
  }
  return opinions;
}

bool agree(const RowOpinions& all) {
  return std::ranges::all_of(all, [&](const std::optional<RowEffect>& one) {
    return one && all[0] && one->json == all[0]->json && one->in_conflict == all[0]->in_conflict;
  });
}

bool any_conflict(const RowOpinions& all) {
  return std::ranges::any_of(all,
                             [](const std::optional<RowEffect>& one) { return one && one->in_conflict; });
}

// What the first one says that says anything.
const RowEffect& seen_in(const RowOpinions& all) {
  return std::ranges::find_if(all, [](const auto& one) { return one.has_value(); })->value();
}

const RowPair& change_of(const RowOpinions& all) { return seen_in(all).change; }

// Once theirs was decided: what the branch changed, counted from whichever base.
RebasedRow taken(const RowOpinions& all) {
  RebasedRow taken{.change = {.theirs = change_of(all).theirs}, .takes_theirs = true};
  std::vector<diff::Field> base;
  bool is_new = false;
  for (const std::optional<RowEffect>& one : all) {
    if (!one) continue;
    const RowPair& change = one->change;
    if (change.theirs) taken.change.rowid_theirs = change.rowid_theirs;
    is_new = is_new || !change.base;
    if (!change.base) continue;
    taken.change.rowid_base = change.rowid_base;
    const auto values = change.base->values();
    if (base.empty()) base.assign(values.begin(), values.end());
    if (!change.theirs) continue;
    for (std::size_t i = 0; i < base.size(); ++i) {
      if (diff::same_value(base[i], change.theirs->values()[i])) base[i] = values[i];
    }
  }
  const bool has_base = !base.empty() && !(is_new && taken.change.theirs);
  if (has_base) taken.change.base.emplace(base);
  return taken;
}

// A row of theirs has in columns that theirs does not have what it had in the base.
void fill_lacking(const MergedTable& table, RowPair& change) {
  if (!change.theirs || table.changes.theirs_lacks.empty()) return;
  std::vector<diff::Field> row(change.theirs->values().begin(), change.theirs->values().end());
  for (const std::uint32_t column : table.changes.theirs_lacks)
    row[column] = change.base ? change.base->values()[column] : table.changes.theirs[column].missing;
  change.theirs = RowCopy(row);
}

// As a conflict shows them: main's row and the branch's, whole.
std::pair<std::string, std::string> sides_of(const RowOpinions& all, const MergedTable& table,
                                             diff::TextEncoding encoding) {
  const std::optional<RowCopy>& theirs = change_of(all).theirs;
  return {seen_in(all).ours, theirs ? table.row_json(theirs->values(), encoding) : "null"};
}

enum class Side : std::uint8_t { kUndecided, kOurs, kTheirs };

// `sides`: what the conflict shows of main and of the branch.
Result<Side> resolved_base(MergeContext& context, const RowName& row,
                           std::pair<std::string, std::string> sides) {
  const Resolution* const resolution =
      context.settle(context.counts_of(row.first), {.kind = merge::ConflictKind::kBase,
                                                    .table = row.first,
                                                    .key = row.second,
                                                    .base = "null",
                                                    .main = std::move(sides.first),
                                                    .branch = std::move(sides.second)});
  if (resolution == nullptr) return Side::kUndecided;
  if (resolution->take == Resolution::Take::kOurs) return Side::kOurs;
  if (resolution->take == Resolution::Take::kTheirs) return Side::kTheirs;
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("row {} of {} takes a side: its conflict is of kind base, which ours or theirs resolves",
                  row.second, row.first));
}

Result<Side> decide_base(MergeContext& context, const RowName& row,
                         std::pair<std::string, std::string> sides) {
  if (context.preference == merge::Preference::kOurs) return Side::kOurs;
  if (context.preference == merge::Preference::kTheirs) return Side::kTheirs;
  return resolved_base(context, row, std::move(sides));
}

// Rows that refer to numbers in doubt: which rows the branch's would refer to here is not known, so they can
// stay as they are, no more. Nor that, where the numbers of main become other rows.
Status settle_doubtful(MergeContext& context, DoubtfulContents& doubtful, const std::string& table,
                       std::pair<std::string, std::string> sides) {
  context.by_content.try_emplace(table);  // nothing happens to its rows
  DOSQL_ASSIGN_OR_RETURN(const bool cannot_stay, doubtful.cannot_stay(table));
  if (context.preference == merge::Preference::kOurs && !cannot_stay) return {};
  DOSQL_ASSIGN_OR_RETURN(const Side side,
                         resolved_base(context, {table, json_string(table)}, std::move(sides)));
  if (side == Side::kUndecided || (side == Side::kOurs && !cannot_stay)) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the rows of {} {}: they refer to numbers that are other rows on the branch",
                           table, cannot_stay ? "cannot be merged" : "stay as they are (ours)"))
      .with_hint("give one branch the rows that the other one has by INSERT, UPDATE and DELETE");
}

// Rows that only a hidden rowid tells apart, where it does not tell whose it is. False: the table has others.
Result<bool> merge_contents(ConnectionState& connection, const VersionMerge& what, MergeContext& context,
                            DoubtfulContents& doubtful, const std::string& table) {
  if (context.by_content.contains(table)) return true;
  ContentMerge contents(connection, connection.schemas(), table);
  DOSQL_ASSIGN_OR_RETURN(const bool counted, contents.count(what.bases, what.theirs));
  if (!counted) return false;
  DOSQL_ASSIGN_OR_RETURN(const bool may_be_two, doubtful.may_be_two(table, contents.both_added()));
  if (may_be_two) {
    DOSQL_RETURN_IF_ERROR(
        settle_doubtful(context, doubtful, table, {contents.row_of_ours(), contents.row_of_theirs()}));
    return true;
  }
  ContentChanges& changes = context.by_content[table];
  if (!contents.undecided()) {
    changes = contents.merged();
    return true;
  }
  DOSQL_ASSIGN_OR_RETURN(const Side side, decide_base(context, {table, json_string(table)},
                                                      {contents.row_of_ours(), contents.row_of_theirs()}));
  if (side == Side::kTheirs) changes = contents.to_theirs();
  return true;
}

// Of ours, those that have rows.
Status for_each_table(ConnectionState& connection, const std::function<Status(const std::string&)>& look) {
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection.schemas().of(connection.file().point()));
  for (const TableShape& table : schema->tables) {
    if (has_events(table)) DOSQL_RETURN_IF_ERROR(look(table.name));
  }
  return {};
}

// Tables whose rows neither rowids nor counts tell apart, since numbers in them are in doubt.
Status settle_doubtful_tables(ConnectionState& connection, const VersionMerge& what, MergeContext& context,
                              DoubtfulContents& doubtful) {
  if (context.noted_merges.empty()) return {};
  return for_each_table(connection, [&](const std::string& table) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const bool in_doubt, doubtful.in_doubt(table));
    if (!in_doubt) return {};
    ContentMerge contents(connection, connection.schemas(), table);
    DOSQL_ASSIGN_OR_RETURN(const bool counted, contents.count(what.bases, what.theirs));
    if (!counted) return settle_doubtful(context, doubtful, table, {"null", "null"});
    return settle_doubtful(context, doubtful, table, {contents.row_of_ours(), contents.row_of_theirs()});
  });
}

// Whether a merge made one of the versions behind `base` on the line of `newest`, or brought `base` there.
Result<bool> has_merged_since(version::VersionStore& store, const ReadPoint& base, const ReadPoint& newest) {
  const std::vector<version::LineMerge> merges = version::merges_on_line(store, newest);
  if (merges.empty()) return false;
  // What the newest one made holds all before it.
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store.at_version(newest.branch, merges.back().version));
  if (merged == base) return false;
  DOSQL_ASSIGN_OR_RETURN(const version::LineageComparison both, store.compare(merged, base));
  return both.ahead > 0;
}

// Those that have their rows as the version has them: what the transaction has changed itself is in none.
Status for_each_table_as_in_version(ConnectionState& connection, const MergeContext& context,
                                    const std::function<Status(const std::string&)>& look) {
  return for_each_table(connection, [&](const std::string& table) -> Status {
    return context.own_changes.may_touch(table) ? Status() : look(table);
  });
}

// A merge behind the base may have given a row that only a hidden rowid tells apart another one, here or
// there: then the same rowid is no longer the same row. What is picked is counted from a version that need
// not be on the way here: its row may be here under another rowid, whether or not a merge came in since.
Status count_moved_rows(ConnectionState& connection, const VersionMerge& what, MergeContext& context,
                        DoubtfulContents& doubtful) {
  version::VersionStore& store = connection.core().store();
  const ReadPoint ours = connection.file().point();
  DOSQL_ASSIGN_OR_RETURN(const bool here, has_merged_since(store, what.bases[0], ours));
  DOSQL_ASSIGN_OR_RETURN(const bool there, has_merged_since(store, what.bases[0], what.theirs));
  const bool merged = here || there;
  if (!merged && !(what.only_changes && context.identity->may_be_others(what.bases[0], context.our_side)))
    return {};
  return for_each_table_as_in_version(connection, context, [&](const std::string& table) -> Status {
    ContentMerge contents(connection, connection.schemas(), table);
    DOSQL_ASSIGN_OR_RETURN(const ContentMerge::Meetings meetings,
                           contents.meetings(what.bases[0], what.theirs));
    if (!meetings.is_elsewhere && !(merged && meetings.became_two)) return {};
    return merge_contents(connection, what, context, doubtful, table).and_then(ignore_result);
  });
}

// What is done to the rows about which the bases disagree: from what is each of them counted, or whose
// stands?
class BaseComparison {
 public:
  BaseComparison(ConnectionState& connection, const VersionMerge& what, MergeContext& context,
                 DoubtfulContents& doubtful)
      : connection_(connection),
        what_(what),
        context_(context),
        doubtful_(doubtful),
        virtual_base_(connection, *context.identity, what.bases, what.theirs, context.our_side),
        own_(connection, context.own_changes, *context.identity, context.our_side) {}

  Status run() {
    std::set<std::string> unsure;
    for (const ReadPoint& base : what_.bases) {
      DOSQL_ASSIGN_OR_RETURN(effects_.emplace_back(),
                             effects_from(connection_, what_, base, context_, unsure, groups_));
    }
    const Opinions opinions = opinions_of(effects_);
    for (const auto& [row, all] : opinions) {
      if (!agree(all)) unsure.insert(row.first);
    }
    DOSQL_RETURN_IF_ERROR(find_elsewhere(unsure));
    for (const std::string& table : unsure) {
      // What the transaction has changed itself is in no version.
      if (context_.own_changes.may_touch(table)) continue;
      DOSQL_RETURN_IF_ERROR(
          merge_contents(connection_, what_, context_, doubtful_, table).and_then(ignore_result));
    }
    DOSQL_RETURN_IF_ERROR(question_moved());
    for (const auto& [row, all] : opinions) {
      const bool is_clear = (agree(all) && !any_conflict(all)) || questioned_.contains(row);
      if (!is_clear && !context_.by_content.contains(row.first)) DOSQL_RETURN_IF_ERROR(settle(row, all));
    }
    for (const auto& [table, groups] : in_question_) {
      for (const auto& [numbers, is_whole] : groups)
        DOSQL_RETURN_IF_ERROR(settle_group(table, numbers, is_whole, opinions));
    }
    return {};
  }

 private:
  // Tables in which no base says anything of a row that both took away, though one of them has it.
  Status find_elsewhere(std::set<std::string>& tables) {
    return for_each_table_as_in_version(connection_, context_, [&](const std::string& table) -> Status {
      ContentMerge contents(connection_, connection_.schemas(), table);
      for (const ReadPoint& base : what_.bases) {
        DOSQL_ASSIGN_OR_RETURN(const ContentMerge::Meetings meetings, contents.meetings(base, what_.theirs));
        if (meetings.is_elsewhere) tables.insert(table);
      }
      return {};
    });
  }

  // Of rows that the sides have under different numbers no base says all, even where they agree.
  Status question_moved() {
    for (const RowEffects& one : effects_) {
      for (const auto& [name, number] : one.moved) {
        if (context_.by_content.contains(name)) continue;
        DOSQL_ASSIGN_OR_RETURN(const NumberGroups::Group group, group_of(table_of(name), number));
        in_question_[name].insert_or_assign(group.numbers, group.is_whole);
        for (const std::int64_t each : group.numbers) questioned_.emplace(name, std::to_string(each));
      }
    }
    return {};
  }

  Status settle(const RowName& row, const RowOpinions& all) {
    if (has_followed_keys(row.first)) return settle_followed(row, all);
    const RowPair& change = change_of(all);
    const MergedTable& table = table_of(row.first);
    const RowCopy& values = change.base ? *change.base : *change.theirs;
    const std::int64_t number = change.base ? change.rowid_base : change.rowid_theirs;
    bool may_be_another = false;
    NumberGroups::Group group;
    if (table.known_by_rowid()) {
      DOSQL_ASSIGN_OR_RETURN(group, group_of(table, number));
      DOSQL_ASSIGN_OR_RETURN(may_be_another, own_.may_be_another(table, number));
    }
    VirtualBase::Row base;
    if (!may_be_another) {
      DOSQL_ASSIGN_OR_RETURN(base, virtual_base_.find(table, values.values(), group.numbers.size() > 1));
    }
    DOSQL_ASSIGN_OR_RETURN(const bool is_new, made_by_transaction(table, values.values(), all));
    if (base.known && !is_new) {
      RebasedRow& rebased = context_.rebased[row] = {.change = change};
      rebased.change.base = std::move(base.row);
      fill_lacking(table, rebased.change);
      // Others are found by their key.
      if (table.rowid_column) rebased.change.rowid_base = values.values()[*table.rowid_column].integer;
      return {};
    }
    if (table.known_by_rowid()) {
      if (group.is_whole && group.numbers.size() > 1) {
        in_question_[row.first].emplace(group.numbers, true);
        return {};
      }
      if (!group.is_whole || may_be_another) return refuse_decision(row, all, may_be_another);
    }
    // The conflict that all of them see.
    if (agree(all)) return {};
    DOSQL_ASSIGN_OR_RETURN(const Side side,
                           decide_base(context_, row, sides_of(all, table, effects_[0].encoding)));
    if (side == Side::kTheirs) {
      context_.rebased[row] = taken(all);
    } else if (side == Side::kOurs || any_conflict(all)) {
      // Undecided, the conflict that only one base sees would be another one about the same row.
      context_.left_alone.insert(row);
    }
    return {};
  }

  bool has_followed_keys(const std::string& table) const {
    return std::ranges::any_of(effects_,
                               [&](const RowEffects& one) { return one.with_followed_keys.contains(table); });
  }

  // Each base may mean another row by that key, and theirs yet another one: it can stay as it is, no more.
  Status settle_followed(const RowName& row, const RowOpinions& all) {
    context_.left_alone.insert(row);
    if (context_.preference == merge::Preference::kOurs) return {};
    DOSQL_ASSIGN_OR_RETURN(
        const Side side,
        resolved_base(context_, row, sides_of(all, table_of(row.first), effects_[0].encoding)));
    if (side != Side::kTheirs) return {};
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("row {} of {} stays as it is (ours): it cannot be told which row the branch "
                             "means by that key",
                             row.second, row.first));
  }

  // A decision may have put rows in the places of each other, and no commit says that: those that belonged
  // together once still do.
  Result<NumberGroups::Group> group_of(const MergedTable& table, std::int64_t number) {
    if (!grouped_.insert(table.name).second) return groups_.find(table.name, number);
    std::vector<ReadPoint> sides = context_.our_side.merged;
    sides.insert(sides.end(), {context_.our_side.point, what_.theirs});
    DOSQL_ASSIGN_OR_RETURN(
        const std::vector<version::MovedBy> brought,
        version::brought_since(connection_.core().store(), {.branch = kMainBranch}, sides));
    const MergedTable followed = table.followed();
    for (const version::MovedBy& one : brought) {
      std::optional<std::string> name;
      if (table.places) {
        DOSQL_ASSIGN_OR_RETURN(name, context_.identity->rows().name_in(one.commit, followed));
      }
      for (const version::MovedRun& run : one.runs) {
        // Where it is not known what the table was called, it may be about that.
        if (!name || run.table.empty() || sql::equals_ignoring_case(run.table, *name))
          groups_.add(table.name, run);
      }
    }
    return groups_.find(table.name, number);
  }

  // What both sides have under numbers that belong together.
  struct GroupRows {
    bool known = true;  // false: a version does not know the table
    std::map<std::int64_t, RowPair> theirs = {};
    std::vector<std::string> shown[2] = {};  // what is not the same on both sides
    std::optional<std::int64_t> first = {};  // of those
  };

  Result<GroupRows> rows_of(const MergedTable& table, const std::vector<std::int64_t>& numbers,
                            const Opinions& opinions) {
    GroupRows group;
    VersionRows& rows = context_.identity->rows();
    for (const std::int64_t number : numbers) {
      VersionRows::Found here;
      VersionRows::Found there;
      if (table.places) {
        DOSQL_ASSIGN_OR_RETURN(here, rows.find_now(table, {.rowid = number}));
        DOSQL_ASSIGN_OR_RETURN(there, rows.find_merged(what_.theirs, table, {.rowid = number}));
      }
      const auto said = opinions.find({table.name, std::to_string(number)});
      std::pair<std::string, std::string> sides("null", "null");
      if (said != opinions.end()) sides = sides_of(said->second, table, effects_[0].encoding);
      if (said == opinions.end() && here.row) sides.first = json_of(table, *here.row);
      if (there.known) sides.second = there.row ? json_of(table, *there.row) : "null";
      group.known = group.known && there.known && (here.known || said != opinions.end());
      if (sides.first != sides.second) {
        if (!group.first) group.first = number;
        if (sides.first != "null") group.shown[0].push_back(std::move(sides.first));
        if (sides.second != "null") group.shown[1].push_back(std::move(sides.second));
      }
      group.theirs[number] = {.theirs = std::move(there.row), .rowid_base = number, .rowid_theirs = number};
    }
    return group;
  }

  std::string json_of(const MergedTable& table, const RowCopy& row) const {
    return table.row_json(row.values(), effects_[0].encoding);
  }

  // Rows of which each may have another number on either side: one taken alone would be there twice, or be
  // missing. So they are taken together.
  Status settle_group(const std::string& name, const std::vector<std::int64_t>& numbers, bool is_whole,
                      const Opinions& opinions) {
    const MergedTable& table = table_of(name);
    DOSQL_ASSIGN_OR_RETURN(GroupRows group, rows_of(table, numbers, opinions));
    group.known = group.known && is_whole;
    DOSQL_ASSIGN_OR_RETURN(const bool is_own, own_.has_changed(table, numbers));
    Side side = Side::kOurs;
    if (group.first) {
      const RowName row{name, std::to_string(*group.first)};
      const bool can_be_decided = group.known && !is_own;
      std::pair sides(rows_json(group.shown[0]), rows_json(group.shown[1]));
      DOSQL_ASSIGN_OR_RETURN(side, can_be_decided ? decide_base(context_, row, std::move(sides))
                                                  : resolved_base(context_, row, std::move(sides)));
      if (!can_be_decided && side != Side::kUndecided) return cannot_be_decided(row, is_own);
    }
    if (side != Side::kUndecided && group.known && !is_own)
      DOSQL_RETURN_IF_ERROR(note_numbers(table, group.theirs, side));
    for (auto& [number, change] : group.theirs) {
      // Else nothing happens to it.
      const bool is_taken = side == Side::kTheirs;
      context_.rebased[{name, std::to_string(number)}] = {
          .change = is_taken ? std::move(change) : RowPair(), .takes_theirs = is_taken, .is_ours = is_taken};
    }
    return {};
  }

  // For later merges: under which number each row is from now on.
  Status note_numbers(const MergedTable& table, const std::map<std::int64_t, RowPair>& theirs, Side side) {
    const MergedTable followed = table.followed();
    VersionRows& rows = context_.identity->rows();
    for (const auto& entry : theirs) {
      const std::int64_t here = entry.first;
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found ours,
                             rows.find_merged(context_.our_side.point, table, {.rowid = here}));
      if (!ours.row) continue;
      for (const auto& [there, change] : theirs) {
        if (there == here || !change.theirs) continue;
        DOSQL_ASSIGN_OR_RETURN(const SameRow same,
                               context_.identity->compare(followed, {.rowid = there}, what_.theirs,
                                                          {.rowid = here}, context_.our_side));
        if (same != SameRow::kYes) continue;
        if (side == Side::kTheirs) context_.go_to_theirs[table.name][here] = there;
        if (side == Side::kOurs) context_.stay_as_ours[table.name][there] = here;
      }
    }
    return {};
  }

  // It is a conflict, and stays one, whatever the strategy: to which other rows a decision would do something
  // is not known.
  Status refuse_decision(const RowName& row, const RowOpinions& all, bool is_own) {
    DOSQL_ASSIGN_OR_RETURN(
        const Side side,
        resolved_base(context_, row, sides_of(all, table_of(row.first), effects_[0].encoding)));
    if (side != Side::kUndecided) return cannot_be_decided(row, is_own);
    context_.left_alone.insert(row);
    return {};
  }

  static Error cannot_be_decided(const RowName& row, bool is_own) {
    if (is_own) {
      return Error(
                 ErrorCode::kInvalidArgument,
                 fmt::format("what becomes of row {} of {} cannot be decided: it may have another number on "
                             "either side, and the open transaction has changed what has these numbers",
                             row.second, row.first))
          .with_hint("COMMIT, and merge then");
    }
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("what becomes of row {} of {} cannot be decided: it may have another number on "
                             "either side, and it is not known which",
                             row.second, row.first))
        .with_hint(
            "give one branch the rows that the other one has under such numbers, by INSERT, UPDATE and "
            "DELETE, and merge then");
  }

  // Whether what ours has there is none of what the bases know by that.
  Result<bool> made_by_transaction(const MergedTable& table, std::span<const diff::Field> row,
                                   const RowOpinions& all) {
    const bool is_known = table.rowid_column || table.has_key(row);
    if (seen_in(all).ours == "null" || !is_known || context_.own_changes.empty()) return false;
    RowAddress address{.key_of = row};
    if (table.rowid_column) address = {.rowid = row[*table.rowid_column].integer};
    return context_.identity->is_new(table, address, context_.our_side);
  }

  const MergedTable& table_of(const std::string& name) const {
    const auto knows = [&](const RowEffects& one) { return one.tables.contains(name); };
    return std::ranges::find_if(effects_, knows)->tables.at(name);
  }

  ConnectionState& connection_;
  const VersionMerge& what_;
  MergeContext& context_;
  DoubtfulContents& doubtful_;
  VirtualBase virtual_base_;
  OwnNumbers own_;
  std::vector<RowEffects> effects_;
  NumberGroups groups_;
  std::set<std::string> grouped_;  // tables of which all is in there
  // By table the groups, and whether they are whole.
  std::map<std::string, std::map<std::vector<std::int64_t>, bool>> in_question_;
  std::set<RowName> questioned_;  // about which the bases are not asked, by groups
};

}  // namespace

MergeContext context_of(ConnectionState& connection, const VersionMerge& what, OwnChanges own_changes) {
  return {.connection = connection,
          .preference = what.preference,
          .renumber = what.renumber,
          .only_changes = what.only_changes,
          .several_bases = what.bases.size() > 1,
          .own_changes = std::move(own_changes),
          .resolution = what.resolution};
}

Result<std::optional<SchemaBases>> find_schema_bases(ConnectionState& connection, const VersionMerge& what,
                                                     const MergeContext& whole) {
  if (what.bases.size() == 1) return std::optional<SchemaBases>();
  std::vector<ReadPoint> all_versions = what.bases;
  all_versions.push_back(what.theirs);
  all_versions.push_back(connection.file().point());
  DOSQL_ASSIGN_OR_RETURN(const bool same, have_same_schema(connection, all_versions));
  if (same) return std::optional<SchemaBases>();
  DOSQL_ASSIGN_OR_RETURN(SchemaBases found, SchemaBases::find(connection, *whole.lines, what.bases));
  if (!found.has_disputed()) return std::optional(std::move(found));
  // Nothing is decided as yet: whoever decided saw what is in dispute.
  VersionMerge undecided{.theirs = what.theirs, .bases = what.bases, .keep = false};
  std::vector<SchemaEffects> all;
  for (std::size_t base = 0; base < what.bases.size(); ++base) {
    const SchemaBases counted = found.undisputed(base);
    MergeContext context = whole;
    context.schema_bases = &counted;
    RowEffects rows;
    SchemaEffects& schema = all.emplace_back();
    const auto look = [&](const MergeContext& tried) { return read_schema(connection, tried, schema); };
    DOSQL_RETURN_IF_ERROR(try_from(connection, undecided, what.bases[base], context, rows, look));
  }
  found.keep_disputed(differing(all));
  return std::optional(std::move(found));
}

Status settle_bases(ConnectionState& connection, const VersionMerge& what, MergeContext& context) {
  DoubtfulContents doubtful(connection, what, context);
  DOSQL_RETURN_IF_ERROR(settle_doubtful_tables(connection, what, context, doubtful));
  if (what.bases.size() > 1) return BaseComparison(connection, what, context, doubtful).run();
  return count_moved_rows(connection, what, context, doubtful);
}

}  // namespace dosql::engine
