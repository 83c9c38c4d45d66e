// `t FOR SYSTEM_TIME BETWEEN ... | FROM ... TO ... | ALL`: the versions of the rows of a table that were
// valid at some moment of a range.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "diff/page_changes.h"
#include "engine/history_range.h"
#include "engine/last_changes.h"
#include "engine/row_changes.h"
#include "engine/session.h"
#include "engine/table_line.h"
#include "version/version_store.h"

struct sqlite3_context;
struct sqlite3_index_info;
struct sqlite3_value;

namespace dosql::engine {

class ConnectionState;

// The name of the computed table with the columns of the range's table, which takes the range's number for an
// argument. Errors: kSql (no such table), kInvalidArgument (a virtual table).
Result<std::string> history_table(ConnectionState& connection, const HistoryRange& range);

// What the history of a table has for columns: its own that are stored, and hidden ones.
struct HistoryColumns {
  std::vector<std::size_t> shown;       // by index in the table
  std::vector<std::size_t> key;         // of `shown`; empty: only the rowid
  std::vector<std::string> collations;  // of the key
  bool has_rowid = false;               // a hidden column has it
  std::string declaration;
};

// Rows of a ComputedTable.
class HistoryRows {
 public:
  struct Context {
    Session& session;
    HistoryColumns columns;
    std::string schema;  // columns.declaration
  };

  static int plan(const Context& context, sqlite3_index_info& info);
  explicit HistoryRows(Context& context) : context_(context) {}
  Status begin(int, const char* plan, std::span<sqlite3_value* const> arguments);
  bool at_end() const { return rows_.empty(); }
  Status next();
  std::int64_t rowid() const { return 0; }  // a table WITHOUT ROWID
  Status column(sqlite3_context* out, int column);

 private:
  // A version of a row; what is not known of its period is found when somebody asks.
  struct Row {
    std::shared_ptr<const RowKey> key;
    std::uint64_t version = 0;  // one in which it was so
    RowPeriod period;
    bool begin_known = true;
    bool end_known = true;
  };

  Status open(const HistoryRange& range);
  Result<std::optional<RowKey>> wanted_key(std::span<sqlite3_value* const> values, bool& usable) const;
  Status begin_with_key(RowKey key);
  Status begin_with_all();
  Status gather_changed();
  Status gather_commit(std::uint64_t version);
  void add_changed(RowKey key, std::optional<std::vector<Value>> before,
                   std::optional<std::vector<Value>> after, std::uint64_t version);
  void emit_changed();
  Status scan_next();
  Status know_period();
  Status lsn_result(sqlite3_context* out);
  Result<version::CommitInfo> commit(std::uint64_t version) const;

  Context& context_;
  ConnectionState* connection_ = nullptr;
  std::int64_t range_number_ = 0;
  HistoryRange range_;
  std::unique_ptr<TableLine> table_;
  std::deque<Row> rows_;  // the first is the current one

  // A row that changed in the range: how it was before its first change, and then after each.
  struct Changed {
    std::optional<std::vector<Value>> before;
    std::vector<std::pair<std::uint64_t, std::optional<std::vector<Value>>>> after;  // by version
  };
  std::map<RowKey, Changed, RowKeyLess> changed_;
  // All rows of the range's last version, for those that did not change.
  std::unique_ptr<version::Reader> nothing_;
  std::unique_ptr<version::Reader> last_;
  TablePairs scan_pairs_;
  TablePair scan_pair_;
  diff::PageChanges scan_changes_;
  std::unique_ptr<RowChanges> scan_;
  // The newest commit whose LSNs were asked for.
  std::uint64_t lsns_of_ = 0;
  std::unique_ptr<LastChanges> lsns_;
};

}  // namespace dosql::engine
