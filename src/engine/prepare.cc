#include "engine/prepare.h"

#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <limits>

#include "engine/as_of_statement.h"
#include "engine/branch_command.h"
#include "engine/past_databases.h"
#include "sql/lexer.h"
#include "sql/recogniser.h"

namespace dosql::engine {
namespace {

constexpr std::size_t kCachedTextBytesMax = 4'096;

// PRAGMAs act while they are compiled, so an old compilation must not stand in for a new one.
bool is_pragma(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  return sqlite3_strnicmp(sql.data(), "pragma", static_cast<int>(std::min<std::size_t>(sql.size(), 6))) == 0;
}

// Two databases of one name would be taken for each other.
bool attaches_under_our_name(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  sql::Lexer lexer(sql);
  if (!sql::equals_ignoring_case(lexer.next_significant().span.of(sql), "ATTACH")) return false;
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  constexpr std::string_view kPrefix = PastDatabases::kSchemaPrefix;
  return std::search(sql.begin(), sql.end(), kPrefix.begin(), kPrefix.end(), same) != sql.end();
}

// What SQLite compiled.
struct Compiled {
  int rc = SQLITE_OK;
  sqlite3_stmt* statement = nullptr;
  const char* end = nullptr;
};

Compiled compile(ConnectionState& connection, std::string_view sql, unsigned flags) {
  Compiled compiled;
  // SQLite would read on behind an empty text: a null pointer or one byte more are both the caller's.
  const char* const begin = sql.empty() ? "" : sql.data();
  compiled.rc = sqlite3_prepare_v3(connection.db(), begin, static_cast<int>(sql.size()), flags,
                                   &compiled.statement, &compiled.end);
  return compiled;
}

// As if there were no databases of the past.
[[gnu::noinline]] Compiled compile_beside_past(ConnectionState& connection, std::string_view sql,
                                               unsigned flags) {
  const PastDatabases::Hidden hidden(*connection.past());
  return compile(connection, sql, flags);
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
  // SQLite makes no statement of no text.
  const std::string rows_text = command.rows_text();
  sqlite3_stmt* rows = nullptr;
  if (const int failed = sqlite3_prepare_v2(connection->db(), rows_text.data(),
                                            static_cast<int>(rows_text.size()), &rows, nullptr);
      failed != SQLITE_OK) {
    sqlite3_finalize(statement);
    return connection->error(failed);
  }
  return std::make_unique<PreparedStatement>(connection, statement, rows, std::move(command));
}

// Null: nothing of it is ours. Apart from prepare(), which nearly always gets by without it.
[[gnu::noinline]] Result<std::unique_ptr<PreparedStatement>> prepare_ours(
    const std::shared_ptr<ConnectionState>& connection, std::string_view sql, std::string_view& tail,
    Lifetime lifetime) {
  DOSQL_ASSIGN_OR_RETURN(sql::Recognition recognition, sql::recognise(sql));
  if (!recognition.ours()) return std::unique_ptr<PreparedStatement>();
  tail = sql.substr(recognition.end);
  if (recognition.statement) return prepare_command(connection, sql, recognition);
  return prepare_as_of(connection, sql, std::move(recognition), lifetime);
}

Error zero_byte_error(std::size_t offset) {
  return Error(ErrorCode::kInvalidArgument, "the SQL text contains a zero byte").with_sql_offset(offset);
}

// `error`, or what is behind it: a token or a statement had no end because SQLite saw one in a zero byte.
Error without_zero_byte(Error error, std::string_view sql) {
  const std::size_t zero = sql.find('\0');
  if (zero == std::string_view::npos) return error;
  constexpr std::string_view kOpenToken = "unrecognized token: \"";
  const std::string_view message = error.message();
  const std::string_view before = sql.substr(0, std::min(zero, error.sql_offset().value_or(zero)));
  const std::string_view token = sql.substr(before.size(), zero - before.size());
  const bool ends_token = message.starts_with(kOpenToken) && !token.empty() &&
                          message.substr(kOpenToken.size()) == std::string(token) + '"';
  return ends_token || message == "incomplete input" ? zero_byte_error(zero) : std::move(error);
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
  DOSQL_RETURN_IF_ERROR(connection->catch_up());
  if (sql::may_be_ours(sql)) [[unlikely]] {
    auto ours = prepare_ours(connection, sql, tail, lifetime);
    if (!ours || *ours != nullptr) return ours;
  }
  const bool has_past = connection->past() != nullptr;
  if (has_past && attaches_under_our_name(sql)) [[unlikely]]
    return PastDatabases::name_error();
  const unsigned flags = prepare_flags(lifetime);
  const auto [rc, statement, end] =
      has_past ? compile_beside_past(*connection, sql, flags) : compile(*connection, sql, flags);
  if (rc != SQLITE_OK) return without_zero_byte(connection->error(rc), sql);
  const char* const begin = sql.empty() ? end : sql.data();
  tail = sql.substr(end - begin);
  // To SQLite a zero byte ends the text. Half of a statement may mean something else than all of it.
  if (tail.starts_with('\0')) {
    sqlite3_finalize(statement);
    return zero_byte_error(sql.size() - tail.size());
  }
  if (statement == nullptr) return std::unique_ptr<PreparedStatement>();

  const std::string_view text(sqlite3_sql(statement), sql.size() - tail.size());
  const bool cacheable = is_cacheable(lifetime, sql, tail) && !is_pragma(sql);
  return PreparedStatement::make(connection, statement, text, cacheable, std::move(session.answered_pragma));
}

}  // namespace dosql::engine
