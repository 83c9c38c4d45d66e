#include "engine/virtual_base.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/connection_state.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"

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

std::vector<std::uint32_t> in_both(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return both;
}

bool has_number(std::span<const version::MovedRun> runs, const std::string& table,
                std::span<const std::int64_t> numbers) {
  return std::ranges::any_of(runs, [&](const version::MovedRun& run) {
    const auto is_in = [&](std::int64_t number) { return run.first <= number && number <= run.last; };
    return (run.table.empty() || sql::equals_ignoring_case(run.table, table)) &&
           std::ranges::any_of(numbers, is_in);
  });
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

VirtualBase::Row VirtualBase::merged_row(const Row& base, const Row& ours, const Row& theirs) {
  // One that base has, and a later version has not, was dropped there, and came back.
  const auto came_back = [&](std::uint32_t column) {
    return base.row && !std::ranges::binary_search(base.absent, column);
  };
  for (const Row* const side : {&ours, &theirs}) {
    if (side->row && std::ranges::any_of(side->absent, came_back)) return Row();
  }
  merge::RowOutcome outcome;
  merge::merge_row({values_of(base.row), values_of(ours.row), values_of(theirs.row)}, merge::KeyOrigin::kUser,
                   merge::Preference::kNone, outcome);
  if (outcome.conflict) return Row();
  switch (outcome.action) {
    case merge::RowAction::kKeep: return {true, ours.row, ours.absent};
    case merge::RowAction::kInsert: return {true, theirs.row, theirs.absent};
    case merge::RowAction::kDelete: return {.known = true, .row = std::nullopt};
    case merge::RowAction::kUpdate: break;
  }
  std::vector<Field> row(ours.row->values().begin(), ours.row->values().end());
  for (const std::uint32_t column : outcome.columns) row[column] = theirs.row->values()[column];
  return {true, RowCopy(row), in_both(ours.absent, theirs.absent)};
}

Result<const VirtualBase::Followed*> VirtualBase::followed(const MergedTable& table) {
  const auto known = tables_.find(table.places);
  if (known != tables_.end()) return &known->second;
  Followed found{.table = table};
  found.table.follows_names = true;
  DOSQL_ASSIGN_OR_RETURN(const auto ours, rows_.name_in(ours_.point, table));
  DOSQL_ASSIGN_OR_RETURN(const auto theirs, rows_.name_in(theirs_, table));
  found.in_ours = !ours || !ours->empty();
  found.in_theirs = !theirs || !theirs->empty();
  return &tables_.emplace(table.places, std::move(found)).first->second;
}

Result<VirtualBase::Row> VirtualBase::find(const MergedTable& table, Values row, bool surely) {
  if (table.is_virtual || !table.places || (!table.rowid_column && !table.has_key(row))) return Row();
  DOSQL_ASSIGN_OR_RETURN(const Followed* const known, followed(table));
  Wanted wanted{known->table, {}};
  if (table.rowid_column) {
    wanted.address.rowid = row[*table.rowid_column].integer;
  } else {
    wanted.address.key_of = row;
  }
  DOSQL_ASSIGN_OR_RETURN(Row found, merged(wanted, bases_, 0));
  if (!found.known || !wanted.where) return found;
  DOSQL_ASSIGN_OR_RETURN(const bool unseen, brought_under_another_name(wanted));
  if (unseen) return Row();
  for (const bool is_ours : {true, false}) {
    if (!(is_ours ? known->in_ours : known->in_theirs)) continue;
    DOSQL_ASSIGN_OR_RETURN(const bool same_one,
                           is_same_in(wanted, is_ours ? ours_ : RowSide{theirs_}, surely));
    if (!same_one) return Row();
  }
  return found;
}

Result<bool> VirtualBase::is_same_in(const Wanted& wanted, const RowSide& side, bool surely) {
  if (surely) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found there,
                           rows_.find(side.point, wanted.table, wanted.address));
    surely = there.row.has_value();
  }
  DOSQL_ASSIGN_OR_RETURN(const SameRow same, identity_.compare(wanted.table, wanted.address, *wanted.where,
                                                               wanted.address, side));
  return surely ? same == SameRow::kYes : same != SameRow::kNo;
}

Result<VirtualBase::Row> VirtualBase::merged(Wanted& wanted, const Points& points, int depth) {
  std::vector<Lsn> name;
  for (const ReadPoint& point : points) name.push_back(point.lsn);
  const auto known = wanted.merged.find(name);
  if (known != wanted.merged.end()) return known->second;
  DOSQL_ASSIGN_OR_RETURN(Row found, merge_all(wanted, points, depth));
  return wanted.merged.emplace(std::move(name), std::move(found)).first->second;
}

Result<VirtualBase::Row> VirtualBase::merge_all(Wanted& wanted, const Points& points, int depth) {
  DOSQL_ASSIGN_OR_RETURN(Row result, row_at(wanted, points[0]));
  Points done{points[0]};
  for (const ReadPoint& next : std::span(points).subspan(1)) {
    if (!result.known) return result;
    DOSQL_ASSIGN_OR_RETURN(Row other, row_at(wanted, next));
    if (!other.known) return other;
    if (same(result.row, other.row)) {
      result.absent = in_both(result.absent, other.absent);
    } else {
      if (depth == kDepthMax) return Row();
      DOSQL_ASSIGN_OR_RETURN(const Points* const before, common_.of(done, next));
      if (before->empty()) return Row();
      DOSQL_ASSIGN_OR_RETURN(const Row base, merged(wanted, *before, depth + 1));
      if (!base.known) return base;
      Points since = done;
      since.push_back(next);
      DOSQL_ASSIGN_OR_RETURN(const bool doubtful, in_doubt(wanted, *before, since));
      if (doubtful) return Row();
      result = merged_row(base, result, other);
      if (!result.known) return result;
    }
    done.push_back(next);
  }
  return result;
}

// Two versions that have the row have to have the same one.
Result<VirtualBase::Row> VirtualBase::row_at(Wanted& wanted, const ReadPoint& point) {
  DOSQL_ASSIGN_OR_RETURN(VersionRows::Found found, rows_.find_merged(point, wanted.table, wanted.address));
  if (!found.known) return Row();
  if (found.row && !wanted.where) {
    wanted.where = point;
  } else if (found.row) {
    DOSQL_ASSIGN_OR_RETURN(const bool same_one,
                           identity_.is_same(wanted.table, wanted.address, *wanted.where, {point}));
    if (!same_one) return Row();
  }
  return Row{true, std::move(found.row), std::move(found.absent)};
}

std::vector<std::int64_t> VirtualBase::numbers_of(const Wanted& wanted) {
  if (wanted.address.key_of.empty()) return {wanted.address.rowid};
  return wanted.table.numbers_of(wanted.address.key_of, wanted.address.rowid);
}

// Whether a merge on the way says so of a number in the key.
Result<bool> VirtualBase::in_doubt(const Wanted& wanted, const Points& before, const Points& since) {
  const std::vector<std::int64_t> numbers = numbers_of(wanted);
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
        DOSQL_ASSIGN_OR_RETURN(const auto name, rows_.name_in(one.commit, wanted.table));
        if (!name || has_number(one.runs, *name, numbers)) return true;
      }
    }
  }
  return false;
}

Result<bool> VirtualBase::brought_under_another_name(const Wanted& wanted) {
  const std::vector<std::int64_t> numbers = numbers_of(wanted);
  if (numbers.empty()) return false;
  if (!brought_) {
    Points sides = ours_.merged;
    sides.insert(sides.end(), {ours_.point, theirs_});
    DOSQL_ASSIGN_OR_RETURN(
        brought_, version::brought_since(connection_.core().store(), {.branch = kMainBranch}, sides));
  }
  for (const version::MovedBy& one : *brought_) {
    DOSQL_ASSIGN_OR_RETURN(const auto name, rows_.name_in(one.commit, wanted.table));
    if (!name) return true;
    if (!sql::equals_ignoring_case(*name, wanted.table.name) && has_number(one.runs, *name, numbers))
      return true;
  }
  return false;
}

}  // namespace dosql::engine
