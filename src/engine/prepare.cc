#include "engine/prepare.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>

#include "engine/branch_command.h"
#include "sql/recogniser.h"

namespace dosql::engine {
namespace {

constexpr std::size_t kCachedTextBytesMax = 4'096;

// PRAGMAs act while they are compiled, so an old compilation must not stand in for a new one.
bool is_pragma(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  return sqlite3_strnicmp(sql.data(), "pragma", static_cast<int>(std::min<std::size_t>(sql.size(), 6))) == 0;
}

std::size_t end_of_comment(std::string_view sql, std::size_t begin, std::string_view terminator) {
  const std::size_t end = sql.find(terminator, begin + 2);
  return end == std::string_view::npos ? sql.size() : end + terminator.size();
}

// A statement about branches or snapshots. REQUIRES: recognition.statement.
Result<std::unique_ptr<PreparedStatement>> prepare_command(const std::shared_ptr<ConnectionState>& connection,
                                                           std::string_view sql,
                                                           const sql::Recognition& recognition) {
  DOSQL_ASSIGN_OR_RETURN(BranchCommand command, BranchCommand::make(sql, recognition));
  const std::string select = command.select_text();
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v2(connection->db(), select.data(), static_cast<int>(select.size()),
                                    &statement, nullptr);
  if (rc != SQLITE_OK) return connection->error(rc).with_sql_offset(recognition.statement->words.begin);
  return std::make_unique<PreparedStatement>(connection, statement, std::move(command));
}

// What no part of this release does yet.
Error no_history_yet(const sql::TimeReference& reference) {
  const std::string_view what =
      reference.kind == sql::ReferenceKind::kAsOf ? "FOR SYSTEM_TIME AS OF" : "row history (FOR SYSTEM_TIME)";
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} is not part of this release", what))
      .with_sql_offset(reference.clause.begin);
}

}  // namespace

std::size_t blank_prefix_bytes(std::string_view sql) {
  std::size_t at = 0;
  while (at < sql.size()) {
    const std::string_view rest = sql.substr(at);
    if (std::string_view(" \t\n\r\f;").find(rest[0]) != std::string_view::npos) {
      ++at;
    } else if (rest.starts_with("--")) {
      at = end_of_comment(sql, at, "\n");
    } else if (rest.starts_with("/*")) {
      at = end_of_comment(sql, at, "*/");
    } else {
      break;
    }
  }
  return at;
}

Result<std::unique_ptr<PreparedStatement>> prepare(const std::shared_ptr<ConnectionState>& connection,
                                                   std::string_view sql, std::string_view& tail,
                                                   Lifetime lifetime) {
  if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return Error(ErrorCode::kInvalidArgument, "the SQL text is too long");
  }
  Session& session = connection->session();
  session.begin_call();
  session.answered_pragma.reset();
  if (sql::may_be_ours(sql)) [[unlikely]] {
    DOSQL_ASSIGN_OR_RETURN(const sql::Recognition recognition, sql::recognise(sql));
    if (recognition.ours()) {
      tail = sql.substr(recognition.end);
      if (recognition.statement) return prepare_command(connection, sql, recognition);
      return no_history_yet(recognition.times.front());
    }
  }
  const unsigned flags = lifetime == Lifetime::kKept ? SQLITE_PREPARE_PERSISTENT : 0;
  sqlite3_stmt* statement = nullptr;
  const char* end = nullptr;
  // SQLite would read on behind an empty text: a null pointer or one byte more are both the caller's.
  const char* begin = sql.empty() ? "" : sql.data();
  const int rc =
      sqlite3_prepare_v3(connection->db(), begin, static_cast<int>(sql.size()), flags, &statement, &end);
  if (rc != SQLITE_OK) return connection->error(rc);
  tail = sql.substr(end - begin);
  // To SQLite a zero byte ends the text. Half of a statement may mean something else than all of it.
  if (tail.starts_with('\0')) {
    sqlite3_finalize(statement);
    return Error(ErrorCode::kInvalidArgument, "the SQL text contains a zero byte")
        .with_sql_offset(sql.size() - tail.size());
  }
  if (statement == nullptr) return std::unique_ptr<PreparedStatement>();

  const bool cacheable = lifetime == Lifetime::kKept && tail.empty() && sql.size() <= kCachedTextBytesMax &&
                         sql.size() == std::string_view(sqlite3_sql(statement)).size() && !is_pragma(sql);
  return std::make_unique<PreparedStatement>(connection, statement, cacheable,
                                             std::exchange(session.answered_pragma, std::nullopt));
}

}  // namespace dosql::engine
