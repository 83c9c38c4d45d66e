#include <dosql/statement.h>
#include <sqlite3.h>

#include "base/check.h"
#include "engine/prepared_statement.h"

namespace dosql {

using engine::PreparedStatement;

namespace {

Error empty_error() { return Error(ErrorCode::kInvalidArgument, "there is no statement"); }

}  // namespace

Statement::Statement(std::unique_ptr<PreparedStatement> prepared) : prepared_(prepared.release()) {}

void Statement::release() { PreparedStatement::release(std::exchange(prepared_, nullptr)); }

bool Statement::empty() const { return prepared_ == nullptr; }
bool Statement::read_only() const { return empty() || prepared_->read_only(); }
int Statement::explain_mode() const { return empty() ? 0 : sqlite3_stmt_isexplain(prepared_->handle()); }

Status Statement::bind(int index, const Value& value) {
  return empty() ? empty_error() : prepared_->bind(index, value);
}

Status Statement::bind(std::string_view name, const Value& value) {
  return empty() ? empty_error() : prepared_->bind(name, value);
}

Status Statement::bind_all(std::span<const Value> values) {
  return empty() ? empty_error() : prepared_->bind_all(values);
}

int Statement::parameter_count() const { return empty() ? 0 : prepared_->parameter_count(); }

std::string_view Statement::parameter_name(int index) const {
  const char* name = empty() ? nullptr : prepared_->parameter_name(index);
  return name ? name : "";
}

void Statement::clear_bindings() {
  if (!empty()) prepared_->clear_bindings();
}

int Statement::column_count() const { return empty() ? 0 : prepared_->column_count(); }

std::string_view Statement::column_name(int column) const {
  return empty() ? "" : prepared_->column_name(column);
}

const std::shared_ptr<const std::vector<std::string>>& Statement::column_names() const {
  static const auto kNone = std::make_shared<const std::vector<std::string>>();
  return empty() ? kNone : prepared_->column_names();
}

Result<bool> Statement::step() {
  if (empty()) return empty_error();
  return prepared_->step();
}

Result<RunResult> Statement::run() {
  if (empty()) return empty_error();
  return prepared_->run();
}

void Statement::reset() {
  if (!empty()) prepared_->reset();
}

Value::Type Statement::type(int column) const {
  return empty() ? Value::Type::kNull : prepared_->type(column);
}

std::int64_t Statement::integer(int column) const {
  return empty() ? 0 : sqlite3_column_int64(prepared_->handle(), column);
}

double Statement::real(int column) const {
  return empty() ? 0 : sqlite3_column_double(prepared_->handle(), column);
}

std::string_view Statement::text(int column) const {
  if (empty()) return {};
  // In this order: the size is of what the conversion left (sqlite3.h, "Result Values From A Query").
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(prepared_->handle(), column));
  const int bytes = sqlite3_column_bytes(prepared_->handle(), column);
  return text ? std::string_view(text, bytes) : std::string_view();
}

std::span<const std::byte> Statement::blob(int column) const {
  if (empty()) return {};
  const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(prepared_->handle(), column));
  const int bytes = sqlite3_column_bytes(prepared_->handle(), column);
  return {blob, static_cast<std::size_t>(blob ? bytes : 0)};
}

Value Statement::value(int column) const { return empty() ? Value() : prepared_->value(column); }

Row Statement::row() const {
  return Row(column_names(), empty() ? std::vector<Value>() : prepared_->values());
}

std::string_view Statement::sql() const { return empty() ? std::string_view() : prepared_->text(); }

std::string Statement::expanded_sql() const { return empty() ? "" : prepared_->expanded_text(); }

}  // namespace dosql
