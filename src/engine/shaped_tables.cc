#include "engine/shaped_tables.h"

#include "engine/sqlite_internals.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

// As SQLite reads the affinity out of a type's name.
std::string_view type_of(Affinity affinity) {
  switch (affinity) {
    case Affinity::kText: return " TEXT";
    case Affinity::kNumeric: return " NUMERIC";
    case Affinity::kInteger: return " INTEGER";
    case Affinity::kReal: return " REAL";
    case Affinity::kBlob: break;
  }
  return "";
}

}  // namespace

std::string declared_column(const std::string& name, const ColumnShape* column, sqlite3* handle) {
  if (column == nullptr) return sql::quoted(name);
  dosql_collation ignored{};
  const bool plain = dosql_find_collation(handle, column->collation.c_str(), SQLITE_UTF8, &ignored) == 0;
  return sql::quoted(name) + std::string(type_of(column->affinity)) +
         (plain ? "" : " COLLATE " + sql::quoted(column->collation));
}

}  // namespace dosql::engine
