#include "engine/virtual_base.h"

#include <algorithm>
#include <utility>

#include "engine/connection_state.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using diff::Field;
using version::ReadPoint;

// Back to versions from before as many crossings.
constexpr int kDepthMax = 64;

using Values = std::span<const Field>;

merge::RowValues values_of(const std::optional<RowCopy>& row) {
  return row ? merge::RowValues(row->values()) : std::nullopt;
}

bool same(const std::optional<RowCopy>& a, const std::optional<RowCopy>& b) {
  return a.has_value() == b.has_value() && (!a || merge::same_row(a->values(), b->values()));
}

// What both make of base; none: they are in conflict.
std::optional<std::optional<RowCopy>> merged_row(const std::optional<RowCopy>& base,
                                                 const std::optional<RowCopy>& ours,
                                                 const std::optional<RowCopy>& theirs) {
  merge::RowOutcome outcome;
  merge::merge_row({values_of(base), values_of(ours), values_of(theirs)}, merge::KeyOrigin::kUser,
                   merge::Preference::kNone, outcome);
  if (outcome.conflict) return std::nullopt;
  switch (outcome.action) {
    case merge::RowAction::kKeep: return ours;
    case merge::RowAction::kInsert: return theirs;
    case merge::RowAction::kDelete: return std::optional<RowCopy>();
    case merge::RowAction::kUpdate: break;
  }
  std::vector<Field> row(ours->values().begin(), ours->values().end());
  for (const std::uint32_t column : outcome.columns) row[column] = theirs->values()[column];
  return std::optional(RowCopy(row));
}

}  // namespace

VirtualBase::VirtualBase(ConnectionState& connection, RowIdentity& identity, std::vector<ReadPoint> bases,
                         const ReadPoint& theirs, RowSide ours)
    : connection_(connection),
      identity_(identity),
      rows_(identity.rows()),
      bases_(std::move(bases)),
      theirs_(theirs),
      ours_(std::move(ours)),
      common_(connection.core().store()) {}

Result<const VirtualBase::Definition*> VirtualBase::definition_of(const std::string& table) {
  const auto known = definitions_.find(table);
  if (known != definitions_.end()) return &known->second;
  DOSQL_ASSIGN_OR_RETURN(std::string ours, rows_.definition(ours_.point, table));
  DOSQL_ASSIGN_OR_RETURN(std::string theirs, rows_.definition(theirs_, table));
  Definition found{.sql = "", .in_ours = !ours.empty(), .in_theirs = !theirs.empty()};
  if (!found.in_ours) {
    found.sql = std::move(theirs);
  } else if (!found.in_theirs || sql::same_definition(ours, theirs)) {
    found.sql = std::move(ours);
  }
  return &definitions_.emplace(table, std::move(found)).first->second;
}

Result<VirtualBase::Row> VirtualBase::find(const MergedTable& table, Values row) {
  if (table.is_virtual || (!table.rowid_column && !table.has_key(row))) return Row();
  DOSQL_ASSIGN_OR_RETURN(const Definition* const definition, definition_of(table.name));
  if (definition->sql.empty()) return Row();
  Wanted wanted{table, definition->sql, {}};
  if (table.rowid_column) {
    wanted.address.rowid = row[*table.rowid_column].integer;
  } else {
    wanted.address.key_of = row;
  }
  DOSQL_ASSIGN_OR_RETURN(Row found, merged(wanted, bases_, 0));
  if (!found.known || !wanted.where) return found;
  for (const bool is_ours : {true, false}) {
    if (!(is_ours ? definition->in_ours : definition->in_theirs)) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool same_one, identity_.is_same(table, wanted.address, *wanted.where,
                                                                  is_ours ? ours_ : RowSide{theirs_}));
    if (!same_one) return Row();
  }
  return found;
}

Result<VirtualBase::Row> VirtualBase::merged(Wanted& wanted, const Points& points, int depth) {
  DOSQL_ASSIGN_OR_RETURN(Row result, row_at(wanted, points[0]));
  Points done{points[0]};
  for (const ReadPoint& next : std::span(points).subspan(1)) {
    if (!result.known) return result;
    DOSQL_ASSIGN_OR_RETURN(Row other, row_at(wanted, next));
    if (!other.known) return other;
    if (!same(result.row, other.row)) {
      if (depth == kDepthMax) return Row();
      DOSQL_ASSIGN_OR_RETURN(const Points* const before, common_.of(done, next));
      if (before->empty()) return Row();
      DOSQL_ASSIGN_OR_RETURN(const Row base, merged(wanted, *before, depth + 1));
      if (!base.known) return base;
      Points since = done;
      since.push_back(next);
      DOSQL_ASSIGN_OR_RETURN(const bool doubtful, in_doubt(wanted, *before, since));
      auto both = doubtful ? std::nullopt : merged_row(base.row, result.row, other.row);
      if (!both) return Row();
      result.row = *std::move(both);
    }
    done.push_back(next);
  }
  return result;
}

// Two versions that have the row have to have the same one.
Result<VirtualBase::Row> VirtualBase::row_at(Wanted& wanted, const ReadPoint& point) {
  DOSQL_ASSIGN_OR_RETURN(VersionRows::Found found,
                         rows_.find(point, wanted.table, wanted.definition, wanted.address));
  if (!found.known) return Row();
  if (found.row && !wanted.where) {
    wanted.where = point;
  } else if (found.row) {
    DOSQL_ASSIGN_OR_RETURN(const bool same_one,
                           identity_.is_same(wanted.table, wanted.address, *wanted.where, {point}));
    if (!same_one) return Row();
  }
  return Row{.known = true, .row = std::move(found.row)};
}

// Whether a merge on the way says so of a number in the key.
Result<bool> VirtualBase::in_doubt(const Wanted& wanted, const Points& before, const Points& since) {
  const MergedTable& table = wanted.table;
  std::vector<std::int64_t> numbers;
  if (table.rowid_column) numbers.push_back(wanted.address.rowid);
  for (const MergedTable::Key& part : table.key) {
    if (wanted.address.key_of.empty()) break;
    const Field& value = wanted.address.key_of[part.column];
    if (value.type == diff::FieldType::kInteger) numbers.push_back(value.integer);
  }
  if (numbers.empty()) return false;
  for (const ReadPoint& base : before) {
    for (const ReadPoint& point : since) {
      auto known = moved_.find({base.lsn, point.lsn});
      if (known == moved_.end()) {
        DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedBy> moved,
                               version::moved_since(connection_.core().store(), base, {&point, 1}));
        known = moved_.emplace(std::pair(base.lsn, point.lsn), std::move(moved)).first;
      }
      for (const version::MovedBy& one : known->second) {
        for (const version::MovedRun& run : one.runs) {
          if (!run.table.empty() && !sql::equals_ignoring_case(run.table, table.name)) continue;
          const auto is_in = [&](std::int64_t number) { return run.first <= number && number <= run.last; };
          if (std::ranges::any_of(numbers, is_in)) return true;
        }
      }
    }
  }
  return false;
}

}  // namespace dosql::engine
