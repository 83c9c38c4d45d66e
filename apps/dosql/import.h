// .import: rows of a CSV or JSON file into a table, all of them or none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <dosql/connection.h>

#include "apps/dosql/console.h"
#include "apps/dosql/input_file.h"
#include "apps/dosql/progress.h"

namespace dosql::shell {

struct ImportOptions {
  std::string file;
  std::string table;
  std::string schema = "main";
  enum class Kind : std::uint8_t { kCsv, kJson } kind = Kind::kCsv;
  char separator = ',';
  std::uint64_t skip = 0;  // records to drop at the start, CSV only
};

// Where the rows go.
struct ImportTarget {
  std::string name;                  // main.cities, quoted for SQL where it must
  std::vector<std::string> columns;  // those that can be written, in order
  std::vector<bool> numeric;         // they store numbers as numbers
};

// The table as it is; no columns when there is none.
Result<ImportTarget> find_import_target(Connection& connection, const ImportOptions& options);
// CREATE TABLE with the given columns and types ("" for none).
Status create_import_table(Connection& connection, ImportTarget& target, std::vector<std::string> columns,
                           const std::vector<std::string>& types);
std::string insert_statement(const ImportTarget& target);
// What stopped the import at `place`, which is named where the row itself is to blame.
Error row_error(const Error& error, std::string_view place);

// One transaction, which is one version; inside an open transaction a savepoint. Returns the number of rows.
//
// A missing table is created: CSV takes the names from the first record and guesses types from all others;
// JSON (an array of objects, or one object per line) takes keys and types from the objects. Where the table
// exists, a first CSV record that repeats its column names is no row. An empty CSV field is NULL in a column
// of numbers. Too few fields leave NULLs, too many are dropped: both are warned of. A row that the table
// refuses undoes the whole import, and the error names its line.
Result<std::uint64_t> import_csv(Connection& connection, const ImportOptions& options, Console& console,
                                 ProgressBar& progress);
Result<std::uint64_t> import_json(Connection& connection, const ImportOptions& options,
                                  ProgressBar& progress);

}  // namespace dosql::shell
