// Random statements about branches and named snapshots, and what they do, in copies of stock SQLite's file.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>

#include <dosql/result.h>

#include "base/ids.h"
#include "tests/faults/stock_model.h"

namespace dosql::testing {

// The versions along a branch, from 0, the empty database, to its newest. Of a snapshot: up to the one that
// it labels.
using StockLine = std::map<std::uint64_t, StockModel::Snapshot>;

struct SqlState {
  Lsn lsn{};  // of the newest change
  std::map<std::string, StockLine> branches{{"main", {{0, StockModel::no_tables()}}}};
  std::map<std::string, StockLine> snapshots;
};

struct NameStatement {
  std::string sql;
  std::optional<ErrorCode> error;  // why it must be refused
  bool checkout = false;           // it changes nothing but `branch`
  bool merge = false;              // the branch that the connection is on has other rows afterwards
  std::string branch;              // that the connection is on afterwards
  SqlState after;
};

// For a connection that is on `branch`. Few names, so that they come back after they were dropped.
NameStatement random_name_statement(std::mt19937_64& random, const SqlState& state,
                                    const std::string& branch);

}  // namespace dosql::testing
