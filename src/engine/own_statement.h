// A statement that the engine runs for itself on a connection's handle, with values as records hold them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "diff/record.h"
#include "diff/schema.h"

struct sqlite3_stmt;

namespace dosql::engine {

class ConnectionState;

// Not traced. One thread at a time, as its connection, which must outlive it.
class OwnStatement {
 public:
  // Compiles `sql`. Errors: what SQLite says of it.
  static Result<OwnStatement> prepare(ConnectionState& connection, std::string_view sql);
  ~OwnStatement();
  OwnStatement(OwnStatement&& other) noexcept;
  OwnStatement& operator=(OwnStatement&& other) noexcept;

  // Parameters count from 1, columns from 0. What is bound must stay until the statement is run or reset.
  // Text is in `encoding`, the database's.
  void bind(int index, const diff::Field& value, diff::TextEncoding encoding);
  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view utf8);
  // What sqlite3_value_pointer() gives to functions and modules; `type` must stay for ever.
  void bind_pointer(int index, const void* pointer, const char* type);

  // SQLite's result code; what is neither a row nor the end has been reset.
  int step();
  // To the end, dropping rows; SQLITE_DONE or a failure.
  int run();
  void reset();

  // Of the row it is on; views that end with the next step or reset. Text is in the database's encoding.
  diff::Field value(int column) const;
  std::string text(int column) const;  // UTF-8; empty: NULL
  std::int64_t integer(int column) const;
  bool is_null(int column) const;
  int columns() const;

 private:
  explicit OwnStatement(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_;
};

// Runs all of `sql`.
Status run_own(ConnectionState& connection, const std::string& sql);

}  // namespace dosql::engine
