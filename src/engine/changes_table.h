// dosql_changes(after_lsn [, tables]): the row changes of the connection's branch behind an LSN.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include <dosql/changes.h>
#include <dosql/result.h>

#include "engine/computed_table.h"
#include "engine/session.h"

namespace dosql::engine {

class ChangeFeed;

// Rows of a ComputedTable: those that are there when the scan begins, in the order of the feed.
class ChangesRows {
 public:
  struct Context {
    Session& session;
  };

  static constexpr const char* kSchema =
      "CREATE TABLE dosql_changes(lsn INTEGER, txn INTEGER, timestamp TEXT, change TEXT, table_name TEXT, "
      "key "
      "BLOB, before TEXT, after TEXT, _dosql_after HIDDEN, _dosql_tables HIDDEN)";

  static int plan(sqlite3_index_info& info);
  explicit ChangesRows(Context& context) : context_(context) {}
  Status begin(int, const char*, std::span<sqlite3_value* const> arguments);
  bool at_end() const { return !change_; }
  Status next();
  std::int64_t rowid() const { return static_cast<std::int64_t>(change_->lsn); }
  Status column(sqlite3_context* out, int column);

 private:
  Context& context_;
  std::shared_ptr<ChangeFeed> feed_;
  std::uint64_t last_lsn_ = 0;
  std::optional<Change> change_;
};

}  // namespace dosql::engine
