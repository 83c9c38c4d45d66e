// Synchronous statements: they run on JavaScript's thread, after the asynchronous calls that their handle was
// given before.

#include <algorithm>

#include "bindings/node/arguments.h"
#include "bindings/node/call.h"

namespace dosql::node {
namespace {

Error closed() { return Error(ErrorCode::kInvalidArgument, "the statement or its database is closed"); }

// The statement of the first argument with nothing before it in the queue.
Result<Prepared*> find_statement(Call& call) {
  Prepared* prepared = call.instance().statements().find(call.number(0));
  if (prepared == nullptr) return closed();
  prepared->worker.wait_until_idle();
  return prepared;
}

void stop_run(Prepared& prepared) {
  if (!prepared.runs) return;
  prepared.statement.reset();
  prepared.runs = false;
}

// The statement, bound to the arguments behind the first.
Result<Prepared*> begin_run(Call& call) {
  Arguments arguments = call.instance().take_arguments();
  DOSQL_RETURN_IF_ERROR(arguments.read(call.env(), call.arguments_from(1)));
  DOSQL_ASSIGN_OR_RETURN(Prepared * prepared, find_statement(call));
  stop_run(*prepared);
  DOSQL_RETURN_IF_ERROR(prepared->connection->check_body());
  DOSQL_RETURN_IF_ERROR(arguments.bind(prepared->statement));
  call.instance().give_back(std::move(arguments));
  return prepared;
}

napi_value fail(Call& call, const Error& error) {
  const Prepared* prepared = call.instance().statements().find(call.number(0));
  if (prepared != nullptr && prepared->worker.idle()) prepared->connection->note_failure(error);
  return call.fail(error, prepared == nullptr ? "" : prepared->statement.sql());
}

// SQLite compiles again when the schema changed, at the first step of a run.
double shape_of(Call& call, Prepared& prepared) {
  const ColumnNames& now = prepared.statement.column_names();
  // Its number may be among those that were forgotten.
  const bool is_known = call.instance().columns_of(static_cast<std::int64_t>(prepared.shape)) != nullptr;
  if (prepared.columns != now || !is_known) {
    prepared.columns = now;
    prepared.shape = call.instance().shape_of(now);
  }
  return prepared.shape;
}

// Shows the next rows, as many as fit but at most `most`.
Status show_rows(Call& call, Prepared& prepared, std::size_t most) {
  JsSink sink = call.instance().sink();
  std::size_t rows = 0;
  std::size_t columns = 1;
  prepared.runs = true;
  while (rows < most && (rows + 1) * columns <= kCells) {
    auto row = prepared.statement.step();
    if (!row || !*row) prepared.runs = false;
    if (!row) return std::move(row).error();
    if (!*row) break;
    if (rows == 0) {
      shape_of(call, prepared);
      columns = prepared.columns->size();
    }
    put_row(prepared.statement, static_cast<int>(columns), sink);
    ++rows;
  }
  const Status held = call.instance().shown(sink, rows, prepared.shape, prepared.runs);
  if (!held) stop_run(prepared);
  return held;
}

// The same of one row; gives a text as Instance::shown_row() does.
Result<napi_value> show_row(Call& call, Prepared& prepared) {
  auto row = prepared.statement.step();
  prepared.runs = row && *row;
  if (!row) return std::move(row).error();
  if (!*row) {
    call.instance().report().rows = 0;
    return nullptr;
  }
  shape_of(call, prepared);
  JsSink sink = call.instance().sink();
  put_row(prepared.statement, static_cast<int>(prepared.columns->size()), sink);
  auto text = call.instance().shown_row(sink, prepared.shape);
  if (!text) stop_run(prepared);
  return text;
}

// A statement that writes is not done before its last step.
Status end_run(Prepared& prepared) {
  while (prepared.runs && !prepared.statement.read_only()) {
    DOSQL_ASSIGN_OR_RETURN(prepared.runs, prepared.statement.step());
  }
  stop_run(prepared);
  return {};
}

// prepare(handle, sql): the statement's number
napi_value prepare(Call& call) {
  auto sql = call.text(1, "the SQL");
  if (!sql) return call.fail(sql.error());
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error(), *sql);
  opened->handle->worker().wait_until_idle();
  auto statement = opened->connection->connection().prepare(*sql);
  if (!statement) return call.fail(statement.error(), *sql);
  if (statement->empty())
    return call.fail(Error(ErrorCode::kInvalidArgument, "there is no statement in the SQL"), *sql);
  auto prepared = std::unique_ptr<Prepared>(new Prepared{.handle_number = call.number(0),
                                                         .worker = opened->handle->worker(),
                                                         .connection = std::move(opened->connection),
                                                         .statement = *std::move(statement),
                                                         .columns = nullptr});
  return call.number_value(static_cast<double>(call.instance().statements().add(std::move(prepared))));
}

// get(statement, ...arguments): shows the first row; gives a text that is missing among the extras, or
// undefined
napi_value get(Call& call) {
  auto prepared = begin_run(call);
  if (!prepared) return fail(call, prepared.error());
  auto text = show_row(call, **prepared);
  if (!text) return fail(call, text.error());
  const Status done = end_run(**prepared);
  return done ? *text : fail(call, done.error());
}

// all(statement, ...arguments): shows the first rows
napi_value all(Call& call) {
  auto prepared = begin_run(call);
  if (!prepared) return fail(call, prepared.error());
  const Status done = show_rows(call, **prepared, kCells);
  return done ? nullptr : fail(call, done.error());
}

// start(statement, ...arguments): for fetch()
napi_value start(Call& call) {
  auto prepared = begin_run(call);
  if (!prepared) return fail(call, prepared.error());
  (*prepared)->runs = true;
  return nullptr;
}

// fetch(statement, most): shows the next rows, none when the run has ended
napi_value fetch(Call& call) {
  auto prepared = find_statement(call);
  if (!prepared) return fail(call, prepared.error());
  call.instance().report() = {};
  if (!(*prepared)->runs) return nullptr;
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(call.number(1), 1, kCells));
  const Status done = show_rows(call, **prepared, most);
  return done ? nullptr : fail(call, done.error());
}

// stop(statement): ends the run
napi_value stop(Call& call) {
  auto prepared = find_statement(call);
  if (!prepared) return nullptr;
  const Status done = end_run(**prepared);
  return done ? nullptr : fail(call, done.error());
}

// run(statement, ...arguments): shows changes and lastInsertRowId
napi_value run(Call& call) {
  auto prepared = begin_run(call);
  if (!prepared) return fail(call, prepared.error());
  auto done = (*prepared)->statement.run();
  if (!done) return fail(call, done.error());
  JsSink sink = call.instance().sink();
  put_integer(done->changes, sink);
  put_integer(done->last_insert_id, sink);
  return nullptr;
}

// columns(statement): their names
napi_value columns(Call& call) {
  auto prepared = find_statement(call);
  if (!prepared) return fail(call, prepared.error());
  return call.names_value(*(*prepared)->statement.column_names());
}

// readOnly(statement)
napi_value read_only(Call& call) {
  auto prepared = find_statement(call);
  if (!prepared) return fail(call, prepared.error());
  return call.truth_value((*prepared)->statement.read_only());
}

// release(statement): may be called for one that is gone
napi_value release(Call& call) {
  std::unique_ptr<Prepared> prepared = call.instance().statements().take(call.number(0));
  if (prepared == nullptr || prepared->worker.idle()) return nullptr;
  // The connection is in use: its worker ends the statement when its turn comes.
  Handle* handle = call.instance().handles().find(prepared->handle_number);
  call.instance().submit(handle->worker(), "",
                         [statement = std::shared_ptr<Prepared>(std::move(prepared))](Outcome&) mutable {
                           statement.reset();
                           return Status();
                         });
  return nullptr;
}

}  // namespace

std::span<const NamedFunction> statement_functions() {
  static constexpr NamedFunction kFunctions[] = {
      {"prepare", prepare}, {"get", get}, {"all", all},         {"start", start},        {"fetch", fetch},
      {"stop", stop},       {"run", run}, {"columns", columns}, {"readOnly", read_only}, {"release", release},
  };
  return kFunctions;
}

}  // namespace dosql::node
