// Under which number each side of a merge has a row of one table, where commits note that it got several.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include <dosql/result.h>

#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/our_rows.h"
#include "engine/row_identity.h"
#include "engine/version_rows.h"

namespace dosql::engine {

// What a row is on the other side.
struct Counterpart {
  std::optional<std::int64_t> number = {};
  bool sure = true;  // false: it may be
};

// One thread at a time. Errors of all: those of reading the versions, and what SQLite reports.
class NumberTraces {
 public:
  using Numbers = std::vector<std::int64_t>;

  // All must outlive it. REQUIRES: context.identity; `brought` has the runs; the rows are ours yet.
  NumberTraces(MergeContext& context, const MergeSource& source, const MergedTable& table,
               const Brought& brought);

  bool is_noted(std::int64_t number) const;
  // A number, and all under which the row that has it may be elsewhere; the first one is itself.
  Numbers numbers_with(std::int64_t number) const;
  // Whether commits say no more of the first one than that there was something, or too much of all.
  bool is_lost(const Numbers& numbers) const;

  const version::ReadPoint& base() const { return base_; }
  const RowSide& theirs() const { return theirs_; }
  OurRows& ours() { return ours_; }
  // In a version.
  Result<VersionRows::Found> find(const version::ReadPoint& version, std::int64_t number);
  // Where ours has under all of them what base has, what theirs has there is right.
  Result<bool> ours_has_changed(const Numbers& numbers);

  Result<SameRow> compare(const version::ReadPoint& version, std::int64_t number, const RowSide& side,
                          std::int64_t there);
  // By `is_same` of those numbers; what it says first of all is the number itself.
  template <class IsSame>
  static Result<Counterpart> counterpart(std::int64_t number, const Numbers& numbers, const IsSame& is_same);
  // Of a row of a version.
  Result<Counterpart> find_in_ours(const version::ReadPoint& version, std::int64_t number,
                                   const Numbers& numbers);
  // Of a row of base.
  Result<Counterpart> find_in_theirs(std::int64_t number, const Numbers& numbers);

 private:
  Result<bool> is_other_than_base(const Numbers& numbers);

  MergeContext& context_;
  const version::ReadPoint base_;
  const RowSide theirs_;
  const MergedTable& table_;
  const Brought& brought_;
  OurRows ours_;
  std::unordered_map<std::int64_t, bool> is_changed_;  // by the lowest of numbers
};

template <class IsSame>
Result<Counterpart> NumberTraces::counterpart(std::int64_t number, const Numbers& numbers,
                                              const IsSame& is_same) {
  Counterpart found;
  const auto ask = [&](std::int64_t other) -> Result<bool> {
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, is_same(other));
    if (same == SameRow::kYes) found = {.number = other};
    if (same == SameRow::kUnknown && !found.number) found = {.number = other, .sure = false};
    return same == SameRow::kYes;
  };
  DOSQL_ASSIGN_OR_RETURN(bool done, ask(number));
  for (const std::int64_t other : numbers) {
    if (done) break;
    if (other == number) continue;
    DOSQL_ASSIGN_OR_RETURN(done, ask(other));
  }
  return found;
}

}  // namespace dosql::engine
