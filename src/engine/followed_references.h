// References to rows that have other numbers on one of the sides than in base, since merges, CHERRY PICKs or
// REVERTs gave them those. What refers to such a row followed it, be it in a key: what base and theirs call 5
// is 6 in ours, or what base and ours call 5 is 6 in theirs (docs/merge.md, decision 040).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/foreign_keys.h"
#include "engine/merge_changes.h"
#include "engine/merge_context.h"
#include "engine/number_traces.h"
#include "engine/our_rows.h"
#include "engine/schema_merge.h"
#include "engine/version_pair.h"

namespace dosql::engine {

// Whether commits say of numbers of the table that they became others, or cannot be told any more.
bool may_have_moved(const MergeContext& context, const MergedTable& table);

// Those that the rows of one table hold. One thread at a time. Errors of all: those of the diff and of
// reading the versions, and what SQLite reports.
class FollowedReferences {
 public:
  // All must outlive it. REQUIRES: as find_brought().
  FollowedReferences(MergeContext& context, const MergeSource& source, const MergedSchema& merged,
                     const ForeignKeys& keys, const MergedTable& table);

  // Whether a row to which a key refers may have another number.
  bool in_key() const;
  bool contains(std::uint32_t column) const { return columns_.contains(column); }
  bool empty() const { return columns_.empty(); }
  // Whether a row of base refers, but in its key, to one that ours has under another number for sure.
  Result<bool> refers_to_moved(std::span<const diff::Field> row);
  // Be it by way of other tables.
  bool refers_to(std::uint32_t column, const MergedTable& parent) const;

  // By the numbers of ours: what base refers to, and what theirs left as it is; the rest is in
  // RowPair::anew. What cannot be told stays as it is. REQUIRES: row.base.
  Status follow(RowPair& row);
  // Whether theirs has it otherwise than base only in that it refers to the same rows by the numbers that
  // theirs gives them. REQUIRES: row.base.
  Result<bool> only_follows(const RowPair& row);

  // Rows that are known by keys which hold such numbers: what theirs did to them is done to the rows of ours
  // which they are (Brought::instead), and keys of new ones of theirs follow. Where that cannot be told, what
  // theirs did is a conflict. REQUIRES: in_key(). Errors: a decision that is none (kInvalidArgument), too.
  Status find_keys(VersionPair& theirs, const TableTask& task);

 private:
  // A table to whose numbers columns refer.
  struct Parent {
    Parent(MergeContext& context, const MergeSource& source, const TableTask& parent)
        : task(parent),
          brought(context.brought.at(parent.merged.name)),
          traces(context, source, parent.merged, brought) {}

    const TableTask& task;
    Brought& brought;
    NumberTraces traces;
    std::map<std::int64_t, std::optional<std::int64_t>> in_ours = {};  // by the number in base
    // Of base, where theirs has other rows under their numbers: which it gives them; none: they are gone.
    std::map<std::int64_t, std::optional<std::int64_t>> replaced = {};
  };
  using Parents = std::vector<Parent*>;
  enum class Key : std::uint8_t { kStays, kFollows, kUnknown };
  using Rows = std::map<std::string, VersionRows::Row>;  // by their keys

  void add(std::uint32_t column, const MergedTable& table, const std::string& name, std::size_t depth);
  void add_parent(std::uint32_t column, const TableTask& parent, const std::string& name, std::size_t depth);
  bool is_in_key(std::uint32_t column) const;
  std::string key_json(std::span<const diff::Field> row) const;
  Result<std::optional<FoundRow>> find_ours(std::span<const diff::Field> row);

  // The number that ours gives a row of base, or gave it before it deleted that. None: it cannot be told.
  Result<std::optional<std::int64_t>> in_ours(const Parents& parents, std::int64_t number);
  Result<std::optional<std::int64_t>> find_in_ours(Parent& parent, std::int64_t number);
  Result<std::optional<std::int64_t>> last_in_ours(Parent& parent, std::int64_t number);
  Result<Key> key_in_ours(std::span<const diff::Field> row);
  // Whether base and theirs mean one row by it.
  Result<bool> means_the_same(const Parents& parents, std::int64_t number);
  // What theirs refers to anew follows, if ours has that under another number for sure.
  Status follow_anew(Parent& parent, std::int64_t number);
  Status follow_new_key(std::span<const diff::Field> row);

  Status find_replaced(VersionPair& theirs, Parent& parent);
  Status add_replaced(const merge::KeyedChange& change, Parent& parent);
  Status look_at_replaced(std::uint32_t column, Parent& parent, std::int64_t number);
  Result<std::optional<Rows>> rows_with(const version::ReadPoint& version, std::uint32_t column,
                                        std::int64_t number);
  // As theirs has it, if that only follows.
  std::vector<diff::Field> replaced_row(std::span<const diff::Field> row, bool& is_gone) const;
  Status look_at_replaced_row(const RowCopy& row, const Rows& theirs);
  Status add_replacing();
  Status look_at(const merge::KeyedChange& change);
  Status settle(const RowPair& row);
  Result<bool> settle_deleted(const std::string& key, const RowPair& row);

  MergeContext& context_;
  const MergeSource& source_;
  const MergedSchema& merged_;
  const ForeignKeys& keys_;
  const MergedTable& table_;
  std::map<std::uint32_t, Parents> columns_;
  std::map<const TableTask*, Parent> parents_;
  std::optional<OurRows> ours_;
  // Of theirs, by their keys: those that are rows of base which it has by other numbers, and what there is
  // under the keys that these have in base.
  std::set<std::string> taken_;
  std::set<std::string> looked_at_;  // keys of base
  Rows replacing_;
};

}  // namespace dosql::engine
