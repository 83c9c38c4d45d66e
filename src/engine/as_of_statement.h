// What a statement that reads versions (FOR SYSTEM_TIME, dosql_diff) needs beyond SQLite's compiled
// statement: its points, which each execution evaluates once, and the text in which its tables are those of
// attached old versions, or computed ones.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>
#include <dosql/value.h>

#include "engine/held_head.h"
#include "engine/history_range.h"
#include "engine/past_databases.h"
#include "sql/recogniser.h"
#include "sql/rewrite.h"

namespace dosql::engine {

class ConnectionState;

class AsOfStatement {
 public:
  // `text` is what `recognition` is of, up to its end; it reads versions. Compiled at once where no point has
  // a variable, else by the first begin(). Errors have their offset in `text`.
  static Result<std::unique_ptr<AsOfStatement>> make(ConnectionState& connection, std::string text,
                                                     sql::Recognition recognition, unsigned prepare_flags);
  ~AsOfStatement();
  AsOfStatement(const AsOfStatement&) = delete;
  AsOfStatement& operator=(const AsOfStatement&) = delete;

  // Null before the first compilation and after one that failed.
  sqlite3_stmt* statement() const { return statement_; }
  // Changes with each compilation of ours.
  std::uint64_t compilation() const { return compilation_; }
  std::string_view text() const { return text_; }
  // With the values of its parameters filled in.
  std::string expanded_text() const;
  // As far as is known without compiling: nothing is written to.
  bool read_only() const;

  // As sqlite3_bind_...() of the statement as it was written. Index and name may be wrong.
  int parameter_count() const { return static_cast<int>(values_.size()); }
  const char* parameter_name(int index) const;
  int parameter_index(std::string_view name) const;
  int bind(int index, const Value& value);
  void clear_bindings();

  // At the beginning of an execution: looks up where the points are now and compiles if they are in other
  // attachments than last time. `head` must outlive the first step.
  Status begin(ConnectionState& connection, HeldHead& head);
  // Whether SQLite can compile it as it was compiled last: if so, an error came of running it.
  bool compiles(ConnectionState& connection) const;
  // Once more, because tables of the present have come or gone since.
  Status compile_again(ConnectionState& connection);
  // Which attachments it reads.
  const PastDatabases::Set& attachments() const { return attachments_; }

  // An error that compiling or running the statement gave, in terms of the text that the user wrote.
  Error in_users_words(ConnectionState& connection, Error error) const;

 private:
  // Where the value of a point comes from.
  struct Source {
    enum class Kind : std::uint8_t {
      kConstant,
      kParameter,
      kNegated,
      kEvaluated,
      kUnknown,  // an argument that may come of a row, so that only running the statement tells
    } kind = Kind::kConstant;
    Value constant;
    std::size_t index = 0;  // of the parameter (from 1; kNegated: minus it), of the evaluator's column
  };
  // What a point meant last time, and what that depends on besides history, which stays as it is.
  struct Meaning {
    Value value;
    version::ReadPoint now;
    std::uint64_t name_changes = 0;
    std::optional<version::ReadPoint> point;
  };
  // An expression that says a point.
  struct Operand {
    const sql::TimePoint* point = nullptr;  // null: it is an argument of dosql_diff
    sql::Span expression;
    bool has_variables = false;
    Source source = {};
    Meaning meaning = {};
  };

  AsOfStatement(ConnectionState& connection, std::string text, sql::Recognition recognition,
                unsigned prepare_flags);
  Status check_references() const;
  Status find_sources(ConnectionState& connection);
  void add_operands();
  Source source_of(const Operand& operand) const;
  sql::RewrittenSql evaluator_of(const std::vector<sql::Span>& expressions) const;
  Status compile_evaluator(ConnectionState& connection, const std::vector<sql::Span>& expressions);
  Status evaluate(ConnectionState& connection);
  sql::Span failing_expression(ConnectionState& connection) const;
  void bind_values(sqlite3_stmt* statement) const;
  const Value& value_of(const Source& source, Value& made) const;
  Result<version::ReadPoint> look_up(ConnectionState& connection, Operand& operand);
  Result<version::ReadPoint> look_up_argument(ConnectionState& connection, const Operand& operand);
  Status evaluate_points(ConnectionState& connection);
  Status compile_as_needed(ConnectionState& connection);
  Status find_tables(ConnectionState& connection);
  Status find_attachments(ConnectionState& connection);
  Status find_histories(ConnectionState& connection);
  Result<HistoryRange> range_of(ConnectionState& connection, std::size_t reference);
  Status find_line(ConnectionState& connection, const Operand& to, HistoryRange& range);
  Result<bool> is_moment_of(ConnectionState& connection, const Operand& operand,
                            const version::ReadPoint& point);
  Status find_differences(ConnectionState& connection);
  Result<std::string> difference(ConnectionState& connection, std::size_t call);
  Status compile(ConnectionState& connection);
  Status find_present_schemas(ConnectionState& connection);
  std::vector<std::string> past_names() const;
  std::vector<std::string> present_names() const;
  std::string table_of(std::size_t reference) const;
  std::string version_of(ConnectionState& connection, std::size_t reference) const;
  std::optional<Error> missing_table(ConnectionState& connection) const;
  std::optional<Error> broken_view(ConnectionState& connection) const;
  std::string without_our_schemas(std::string message) const;
  std::string hint_at(std::string_view message) const;
  bool has_variable_points() const;

  HistoryRanges& history_ranges_;  // the connection's, which outlives its statements
  const std::string text_;
  const sql::Recognition recognition_;
  const unsigned prepare_flags_;
  std::vector<Value> values_;  // of the parameters
  std::vector<std::string> names_;

  std::vector<Operand> operands_;           // of recognition_.times, then two of each of recognition_.diffs
  std::vector<std::size_t> first_operand_;  // of recognition_.times
  // The ranges of those of recognition_.times that are histories, by their index.
  std::map<std::size_t, std::int64_t> ranges_;
  sqlite3_stmt* evaluator_ = nullptr;
  sql::RewrittenSql evaluator_text_;
  std::vector<Value> evaluated_;

  sqlite3_stmt* statement_ = nullptr;
  std::uint64_t compilation_ = 0;
  bool writes_main_ = false;  // as it was compiled
  sql::RewrittenSql rewritten_;
  // The attachments of recognition_.times (kNoAttachment: a history): those that this execution needs, those
  // that it is compiled for.
  static constexpr std::size_t kNoAttachment = PastDatabases::kMax;
  std::vector<std::size_t> wanted_;
  std::vector<std::size_t> numbers_;
  // Likewise the computed tables: of recognition_.times, empty where there is an attachment, and of
  // recognition_.diffs.
  struct ComputedNames {
    std::vector<std::string> times;
    std::vector<std::string> diffs;
    friend bool operator==(const ComputedNames&, const ComputedNames&) = default;
  };
  ComputedNames wanted_names_;
  ComputedNames names_of_computed_;
  PastDatabases::Set attachments_;
  // Of recognition_.present: where SQLite is told to look for it; empty: it is not told.
  std::vector<std::string> present_schemas_;
};

}  // namespace dosql::engine
