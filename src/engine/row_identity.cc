#include "engine/row_identity.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <ranges>
#include <utility>

#include "diff/row.h"
#include "engine/common_versions.h"
#include "sql/lexer.h"

namespace dosql::engine {

using version::ReadPoint;

namespace {

// In which values rows under two numbers differ; none: they are no rows of the same columns.
std::optional<std::vector<std::size_t>> differing_values(const VersionRows::Found& a,
                                                         const VersionRows::Found& b) {
  const std::span<const diff::Field> left = a.row->values();
  const std::span<const diff::Field> right = b.row->values();
  if (left.size() != right.size() || a.number != b.number) return std::nullopt;
  std::vector<std::size_t> differing;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (a.number != i && !diff::same_value(left[i], right[i])) differing.push_back(i);
  }
  return differing;
}

// What it is known by set aside: of rows under two numbers, these.
bool is_same_content(const VersionRows::Found& a, const VersionRows::Found& b) {
  const auto differing = differing_values(a, b);
  return differing && differing->empty();
}

bool is_same_address(const RowAddress& a, const RowAddress& b) {
  return !a.key_of.empty() || !b.key_of.empty() || a.rowid == b.rowid;
}

}  // namespace

Version RowIdentity::shared_by(const ReadPoint& a, const ReadPoint& b) const {
  const Version shared = store_.shared_version(a.branch, b.branch).version;
  return std::min({shared, a.version, b.version});
}

Result<ReadPoint> RowIdentity::at_version(BranchId branch, Version version) {
  const auto known = points_.find({branch, version});
  if (known != points_.end()) return known->second;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, store_.at_version(branch, version));
  return points_.emplace(std::pair(branch, version), point).first->second;
}

std::shared_ptr<const RowIdentity::Events> RowIdentity::events_of(const ReadPoint& at) {
  std::shared_ptr<const Events>& known = events_[{at.branch, at.version}];
  if (!known) {
    std::map<Version, Event> events;
    for (version::LineMerge& merge : version::merges_on_line(store_, at))
      events[merge.version].merged.push_back(merge.mark);
    for (const Version version : version::brought_on_line(store_, at)) events[version].brought = true;
    Events all;
    for (auto& [version, event] : events) {
      event.version = version;
      all.push_back(std::move(event));
    }
    known = std::make_shared<const Events>(std::move(all));
  }
  return known;
}

RowIdentity::Trace RowIdentity::trace_from(const ReadPoint& at, const RowAddress& row) {
  std::shared_ptr<const Events> events = events_of(at);
  const std::size_t left = events->size();
  return {at, row, std::move(events), left};
}

Version RowIdentity::newest_event(const ReadPoint& at) {
  const std::shared_ptr<const Events> events = events_of(at);
  return events->empty() ? Version{} : events->back().version;
}

bool RowIdentity::may_be_others(const ReadPoint& version, const RowSide& side) {
  if (!side.merged.empty()) return true;
  const Version shared = shared_by(version, side.point);
  return newest_event(version) > shared || newest_event(side.point) > shared;
}

bool RowIdentity::no_event_between(const ReadPoint& a, const ReadPoint& b) {
  const auto [older, newer] =
      std::minmax(a, b, [](const ReadPoint& x, const ReadPoint& y) { return x.version < y.version; });
  return older.branch == newer.branch && newest_event(newer) <= older.version;
}

Result<RowIdentity::Step> RowIdentity::step_back(const MergedTable& table, Trace& trace, const Trace& other) {
  return trace.newest().merged.empty() ? step_over_brought(table, trace)
                                       : step_over_merge(table, trace, other);
}

// What a merge made of a row that both have shows whose it is: cells of both are so of one row only.
Result<RowIdentity::Step> RowIdentity::step_over_merge(const MergedTable& table, Trace& trace,
                                                       const Trace& other) {
  const Event& event = trace.newest();
  const Version version = event.version;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint merge, at_version(trace.at.branch, version));
  DOSQL_ASSIGN_OR_RETURN(const Found came, rows_.find(merge, table, trace.row));
  if (!came.known) return Step::kUnknown;
  if (!came.row) return Step::kBegan;
  bool stayed = false;
  std::optional<ReadPoint> parent;
  if (raw(version) > 1) {
    DOSQL_ASSIGN_OR_RETURN(parent, at_version(trace.at.branch, Version{raw(version) - 1}));
    DOSQL_ASSIGN_OR_RETURN(const Found before, rows_.find(*parent, table, trace.row));
    if (!before.known) return Step::kUnknown;
    if (!before.row) parent.reset();
    stayed = before.row && is_same_content(before, came);
    DOSQL_ASSIGN_OR_RETURN(const Step met, look_for_met(table, trace, event, came, other));
    if (met != Step::kBegan) return met;
  }
  if (!stayed) {
    DOSQL_ASSIGN_OR_RETURN(Step step, go_to_merged(table, trace, event, came, true));
    if (step == Step::kBegan && event.brought) {
      DOSQL_ASSIGN_OR_RETURN(step, go_to_source(table, merge, came, parent.has_value(), trace));
    }
    if (step == Step::kBegan && !parent) return go_to_merged(table, trace, event, came, false);
    if (step != Step::kBegan) return step;
  }
  --trace.left;
  trace.at = *parent;
  return Step::kDone;
}

// Branches that merge each other again and again would be traced back to where they parted.
Result<RowIdentity::Step> RowIdentity::look_for_met(const MergedTable& table, const Trace& trace,
                                                    const Event& event, const Found& came,
                                                    const Trace& other) {
  if (!is_same_address(trace.row, other.row)) return Step::kBegan;
  for (const version::MergeMark& mark : std::views::reverse(event.merged)) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(mark.lsn));
    if (other.lost || !no_event_between(merged, other.at)) continue;
    DOSQL_ASSIGN_OR_RETURN(const Found there, rows_.find(merged, table, trace.row));
    if (!there.known) return Step::kUnknown;
    if (!there.row) continue;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merge, at_version(trace.at.branch, event.version));
    DOSQL_ASSIGN_OR_RETURN(const bool as_it_came, is_as_it_came(table, merge, came, merged.lsn, there));
    if (!as_it_came) continue;
    // Another one may be just as that was, which has another number now.
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, stayed(table, trace.row, merge, merged, there));
    if (same == SameRow::kUnknown) return Step::kUnknown;
    if (same == SameRow::kYes) return Step::kMet;
  }
  return Step::kBegan;
}

Result<RowIdentity::Step> RowIdentity::go_to_merged(const MergedTable& table, Trace& trace,
                                                    const Event& event, const Found& came, bool as_it_came) {
  if (raw(event.version) <= 1) return Step::kBegan;
  for (const version::MergeMark& mark : std::views::reverse(event.merged)) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(mark.lsn));
    DOSQL_ASSIGN_OR_RETURN(const Found there, rows_.find(merged, table, trace.row));
    if (!there.known) return Step::kUnknown;
    if (!there.row) continue;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint merge, at_version(trace.at.branch, event.version));
    if (as_it_came) {
      DOSQL_ASSIGN_OR_RETURN(const bool is_so, is_as_it_came(table, merge, came, merged.lsn, there));
      if (!is_so) continue;
    } else {
      DOSQL_ASSIGN_OR_RETURN(const bool leaves, leaves_as_it_was(table, trace, event, mark, there));
      if (leaves) continue;
    }
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, stayed(table, trace.row, merge, merged, there));
    if (same == SameRow::kNo) continue;
    if (same == SameRow::kUnknown) return Step::kUnknown;
    trace = trace_from(merged, trace.row);
    return Step::kDone;
  }
  return Step::kBegan;
}

Result<bool> RowIdentity::leaves_as_it_was(const MergedTable& table, const Trace& trace, const Event& event,
                                           const version::MergeMark& mark, const Found& there) {
  std::vector<ReadPoint> before;
  DOSQL_ASSIGN_OR_RETURN(before.emplace_back(), at_version(trace.at.branch, Version{raw(event.version) - 1}));
  for (const version::MergeMark& earlier : event.merged) {
    if (earlier == mark) break;
    DOSQL_ASSIGN_OR_RETURN(before.emplace_back(), store_.at_commit(earlier.lsn));
  }
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint merged, store_.at_commit(mark.lsn));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> bases, best_common(store_, before, merged));
  for (const ReadPoint& base : bases) {
    DOSQL_ASSIGN_OR_RETURN(const Found in_base, rows_.find(base, table, trace.row));
    if (in_base.row && is_same_content(in_base, there)) return true;
  }
  return false;
}

// What it says nothing of goes by as any commit does.
Result<RowIdentity::Step> RowIdentity::step_over_brought(const MergedTable& table, Trace& trace) {
  const Version version = trace.newest().version;
  --trace.left;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, at_version(trace.at.branch, version));
  DOSQL_ASSIGN_OR_RETURN(const auto runs, brought_runs(table, trace.row, commit));
  if (runs.empty()) return Step::kDone;
  DOSQL_ASSIGN_OR_RETURN(const Found came, rows_.find(commit, table, trace.row));
  if (!came.known) return Step::kUnknown;
  if (!came.row) return Step::kDone;
  bool was_there = false;
  if (raw(version) > 1) {
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint parent, at_version(trace.at.branch, Version{raw(version) - 1}));
    DOSQL_ASSIGN_OR_RETURN(const Found before, rows_.find(parent, table, trace.row));
    was_there = before.row.has_value();
    if (was_there && is_same_content(before, came)) return Step::kDone;
  }
  DOSQL_ASSIGN_OR_RETURN(const Step step, go_to_source(table, commit, came, was_there, trace));
  return step == Step::kBegan ? Step::kDone : step;
}

Result<SameRow> RowIdentity::stayed(const MergedTable& table, const RowAddress& row, const ReadPoint& merge,
                                    const ReadPoint& merged, const Found& there) {
  if (!row.key_of.empty()) return SameRow::kYes;
  DOSQL_ASSIGN_OR_RETURN(const auto runs, brought_runs(table, merge));
  SameRow same = SameRow::kYes;
  for (const version::MovedRun& run : runs) {
    if (run.now == run.first || !version::has_there(run, row.rowid)) continue;
    DOSQL_ASSIGN_OR_RETURN(const SameRow is_it, is_of_source(table, row, run, merged));
    if (is_it == SameRow::kNo) continue;
    DOSQL_ASSIGN_OR_RETURN(const Found found,
                           rows_.find(merge, table, {.rowid = version::number_here(run, row.rowid)}));
    if (is_it == SameRow::kYes && found.row) {
      DOSQL_ASSIGN_OR_RETURN(const bool is_so, is_as_it_came(table, merge, found, run.source, there));
      if (is_so) return SameRow::kNo;
    }
    same = SameRow::kUnknown;
  }
  return same;
}

Result<SameRow> RowIdentity::is_of_source(const MergedTable& table, const RowAddress& row,
                                          const version::MovedRun& run, const ReadPoint& version) {
  if (run.source == version.lsn) return SameRow::kYes;
  if (run.source == version::kLostSource) return SameRow::kUnknown;
  const auto source = store_.at_commit(run.source);
  if (!source) return SameRow::kUnknown;
  DOSQL_ASSIGN_OR_RETURN(const Found there, rows_.find(*source, table, row));
  if (!there.known) return SameRow::kUnknown;
  return there.row ? compare(table, row, *source, row, {version}) : Result(SameRow::kNo);
}

Result<bool> RowIdentity::is_as_it_came(const MergedTable& table, const ReadPoint& commit, const Found& came,
                                        Lsn source, const Found& there) {
  const auto differing = differing_values(there, came);
  if (!differing || differing->empty()) return differing.has_value();
  DOSQL_ASSIGN_OR_RETURN(const auto* const runs, all_brought_runs(commit));
  if (runs->empty()) return false;
  DOSQL_ASSIGN_OR_RETURN(const auto references, rows_.references(commit, table));
  const auto followed = [&](std::size_t value) {
    const diff::Field& before = there.row->values()[value];
    const diff::Field& now = came.row->values()[value];
    if (before.type != diff::FieldType::kInteger || now.type != diff::FieldType::kInteger) return false;
    const auto is_noted = [&](const std::string& parent) {
      return std::ranges::any_of(*runs, [&](const version::MovedRun& run) {
        return run.source == source && sql::equals_ignoring_case(run.table, parent) &&
               version::has_there(run, before.integer) &&
               version::number_here(run, before.integer) == now.integer;
      });
    };
    return std::ranges::any_of(references,
                               [&](const auto& one) { return one.value == value && is_noted(one.parent); });
  };
  return std::ranges::all_of(*differing, followed);
}

Result<const std::vector<version::MovedRun>*> RowIdentity::all_brought_runs(const ReadPoint& commit) {
  auto known = brought_.find(commit.lsn);
  if (known == brought_.end()) {
    DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedRun> runs, version::brought_by(store_, commit));
    known = brought_.emplace(commit.lsn, std::move(runs)).first;
  }
  return &known->second;
}

Result<std::vector<version::MovedRun>> RowIdentity::brought_runs(const MergedTable& table,
                                                                 const ReadPoint& commit) {
  DOSQL_ASSIGN_OR_RETURN(const auto* const runs, all_brought_runs(commit));
  std::string name = table.name;
  if (table.follows_names && !runs->empty()) {
    // Where it is not clear which table that is, no row of it is found there either.
    DOSQL_ASSIGN_OR_RETURN(const std::optional<std::string> there, rows_.name_in(commit, table));
    name = there.value_or("");
  }
  std::vector<version::MovedRun> found;
  std::ranges::copy_if(*runs, std::back_inserter(found), [&](const version::MovedRun& run) {
    return raw(run.source) != 0 && (run.table.empty() || sql::equals_ignoring_case(run.table, name));
  });
  return found;
}

Result<std::vector<version::MovedRun>> RowIdentity::brought_runs(const MergedTable& table,
                                                                 const RowAddress& row,
                                                                 const ReadPoint& commit) {
  DOSQL_ASSIGN_OR_RETURN(std::vector<version::MovedRun> runs, brought_runs(table, commit));
  const std::vector<std::int64_t> numbers =
      row.key_of.empty() ? std::vector{row.rowid} : table.numbers_of(row.key_of, row.rowid);
  std::erase_if(runs, [&](const version::MovedRun& run) {
    // A key stays what it is.
    if (!row.key_of.empty() && run.now != run.first) return true;
    return std::ranges::none_of(numbers, [&](std::int64_t number) { return version::has_here(run, number); });
  });
  return runs;
}

Result<RowIdentity::Step> RowIdentity::go_to_source(const MergedTable& table, const ReadPoint& commit,
                                                    const Found& came, bool as_it_came, Trace& trace) {
  DOSQL_ASSIGN_OR_RETURN(const auto runs, brought_runs(table, trace.row, commit));
  std::optional<std::pair<ReadPoint, RowAddress>> to;  // as it came
  std::optional<std::pair<ReadPoint, RowAddress>> otherwise;
  std::optional<std::pair<Lsn, std::int64_t>> lost;
  bool unsure = false;
  for (const version::MovedRun& run : runs) {
    RowAddress there = trace.row;
    if (there.key_of.empty()) there.rowid = version::number_there(run, trace.row.rowid);
    if (run.source == version::kLostSource) {
      unsure = true;
      continue;
    }
    const auto source = store_.at_commit(run.source);
    // Its branch was dropped, and forgotten.
    if (!source) {
      if (!lost) lost.emplace(run.source, there.rowid);
      continue;
    }
    DOSQL_ASSIGN_OR_RETURN(const Found found, rows_.find(*source, table, there));
    unsure = unsure || !found.known;
    if (!found.row) continue;
    const bool keeps_number = is_same_address(there, trace.row);
    DOSQL_ASSIGN_OR_RETURN(const bool is_it, is_as_it_came(table, commit, came, run.source, found));
    if (is_it) {
      // Two rows of one content, one of which a run says too much of.
      if (to && to->first == *source && !is_same_address(to->second, there)) return Step::kUnknown;
      if (!to) to.emplace(*source, there);
    } else if (!keeps_number) {
      unsure = true;
    } else if (!otherwise) {
      otherwise.emplace(*source, there);
    }
  }
  // Its transaction may have changed what it brought in the place of another row.
  if (!to && as_it_came) return otherwise ? Step::kUnknown : Step::kBegan;
  if (!to && unsure) return Step::kUnknown;
  if (!to) to = otherwise;
  if (to) {
    trace = trace_from(to->first, to->second);
    return Step::kDone;
  }
  if (!lost) return Step::kBegan;
  trace.lost = lost;
  trace.left = 0;
  return Step::kDone;
}

// Nothing brought or merged it since.
Result<bool> RowIdentity::begins_behind(const MergedTable& table, const Trace& trace, Version shared,
                                        const ReadPoint& without) {
  const Version passed = shared_by(trace.at, without);
  if (passed <= shared || passed == trace.at.version) return false;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, at_version(trace.at.branch, passed));
  DOSQL_ASSIGN_OR_RETURN(const Found found, rows_.find(point, table, trace.row));
  return found.known && !found.row;
}

// No merge is left on either way back to where their lines part.
Result<bool> RowIdentity::shares_beginning(const MergedTable& table, const Trace& a, const Trace& b,
                                           Version shared) {
  if (shared == a.at.version || shared == b.at.version) return true;
  if (raw(shared) == 0) return false;
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint parted, at_version(a.at.branch, shared));
  DOSQL_ASSIGN_OR_RETURN(const Found found, rows_.find(parted, table, a.row));
  return !found.known || found.row;
}

Result<SameRow> RowIdentity::meet(const MergedTable& table, const Trace& a, const Trace& b, Version shared,
                                  const ReadPoint* without) {
  // A row of a branch that was dropped and forgotten nobody has but who brought it, too.
  if (a.lost && b.lost) return a.lost == b.lost ? SameRow::kYes : SameRow::kUnknown;
  if (a.lost || b.lost || !is_same_address(a.row, b.row)) return SameRow::kNo;
  for (const Trace* const trace : {&a, &b}) {
    if (without == nullptr) break;
    DOSQL_ASSIGN_OR_RETURN(const bool is_new, begins_behind(table, *trace, shared, *without));
    if (is_new) return SameRow::kNo;
  }
  DOSQL_ASSIGN_OR_RETURN(const bool same, shares_beginning(table, a, b, shared));
  return same ? SameRow::kYes : SameRow::kNo;
}

Result<bool> RowIdentity::is_same(const MergedTable& table, const RowAddress& row, const ReadPoint& version,
                                  const RowSide& side) {
  DOSQL_ASSIGN_OR_RETURN(const SameRow same, compare(table, row, version, row, side));
  return same != SameRow::kNo;
}

Result<bool> RowIdentity::is_new(const MergedTable& table, const RowAddress& row, const RowSide& side) {
  bool known = true;
  DOSQL_ASSIGN_OR_RETURN(const std::optional<Trace> from, trace_of(table, row, side, known));
  return known && !from;
}

Result<std::optional<RowIdentity::Trace>> RowIdentity::trace_of(const MergedTable& table,
                                                                const RowAddress& row, const RowSide& side,
                                                                bool& known) {
  std::vector<ReadPoint> ways{side.point};
  ways.insert(ways.end(), side.merged.begin(), side.merged.end());
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const Found found, rows_.find(way, table, row));
    known = found.known;
    if (!known) break;
    if (found.row) return std::optional(trace_from(way, row));
  }
  return std::optional<Trace>();
}

Result<SameRow> RowIdentity::compare(const MergedTable& table, const RowAddress& row,
                                     const ReadPoint& version, const RowAddress& theirs, const RowSide& side,
                                     const ReadPoint* without) {
  bool known = true;
  DOSQL_ASSIGN_OR_RETURN(std::optional<Trace> from, trace_of(table, theirs, side, known));
  if (!known || !from) return SameRow::kUnknown;
  Trace a = trace_from(version, row);
  Trace b = *std::move(from);
  while (true) {
    const Version shared = a.lost || b.lost ? Version{} : shared_by(a.at, b.at);
    const bool steps_a = a.newest_version() > shared;
    const bool steps_b = b.newest_version() > shared;
    if (!steps_a && !steps_b) return meet(table, a, b, shared, without);
    // From the newest to the oldest: neither passes by where the other one may come to.
    bool takes_a = steps_a;
    if (steps_a && steps_b) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_a, at_version(a.at.branch, a.newest_version()));
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint of_b, at_version(b.at.branch, b.newest_version()));
      takes_a = of_a.lsn > of_b.lsn;
    }
    DOSQL_ASSIGN_OR_RETURN(const Step step, takes_a ? step_back(table, a, b) : step_back(table, b, a));
    if (step == Step::kBegan) return SameRow::kNo;
    if (step == Step::kMet) return SameRow::kYes;
    if (step == Step::kUnknown) return SameRow::kUnknown;
  }
}

}  // namespace dosql::engine
