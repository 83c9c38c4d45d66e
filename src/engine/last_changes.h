// Which event last changed each row of a table in a range of versions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "diff/key_order.h"
#include "engine/event_order.h"
#include "engine/row_key.h"
#include "engine/table_pairing.h"
#include "version/version_store.h"

namespace dosql::engine {

// One thread at a time.
class LastChanges {
 public:
  // Of the rows of `pair`, by the commits that one of the two versions contains and the other does not. Reads
  // the changes of all tables in each of these commits, newest first; memory for each row that they changed.
  // Errors: those of CommitEvents.
  static Result<std::unique_ptr<LastChanges>> of(version::VersionStore& store, VersionSchemas& schemas,
                                                 const version::ReadPoint& before,
                                                 const version::ReadPoint& after, const TablePairs& pairs,
                                                 const TablePair& pair, sqlite3* handle);

  // None: the row did not change, or its table's changes have no LSNs.
  std::optional<Lsn> find(const RowKey& key) const;
  const std::vector<diff::KeyColumn>& order() const { return order_; }

 private:
  LastChanges(const TableShape& keyed, std::vector<diff::KeyColumn> order)
      : keyed_(keyed), order_(std::move(order)), last_(RowKeyLess{order_}) {}
  Status add_line(version::VersionStore& store, VersionSchemas& schemas, const version::ReadPoint& from,
                  Version base, const TableShape& table, sqlite3* handle);
  Status add(CommitEvents& events, const TableEvents& table);

  const TableShape& keyed_;  // whose rows the keys are of; valid while of() runs
  const std::vector<diff::KeyColumn> order_;
  std::map<RowKey, Lsn, RowKeyLess> last_;
};

}  // namespace dosql::engine
