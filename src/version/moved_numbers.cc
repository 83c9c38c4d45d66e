#include "version/moved_numbers.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

#include "log/format.h"
#include "version/lineage.h"
#include "version/names.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

static_assert(std::uint32_t{kFromMerged} == std::uint32_t{log::kMovedFromMerged});
static_assert(std::uint32_t{kFromParent} == std::uint32_t{log::kMovedFromParent});
static_assert(std::uint32_t{kBrought} == std::uint32_t{log::kBrought});

constexpr std::size_t kRunsOfTableMax = 64;
constexpr std::uint8_t kFromAll = kFromMerged | kFromParent;

// What can be said of all numbers of all tables.
std::vector<MovedRun> everything(NoteKinds noted) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
  std::vector<MovedRun> runs;
  if (noted.moved) runs.push_back({"", kLowest, kHighest, kFromAll});
  if (noted.brought) runs.push_back({"", kLowest, kHighest, kBrought, kLostSource, kLowest});
  return runs;
}

// A run may be of all numbers there are: signed ones would overflow.
std::uint64_t distance(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}
std::int64_t behind(std::int64_t from, std::uint64_t distance) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + distance);
}

// How many numbers lie between two runs; 0 also where they touch or overlap.
std::uint64_t gap_between(const MovedRun& a, const MovedRun& b) {
  if (b.first <= a.last) return 0;
  return static_cast<std::uint64_t>(b.first) - static_cast<std::uint64_t>(a.last) - 1;
}

// Joins neighbours between which there is no wider gap. REQUIRES: of one group, ascending.
std::vector<MovedRun> joined(std::span<const MovedRun> runs, std::uint64_t gap, bool same_from) {
  std::vector<MovedRun> all;
  for (const MovedRun& run : runs) {
    const bool joins =
        !all.empty() && gap_between(all.back(), run) <= gap && (!same_from || all.back().from == run.from);
    if (!joins) {
      all.push_back(run);
      continue;
    }
    all.back().last = std::max(all.back().last, run.last);
    all.back().from |= run.from;
  }
  return all;
}

std::vector<MovedRun> at_most(std::vector<MovedRun> runs, std::size_t count) {
  runs = joined(runs, 0, true);
  while (runs.size() > count) {
    std::vector<std::uint64_t> gaps;
    for (std::size_t i = 1; i < runs.size(); ++i) gaps.push_back(gap_between(runs[i - 1], runs[i]));
    const auto widest_joined = gaps.begin() + static_cast<std::ptrdiff_t>(runs.size() - count - 1);
    std::ranges::nth_element(gaps, widest_joined);
    runs = joined(runs, *widest_joined, false);
  }
  return runs;
}

std::size_t bytes_of_run(const MovedRun& run, bool same_table) {
  return sizeof(log::MovedRun) + (same_table ? 0 : (run.table.size() + 7) / 8 * 8) +
         (run.from == kBrought ? sizeof(log::BroughtFrom) : 0);
}

std::size_t bytes_of_runs(std::span<const MovedRun> runs) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < runs.size(); ++i)
    bytes += bytes_of_run(runs[i], i > 0 && runs[i].table == runs[i - 1].table);
  return bytes;
}

// Runs that can become one.
using Group = std::tuple<std::string, bool, Lsn, std::uint64_t>;
Group group_of(const MovedRun& run) {
  const bool is_brought = run.from == kBrought;
  const std::uint64_t moved_by = static_cast<std::uint64_t>(run.now) - static_cast<std::uint64_t>(run.first);
  return {run.table, is_brought, run.source, is_brought ? moved_by : 0};
}

// None: they are too many.
std::optional<std::vector<MovedRun>> bounded_groups(std::span<const MovedRun> runs) {
  std::map<Group, std::vector<MovedRun>> groups;
  for (const MovedRun& run : runs) groups[group_of(run)].push_back(run);
  for (std::size_t most = kRunsOfTableMax; most > 0; most /= 2) {
    std::vector<MovedRun> all;
    for (auto& [group, of_group] : groups) {
      std::ranges::sort(of_group, {}, [](const MovedRun& run) { return std::pair(run.first, run.last); });
      of_group = at_most(std::move(of_group), most);
      all.insert(all.end(), of_group.begin(), of_group.end());
    }
    if (all.size() <= log::kMovedRunsMax && bytes_of_runs(all) <= log::kMovedBytesMax) return all;
  }
  return std::nullopt;
}

}  // namespace

NoteKinds kinds_of(std::span<const MovedRun> runs) {
  const auto is_brought = [](const MovedRun& run) { return run.from == kBrought; };
  return {.moved = !std::ranges::all_of(runs, is_brought), .brought = std::ranges::any_of(runs, is_brought)};
}

NoteKinds kinds_of(const log::RecordView& record) {
  const auto summary = record.moved_summary();
  if (!summary) return {};
  const auto runs = moved_of({summary->runs, record.moved()});
  // Who asks what it says learns that it is damaged.
  return runs ? kinds_of(*runs) : NoteKinds{.moved = true, .brought = true};
}

bool has_there(const MovedRun& run, std::int64_t number) { return run.first <= number && number <= run.last; }

bool has_here(const MovedRun& run, std::int64_t number) {
  return run.now <= number && distance(run.now, number) <= distance(run.first, run.last);
}

std::int64_t number_there(const MovedRun& run, std::int64_t here) {
  return behind(run.first, distance(run.now, here));
}

std::int64_t number_here(const MovedRun& run, std::int64_t there) {
  return behind(run.now, distance(run.first, there));
}

std::vector<MovedRun> bounded(std::vector<MovedRun> runs) {
  if (auto fewer = bounded_groups(runs)) return *std::move(fewer);
  for (MovedRun& run : runs) {
    if (run.from != kBrought) continue;
    run.source = kLostSource;
    run.now = run.first;
  }
  auto fewer = bounded_groups(runs);
  return fewer ? *std::move(fewer) : everything(kinds_of(runs));
}

MovedRows rows_of(std::span<const MovedRun> moved) {
  MovedRows rows;
  const std::vector<MovedRun> runs = bounded({moved.begin(), moved.end()});
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool same_table = i > 0 && runs[i].table == runs[i - 1].table;
    const std::string_view name = same_table ? std::string_view() : std::string_view(runs[i].table);
    const log::MovedRun row{.first = runs[i].first,
                            .last = runs[i].last,
                            .flags = runs[i].from | (same_table ? log::kMovedSameTable : 0u),
                            .name_bytes = static_cast<std::uint32_t>(name.size())};
    const Bytes fixed = bytes_of(row);
    rows.bytes.insert(rows.bytes.end(), fixed.begin(), fixed.end());
    const Bytes text = std::as_bytes(std::span(name));
    rows.bytes.insert(rows.bytes.end(), text.begin(), text.end());
    rows.bytes.resize((rows.bytes.size() + 7) / 8 * 8);
    if (runs[i].from != kBrought) continue;
    const log::BroughtFrom from{raw(runs[i].source), runs[i].now};
    const Bytes source = bytes_of(from);
    rows.bytes.insert(rows.bytes.end(), source.begin(), source.end());
  }
  rows.runs = static_cast<std::uint32_t>(runs.size());
  return rows;
}

std::optional<std::vector<MovedRun>> moved_of(const MovedView& rows) {
  std::vector<MovedRun> runs;
  Bytes left = rows.bytes;
  for (std::uint32_t i = 0; i < rows.runs; ++i) {
    if (left.size() < sizeof(log::MovedRun)) return {};
    const auto row = load<log::MovedRun>(left.data());
    left = left.subspan(sizeof row);
    const bool same_table = (row.flags & log::kMovedSameTable) != 0;
    const std::uint32_t from = row.flags & ~std::uint32_t{log::kMovedSameTable};
    const bool brought = from == kBrought;
    if (from == 0 || (from > kFromAll && !brought) || row.first > row.last) return {};
    if (same_table && (i == 0 || row.name_bytes != 0)) return {};
    const std::size_t padded = (std::size_t{row.name_bytes} + 7) / 8 * 8;
    if (padded > left.size()) return {};
    std::string table(reinterpret_cast<const char*>(left.data()), row.name_bytes);
    left = left.subspan(padded);
    runs.push_back({same_table ? runs.back().table : std::move(table), row.first, row.last,
                    static_cast<std::uint8_t>(from)});
    if (!brought) continue;
    if (left.size() < sizeof(log::BroughtFrom)) return {};
    const auto source = load<log::BroughtFrom>(left.data());
    const std::uint64_t width = static_cast<std::uint64_t>(row.last) - static_cast<std::uint64_t>(row.first);
    const std::uint64_t room = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) -
                               static_cast<std::uint64_t>(source.now);
    if (width > room) return {};
    runs.back().source = Lsn{source.lsn};
    runs.back().now = source.now;
    left = left.subspan(sizeof(log::BroughtFrom));
  }
  if (!left.empty()) return {};
  return runs;
}

namespace {

bool contains(const StoreImpl& store, const Reach& reach, const ReadPoint& point) {
  const ReadPoint commit = committed_on(store, point);
  if (raw(commit.version) == 0) return true;
  const auto line = reach.find(commit.branch);
  return line != reach.end() && line->second.newest >= commit.version;
}

bool contains(const StoreImpl& store, const ReadPoint& version, const ReadPoint& point) {
  return contains(store, reach_of(store, {&version, 1}), point);
}

std::uint8_t doubts_about(const StoreImpl& store, const ReadPoint& base, const ReadPoint& parent,
                          std::span<const ReadPoint> merged) {
  const bool in_parent = contains(store, parent, base);
  const auto count =
      std::ranges::count_if(merged, [&](const ReadPoint& version) { return contains(store, version, base); });
  if (!in_parent && count == 0) return 0;  // it does not contain it
  const bool in_all_merged = static_cast<std::size_t>(count) == merged.size();
  return static_cast<std::uint8_t>((in_parent ? 0 : kFromMerged) | (in_all_merged ? 0 : kFromParent));
}

// A commit that says something, and what it merged.
struct Noted {
  ReadPoint commit;
  std::vector<ReadPoint> merged;
};

std::vector<Noted> noted_in(const StoreImpl& store, const Reach& reach) {
  std::vector<Noted> all;
  for (const auto& [id, line] : reach) {
    for (const BranchMerge& merge : store.branch(id).merges()) {
      if (!merge.moved || merge.version > line.newest) continue;
      const bool another =
          !all.empty() && all.back().commit.branch == id && all.back().commit.version == merge.version;
      if (!another) all.push_back({{.branch = id, .version = merge.version}, {}});
      all.back().merged.push_back({merge.mark.branch, merge.mark.version, merge.mark.lsn, 0});
    }
  }
  return all;
}

}  // namespace

std::uint8_t doubts_about(VersionStore& store, const ReadPoint& base, const ReadPoint& parent,
                          std::span<const ReadPoint> merged) {
  return doubts_about(store.impl(), base, parent, merged);
}

Result<std::vector<MovedBy>> moved_since(VersionStore& store, const ReadPoint& base,
                                         std::span<const ReadPoint> side) {
  const StoreImpl& impl = store.impl();
  std::vector<MovedBy> found;
  const std::vector<Noted> noted = noted_in(impl, reach_of(impl, side));
  if (noted.empty()) return found;
  const Reach of_base = reach_of(impl, {&base, 1});
  for (const Noted& one : noted) {
    if (contains(impl, of_base, one.commit)) continue;
    const ReadPoint parent{.branch = one.commit.branch, .version = Version{raw(one.commit.version) - 1}};
    const std::uint8_t from = doubts_about(impl, base, parent, one.merged);
    if (from == 0) continue;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store.at_version(one.commit.branch, one.commit.version));
    DOSQL_ASSIGN_OR_RETURN(CommitInfo info, store.commit_info(commit.branch, commit.version));
    std::vector<MovedRun> runs = std::move(info.marks.moved);
    std::erase_if(runs, [&](const MovedRun& run) { return (run.from & from) == 0; });
    if (!runs.empty()) found.push_back({commit, std::move(runs)});
  }
  return found;
}

Result<std::vector<MovedRun>> brought_by(VersionStore& store, const ReadPoint& commit) {
  DOSQL_ASSIGN_OR_RETURN(CommitInfo info, store.commit_info(commit.branch, commit.version));
  std::erase_if(info.marks.moved, [](const MovedRun& run) { return run.from != kBrought; });
  return std::move(info.marks.moved);
}

Result<std::vector<MovedBy>> brought_since(VersionStore& store, const ReadPoint& base,
                                           std::span<const ReadPoint> side) {
  const StoreImpl& impl = store.impl();
  std::vector<MovedBy> found;
  std::optional<Reach> of_base;
  for (const auto& [id, line] : reach_of(impl, side)) {
    for (const Version version : impl.branch(id).brought()) {
      if (version > line.newest) break;
      if (!of_base) of_base = reach_of(impl, {&base, 1});
      if (contains(impl, *of_base, {.branch = id, .version = version})) continue;
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store.at_version(id, version));
      DOSQL_ASSIGN_OR_RETURN(std::vector<MovedRun> runs, brought_by(store, commit));
      found.push_back({commit, std::move(runs)});
    }
  }
  return found;
}

}  // namespace dosql::version
