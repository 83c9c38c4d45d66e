// A compiled statement, and rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dosql/result.h>
#include <dosql/value.h>

namespace dosql {

namespace engine {
class PreparedStatement;
}

// One row with its values; columns by index or by name. Copies share the column names.
class Row {
 public:
  Row(std::shared_ptr<const std::vector<std::string>> columns, std::vector<Value> values)
      : columns_(std::move(columns)), values_(std::move(values)) {}

  std::size_t size() const { return values_.size(); }
  const std::vector<std::string>& columns() const { return *columns_; }
  const std::vector<Value>& values() const { return values_; }
  const Value& operator[](std::size_t index) const { return values_[index]; }
  // Null pointer when there is no such column.
  const Value* find(std::string_view column) const;

  // T: std::int64_t, double, std::string_view, std::string, Value, std::optional of these.
  // Throws Exception (DOSQL_INVALID_ARGUMENT) for an unknown column or another type.
  template <class T>
  T get(std::string_view column) const;

  // An object of the columns. Numbers, texts and NULL are themselves; a BLOB is {"blob":"00ff"}, and an
  // infinity, which JSON has not, {"real":"inf"} or {"real":"-inf"}.
  std::string to_json() const;

 private:
  std::shared_ptr<const std::vector<std::string>> columns_;
  std::vector<Value> values_;
};

using Rows = std::vector<Row>;

struct RunResult {
  std::int64_t changes = 0;         // rows inserted, updated or deleted by the statement itself
  std::int64_t last_insert_id = 0;  // rowid of the newest insert on this connection
};

// Belongs to its Connection and to that connection's thread. While a Statement is in use after its Connection
// is gone, it keeps the database open.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept : prepared_(std::exchange(other.prepared_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    if (this != &other) {
      if (prepared_ != nullptr) release();
      prepared_ = std::exchange(other.prepared_, nullptr);
    }
    return *this;
  }
  ~Statement() {
    if (prepared_ != nullptr) release();
  }

  // No statement: only space or comments were given.
  bool empty() const;
  // True when it cannot change the database.
  bool read_only() const;
  // 0: not an EXPLAIN, 1: EXPLAIN, 2: EXPLAIN QUERY PLAN.
  int explain_mode() const;

  // Parameters from 1; names with their prefix. Binding begins a new run: it resets. Errors:
  // DOSQL_INVALID_ARGUMENT for an unknown one.
  Status bind(int index, const Value& value);
  Status bind(std::string_view name, const Value& value);
  // Exactly as many as there are parameters.
  Status bind_all(std::span<const Value> values);
  int parameter_count() const;
  // Empty for a plain `?`.
  std::string_view parameter_name(int index) const;
  void clear_bindings();

  int column_count() const;
  std::string_view column_name(int column) const;
  const std::shared_ptr<const std::vector<std::string>>& column_names() const;

  // True: a row is there, read it with the accessors below. False: done (and reset). A statement that changes
  // something has done so for good when this returned false; a failed commit is reported here.
  Result<bool> step();
  // Steps to the end, dropping rows.
  Result<RunResult> run();
  void reset();

  // Of the current row; views live until the next step or reset.
  Value::Type type(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  // TEXT or BLOB bytes; numbers as SQLite prints them.
  std::string_view text(int column) const;
  std::span<const std::byte> blob(int column) const;
  Value value(int column) const;
  Row row() const;

  // The statement's own text, and with parameters filled in (not in statements about branches).
  std::string_view sql() const;
  std::string expanded_sql() const;

 private:
  friend class Connection;
  explicit Statement(std::unique_ptr<engine::PreparedStatement> prepared);
  void release();
  engine::PreparedStatement* prepared_ = nullptr;  // its own
};

}  // namespace dosql
