// What may be in a table only once.
#pragma once

#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"

namespace dosql::engine {

class ConnectionState;

struct UniqueKey {
  std::vector<MergedTable::Key> columns;
};

// The UNIQUE constraints and indexes of the table as it is now, those on expressions left out. Of a partial
// index the condition is not known here.
Result<std::vector<UniqueKey>> unique_keys(ConnectionState& connection, const MergedTable& table);

}  // namespace dosql::engine
