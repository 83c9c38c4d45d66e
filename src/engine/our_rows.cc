#include "engine/our_rows.h"

#include <algorithm>
#include <cstdint>

#include "engine/connection_state.h"
#include "merge/row_merge.h"

namespace dosql::engine {

using version::MovedRun;
using version::ReadPoint;

OurRows::OurRows(MergeContext& context, const MergedTable& table)
    : context_(context),
      table_(table),
      followed_(table.followed()),
      statements_(context.connection, table, context.encoding) {}

Result<SameRow> OurRows::compare(const ReadPoint& version, const RowAddress& row, const RowAddress& here,
                                 const ReadPoint* without) {
  DOSQL_ASSIGN_OR_RETURN(const std::optional<SameRow> brought, compare_brought(version, row, here, without));
  if (brought) return *brought;
  bool known = true;
  DOSQL_ASSIGN_OR_RETURN(const Points ways, ways_of(here, known));
  if (ways.empty()) return known ? SameRow::kNo : SameRow::kUnknown;
  std::optional<SameRow> all;
  for (const ReadPoint& way : ways) {
    DOSQL_ASSIGN_OR_RETURN(const SameRow same,
                           context_.identity->compare(followed_, row, version, here, {way}, without));
    if (all && *all != same) return SameRow::kUnknown;
    all = same;
  }
  return *all;
}

std::vector<MovedRun> OurRows::pending_runs() const {
  std::vector<MovedRun> runs;
  const auto brought = context_.brought.find(table_.name);
  if (brought == context_.brought.end()) return runs;
  for (const Brought::Run& one : brought->second.runs) {
    if (one.pending && raw(one.run.source) != 0) runs.push_back(one.run);
  }
  return runs;
}

// What the open transaction brought is on no way.
Result<std::optional<SameRow>> OurRows::compare_brought(const ReadPoint& version, const RowAddress& row,
                                                        const RowAddress& here, const ReadPoint* without) {
  std::optional<SameRow> found;
  if (!here.key_of.empty()) return found;
  for (const MovedRun& run : pending_runs()) {
    if (!version::has_here(run, here.rowid)) continue;
    if (run.source == version::kLostSource) return std::optional(SameRow::kUnknown);
    const auto source = context_.connection.core().store().at_commit(run.source);
    if (!source) return std::optional(SameRow::kUnknown);
    const RowAddress there{.rowid = version::number_there(run, here.rowid)};
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found at_source,
                           context_.identity->rows().find(*source, followed_, there));
    if (!at_source.row) continue;
    DOSQL_ASSIGN_OR_RETURN(found,
                           context_.identity->compare(followed_, row, version, there, {*source}, without));
    if (*found != SameRow::kNo) return found;
  }
  return found;
}

Result<SameRow> OurRows::stayed(const Way& way, const RowAddress& row, const std::vector<Way>& ways) {
  SameRow same = SameRow::kYes;
  if (!row.key_of.empty()) return same;
  for (const MovedRun& run : pending_runs()) {
    if (run.now == run.first || !version::has_there(run, row.rowid)) continue;
    DOSQL_ASSIGN_OR_RETURN(const SameRow is_it, context_.identity->is_of_source(followed_, row, run, way.at));
    if (is_it == SameRow::kNo) continue;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here,
                           statements_.find({.rowid = version::number_here(run, row.rowid)}));
    const bool is_there = here && std::ranges::any_of(ways, [&](const Way& one) {
                            return have_same_content(here->row.values(), one.row.values());
                          });
    if (is_it == SameRow::kYes && is_there) return SameRow::kNo;
    same = SameRow::kUnknown;
  }
  return same;
}

bool OurRows::have_same_content(std::span<const diff::Field> a, std::span<const diff::Field> b) const {
  if (a.size() != b.size()) return false;
  if (!table_.rowid_column) return merge::same_row(a, b);
  const std::uint32_t number = *table_.rowid_column;
  return merge::same_row(a.first(number), b.first(number)) &&
         merge::same_row(a.subspan(number + 1), b.subspan(number + 1));
}

// By its columns as ours has them, where that can be told.
Result<VersionRows::Found> OurRows::find_in(const ReadPoint& way, const RowAddress& row) {
  VersionRows& rows = context_.identity->rows();
  if (table_.places) {
    DOSQL_ASSIGN_OR_RETURN(VersionRows::Found found, rows.find_merged(way, table_, row));
    if (found.known) return found;
  }
  return rows.find(way, followed_, row);
}

Result<std::vector<OurRows::Way>> OurRows::all_ways(const RowAddress& here, bool& known) {
  const RowSide& side = context_.our_side;
  Points all{side.point};
  all.insert(all.end(), side.merged.begin(), side.merged.end());
  std::vector<Way> ways;
  for (const ReadPoint& way : all) {
    DOSQL_ASSIGN_OR_RETURN(VersionRows::Found there, find_in(way, here));
    known = known && there.known;
    if (there.row) ways.push_back({way, *std::move(there.row)});
  }
  return ways;
}

Result<OurRows::Points> OurRows::ways_of(const RowAddress& here, bool& known) {
  DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, statements_.find(here));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<Way> all, all_ways(here, known));
  Points ways;
  bool may_have_gone = false;
  for (const Way& way : all) {
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, stayed(way, here, all));
    const bool is_same = ours && way.row.values().size() == ours->row.values().size() &&
                         merge::same_row(way.row.values(), ours->row.values());
    if (is_same && same != SameRow::kNo) return Points{way.at};
    if (same == SameRow::kYes) ways.push_back(way.at);
    // What is the same here and there may be either.
    may_have_gone = may_have_gone || same == SameRow::kUnknown || is_same;
  }
  // A note may say too much.
  known = known && (!may_have_gone || !ways.empty());
  return ways;
}

}  // namespace dosql::engine
