// Writes the rows of one statement in one mode, byte for byte as the sqlite3 shell 3.40 does. Two things
// differ on purpose: columns are aligned by the width a terminal gives a character, not by their number,
// and text with a zero byte inside is not cut there in JSON and SQL.
#pragma once

#include <memory>
#include <string>

#include <dosql/statement.h>

#include "apps/dosql/format.h"
#include "apps/dosql/output.h"

namespace dosql::shell {

// begin() once, row() for each row the statement stands on, end() once. Nothing is written for a
// statement without rows.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void begin(const Statement& statement) = 0;
  virtual void row(const Statement& statement) = 0;
  virtual void end() = 0;
};

// `format` and `out` must outlive the writer.
std::unique_ptr<RowWriter> make_row_writer(const Format& format, Output& out);

// The tree of EXPLAIN QUERY PLAN, whatever the mode.
std::unique_ptr<RowWriter> make_query_plan_writer(Output& out);

// The value as SQL takes it. `escape_lines`: line ends as replace(..., char(10)), so that each row keeps to
// one line.
enum class LineEnds : std::uint8_t { kKeep, kEscape };
enum class Infinity : std::uint8_t { kWord, kLiteral };  // Inf, 1e999
std::string sql_literal(const Statement& statement, int column, LineEnds line_ends, Infinity infinity);
// The bytes of a BLOB as hexadecimal digits.
std::string blob_hex(const Statement& statement, int column);

}  // namespace dosql::shell
