#include "engine/branch_command.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <mutex>

#include "engine/connection_state.h"
#include "engine/time_points.h"
#include "engine/time_text.h"
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

std::string commits_text(std::uint64_t commits) {
  return commits == 1 ? "a commit" : fmt::format("{} commits", commits);
}

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
  if (statement_.point && !statement_.point->name &&
      statement_.point->expression.begin != statement_.point->expression.end)
    point = part(text_, statement_.point->expression);
  return fmt::format("SELECT {}, {}", name, point);
}

Result<std::string> BranchCommand::name_of(const Value& value) const {
  if (statement_.name->text) return *statement_.name->text;
  if (value.type() != Value::Type::kText) {
    return at(statement_.name->span, Error(ErrorCode::kInvalidArgument, "a name must be text"));
  }
  if (!is_about_snapshots(statement_.kind)) {
    if (Status good = sql::check_branch_name(value.text()); !good)
      return at(statement_.name->span, std::move(good).error());
  }
  return value.text();
}

// The version that the statement's point names; without one, the newest of the connection's branch.
Result<ReadPoint> BranchCommand::point_of(ConnectionState& connection, const Value& value) const {
  if (!statement_.point) return connection.core().store().head(connection.file().branch());
  const sql::TimePoint& point = *statement_.point;
  // A variable alone may name anything.
  const bool anything = point.kind == sql::PointKind::kTimestamp && point.has_variables &&
                        point.expression.begin == point.span.begin && value.type() == Value::Type::kText;
  auto found = anything ? resolve_named_point(connection, value.text())
                        : resolve_time_point(connection, point.kind, point.name, value);
  if (!found) return at(point.span, std::move(found).error());
  return found;
}

Status BranchCommand::run(ConnectionState& connection, const Value& name_value, const Value& point) const {
  DOSQL_ASSIGN_OR_RETURN(const std::string name, name_of(name_value));
  Status done = run_named(connection, name, point);
  if (done || done.error().sql_offset()) return done;
  return at(statement_.name->span, std::move(done).error());
}

Status BranchCommand::run_named(ConnectionState& connection, const std::string& name,
                                const Value& point) const {
  if (statement_.kind == StatementKind::kCheckout) return connection.checkout(name);
  if (sqlite3_get_autocommit(connection.db()) == 0) {
    return at(statement_.words,
              Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} inside a transaction is not possible: a rollback would not undo it",
                                part(text_, statement_.words)))
                  .with_hint("COMMIT or ROLLBACK first"));
  }
  switch (statement_.kind) {
    case StatementKind::kCreateBranch: return create_branch(connection, name, point);
    case StatementKind::kDropBranch: return drop_branch(connection, name);
    case StatementKind::kCreateSnapshot: return create_snapshot(connection, name, point);
    default: return connection.core().store().drop_snapshot(name, connection.session().durability());
  }
}

Status BranchCommand::create_branch(ConnectionState& connection, const std::string& name,
                                    const Value& point) const {
  version::VersionStore& store = connection.core().store();
  if (statement_.if_not_exists && store.find_branch(name)) return {};
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint from, point_of(connection, point));
  DOSQL_RETURN_IF_ERROR(store.create_branch(name, from, connection.session().durability()));
  return {};
}

Status BranchCommand::drop_branch(ConnectionState& connection, const std::string& name) const {
  version::VersionStore& store = connection.core().store();
  BranchUses& uses = connection.core().branch_uses();
  std::lock_guard lock(uses.mutex());
  const auto branch = store.find_branch(name);
  if (!branch) {
    if (statement_.if_exists) return {};
    return branch_not_found(store, name);
  }
  if (branch->id == kMainBranch) return Error(ErrorCode::kInvalidArgument, "branch 'main' cannot be dropped");
  if (branch->id == connection.file().branch()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("branch '{}' cannot be dropped: this connection is on it", name))
        .with_hint("CHECKOUT another branch first");
  }
  if (const int others = uses.connections_on(branch->id); others > 0) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("branch '{}' cannot be dropped: {} other connection{} on it", name, others,
                             others == 1 ? " is" : "s are"));
  }
  const std::uint64_t unmerged = store.unmerged_commits(branch->id);
  if (unmerged > 0 && !statement_.force) {
    DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo newest,
                           store.commit_info(branch->id, branch->head.version));
    return Error(ErrorCode::kBranchNotMerged,
                 fmt::format("branch '{}' has {} that no other branch contains (newest: {}@{}, {})", name,
                             commits_text(unmerged), name, raw(branch->head.version),
                             time_text(newest.timestamp_us)))
        .with_hint(fmt::format("DROP BRANCH {} FORCE drops it all the same", name));
  }
  return store.drop_branch(branch->id, connection.session().durability());
}

Status BranchCommand::create_snapshot(ConnectionState& connection, const std::string& name,
                                      const Value& point) const {
  if (name.empty() || name.size() > 255)
    return Error(ErrorCode::kInvalidArgument, "the name of a snapshot has 1 to 255 bytes");
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint labelled, point_of(connection, point));
  if (labelled.version == Version{0})
    return Error(ErrorCode::kVersionNotFound, "there is nothing to label: the database has no versions yet");
  return connection.core().store().create_snapshot(name, labelled, connection.session().durability());
}

}  // namespace dosql::engine
