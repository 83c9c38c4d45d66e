#include "engine/prepared_statement.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstring>

#include "engine/connection_state.h"

namespace dosql::engine {
namespace {

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return sqlite3_bind_null(statement, index);
    case Value::Type::kInteger: return sqlite3_bind_int64(statement, index, value.integer());
    case Value::Type::kReal: return sqlite3_bind_double(statement, index, value.real());
    case Value::Type::kText:
      return sqlite3_bind_text64(statement, index, value.text().data(), value.text().size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    case Value::Type::kBlob:
      // A null pointer would be NULL instead of an empty blob.
      if (value.blob().empty()) return sqlite3_bind_zeroblob(statement, index, 0);
      return sqlite3_bind_blob64(statement, index, value.blob().data(), value.blob().size(),
                                 SQLITE_TRANSIENT);
  }
  return SQLITE_INTERNAL;
}

std::string column_text(sqlite3_stmt* statement, int column) {
  const void* text = sqlite3_column_text(statement, column);
  const int bytes = sqlite3_column_bytes(statement, column);
  return text ? std::string(static_cast<const char*>(text), bytes) : std::string();
}

}  // namespace

PreparedStatement::PreparedStatement(std::shared_ptr<ConnectionState> connection, sqlite3_stmt* statement,
                                     bool cacheable, std::optional<AnsweredPragma> pragma)
    : connection_(std::move(connection)),
      statement_(statement),
      text_(sqlite3_sql(statement)),
      cacheable_(cacheable),
      pragma_(std::move(pragma)) {}

PreparedStatement::PreparedStatement(std::shared_ptr<ConnectionState> connection, sqlite3_stmt* select,
                                     BranchCommand command)
    : connection_(std::move(connection)),
      statement_(select),
      cacheable_(false),
      command_(std::move(command)) {
  text_ = command_->text();
}

PreparedStatement::~PreparedStatement() { sqlite3_finalize(statement_); }

void PreparedStatement::release(std::unique_ptr<PreparedStatement> statement) {
  if (!statement) return;
  // Outlives the statement: it may be the last that holds the connection.
  const std::shared_ptr<ConnectionState> connection = std::move(statement->connection_);
  sqlite3_reset(statement->statement_);
  if (statement->cacheable_ && !connection->retired()) {
    sqlite3_clear_bindings(statement->statement_);
    connection->cache().put(std::move(statement));
  } else {
    statement.reset();
  }
}

void PreparedStatement::belong_to(std::shared_ptr<ConnectionState> connection) {
  connection_ = std::move(connection);
}

Status PreparedStatement::misuse(int sqlite_code) { return connection_->error(sqlite_code); }

Status PreparedStatement::bind(int index, const Value& value) {
  if (const int count = sqlite3_bind_parameter_count(statement_); index < 1 || index > count) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("there is no parameter {}: the statement has {}", index, count));
  }
  if (sqlite3_stmt_busy(statement_)) reset();
  const int rc = bind_value(statement_, index, value);
  return rc == SQLITE_OK ? Status() : misuse(rc);
}

Status PreparedStatement::bind(std::string_view name, const Value& value) {
  const int index = sqlite3_bind_parameter_index(statement_, std::string(name).c_str());
  if (index == 0) return Error(ErrorCode::kInvalidArgument, fmt::format("there is no parameter '{}'", name));
  return bind(index, value);
}

Status PreparedStatement::bind_all(std::span<const Value> values) {
  if (const int count = sqlite3_bind_parameter_count(statement_);
      values.size() != static_cast<std::size_t>(count)) {
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
  const Value name = value(0);
  const Value point = value(1);
  sqlite3_reset(statement_);
  DOSQL_RETURN_IF_ERROR(command_->run(*connection_, name, point));
  return false;
}

bool PreparedStatement::read_only() const { return !command_ && sqlite3_stmt_readonly(statement_) != 0; }

int PreparedStatement::column_count() const { return command_ ? 0 : sqlite3_column_count(statement_); }

Result<bool> PreparedStatement::step() {
  Session& session = connection_->session();
  session.begin_call();
  if (command_) return run_command();
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) [[likely]]
    return true;
  if (rc == SQLITE_DONE && !session.commit_failed) [[likely]] {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = connection_->error(rc == SQLITE_DONE ? SQLITE_IOERR : rc);
  sqlite3_reset(statement_);
  return error;
}

void PreparedStatement::reset() { sqlite3_reset(statement_); }

Status PreparedStatement::finish() {
  Session& session = connection_->session();
  session.begin_call();
  const int rc = sqlite3_reset(statement_);
  if (rc == SQLITE_OK && !session.commit_failed) return {};
  return connection_->error(rc == SQLITE_OK ? SQLITE_IOERR : rc);
}

std::string_view PreparedStatement::column_name(int column) const {
  if (pragma_ && column == 0) return pragma_->name;
  const char* name = sqlite3_column_name(statement_, column);
  return name ? name : "";
}

const std::shared_ptr<const std::vector<std::string>>& PreparedStatement::column_names() {
  const int compilation = sqlite3_stmt_status(statement_, SQLITE_STMTSTATUS_REPREPARE, 0) + 1;
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
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER: return Value::Type::kInteger;
    case SQLITE_FLOAT: return Value::Type::kReal;
    case SQLITE_TEXT: return pragma_ && pragma_->is_integer ? Value::Type::kInteger : Value::Type::kText;
    case SQLITE_BLOB: return Value::Type::kBlob;
    default: return Value::Type::kNull;
  }
}

Value PreparedStatement::value(int column) const {
  switch (type(column)) {
    case Value::Type::kNull: return {};
    case Value::Type::kInteger: return std::int64_t{sqlite3_column_int64(statement_, column)};
    case Value::Type::kReal: return sqlite3_column_double(statement_, column);
    case Value::Type::kText: return column_text(statement_, column);
    case Value::Type::kBlob: {
      Blob blob(sqlite3_column_bytes(statement_, column));
      if (!blob.empty()) std::memcpy(blob.data(), sqlite3_column_blob(statement_, column), blob.size());
      return blob;
    }
  }
  return {};
}

std::vector<Value> PreparedStatement::values() const {
  std::vector<Value> values;
  const int count = column_count();
  values.reserve(count);
  for (int column = 0; column < count; ++column) values.push_back(value(column));
  return values;
}

}  // namespace dosql::engine
