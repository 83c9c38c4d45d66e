// Whether somebody's decision can be one about its conflict. It is asked when it is made: who made it is
// there to say something else.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/merge.h>
#include <dosql/result.h>

#include "engine/merge_context.h"
#include "engine/row_json.h"
#include "version/version_store.h"

namespace dosql::engine {

class ConnectionState;

// One thread at a time.
class DecisionCheck {
 public:
  // `sides`: the versions that the merge brings together. The connection reads JSON and their schemas, and
  // must outlive this.
  DecisionCheck(ConnectionState& connection, std::vector<version::ReadPoint> sides)
      : connection_(connection), sides_(std::move(sides)) {}

  // What is refused could not be done by any merge; what is not may still be against a constraint. Errors:
  // kInvalidArgument, those of reading the schemas. REQUIRES: a value is JSON.
  Status check(const MergeConflict& conflict, const Resolution& resolution);

 private:
  struct Column {
    std::string name;
    bool computed = true;  // on each side that has it
  };
  struct Table {
    std::vector<Column> columns;  // that it has on any side
    bool known = true;            // each side has a table of that name
    const Column* find(std::string_view column) const;
    bool has(std::string_view column) const { return find(column) != nullptr; }
  };

  Result<const Table*> table_called(const std::string& name);
  Result<bool> is_about_one_column(const MergeConflict& conflict);
  static Status check_columns(const MergeConflict& conflict, const Table& table,
                              std::span<const NamedField> fields);

  ConnectionState& connection_;
  const std::vector<version::ReadPoint> sides_;
  std::map<std::string, Table> tables_;
};

}  // namespace dosql::engine
