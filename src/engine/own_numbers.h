// What the open transaction has done to rows by their numbers: no commit's notes say that as yet.
#pragma once

#include <cstdint>
#include <span>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/own_changes.h"
#include "engine/row_identity.h"
#include "version/moved_numbers.h"

namespace dosql::engine {

class ConnectionState;

// Of tables whose rows are known by a number or a rowid. One thread at a time. Errors of all: those of
// reading the versions, and what SQLite reports.
class OwnNumbers {
 public:
  // All must outlive it. `ours`: what it stands on, and has merged.
  OwnNumbers(ConnectionState& connection, const OwnChanges& changes, RowIdentity& identity,
             const RowSide& ours)
      : connection_(connection), changes_(changes), identity_(identity), ours_(ours) {}

  // Whether it may have another row under one of the numbers than its version, or the same one changed.
  Result<bool> has_changed(const MergedTable& table, std::span<const std::int64_t> numbers);
  // Whether what its version has under the number, or what it merged, need not be what it has there.
  Result<bool> may_be_another(const MergedTable& table, std::int64_t number);

 private:
  Result<bool> may_have_touched(const MergedTable& table);
  // Merges and picks of the transaction.
  Result<bool> says_something_of(const MergedTable& table, std::int64_t number);

  ConnectionState& connection_;
  const OwnChanges& changes_;
  RowIdentity& identity_;
  const RowSide& ours_;
};

}  // namespace dosql::engine
