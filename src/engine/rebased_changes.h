// The changes of one table as a merge takes them: rows that are counted from another base than the others
// (MergeContext::rebased) come with that, and those whose numbers are other rows on the sides by the row that
// they are (Brought::instead).
#pragma once

#include <functional>
#include <map>

#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/merged_table.h"
#include "merge/keyed_changes.h"

namespace dosql::engine {

// One thread at a time.
class RebasedChanges {
 public:
  using Next = std::function<Result<bool>(merge::KeyedChange&)>;

  // The changes as they follow from the base. All must outlive it.
  RebasedChanges(const MergeContext& context, const MergedTable& table, Next changes);
  RebasedChanges(const MergeContext& context, const MergedTable& table, merge::KeyedChanges changes);

  // In the order of the changes; what is done instead of some, and those of rebased rows, last. False: there
  // are no more. Errors: those of the changes.
  Result<bool> next(merge::KeyedChange& change);
  // Of which rebased row the newest change is; null: of none.
  const RebasedRow* rebased() const { return rebased_; }
  // Whether the newest change is one of Brought::instead.
  bool is_instead() const { return is_instead_; }

 private:
  using Place = std::map<RowName, RebasedRow>::const_iterator;

  bool is_rebased(const merge::KeyedChange& change) const;
  bool is_taken_apart(const merge::KeyedChange& change) const;
  bool take(const RowPair& row, merge::KeyedChange& change);

  const MergeContext& context_;
  const MergedTable& table_;
  const Next changes_;
  Place first_;
  Place at_;
  Place end_;
  const Brought* const brought_;  // null: nothing was taken apart
  std::size_t instead_ = 0;
  const RebasedRow* rebased_ = nullptr;
  bool is_instead_ = false;
};

}  // namespace dosql::engine
