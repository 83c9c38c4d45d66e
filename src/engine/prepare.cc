#include "engine/prepare.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <limits>

#include "engine/as_of_statement.h"
#include "engine/branch_command.h"
#include "engine/past_databases.h"
#include "sql/recogniser.h"

namespace dosql::engine {
namespace {

constexpr std::size_t kCachedTextBytesMax = 4'096;

// PRAGMAs act while they are compiled, so an old compilation must not stand in for a new one.
bool is_pragma(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  return sqlite3_strnicmp(sql.data(), "pragma", static_cast<int>(std::min<std::size_t>(sql.size(), 6))) == 0;
}

bool begins_with_word(std::string_view sql, std::string_view word) {
  return sqlite3_strnicmp(sql.data(), word.data(), static_cast<int>(std::min(sql.size(), word.size()))) == 0;
}

// Statements about all attached databases, or about which there are.
bool looks_at_attachments(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  constexpr auto kWords =
      std::to_array<std::string_view>({"ANALYZE", "ATTACH", "DETACH", "EXPLAIN", "PRAGMA", "REINDEX"});
  return std::any_of(kWords.begin(), kWords.end(), [&](auto word) { return begins_with_word(sql, word); });
}

// As sqlite3_prepare_v3, but that tables of the past are none for a statement that does not ask for them.
int compile(ConnectionState& connection, std::string_view sql, unsigned flags, sqlite3_stmt** statement,
            const char** end) {
  const auto attempt = [&] {
    // SQLite would read on behind an empty text: a null pointer or one byte more are both the caller's.
    const char* begin = sql.empty() ? "" : sql.data();
    return sqlite3_prepare_v3(connection.db(), begin, static_cast<int>(sql.size()), flags, statement, end);
  };
  PastDatabases* const past = connection.past();
  if (past == nullptr) [[likely]]
    return attempt();
  past->forget_denied();
  if (looks_at_attachments(sql)) past->detach_idle();
  const int rc = attempt();
  if (rc == SQLITE_OK || !past->detach_idle()) return rc;
  past->forget_denied();
  return attempt();
}

Error compile_error(ConnectionState& connection, int rc) {
  const PastDatabases* const past = connection.past();
  if (past == nullptr || (rc & 0xff) != SQLITE_AUTH || !past->denied()) return connection.error(rc);
  return Error(ErrorCode::kSql, fmt::format("no such table: {}", *past->denied()))
      .with_sqlite_code(SQLITE_ERROR);
}

bool is_cacheable(Lifetime lifetime, std::string_view sql, std::string_view tail) {
  return lifetime == Lifetime::kKept && tail.empty() && sql.size() <= kCachedTextBytesMax;
}

unsigned prepare_flags(Lifetime lifetime) {
  return lifetime == Lifetime::kKept ? SQLITE_PREPARE_PERSISTENT : 0;
}

Result<std::unique_ptr<PreparedStatement>> prepare_as_of(const std::shared_ptr<ConnectionState>& connection,
                                                         std::string_view sql, sql::Recognition recognition,
                                                         Lifetime lifetime) {
  const std::size_t end = recognition.end;
  const bool cacheable = is_cacheable(lifetime, sql, sql.substr(end));
  DOSQL_ASSIGN_OR_RETURN(auto as_of, AsOfStatement::make(*connection, std::string(sql.substr(0, end)),
                                                         std::move(recognition), prepare_flags(lifetime)));
  return std::make_unique<PreparedStatement>(connection, std::move(as_of), cacheable);
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
    DOSQL_ASSIGN_OR_RETURN(sql::Recognition recognition, sql::recognise(sql));
    if (recognition.ours()) {
      tail = sql.substr(recognition.end);
      if (recognition.statement) return prepare_command(connection, sql, recognition);
      return prepare_as_of(connection, sql, std::move(recognition), lifetime);
    }
  }
  sqlite3_stmt* statement = nullptr;
  const char* end = nullptr;
  const int rc = compile(*connection, sql, prepare_flags(lifetime), &statement, &end);
  if (rc != SQLITE_OK) return compile_error(*connection, rc);
  const char* const begin = sql.empty() ? end : sql.data();
  tail = sql.substr(end - begin);
  // To SQLite a zero byte ends the text. Half of a statement may mean something else than all of it.
  if (tail.starts_with('\0')) {
    sqlite3_finalize(statement);
    return Error(ErrorCode::kInvalidArgument, "the SQL text contains a zero byte")
        .with_sql_offset(sql.size() - tail.size());
  }
  if (statement == nullptr) return std::unique_ptr<PreparedStatement>();

  const std::string_view text(sqlite3_sql(statement), sql.size() - tail.size());
  const bool cacheable = is_cacheable(lifetime, sql, tail) && !is_pragma(sql);
  return std::make_unique<PreparedStatement>(connection, statement, text, cacheable,
                                             std::exchange(session.answered_pragma, std::nullopt));
}

}  // namespace dosql::engine
