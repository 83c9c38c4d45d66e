// Single rows in any versions, by the keys that they have.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "engine/merged_table.h"
#include "engine/own_statement.h"
#include "engine/row_copy.h"
#include "engine/table_pairing.h"
#include "engine/table_shape.h"
#include "version/version_store.h"

namespace dosql::engine {

class ColumnLines;
class ConnectionState;
class ForeignKeys;

// Keeps versions open, and forgets them when there are many. One thread at a time.
class VersionRows {
 public:
  // Both must outlive it.
  VersionRows(ConnectionState& connection, ColumnLines& lines);
  ~VersionRows();
  VersionRows(const VersionRows&) = delete;
  VersionRows& operator=(const VersionRows&) = delete;

  // What a version has under a key.
  struct Found {
    bool known = false;          // false: its table is not one in which that could be looked for
    std::optional<RowCopy> row;  // none: there is no such row, or no such table
    // Columns of `table` that the version does not have, ascending: the row has their DEFAULT.
    std::vector<std::uint32_t> absent = {};
    std::optional<std::size_t> number = {};  // which of its values an INTEGER PRIMARY KEY is
  };
  // All columns of `table`, whatever the version calls it and them, where it declares them the same.
  // REQUIRES: the table has places. Errors of all: those of opening and reading the version.
  Result<Found> find_merged(const version::ReadPoint& point, const MergedTable& table, const RowAddress& row);
  // The same of all rows that have the number in a column, with their rowids, if they have any. None: it
  // cannot be told.
  struct Row {
    RowCopy row;
    std::int64_t rowid = 0;
  };
  Result<std::optional<std::vector<Row>>> find_all(const version::ReadPoint& point, const MergedTable& table,
                                                   std::uint32_t column, std::int64_t number);
  // The same of what the connection has by now, under the names that its version has for the table. REQUIRES:
  // as above; the schema is as in that.
  Result<Found> find_now(const MergedTable& table, const RowAddress& row);
  // All columns that a version has of it, but generated ones, where it has the table, and that key, under
  // these names, or follows names.
  Result<Found> find(const version::ReadPoint& point, const MergedTable& table, const RowAddress& row);

  // What a version calls the table; empty: it has it not; none: that cannot be told. REQUIRES: as above.
  Result<std::optional<std::string>> name_in(const version::ReadPoint& point, const MergedTable& table);

  // Of the values that find() gives one that refers to the number of a row, be it by way of other tables.
  struct Reference {
    std::size_t value = 0;
    std::string parent;  // as the version calls it
  };
  // By the foreign keys that a version has. None too where it has not the table, or that is not clear.
  Result<std::vector<Reference>> references(const version::ReadPoint& point, const MergedTable& table);

 private:
  // The table by the names that a version has for it.
  struct There {
    bool is_clear = true;  // which one it is
    bool has_table = false;
    bool has_key = false;
    bool has_columns = false;
    MergedTable table = {};
    std::string columns = {};                // those of it, for a SELECT
    std::vector<std::uint32_t> absent = {};  // of them
    RowCopy missing = {};                    // what they are, in this order
  };
  struct Opened {
    std::shared_ptr<const VersionSchema> schema;
    std::shared_ptr<ConnectionState> connection;
    std::map<std::string, OwnStatement> statements;            // by their text
    std::map<std::pair<BranchId, Version>, TablePairs> since;  // a base
    std::shared_ptr<const ForeignKeys> foreign_keys = {};      // null: nobody has asked
  };

  Result<bool> is_another(const version::ReadPoint& point, Opened& version, const TableShape& shape,
                          const MergedTable& table);
  Result<Opened*> open(const version::ReadPoint& point);
  Result<Found> find_there(const There& there, Opened& version, const RowAddress& row);
  Result<const There*> there(const version::ReadPoint& point, const MergedTable& table);
  Result<There> follow(const version::ReadPoint& point, const MergedTable& table);
  static RowCopy with_absent(const There& there, const RowCopy& row);
  Result<Found> look(Opened& version, const MergedTable& table, const std::string& columns,
                     const RowAddress& row);
  Result<Found> look_at_stored(Opened& version, const MergedTable& table, const TableShape& shape,
                               const RowAddress& row);

  using PointName = std::pair<BranchId, Version>;
  ConnectionState& connection_;
  ColumnLines& lines_;
  std::map<PointName, Opened> opened_;
  std::map<std::pair<std::shared_ptr<const MergedTable::Places>, PointName>, There> there_;
};

}  // namespace dosql::engine
