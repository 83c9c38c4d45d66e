#include <dosql/connection.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "engine/connection_state.h"
#include "engine/prepare.h"
#include "engine/sqlite_internals.h"
#include "engine/undo.h"

namespace dosql {

using engine::ConnectionState;
using engine::Lifetime;
using engine::PreparedStatement;
using engine::Traced;

namespace {

using Prepared = std::unique_ptr<PreparedStatement>;

// Exactly one statement; from the cache where it is there.
Result<Prepared> prepare_single(const std::shared_ptr<ConnectionState>& state, std::string_view sql) {
  if (Prepared cached = state->cache().take(sql)) {
    cached->belong_to(state);
    return cached;
  }
  std::string_view tail;
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, engine::prepare(state, sql, tail, Lifetime::kKept));
  const std::size_t blank = engine::blank_prefix_bytes(tail);
  if (blank == tail.size()) return prepared;
  PreparedStatement::release(std::move(prepared));
  return Error(ErrorCode::kInvalidArgument, "there is more than one statement")
      .with_sql_offset(sql.size() - tail.size() + blank);
}

// A statement in use by this file alone, given back to the cache in the end.
class Use {
 public:
  explicit Use(Prepared prepared) : prepared_(std::move(prepared)) {}
  ~Use() { PreparedStatement::release(std::move(prepared_)); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  explicit operator bool() const { return prepared_ != nullptr; }
  PreparedStatement* operator->() const { return prepared_.get(); }

 private:
  Prepared prepared_;
};

Status step_to_end(Use& statement) {
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool row, statement->step());
    if (!row) return {};
  }
}

template <class Values>
Result<RunResult> run_with(const std::shared_ptr<ConnectionState>& state, std::string_view sql,
                           const Values& args) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, prepare_single(state, sql));
  if (!prepared) return RunResult{};
  Use statement(std::move(prepared));
  DOSQL_RETURN_IF_ERROR(statement->bind_all(args));
  return statement->run();
}

template <class Values>
Status each_with(const std::shared_ptr<ConnectionState>& state, std::string_view sql, const Values& args,
                 const Connection::RowVisitor& visit) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, prepare_single(state, sql));
  if (!prepared) return {};
  Use statement(std::move(prepared));
  DOSQL_RETURN_IF_ERROR(statement->bind_all(args));
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, statement->step());
    if (!found) return {};
    DOSQL_ASSIGN_OR_RETURN(const bool goes_on, visit(Row(statement->column_names(), statement->values())));
    if (!goes_on) return statement->finish();
  }
}

template <class Values>
Result<Rows> query_with(const std::shared_ptr<ConnectionState>& state, std::string_view sql,
                        const Values& args) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, prepare_single(state, sql));
  if (!prepared) return Rows{};
  Use statement(std::move(prepared));
  DOSQL_RETURN_IF_ERROR(statement->bind_all(args));
  Rows rows;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool row, statement->step());
    if (!row) return rows;
    rows.emplace_back(statement->column_names(), statement->values());
  }
}

template <class Values>
Result<std::optional<Row>> query_one_with(const std::shared_ptr<ConnectionState>& state, std::string_view sql,
                                          const Values& args) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, prepare_single(state, sql));
  if (!prepared) return std::optional<Row>();
  Use statement(std::move(prepared));
  DOSQL_RETURN_IF_ERROR(statement->bind_all(args));
  DOSQL_ASSIGN_OR_RETURN(const bool found, statement->step());
  if (!found) return std::optional<Row>();
  std::optional<Row> row(std::in_place, statement->column_names(), statement->values());
  DOSQL_RETURN_IF_ERROR(statement->finish());
  return row;
}

}  // namespace

Connection::Connection(std::shared_ptr<ConnectionState> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;

Connection& Connection::operator=(Connection&& other) noexcept {
  if (this != &other) {
    if (state_) state_->retire();
    state_ = std::move(other.state_);
  }
  return *this;
}

Connection::~Connection() {
  if (state_) state_->retire();
}

Status Connection::exec(std::string_view sql) {
  std::string_view rest = sql;
  while (engine::blank_prefix_bytes(rest) < rest.size()) {
    const std::size_t begin = sql.size() - rest.size();
    const auto with_place = [begin](Error error) {
      const std::optional<std::size_t> offset = error.sql_offset();
      return offset ? std::move(error).with_sql_offset(*offset + begin) : std::move(error);
    };
    std::string_view tail;
    auto prepared = engine::prepare(state_, rest, tail, Lifetime::kOnce);
    if (!prepared) return with_place(std::move(prepared).error());
    rest = tail;
    if (!*prepared) continue;
    Use statement(std::move(*prepared));
    if (Status done = step_to_end(statement); !done) return with_place(std::move(done).error());
  }
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, prepare_single(state_, sql));
  return Statement(std::move(prepared));
}

Result<Statement> Connection::prepare(std::string_view sql, std::string_view& tail) {
  DOSQL_ASSIGN_OR_RETURN(Prepared prepared, engine::prepare(state_, sql, tail, Lifetime::kOnce));
  return Statement(std::move(prepared));
}

Result<RunResult> Connection::run(std::string_view sql, std::initializer_list<NamedValue> args) {
  return run_with(state_, sql, std::span<const NamedValue>(args));
}

Result<RunResult> Connection::run_list(std::string_view sql, std::span<const Value> args) {
  return run_with(state_, sql, args);
}

Result<Rows> Connection::query(std::string_view sql, std::initializer_list<NamedValue> args) {
  return query_with(state_, sql, std::span<const NamedValue>(args));
}

Result<Rows> Connection::query_list(std::string_view sql, std::span<const Value> args) {
  return query_with(state_, sql, args);
}

Result<std::optional<Row>> Connection::query_one(std::string_view sql,
                                                 std::initializer_list<NamedValue> args) {
  return query_one_with(state_, sql, std::span<const NamedValue>(args));
}

Result<std::optional<Row>> Connection::query_one_list(std::string_view sql, std::span<const Value> args) {
  return query_one_with(state_, sql, args);
}

Status Connection::each_list(std::string_view sql, std::span<const Value> args, const RowVisitor& visit) {
  return each_with(state_, sql, args, visit);
}

Status Connection::each_list(std::string_view sql, std::initializer_list<NamedValue> args,
                             const RowVisitor& visit) {
  return each_with(state_, sql, std::span<const NamedValue>(args), visit);
}

Status Connection::transaction(const std::function<Status(Connection&)>& body) {
  const bool outermost = !in_transaction();
  DOSQL_RETURN_IF_ERROR(exec(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT dosql_transaction"));
  Status done = body(*this);
  if (done) done = exec(outermost ? "COMMIT" : "RELEASE dosql_transaction");
  // A failure may have ended the transaction already (disk full, I/O error, ROLLBACK by a conflict clause).
  if (!done && in_transaction()) {
    if (outermost) {
      engine::roll_back(*state_, Traced::kYes);
    } else {
      engine::undo_savepoint(*state_, "dosql_transaction", Traced::kYes)
          .ignore("the failure that led here is the one to report");
    }
  }
  return done;
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(state_->db()) == 0; }

std::uint64_t Connection::version() const { return raw(state_->file().point().version); }

void Connection::interrupt() {
  sqlite3_interrupt(state_->db());
  state_->file().wake_waiter();
}

void Connection::forget_interrupt() { dosql_end_interrupt(state_->db()); }

void Connection::hold_transaction(bool holds) { state_->session().holds_transaction = holds; }

void Connection::set_progress(int every_instructions, std::function<bool()> goes_on) {
  state_->hooks().set_progress(state_->db(), every_instructions, std::move(goes_on));
}

void Connection::set_trace(Trace trace) { state_->hooks().set_trace(state_->db(), std::move(trace)); }

sqlite3* Connection::sqlite_handle() const { return state_->db(); }

}  // namespace dosql
