// What may be in a table only once.
#pragma once

#include <string>
#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"

namespace dosql::engine {

class ConnectionState;

struct UniqueKey {
  std::vector<MergedTable::Key> columns;
  std::string condition = {};  // of a partial index, as its definition says it; empty: all rows
};

// The UNIQUE constraints and indexes of the table as it is now, those on expressions left out; partial ones
// last.
Result<std::vector<UniqueKey>> unique_keys(ConnectionState& connection, const MergedTable& table);

}  // namespace dosql::engine
