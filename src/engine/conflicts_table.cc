#include "engine/conflicts_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "engine/function_arguments.h"
#include "engine/marks_table.h"
#include "engine/sqlite_running.h"

namespace dosql::engine {
namespace {

enum Column : int { kId, kTable, kKey, kKind, kBase, kMain, kBranch, kResolution };

// Belongs to the function, and goes with the handle.
struct Resolver {
  std::shared_ptr<Session> session;
  std::shared_ptr<PendingDecisions> decisions;
};

// What one statement decides is one commit, made when SQLite ends the statement, or a part of its
// transaction.
class StatementDecisions {
 public:
  static Result<std::unique_ptr<StatementDecisions>> begin(const Resolver& resolver,
                                                           sqlite3_stmt* statement) {
    DOSQL_ASSIGN_OR_RETURN(auto staging, resolver.decisions->waiting());
    if (!staging) return Error(ErrorCode::kNotFound, "no merge is waiting for decisions");
    std::optional<std::size_t> pending_before;
    if (sqlite3_get_autocommit(resolver.session->db) == 0) {
      DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(*resolver.session));
      DOSQL_RETURN_IF_ERROR(add_decisions(*connection));
      pending_before = resolver.decisions->all().size();
    } else {
      DOSQL_RETURN_IF_ERROR(staging->begin_decisions());
    }
    return std::unique_ptr<StatementDecisions>(
        new StatementDecisions(resolver, statement, std::move(staging), pending_before));
  }
  ~StatementDecisions() {
    const bool failed = dosql_has_failed(statement_) != 0;
    if (pending_before_) {
      if (failed) pending_->keep(*pending_before_);
      return;
    }
    Status ended = staging_->end_decisions(!failed);
    if (ended || failed) return;
    session_->failure = std::move(ended).error();
    session_->commit_failed = true;
  }
  StatementDecisions(const StatementDecisions&) = delete;
  StatementDecisions& operator=(const StatementDecisions&) = delete;

  Status resolve(std::int64_t id, std::string_view resolution) {
    return pending_before_ ? resolve_later(id, resolution_of(resolution))
                           : staging_->resolve(id, resolution_of(resolution));
  }

 private:
  StatementDecisions(const Resolver& resolver, sqlite3_stmt* statement, std::unique_ptr<MergeStaging> staging,
                     std::optional<std::size_t> pending_before)
      : session_(resolver.session),
        statement_(statement),
        pending_(resolver.decisions),
        staging_(std::move(staging)),
        pending_before_(pending_before) {}

  Status resolve_later(std::int64_t id, const Resolution& resolution) {
    DOSQL_ASSIGN_OR_RETURN(Resolution decided, staging_->check(id, resolution));
    pending_->add(id, std::move(decided));
    return {};
  }

  const std::shared_ptr<Session> session_;
  sqlite3_stmt* const statement_;
  const std::shared_ptr<PendingDecisions> pending_;
  const std::unique_ptr<MergeStaging> staging_;
  // How many there were before; none: it is no part of a transaction.
  const std::optional<std::size_t> pending_before_;
};

// SQLite keeps a datum of a negative number for the whole statement, whichever its rows.
constexpr int kOfStatement = -0x646f;

Result<StatementDecisions*> decisions_of(sqlite3_context* call, const Resolver& resolver) {
  auto* decisions = static_cast<StatementDecisions*>(sqlite3_get_auxdata(call, kOfStatement));
  if (decisions != nullptr) return decisions;
  DOSQL_ASSIGN_OR_RETURN(auto begun, StatementDecisions::begin(resolver, dosql_caller(call)));
  decisions = begun.release();
  sqlite3_set_auxdata(call, kOfStatement, decisions,
                      [](void* ended) { delete static_cast<StatementDecisions*>(ended); });
  return decisions;
}

// A number that is whole, be it as text or 1.0.
Result<std::int64_t> id_of(sqlite3_value* value) {
  const int type = sqlite3_value_numeric_type(value);
  const std::int64_t id = sqlite3_value_int64(value);
  const bool is_whole = type == SQLITE_INTEGER ||
                        (type == SQLITE_FLOAT && sqlite3_value_double(value) == static_cast<double>(id));
  if (is_whole) return id;
  const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  return Error(ErrorCode::kInvalidArgument, fmt::format("the id of a conflict is a whole number, not {}",
                                                        text == nullptr ? "NULL" : fmt::format("'{}'", text)))
      .with_hint("the conflicts that wait, with their ids: SELECT * FROM dosql_conflicts");
}

Status resolve(sqlite3_context* call, const Resolver& resolver, sqlite3_value** values) {
  if (resolver.session->read_only) return read_only_error(*resolver.session);
  if (sqlite3_value_type(values[1]) == SQLITE_NULL) {
    return Error(ErrorCode::kInvalidArgument,
                 "a conflict is resolved by ours, theirs, delete or a JSON value, not by NULL")
        .with_hint("'delete' deletes the row, 'null' is the value of JSON");
  }
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t id, id_of(values[0]));
  DOSQL_ASSIGN_OR_RETURN(StatementDecisions* const decisions, decisions_of(call, resolver));
  const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(values[1]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[1]));
  return decisions->resolve(id, std::string_view(text, size));
}

void resolve_function(sqlite3_context* call, int, sqlite3_value** values) {
  const auto& resolver = *static_cast<Resolver*>(sqlite3_user_data(call));
  Status done = resolve(call, resolver, values);
  if (done) {
    sqlite3_result_value(call, values[0]);
    return;
  }
  sqlite3_result_error(call, done.error().message().c_str(), -1);
  resolver.session->failure = std::move(done).error();
}

// What a scan is narrowed by, in the bits of its number; its arguments come in this order.
enum Narrowing : int { kById = 1, kByTable = 2 };

}  // namespace

void ConflictRows::plan(sqlite3_index_info& info) {
  constexpr int kColumns[] = {kId, kTable};
  int arguments = 0;
  for (const int column : kColumns) {
    for (int i = 0; i < info.nConstraint; ++i) {
      const auto& constraint = info.aConstraint[i];
      if (!constraint.usable || constraint.iColumn != column || constraint.op != SQLITE_INDEX_CONSTRAINT_EQ)
        continue;
      info.aConstraintUsage[i].argvIndex = ++arguments;
      info.idxNum |= column == kId ? kById : kByTable;
      break;
    }
  }
  info.estimatedRows = (info.idxNum & kById) != 0 ? 1 : 10'000;
  info.estimatedCost = 100 + static_cast<double>(info.estimatedRows);
}

// SQLite compares again: a value of another type narrows nothing.
Status ConflictRows::begin(int narrowing, const char*, std::span<sqlite3_value* const> arguments) {
  begin_with({});
  ConflictFilter filter;
  if ((narrowing & kById) != 0) {
    if (sqlite3_value_numeric_type(arguments[0]) == SQLITE_INTEGER)
      filter.id = sqlite3_value_int64(arguments[0]);
    arguments = arguments.subspan(1);
  }
  if ((narrowing & kByTable) != 0 && sqlite3_value_type(arguments[0]) == SQLITE_TEXT)
    filter.table = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  DOSQL_ASSIGN_OR_RETURN(const auto staging, context_.decisions->waiting());
  if (!staging) return {};
  DOSQL_ASSIGN_OR_RETURN(std::vector<StagedConflict> conflicts, staging->conflicts(filter));
  for (const auto& [id, resolution] : context_.decisions->all()) {
    const auto decided = std::ranges::lower_bound(conflicts, id, {},
                                                  [](const StagedConflict& one) { return one.conflict.id; });
    if (decided != conflicts.end() && decided->conflict.id == id) decided->resolution = resolution;
  }
  begin_with(std::move(conflicts));
  return {};
}

Status ConflictRows::column(sqlite3_context* out, int column) {
  const MergeConflict& conflict = row().conflict;
  switch (column) {
    case kId: sqlite3_result_int64(out, conflict.id); break;
    case kTable: text_result(out, conflict.table); break;
    case kKey: text_result(out, conflict.key); break;
    case kKind: text_result(out, conflict.kind); break;
    case kBase: text_result(out, conflict.base); break;
    case kMain: text_result(out, conflict.main); break;
    case kBranch: text_result(out, conflict.branch); break;
    case kResolution:
      if (row().resolution) text_result(out, resolution_text(*row().resolution));
      break;
    default: break;
  }
  return {};
}

int register_resolve_function(const std::shared_ptr<Session>& session,
                              const std::shared_ptr<PendingDecisions>& decisions) {
  auto* const resolver = new Resolver{session, decisions};
  return sqlite3_create_function_v2(session->db, "dosql_resolve_conflict", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                    resolver, resolve_function, nullptr, nullptr,
                                    [](void* gone) { delete static_cast<Resolver*>(gone); });
}

}  // namespace dosql::engine
