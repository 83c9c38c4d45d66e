// What of an SQL text is ours: FOR SYSTEM_TIME clauses, dosql_diff(), and the statements about branches and
// snapshots.
//
// Text that SQLite accepts is never ours: SYSTEM_TIME, BRANCH, SNAPSHOT, LSN, CHECKOUT and VERSION stay names
// wherever SQLite lets them be names. Nothing here is evaluated or looked up; spans count from the beginning
// of the text given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "sql/branch_statement.h"
#include "sql/lexer.h"
#include "sql/result_columns.h"
#include "sql/time_point.h"
#include "sql/variables.h"

namespace dosql::sql {

// `[schema.]table` as it is written; unquoted() takes the quotes away.
struct TableName {
  std::optional<Span> schema;
  Span table;

  Span span() const { return {schema ? schema->begin : table.begin, table.end}; }
};

enum class ReferenceKind : std::uint8_t {
  kAsOf,     // AS OF point
  kBetween,  // BETWEEN point AND point
  kFromTo,   // FROM point TO point
  kAll,      // ALL
};

// `[schema.]table [[AS] alias] FOR SYSTEM_TIME ... [[AS] alias]`
struct TimeReference {
  ReferenceKind kind = ReferenceKind::kAsOf;
  TableName name;
  bool membership = false;             // x IN table
  Span clause;                         // FOR SYSTEM_TIME to its last point, the alias excluded
  std::optional<Span> alias;           // as it is written, before or behind the clause
  std::optional<TimePoint> point;      // kAsOf, and the first of kBetween and kFromTo
  std::optional<TimePoint> end_point;  // the second of kBetween and kFromTo
};

// `dosql_diff('table', from, to)`, whose columns depend on its arguments.
struct DiffCall {
  Span name;   // dosql_diff, with its schema
  Span table;  // the text that names the table, in its quotes
  // Expressions, of which nothing is known.
  Span from;
  Span to;
};

enum class TableRole : std::uint8_t {
  kRead,      // FROM, JOIN, UPDATE ... FROM, IN table
  kFunction,  // a table-valued function in their place
  kWritten,   // the target of INSERT, REPLACE, UPDATE or DELETE
};

// A table reference to the present. Common table expressions and calls of dosql_diff are none.
struct PresentTable {
  TableName name;
  TableRole role = TableRole::kRead;
};

// The first statement of a text, if something of it is ours.
struct Recognition {
  // The first two, or the last, or none: then the text is SQLite's as it is, and nothing else here is filled
  // in.
  std::vector<TimeReference> times;  // in the order of the text
  std::vector<DiffCall> diffs;       // in the order of the text
  std::optional<BranchStatement> statement;

  Span span;            // from the statement's first token to its last, the semicolon excluded
  std::size_t end = 0;  // where the next statement may begin: behind the semicolon, or the text's end
  std::vector<PresentTable>
      present;  // in the order of the text; tables of `times` excluded; not for a `statement`
  std::vector<UnnamedColumn> unnamed;  // in no order; not for a `statement`
  std::vector<Variable> variables;     // in the order of the text, those inside our points included
  // How many parameters the statement has: the largest number.
  std::uint32_t parameter_count = 0;

  bool reads_versions() const { return !times.empty() || !diffs.empty(); }
  bool ours() const { return reads_versions() || statement.has_value(); }
};

// False: nothing of the text's first statement is ours. True: something may be. Costs tens of nanoseconds for
// a statement of usual length. Looks at 2 KiB of the text, or at 64 times the statement where that is more,
// however long the script is that follows.
bool may_be_ours(std::string_view text);

// Looks at the first statement of the text; leading space, comments and semicolons are skipped. An error has
// the offset of what is wrong: a point that is malformed, a clause that is misplaced, a write to the past. A
// text that is not ours is never an error, whatever SQLite will say to it. Takes time linear in the first
// statement, and no stack however deep it nests.
Result<Recognition> recognise(std::string_view text);

// Where the first statement ends: behind its semicolon, or at the text's end. The semicolons inside a CREATE
// TRIGGER's body do not end it.
std::size_t statement_end(std::string_view text);

}  // namespace dosql::sql
