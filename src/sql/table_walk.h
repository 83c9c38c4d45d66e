// Walks a statement's tokens and finds its table references, those in the past and those in the present.
//
// It knows of SQLite's grammar where tables stand, and of the rest only where such a place ends. A statement
// that SQLite will refuse may come out wrong; one that it accepts does not.
#pragma once

#include <cstdint>
#include <vector>

#include <dosql/result.h>

#include "sql/cte_scopes.h"
#include "sql/recogniser.h"
#include "sql/token_cursor.h"

namespace dosql::sql {

class TableWalk {
 public:
  explicit TableWalk(TokenCursor& cursor) : cursor_(cursor) {}

  // To the statement's end; fills `times`, `diffs` and `present`.
  Status run(Recognition& recognition);

 private:
  // What part of a query or statement is being read at one depth of parentheses.
  enum class Clause : std::uint8_t {
    kStart,        // a statement or query begins here
    kCteName,      // WITH ...
    kCteHead,      // ... name, up to its AS
    kCteBody,      // ... AS, up to its parenthesis
    kCteNext,      // ... a comma, or what the WITH is for
    kColumns,      // behind SELECT
    kTable,        // a table reference must stand here
    kTail,         // behind a table reference
    kOn,           // in the condition of a join
    kInsert,       // behind INSERT or REPLACE, up to its INTO
    kUpdate,       // behind the target of UPDATE, up to its SET
    kAssign,       // behind SET
    kDelete,       // behind DELETE, up to its FROM
    kCreateTable,  // up to the AS of CREATE TABLE ... AS, if it comes
    kCreateView,
    kTriggerHead,  // up to BEGIN
    kRest,         // nothing but a compound's next SELECT brings more tables
  };
  // What the last table reference was, for the message about a misplaced clause.
  enum class Behind : std::uint8_t { kNothing, kTable, kSubquery, kJoin, kFunction };
  // What is being defined, where the past has no place.
  enum class Definition : std::uint8_t { kNone, kView, kTrigger, kTable, kIndex, kChanged };

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Frame {
    Clause clause = Clause::kStart;
    Behind behind = Behind::kNothing;
    std::size_t scope = kNone;  // of the WITH clause of this query
    std::size_t cte = kNone;    // whose name was read last
    std::size_t body_of = kNone;
  };

  Frame& top() { return frames_.back(); }

  void begin_statement();
  void begin_create();
  void begin_alter();
  Status step();
  void open();
  void close();
  void comma();
  Status start();
  void begin_with();
  void read_cte_name();
  Status keyword();
  void end_tables();

  bool with_clause(std::size_t n) const;
  bool query_follows(std::size_t n) const;
  bool window_clause() const;
  bool misplaced_clause();

  TableName take_table_name();
  std::optional<Span> take_alias();
  Status table_reference();
  Status membership();
  Status function(const TableName& name);
  Status diff_call(const TableName& name);
  Status target(Clause next);
  Result<TimeReference> time_clause(const TableName& name);
  Status time_range(TimeReference& reference, std::string_view first, std::string_view second);

  Error misplaced();
  Error in_definition() const;
  Status resolve_names();

  TokenCursor& cursor_;
  std::vector<TimeReference>* times_ = nullptr;
  std::vector<DiffCall>* diffs_ = nullptr;
  std::vector<PresentTable>* present_ = nullptr;
  std::vector<Frame> frames_;
  CteScopes scopes_;
  Definition definition_ = Definition::kNone;
};

}  // namespace dosql::sql
