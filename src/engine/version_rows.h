// Single rows in any versions, by the keys that they have.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/own_statement.h"
#include "engine/row_copy.h"
#include "engine/table_pairing.h"
#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// Keeps versions open, and forgets them when there are many. One thread at a time.
class VersionRows {
 public:
  explicit VersionRows(ConnectionState& connection);
  ~VersionRows();
  VersionRows(const VersionRows&) = delete;
  VersionRows& operator=(const VersionRows&) = delete;

  // What a version has under a key.
  struct Found {
    bool known = false;                      // false: its table is not one in which that could be looked for
    std::optional<RowCopy> row;              // none: there is no such row, or no such table
    std::optional<std::size_t> number = {};  // which of its values an INTEGER PRIMARY KEY is
  };
  // All columns of `table`, in a version where the table is defined as `definition` says, or not at all.
  // Errors of both: those of opening and reading the version.
  Result<Found> find(const version::ReadPoint& point, const MergedTable& table, const std::string& definition,
                     const RowAddress& row);
  // All columns that a version has of it, but generated ones, where it has the table, and that key, under
  // these names.
  Result<Found> find(const version::ReadPoint& point, const MergedTable& table, const RowAddress& row);

  // The CREATE TABLE of a version; empty: it has no such table.
  Result<std::string> definition(const version::ReadPoint& point, const std::string& table);

 private:
  struct Opened {
    std::shared_ptr<const VersionSchema> schema;
    std::shared_ptr<ConnectionState> connection;
    std::map<std::string, OwnStatement> statements;            // by their text
    std::map<std::pair<BranchId, Version>, TablePairs> since;  // a base
  };

  Result<bool> is_another(const version::ReadPoint& point, Opened& version, const TableShape& shape,
                          const MergedTable& table);
  Result<Opened*> open(const version::ReadPoint& point);
  Result<Found> look(Opened& version, const MergedTable& table, const std::string& columns,
                     const RowAddress& row);

  ConnectionState& connection_;
  std::map<std::pair<BranchId, Version>, Opened> opened_;
};

}  // namespace dosql::engine
