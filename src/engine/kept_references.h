// Rows that base and theirs both have, and that refer by the same number to a row which is another one in
// theirs than in base, since a merge gave the number to it: no diff shows that, nor that it is a change. And
// rows that theirs changed, and that refer to a row which has another number in ours than in base.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/followed_references.h"
#include "engine/foreign_keys.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// One thread at a time. Errors of all: those of reading the versions, and what SQLite reports.
class KeptReferences {
 public:
  // All must outlive it. REQUIRES: as find_brought().
  KeptReferences(MergeContext& context, const MergeSource& source, const MergedSchema& merged,
                 const ForeignKeys& keys)
      : context_(context), source_(source), merged_(merged), keys_(keys) {}

  // Whether it can be told which rows refer to the number.
  Result<bool> can_be_found(const MergedTable& parent, std::int64_t number) const;
  void add(const MergedTable& parent, std::int64_t number) { numbers_.insert({&parent, number}); }
  // The same where ours has these rows as base, and gets the numbers of theirs: there base's row is under
  // that number; none: it is gone.
  void add_taken(const MergedTable& parent, std::int64_t number, std::optional<std::int64_t> in_theirs) {
    taken_[{&parent, number}] = in_theirs;
  }

  // Of what was added: such rows refer to what theirs has there (Brought::instead), unless they are among
  // those already. And changed rows refer in base to what they do in ours. REQUIRES: all numbers are taken
  // apart.
  Status follow(VersionPair& theirs);

 private:
  using Number = std::pair<const MergedTable*, std::int64_t>;

  // Of base: those that both have, and that refer to the number there.
  Result<std::vector<RowPair>> find(const MergedTable& child, std::uint32_t column, std::int64_t number);
  Status follow_numbers(FollowedReferences& references, const MergedTable& child, std::uint32_t column);
  Status follow_changed(FollowedReferences& references, const TableTask& task, VersionPair& theirs);
  Status add_instead(FollowedReferences& references, const MergedTable& child, RowPair pair);
  // Where ours refers to another row than base does: both sides changed that.
  Status add_turned(const MergedTable& child, std::uint32_t column, std::optional<std::int64_t> in_theirs,
                    RowPair pair);
  Brought& take_apart(const MergedTable& child, const RowPair& pair);

  MergeContext& context_;
  const MergeSource& source_;
  const MergedSchema& merged_;
  const ForeignKeys& keys_;
  std::set<Number> numbers_;
  std::map<Number, std::optional<std::int64_t>> taken_;
};

}  // namespace dosql::engine
