#include "engine/changes_table.h"

#include <sqlite3.h>

#include "base/time_text.h"
#include "engine/change_feed.h"
#include "engine/connection_state.h"
#include "engine/function_arguments.h"
#include "engine/sqlite_value.h"

namespace dosql::engine {
namespace {

enum Column { kLsn, kTxn, kTimestamp, kChange, kTable, kKey, kBefore, kAfter, kFirstArgument };

Error bad_arguments() {
  return Error(ErrorCode::kInvalidArgument,
               "dosql_changes takes an LSN, and if wanted the names of tables with commas between them");
}

std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    const std::size_t first = name.find_first_not_of(' ');
    if (first == std::string_view::npos) continue;
    names.emplace_back(name.substr(first, name.find_last_not_of(' ') + 1 - first));
  }
  return names;
}

}  // namespace

int ChangesRows::plan(sqlite3_index_info& info) {
  info.estimatedCost = 1e6;
  info.estimatedRows = 10'000;
  return plan_arguments(info, kFirstArgument);
}

Status ChangesRows::begin(int, const char*, std::span<sqlite3_value* const> arguments) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  if (arguments.empty() || sqlite3_value_type(arguments[0]) != SQLITE_INTEGER) return bad_arguments();
  const std::int64_t after = sqlite3_value_int64(arguments[0]);
  if (after < 0 || (arguments.size() == 2 && sqlite3_value_type(arguments[1]) != SQLITE_TEXT))
    return bad_arguments();
  ChangesOptions options{.branch = connection->branch_name(), .after_lsn = static_cast<std::uint64_t>(after)};
  if (arguments.size() == 2) options.filter.tables = names_in(value_of(arguments[1]).text());
  DOSQL_RETURN_IF_ERROR(connection->file().await_point());
  last_lsn_ = raw(connection->file().point().lsn);
  DOSQL_ASSIGN_OR_RETURN(feed_, ChangeFeed::open(connection->core(), std::move(options)));
  return next();
}

Status ChangesRows::next() {
  DOSQL_ASSIGN_OR_RETURN(change_, feed_->next_now());
  // What was committed since the statement's own version is not for it.
  if (change_ && change_->transaction > last_lsn_) change_.reset();
  return {};
}

Status ChangesRows::column(sqlite3_context* out, int column) {
  const Change& change = *change_;
  switch (column) {
    case kLsn: number_result(out, change.lsn); break;
    case kTxn: number_result(out, change.transaction); break;
    case kTimestamp: text_result(out, time_text(change.timestamp.time_since_epoch().count())); break;
    case kChange: text_result(out, change_type_name(change.type)); break;
    case kTable: text_result(out, change.table); break;
    case kKey: sqlite3_result_blob64(out, change.key.data(), change.key.size(), SQLITE_TRANSIENT); break;
    case kBefore:
      if (change.before) text_result(out, change.before->to_json());
      break;
    case kAfter:
      if (change.after) text_result(out, change.after->to_json());
      break;
    default: break;
  }
  return {};
}

}  // namespace dosql::engine
