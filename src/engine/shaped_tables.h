// Computed tables whose columns are those of a table of the user's: a module for each list of columns, made
// when a statement that needs it is compiled.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <dosql/result.h>

#include "engine/computed_table.h"
#include "engine/session.h"
#include "engine/table_shape.h"

namespace dosql::engine {

// A column of such a table as its declaration has it: with the affinity and the collation of the user's;
// null: with none. A collation that `handle` does not have is left out.
std::string declared_column(const std::string& name, const ColumnShape* column, sqlite3* handle);

// Of one connection.
class ShapedTables {
 public:
  // The name of a table of Rows with these columns: `prefix` and a number. `context.schema` is the CREATE
  // TABLE text that names the columns; contexts with the same one serve each other.
  template <class Rows>
  Result<std::string> name_for(const std::shared_ptr<Session>& session, std::string_view prefix,
                               std::unique_ptr<typename Rows::Context> context) {
    const std::string key = std::string(prefix) + context->schema;
    if (const auto found = names_.find(key); found != names_.end()) return found->second;
    std::string name = fmt::format("{}{}", prefix, names_.size() + 1);
    const int rc = ComputedTable<Rows>::register_on(session, name.c_str(), std::move(context));
    if (rc != SQLITE_OK) return connection_error(*session, rc);
    names_.emplace(key, name);
    return name;
  }

 private:
  std::map<std::string, std::string> names_;  // by prefix and columns
};

}  // namespace dosql::engine
