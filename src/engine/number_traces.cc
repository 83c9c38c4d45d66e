#include "engine/number_traces.h"

#include <algorithm>

#include "merge/row_merge.h"

namespace dosql::engine {

using version::ReadPoint;

namespace {

// Of more it cannot be told which of them is one row.
constexpr std::size_t kNumbersMax = 64;

}  // namespace

NumberTraces::NumberTraces(MergeContext& context, const MergeSource& source, const MergedTable& table,
                           const Brought& brought)
    : context_(context),
      base_(source.base),
      theirs_{source.theirs},
      table_(table),
      brought_(brought),
      ours_(context, table) {}

bool NumberTraces::is_noted(std::int64_t number) const {
  return std::ranges::any_of(brought_.runs, [&](const Brought::Run& one) {
    return version::has_there(one.run, number) || version::has_here(one.run, number);
  });
}

NumberTraces::Numbers NumberTraces::numbers_with(std::int64_t number) const {
  Numbers all{number};
  const auto add = [&](std::int64_t other) {
    if (std::ranges::find(all, other) == all.end() && all.size() < kNumbersMax) all.push_back(other);
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const Brought::Run& one : brought_.runs) {
      if (one.run.now == one.run.first) continue;
      if (version::has_there(one.run, all[i])) add(version::number_here(one.run, all[i]));
      if (version::has_here(one.run, all[i])) add(version::number_there(one.run, all[i]));
    }
  }
  return all;
}

bool NumberTraces::is_lost(const Numbers& numbers) const {
  return numbers.size() == kNumbersMax || std::ranges::any_of(brought_.runs, [&](const Brought::Run& one) {
           return one.run.source == version::kLostSource && version::has_there(one.run, numbers[0]);
         });
}

Result<VersionRows::Found> NumberTraces::find(const ReadPoint& version, std::int64_t number) {
  return context_.identity->rows().find(version, ours_.followed(), {.rowid = number});
}

Result<bool> NumberTraces::ours_has_changed(const Numbers& numbers) {
  if (numbers.size() == 1) return true;
  const std::int64_t first = std::ranges::min(numbers);
  auto known = is_changed_.find(first);
  if (known == is_changed_.end()) {
    DOSQL_ASSIGN_OR_RETURN(const bool changed, is_other_than_base(numbers));
    known = is_changed_.emplace(first, changed).first;
  }
  return known->second;
}

Result<bool> NumberTraces::is_other_than_base(const Numbers& numbers) {
  VersionRows& rows = context_.identity->rows();
  for (const std::int64_t number : numbers) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, ours_.find({.rowid = number}));
    // Whatever base calls the table and its columns.
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base,
                           table_.places ? rows.find_merged(base_, table_, {.rowid = number})
                                         : rows.find(base_, ours_.followed(), {.rowid = number}));
    if (!in_base.known || ours.has_value() != in_base.row.has_value()) return true;
    if (!ours) continue;
    const auto here = ours->row.values();
    const auto there = in_base.row->values();
    if (here.size() != there.size() || !merge::same_row(here, there)) return true;
  }
  return false;
}

Result<SameRow> NumberTraces::compare(const ReadPoint& version, std::int64_t number, const RowSide& side,
                                      std::int64_t there) {
  return context_.identity->compare(ours_.followed(), {.rowid = number}, version, {.rowid = there}, side,
                                    &base_);
}

Result<Counterpart> NumberTraces::find_in_ours(const ReadPoint& version, std::int64_t number,
                                               const Numbers& numbers) {
  return counterpart(number, numbers, [&](std::int64_t here) -> Result<SameRow> {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> ours, ours_.find({.rowid = here}));
    if (!ours) return SameRow::kNo;
    DOSQL_ASSIGN_OR_RETURN(const SameRow same,
                           ours_.compare(version, {.rowid = number}, {.rowid = here}, &base_));
    return same == SameRow::kNo && here == number && is_lost(numbers) ? SameRow::kUnknown : same;
  });
}

Result<Counterpart> NumberTraces::find_in_theirs(std::int64_t number, const Numbers& numbers) {
  return counterpart(number, numbers, [&](std::int64_t there) -> Result<SameRow> {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found row, find(theirs_.point, there));
    if (!row.known) return SameRow::kUnknown;
    return row.row ? compare(base_, number, theirs_, there) : Result(SameRow::kNo);
  });
}

}  // namespace dosql::engine
