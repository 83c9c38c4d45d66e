#include "engine/branch_command.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>

#include "engine/branch_actions.h"
#include "engine/connection_state.h"
#include "engine/time_points.h"
#include "sql/branch_name.h"

namespace dosql::engine {
namespace {

using sql::StatementKind;
using version::ReadPoint;

std::string_view part(std::string_view text, sql::Span span) {
  return text.substr(span.begin, span.end - span.begin);
}

bool is_about_snapshots(StatementKind kind) {
  return kind == StatementKind::kCreateSnapshot || kind == StatementKind::kDropSnapshot;
}

// Statements whose words are known and whose work comes with merging.
bool is_about_merging(StatementKind kind) {
  switch (kind) {
    case StatementKind::kMergeBranch:
    case StatementKind::kCompleteMerge:
    case StatementKind::kAbortMerge:
    case StatementKind::kRevert:
    case StatementKind::kCherryPick: return true;
    default: return false;
  }
}

Error at(sql::Span span, Error error) { return std::move(error).with_sql_offset(span.begin); }

}  // namespace

Result<BranchCommand> BranchCommand::make(std::string_view sql, const sql::Recognition& recognition) {
  const sql::BranchStatement& statement = *recognition.statement;
  if (is_about_merging(statement.kind)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not part of this release", part(sql, statement.words)))
        .with_sql_offset(statement.words.begin);
  }
  if (statement.name->text && !is_about_snapshots(statement.kind)) {
    if (Status good = sql::check_branch_name(*statement.name->text); !good)
      return std::move(good).error().with_sql_offset(statement.name->span.begin);
  }
  return BranchCommand(std::string(sql.substr(0, recognition.end)), statement);
}

std::string BranchCommand::select_text() const {
  const std::string_view name = statement_.name->text ? "NULL" : part(text_, statement_.name->span);
  std::string_view point = "NULL";
  // Without an expression it is VERSION CURRENT: no offset, which NULL is not.
  if (statement_.point && !statement_.point->name) {
    const sql::Span operand = operand_of(text_, *statement_.point);
    point = operand.empty() ? "0" : part(text_, operand);
  }
  return fmt::format(DOSQL_OWN_SQL "SELECT {}, {}", name, point);
}

Result<std::string> BranchCommand::name_of(const Value& value) const {
  if (statement_.name->text) return *statement_.name->text;
  if (value.type() != Value::Type::kText) {
    return at(statement_.name->span, Error(ErrorCode::kInvalidArgument, "a name must be text"));
  }
  return value.text();
}

// The version that the statement's point names; without one, the newest of the connection's branch.
Result<ReadPoint> BranchCommand::point_of(ConnectionState& connection, const Value& value) const {
  if (!statement_.point) return connection.newest();
  const sql::TimePoint& point = *statement_.point;
  // A variable alone may name anything.
  const bool anything = point.kind == sql::PointKind::kTimestamp && point.has_variables &&
                        point.expression.begin == point.span.begin && value.type() == Value::Type::kText;
  const bool negated = operand_of(text_, point) != point.expression;
  auto found = anything
                   ? resolve_named_point(connection, value.text())
                   : resolve_time_point(connection, point.kind, point.name, negated ? minus(value) : value);
  if (!found) return at(point.span, std::move(found).error());
  return found;
}

Status BranchCommand::run(ConnectionState& connection, const Value& name_value, const Value& point) const {
  DOSQL_ASSIGN_OR_RETURN(const std::string name, name_of(name_value));
  const auto begun = std::chrono::steady_clock::now();
  Status done = run_named(connection, name, point);
  if (connection.hooks().traces())
    connection.hooks().trace_own(text_, std::chrono::steady_clock::now() - begun);
  if (done || done.error().sql_offset()) return done;
  // What a transaction is in the way of is the statement, whatever its name.
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  const bool is_checkout = statement_.kind == StatementKind::kCheckout;
  return at(in_transaction && !is_checkout ? statement_.words : statement_.name->span,
            std::move(done).error());
}

Status BranchCommand::run_named(ConnectionState& connection, const std::string& name,
                                const Value& point) const {
  switch (statement_.kind) {
    case StatementKind::kCheckout: return connection.checkout(name);
    case StatementKind::kCreateBranch: {
      if (statement_.if_not_exists && connection.core().store().find_branch(name)) return {};
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint from, point_of(connection, point));
      return create_branch(connection, name, from);
    }
    case StatementKind::kDropBranch:
      return drop_branch(connection, name, {.force = statement_.force, .if_exists = statement_.if_exists});
    case StatementKind::kCreateSnapshot: {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint labelled, point_of(connection, point));
      return create_snapshot(connection, name, labelled);
    }
    default: return drop_snapshot(connection, name);
  }
}

}  // namespace dosql::engine
