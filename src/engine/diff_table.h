// dosql_diff('table', from, to): the rows of a table that differ between two versions.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "diff/page_changes.h"
#include "engine/last_changes.h"
#include "engine/row_changes.h"
#include "engine/session.h"
#include "engine/table_pairing.h"
#include "version/version_store.h"

struct sqlite3_context;
struct sqlite3_index_info;
struct sqlite3_value;

namespace dosql::engine {

class ConnectionState;

// What the difference of a table has for columns: `change`, the key, before_... and after_... of each column,
// `lsn`. Columns that are computed when they are read (VIRTUAL) are not stored, and not there.
struct DiffColumns {
  struct Key {
    std::string name;
    std::optional<std::string> column;  // none: the rowid
  };
  std::vector<Key> key;
  std::vector<std::string> columns;  // of both versions
  std::string declaration;           // CREATE TABLE ...
};
// REQUIRES: one of them is not null. `handle` is for collations; those that it does not have are left out.
DiffColumns diff_columns(const TableShape* before, const TableShape* after, sqlite3* handle);

// The name of the computed table that stands for dosql_diff of a table between two versions: it takes the
// same arguments. Errors: kSql (neither version has the table), those of pair_tables().
Result<std::string> difference_table(ConnectionState& connection, const std::string& table,
                                     const version::ReadPoint& from, const version::ReadPoint& to);

// Rows of a ComputedTable.
class DiffRows {
 public:
  struct Context {
    Session& session;
    DiffColumns columns;
    std::string schema;  // columns.declaration
  };

  static int plan(const Context& context, sqlite3_index_info& info);
  explicit DiffRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const> arguments);
  bool at_end() const { return !found_; }
  Status next();
  std::int64_t rowid() const { return number_; }
  Status column(sqlite3_context* out, int column);

 private:
  // Of a column: its index in the table of either version.
  struct Place {
    std::optional<std::size_t> before;
    std::optional<std::size_t> after;
  };

  Place place_of(const std::string& column) const;
  Status key_result(sqlite3_context* out, std::size_t index);
  Status lsn_result(sqlite3_context* out);
  Status value_result(sqlite3_context* out, bool after, const std::optional<std::size_t>& place);

  Context& context_;
  // Null before begin(). In the order in which they need each other.
  std::unique_ptr<version::Reader> reader_before_;
  std::unique_ptr<version::Reader> reader_after_;
  TablePairs pairs_;
  const TablePair* pair_ = nullptr;
  diff::PageChanges changes_;
  std::unique_ptr<RowChanges> rows_;
  std::unique_ptr<LastChanges> last_changes_;
  std::vector<Place> places_;      // of the columns
  std::vector<Place> key_places_;  // of the key
  bool found_ = false;
  std::int64_t number_ = 0;
};

}  // namespace dosql::engine
