// Rows that base and theirs both have, and that refer by the same number to a row which is another one in
// theirs than in base, since a merge gave the number to it: no diff shows that, nor that it is a change.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include <dosql/result.h>

#include "engine/followed_references.h"
#include "engine/foreign_keys.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/schema_merge.h"

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

  // Of what was added: such rows refer to what theirs has there (Brought::instead), unless they are among
  // those already. REQUIRES: all numbers are taken apart.
  Status follow();

 private:
  Status follow(FollowedReferences& references, const MergedTable& child, std::uint32_t column,
                std::int64_t number);

  MergeContext& context_;
  const MergeSource& source_;
  const MergedSchema& merged_;
  const ForeignKeys& keys_;
  std::set<std::pair<const MergedTable*, std::int64_t>> numbers_;
};

}  // namespace dosql::engine
