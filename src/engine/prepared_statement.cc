#include "engine/prepared_statement.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <optional>

#include "engine/connection_state.h"
#include "engine/prepare.h"
#include "engine/sqlite_internals.h"
#include "engine/sqlite_value.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

bool ends_transaction(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  sql::Lexer lexer(sql);
  const std::string_view word = lexer.next_significant().span.of(sql);
  constexpr auto kWords = std::to_array<std::string_view>({"COMMIT", "END", "RELEASE", "ROLLBACK"});
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view one) { return sql::equals_ignoring_case(one, word); });
}

// COMMIT, END, or ROLLBACK without TO.
bool ends_whole_transaction(std::string_view sql) {
  sql.remove_prefix(blank_prefix_bytes(sql));
  sql::Lexer lexer(sql);
  std::string_view word;
  const auto take = [&] { word = lexer.next_significant().span.of(sql); };
  const auto is = [&](std::string_view one) { return sql::equals_ignoring_case(one, word); };
  take();
  if (is("COMMIT") || is("END")) return true;
  if (!is("ROLLBACK")) return false;
  take();
  if (is("TRANSACTION")) take();
  return !is("TO");
}

}  // namespace

std::unique_ptr<PreparedStatement> PreparedStatement::make(const std::shared_ptr<ConnectionState>& connection,
                                                           sqlite3_stmt* statement, std::string_view text,
                                                           bool cacheable,
                                                           std::unique_ptr<AnsweredPragma> pragma) {
  std::unique_ptr<PreparedStatement> made(connection->cache().take_blank());
  if (made == nullptr) made.reset(new PreparedStatement());
  made->connection_ = connection;
  made->statement_ = statement;
  made->text_ = text;
  made->cacheable_ = cacheable;
  made->is_vacuum_ = dosql_is_vacuum(statement) != 0;
  made->pragma_ = std::move(pragma);
  return made;
}

PreparedStatement::PreparedStatement(std::shared_ptr<ConnectionState> connection, sqlite3_stmt* select,
                                     sqlite3_stmt* rows, BranchCommand command)
    : connection_(std::move(connection)),
      statement_(select),
      command_(std::make_unique<BranchCommand>(std::move(command))),
      command_rows_(rows) {
  text_ = command_->text();
}

PreparedStatement::PreparedStatement(std::shared_ptr<ConnectionState> connection,
                                     std::unique_ptr<AsOfStatement> as_of, bool cacheable)
    : connection_(std::move(connection)),
      statement_(as_of->statement()),
      text_(as_of->text()),
      cacheable_(cacheable),
      as_of_(std::move(as_of)) {}

PreparedStatement::~PreparedStatement() {
  if (!as_of_) sqlite3_finalize(statement_);
  sqlite3_finalize(command_rows_);
}

void PreparedStatement::release(PreparedStatement* statement) {
  if (statement == nullptr) return;
  // Outlives the statement: it may be the last that holds the connection.
  const std::shared_ptr<ConnectionState> connection = std::move(statement->connection_);
  const bool in_use = !connection->retired();
  if (in_use && statement->cacheable_) {
    sqlite3_reset(statement->statement_);
    statement->clear_bindings();
    connection->cache().put(std::unique_ptr<PreparedStatement>(statement));
  } else if (!in_use || !statement->becomes_blank() || !connection->cache().put_blank(statement)) {
    delete statement;
  }
}

// Nothing is left of the statement that it stood for, except where that had more than most.
bool PreparedStatement::becomes_blank() {
  if (pragma_ || command_ || as_of_) return false;
  sqlite3_finalize(std::exchange(statement_, nullptr));
  columns_.reset();
  columns_of_compilation_ = 0;
  return true;
}

void PreparedStatement::belong_to(std::shared_ptr<ConnectionState> connection) {
  connection_ = std::move(connection);
}

Status PreparedStatement::misuse(int sqlite_code) { return connection_->error(sqlite_code); }

int PreparedStatement::parameter_count() const {
  return as_of_ ? as_of_->parameter_count() : sqlite3_bind_parameter_count(statement_);
}

const char* PreparedStatement::parameter_name(int index) const {
  return as_of_ ? as_of_->parameter_name(index) : sqlite3_bind_parameter_name(statement_, index);
}

int PreparedStatement::parameter_index(std::string_view name) const {
  if (as_of_) return as_of_->parameter_index(name);
  return sqlite3_bind_parameter_index(statement_, std::string(name).c_str());
}

void PreparedStatement::clear_bindings() {
  if (as_of_) {
    as_of_->clear_bindings();
  } else {
    sqlite3_clear_bindings(statement_);
  }
}

Status PreparedStatement::bind(int index, const Value& value) {
  if (const int count = parameter_count(); index < 1 || index > count) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("there is no parameter {}: the statement has {}", index, count));
  }
  if (sqlite3_stmt_busy(statement_)) reset();
  const int rc = as_of_ ? as_of_->bind(index, value) : bind_value(statement_, index, value);
  return rc == SQLITE_OK ? Status() : misuse(rc);
}

Status PreparedStatement::bind(std::string_view name, const Value& value) {
  const int index = parameter_index(name);
  if (index == 0) return Error(ErrorCode::kInvalidArgument, fmt::format("there is no parameter '{}'", name));
  return bind(index, value);
}

Status PreparedStatement::bind_all(std::span<const Value> values) {
  if (const int count = parameter_count(); values.size() != static_cast<std::size_t>(count)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the statement has {} parameters, {} values were given", count, values.size()));
  }
  int index = 0;
  for (const Value& value : values) DOSQL_RETURN_IF_ERROR(bind(++index, value));
  return {};
}

Status PreparedStatement::bind_all(std::span<const NamedValue> values) {
  for (const NamedValue& value : values) DOSQL_RETURN_IF_ERROR(bind(value.name, value.value));
  return {};
}

Result<bool> PreparedStatement::run_command() {
  const int rc = sqlite3_step(statement_);
  if (rc != SQLITE_ROW) {
    Error error = connection_->error(rc);
    sqlite3_reset(statement_);
    return error;
  }
  const BranchCommand::Input input{value_of_column(statement_, 0), value_of_column(statement_, 1),
                                   value_of_column(statement_, 2), value_of_column(statement_, 3)};
  sqlite3_reset(statement_);
  DOSQL_ASSIGN_OR_RETURN(const std::string rows, command_->run(*connection_, input));
  if (command_rows_ == nullptr) return false;
  sqlite3_bind_text(command_rows_, 1, rows.data(), static_cast<int>(rows.size()), SQLITE_TRANSIENT);
  return step_command_rows();
}

Result<bool> PreparedStatement::step_command_rows() {
  const int rc = sqlite3_step(command_rows_);
  if (rc == SQLITE_ROW) return true;
  Result<bool> ended = rc == SQLITE_DONE ? Result<bool>(false) : connection_->error(rc);
  sqlite3_reset(command_rows_);
  return ended;
}

bool PreparedStatement::read_only() const {
  if (as_of_) return as_of_->read_only();
  return !command_ && sqlite3_stmt_readonly(statement_) != 0;
}

std::string PreparedStatement::expanded_text() const {
  if (as_of_) return as_of_->expanded_text();
  if (command_) return command_->text();
  char* const expanded = sqlite3_expanded_sql(statement_);
  std::string result = expanded ? expanded : "";
  sqlite3_free(expanded);
  return result;
}

int PreparedStatement::column_count() const {
  return command_ && command_rows_ == nullptr ? 0 : sqlite3_column_count(handle());
}

// What SQLite runs of a transaction's own words writes nothing and gives nothing.
Status PreparedStatement::refuse_end() const {
  if (statement_ == nullptr || sqlite3_stmt_readonly(statement_) == 0 || sqlite3_column_count(statement_) > 0)
    return {};
  if (!ends_whole_transaction(text_)) return {};
  return Error(ErrorCode::kInvalidArgument, "COMMIT and ROLLBACK cannot end this transaction")
      .with_hint(
          "it ends with the body that it was begun for; SAVEPOINT, ROLLBACK TO and RELEASE may be used");
}

Result<bool> PreparedStatement::step() {
  Session& session = connection_->session();
  session.begin_call();
  if (session.holds_transaction) [[unlikely]]
    DOSQL_RETURN_IF_ERROR(refuse_end());
  if (connection_->follows() && sqlite3_stmt_busy(statement_) == 0) [[unlikely]]
    DOSQL_RETURN_IF_ERROR(connection_->catch_up());
  connection_->adapt_cache();
  if (command_) {
    const bool runs = command_rows_ != nullptr && sqlite3_stmt_busy(command_rows_) != 0;
    return runs ? step_command_rows() : run_command();
  }
  if (as_of_) [[unlikely]]
    return step_as_of();
  if (connection_->past() != nullptr && !connection_->past()->empty()) [[unlikely]]
    return step_beside_past();
  return stepped(step_sqlite());
}

int PreparedStatement::step_sqlite() {
  MainFile& file = connection_->file();
  file.statement_begins(statement_);
  const int rc = is_vacuum_ ? run_vacuum() : sqlite3_step(statement_);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) file.statement_gave(statement_);
  return rc;
}

// A row that a table's key does not tell apart is known by its rowid, in diffs and merges.
int PreparedStatement::run_vacuum() {
  dosql_keep_rowids(connection_->db(), 1);
  const int rc = sqlite3_step(statement_);
  dosql_keep_rowids(connection_->db(), 0);
  return rc;
}

Result<bool> PreparedStatement::stepped(int rc) {
  if (rc == SQLITE_ROW) [[likely]]
    return true;
  if (rc == SQLITE_DONE && !connection_->session().commit_failed) [[likely]] {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = connection_->error(rc == SQLITE_DONE ? SQLITE_IOERR : rc);
  sqlite3_reset(statement_);
  return error;
}

// SQLite may compile the statement again when it begins, and some tables have SQLite compile more while it
// runs. Whatever ends a transaction must see all databases, though, so that the past is unlocked with them:
// in a transaction of the user's the statements that say so, else each statement that runs to its end.
Result<bool> PreparedStatement::step_beside_past() {
  std::optional<PastDatabases::Hidden> hidden;
  const bool in_transaction = sqlite3_get_autocommit(connection_->db()) == 0;
  if (in_transaction ? !ends_transaction(text_) : sqlite3_stmt_busy(statement_) == 0) {
    hidden.emplace(*connection_->past());
  }
  const int rc = step_sqlite();
  const bool refused = hidden && rc == SQLITE_DONE && hidden->detach_our_name();
  hidden.reset();
  Result<bool> result = stepped(rc);
  return refused ? PastDatabases::name_error() : std::move(result);
}

Result<bool> PreparedStatement::step_as_of() {
  const bool begins = sqlite3_stmt_busy(statement_) == 0;
  bool compiled = false;
  const auto take_statement = [&](Status done) {
    compiled = statement_ != as_of_->statement();
    statement_ = as_of_->statement();
    return done;
  };
  HeldHead head(*connection_);
  if (begins) DOSQL_RETURN_IF_ERROR(take_statement(as_of_->begin(*connection_, head)));
  const PastDatabases::Permission permission(*connection_->past(), as_of_->attachments());
  connection_->past()->forget_denied();
  const auto step = [&] {
    if (begins && connection_->hooks().traces()) {
      connection_->hooks().show_as(statement_, [text = as_of_.get()] { return text->expanded_text(); });
    }
    return step_sqlite();
  };
  const int rc = step();
  Result<bool> result = stepped(rc);
  if (begins && !compiled && (rc & 0xff) == SQLITE_ERROR && !as_of_->compiles(*connection_)) {
    DOSQL_RETURN_IF_ERROR(take_statement(as_of_->compile_again(*connection_)));
    result = stepped(step());
  }
  if (!result) return as_of_->in_users_words(*connection_, std::move(result).error());
  return result;
}

Result<RunResult> PreparedStatement::run() {
  sqlite3* const db = connection_->db();
  // sqlite3_changes keeps its value over statements that change no rows.
  const std::int64_t before = sqlite3_total_changes64(db);
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool row, step());
    if (!row) break;
  }
  const bool changed = sqlite3_total_changes64(db) != before;
  return RunResult{.changes = changed ? sqlite3_changes64(db) : 0,
                   .last_insert_id = sqlite3_last_insert_rowid(db)};
}

void PreparedStatement::reset() {
  sqlite3_reset(statement_);
  sqlite3_reset(command_rows_);
}

Status PreparedStatement::finish() {
  Session& session = connection_->session();
  session.begin_call();
  const int rc = sqlite3_reset(statement_);
  sqlite3_reset(command_rows_);
  if (rc == SQLITE_OK && !session.commit_failed) return {};
  return connection_->error(rc == SQLITE_OK ? SQLITE_IOERR : rc);
}

std::string_view PreparedStatement::column_name(int column) const {
  if (pragma_ && column == 0) return pragma_->name;
  if (statement_ == nullptr) return "";
  const char* name = sqlite3_column_name(handle(), column);
  return name ? name : "";
}

const std::shared_ptr<const std::vector<std::string>>& PreparedStatement::column_names() {
  std::uint64_t compilation = 1;
  if (statement_ != nullptr) compilation += sqlite3_stmt_status(statement_, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (as_of_) compilation += as_of_->compilation() << 32;
  if (columns_of_compilation_ != compilation) {
    auto names = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < column_count(); ++column) {
      names->emplace_back(column_name(column));
    }
    columns_ = std::move(names);
    columns_of_compilation_ = compilation;
  }
  return columns_;
}

Value::Type PreparedStatement::type(int column) const {
  switch (sqlite3_column_type(handle(), column)) {
    case SQLITE_INTEGER: return Value::Type::kInteger;
    case SQLITE_FLOAT: return Value::Type::kReal;
    case SQLITE_TEXT: return pragma_ && pragma_->is_integer ? Value::Type::kInteger : Value::Type::kText;
    case SQLITE_BLOB: return Value::Type::kBlob;
    default: return Value::Type::kNull;
  }
}

Value PreparedStatement::value(int column) const {
  if (pragma_ && type(column) == Value::Type::kInteger)
    return std::int64_t{sqlite3_column_int64(statement_, column)};
  return value_of_column(handle(), column);
}

std::vector<Value> PreparedStatement::values() const {
  std::vector<Value> values;
  const int count = column_count();
  values.reserve(count);
  for (int column = 0; column < count; ++column) values.push_back(value(column));
  return values;
}

}  // namespace dosql::engine
