// Opening, closing, and the asynchronous calls that run SQL.

#include <algorithm>

#include "bindings/node/arguments.h"
#include "bindings/node/call.h"

namespace dosql::node {
namespace {

constexpr std::uint64_t kMaintainUs = 100'000;

Error refused(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

const ColumnNames& run_columns() {
  static const ColumnNames kNames = column_names({"changes", "lastInsertRowId"});
  return kNames;
}

// A property of an object; none where it is undefined.
std::optional<napi_value> property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return std::nullopt;
  napi_typeof(env, value, &type);
  return type == napi_undefined ? std::nullopt : std::optional(value);
}

template <class T>
Status read_size(napi_env env, napi_value object, const char* name, std::int64_t most,
                 std::optional<T>& size) {
  const auto value = property(env, object, name);
  if (!value) return {};
  const auto number = integer_of(env, *value);
  if (!number || *number < 0 || *number > most)
    return refused(std::string(name) + " must be a whole number from 0 to " + std::to_string(most));
  size = static_cast<T>(*number);
  return {};
}

Status read_truth(napi_env env, napi_value object, const char* name, std::optional<bool>& truth) {
  const auto value = property(env, object, name);
  if (!value) return {};
  bool is = false;
  if (napi_get_value_bool(env, *value, &is) != napi_ok)
    return refused(std::string(name) + " must be a boolean");
  truth = is;
  return {};
}

Result<OpenOptions> read_options(napi_env env, napi_value object) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 46;
  constexpr std::int64_t kMostMs = 0x7FFF'FFFF;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, object, &type);
  OpenOptions options;
  if (type == napi_undefined) return options;
  if (type != napi_object) return refused("the options must be an object");
  std::optional<bool> read_only;
  DOSQL_RETURN_IF_ERROR(read_truth(env, object, "readOnly", read_only));
  DOSQL_RETURN_IF_ERROR(read_truth(env, object, "allowFiles", options.allow_files));
  DOSQL_RETURN_IF_ERROR(read_size(env, object, "poolBytes", kMostBytes, options.pool_bytes));
  DOSQL_RETURN_IF_ERROR(read_size(env, object, "historyCacheBytes", kMostBytes, options.history_cache_bytes));
  DOSQL_RETURN_IF_ERROR(read_size(env, object, "cacheBytes", kMostBytes, options.cache_bytes));
  DOSQL_RETURN_IF_ERROR(read_size(env, object, "busyTimeoutMs", kMostMs, options.busy_timeout_ms));
  bool thrown = false;
  napi_is_exception_pending(env, &thrown);
  if (thrown) return refused("a getter of the options threw");
  if (read_only) options.mode = *read_only ? OpenMode::kReadOnly : OpenMode::kCreateIfMissing;
  return options;
}

// makeHandle(): a number for open() and asOf()
napi_value make_handle(Call& call) {
  Instance& instance = call.instance();
  return call.number_value(static_cast<double>(instance.handles().add(instance.make_handle())));
}

// Opens the connection of handle `number` with what its call found, unless it was closed meanwhile.
std::function<void()> opening(Instance& instance, std::int64_t number,
                              std::shared_ptr<std::shared_ptr<OpenConnection>> found) {
  return [&instance, number, found = std::move(found)] {
    Handle* handle = instance.handles().find(number);
    if (handle != nullptr && !handle->closing()) handle->open(std::move(*found));
  };
}

// open(handle, path, options)
napi_value open(Call& call) {
  auto path = call.text(1, "the path");
  if (!path) return call.fail(path.error());
  auto options = read_options(call.env(), call.argument(2));
  if (!options) return call.fail(options.error());
  Handle* handle = call.instance().handles().find(call.number(0));
  if (handle == nullptr || handle->closing() || handle->open_connection() != nullptr)
    return call.fail(refused("this is no handle that waits to be opened"));
  auto found = std::make_shared<std::shared_ptr<OpenConnection>>();
  auto work = [found, path = *std::move(path), options = *options](Outcome&) -> Status {
    DOSQL_ASSIGN_OR_RETURN(DatabaseShare share, DatabaseShare::open(path, options));
    DOSQL_ASSIGN_OR_RETURN(Connection connection, share.database().connect());
    *found = std::make_shared<OpenConnection>(std::move(share), std::move(connection));
    return {};
  };
  return call.number_value(static_cast<double>(call.instance().submit(
      handle->worker(), "", std::move(work), opening(call.instance(), call.number(0), found))));
}

// asOf(handle, newHandle, branch, pointKind, pointValue): `newHandle` stays at the point. The branch on which
// it is counted; undefined: that of the handle, in its open transaction.
napi_value as_of(Call& call) {
  const bool of_branch = !call.is_undefined(2);
  Result<std::string> branch = of_branch ? call.text(2, "the branch") : Result<std::string>("");
  if (!branch) return call.fail(branch.error());
  auto point = call.point(3);
  if (!point) return call.fail(point.error());
  if (!*point) return call.fail(refused("a point in time is needed"));
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  auto found = std::make_shared<std::shared_ptr<OpenConnection>>();
  auto work = [found, connection = opened->connection, of_branch, branch = *std::move(branch),
               point = **std::move(point)](Outcome&) -> Status {
    const DatabaseShare& share = connection->share();
    DOSQL_ASSIGN_OR_RETURN(Connection fixed, of_branch ? share.database().as_of(point, {.branch = branch})
                                                       : connection->connection().as_of(point));
    *found = std::make_shared<OpenConnection>(share.another(), std::move(fixed));
    return {};
  };
  return call.number_value(static_cast<double>(call.instance().submit(
      opened->handle->worker(), "", std::move(work), opening(call.instance(), call.number(1), found))));
}

// close(handle): ends its statements and feeds too. The outcome says how closing the database went.
napi_value close(Call& call) {
  Instance& instance = call.instance();
  const std::int64_t number = call.number(0);
  Handle* handle = instance.handles().find(number);
  if (handle == nullptr || handle->closing()) return call.fail(refused("the database is closed"));
  handle->begin_close();
  auto statements = std::make_shared<std::vector<std::unique_ptr<Prepared>>>(instance.statements().take_all(
      [&](const Prepared& prepared) { return prepared.handle_number == number; }));
  const std::vector<std::shared_ptr<OpenFeed>> feeds = instance.feeds_of(number);
  for (const auto& feed : feeds) feed->stop();
  auto work = [statements, feeds, connection = handle->open_connection()](Outcome&) {
    statements->clear();
    for (const auto& feed : feeds) feed->close().ignore("the share of the handle is the last one, and tells");
    return connection == nullptr ? Status() : connection->close();
  };
  auto forget = [&instance, number] { instance.handles().take(number); };
  return call.number_value(
      static_cast<double>(instance.submit(handle->worker(), "", std::move(work), std::move(forget))));
}

// What query() is to give.
enum class Wanted : std::int64_t { kRows = 0, kFirstRow = 1, kRunResult = 2 };

Status run_statement(Statement& statement, Outcome& outcome) {
  DOSQL_ASSIGN_OR_RETURN(const RunResult done, statement.run());
  outcome.columns = run_columns();
  put_integer(done.changes, outcome.rows);
  put_integer(done.last_insert_id, outcome.rows);
  return {};
}

Status find_rows(Statement& statement, bool only_first, Outcome& outcome) {
  int columns = 0;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool row, statement.step());
    if (!row) return {};
    if (outcome.columns == nullptr) {
      outcome.columns = statement.column_names();
      columns = statement.column_count();
    } else if (only_first) {
      continue;  // a statement that writes is not done before its last step
    }
    put_row(statement, columns, outcome.rows);
    if (only_first && statement.read_only()) {
      statement.reset();
      return {};
    }
  }
}

Status perform_query(Connection& connection, const std::string& sql, const Arguments& arguments,
                     Wanted wanted, Outcome& outcome) {
  DOSQL_ASSIGN_OR_RETURN(Statement statement, connection.prepare(sql));
  if (statement.empty()) return refused("there is no statement in the SQL");
  DOSQL_RETURN_IF_ERROR(arguments.bind(statement));
  if (wanted == Wanted::kRunResult) return run_statement(statement, outcome);
  return find_rows(statement, wanted == Wanted::kFirstRow, outcome);
}

// query(handle, wanted, sql, ...arguments)
napi_value query(Call& call) {
  auto sql = call.text(2, "the SQL");
  if (!sql) return call.fail(sql.error());
  const auto wanted = static_cast<Wanted>(std::clamp<std::int64_t>(call.number(1), 0, 2));
  auto arguments = std::make_shared<Arguments>();
  if (const Status read = arguments->read(call.env(), call.arguments_from(3)); !read)
    return call.fail(read.error(), *sql);
  return submit(call, *std::move(sql),
                [arguments = std::move(arguments), wanted](OpenConnection& opened, Outcome& outcome) {
                  return perform_query(opened.connection(), outcome.sql, *arguments, wanted, outcome);
                });
}

// exec(handle, sql): all its statements, dropping rows
napi_value exec(Call& call) {
  auto sql = call.text(1, "the SQL");
  if (!sql) return call.fail(sql.error());
  return submit(call, *std::move(sql), [](OpenConnection& opened, Outcome& outcome) {
    return opened.connection().exec(outcome.sql);
  });
}

// Begins or ends the transaction of a body.
struct BodyControl {
  OpenConnection::Control control = OpenConnection::Control::kBegin;
  int depth = 0;
};
Result<BodyControl> read_control(Call& call) {
  constexpr std::int64_t kMostDepth = 1'000'000;
  using Control = OpenConnection::Control;
  DOSQL_ASSIGN_OR_RETURN(const std::string name, call.text(1, "begin, commit or rollback"));
  const auto depth = integer_of(call.env(), call.argument(2));
  if (!depth || *depth < 0 || *depth > kMostDepth)
    return refused("the depth must be a whole number from 0 on");
  BodyControl read{.control = Control::kBegin, .depth = static_cast<int>(*depth)};
  if (name == "commit") {
    read.control = Control::kCommit;
  } else if (name == "rollback") {
    read.control = Control::kRollback;
  } else if (name != "begin") {
    return refused("begin, commit and rollback control a transaction");
  }
  return read;
}

// control(handle, 'begin' | 'commit' | 'rollback', depth): of the transaction of a body
napi_value control(Call& call) {
  auto read = read_control(call);
  if (!read) return call.fail(read.error());
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  auto work = [connection = std::move(opened->connection), read = *read](Outcome&) {
    return connection->control(read.control, read.depth);
  };
  return call.number_value(
      static_cast<double>(call.instance().submit(opened->handle->worker(), "", std::move(work))));
}

// controlNow(handle, control, depth): the same on this thread
napi_value control_now(Call& call) {
  auto read = read_control(call);
  if (!read) return call.fail(read.error());
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  opened->handle->worker().wait_until_idle();
  const Status done = opened->connection->control(read->control, read->depth);
  return done ? nullptr : call.fail(done.error());
}

// interrupt(handle, task): that task fails, if it has not ended. One that has not begun may need a second
// call.
napi_value interrupt(Call& call) {
  Handle* handle = call.instance().handles().find(call.number(0));
  if (handle != nullptr) handle->worker().interrupt(call.number(1));
  return nullptr;
}

// inTransaction(handle): waits for its asynchronous calls
napi_value in_transaction(Call& call) {
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  opened->handle->worker().wait_until_idle();
  return call.truth_value(opened->connection->connection().in_transaction());
}

// maintain(handle): one row, whether there is more to do
napi_value maintain(Call& call) {
  static const ColumnNames kNames = column_names({"more"});
  return submit(call, "", [](OpenConnection& opened, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const bool more, opened.share().database().maintain(kMaintainUs));
    outcome.columns = kNames;
    put_truth(more, outcome.rows);
    return {};
  });
}

// setUp(memory, extras, makeError, settle)
napi_value set_up(Call& call) {
  const Status done =
      call.instance().set_up(call.argument(0), call.argument(1), call.argument(2), call.argument(3));
  if (!done) napi_throw_type_error(call.env(), nullptr, done.error().message().c_str());
  return nullptr;
}

// takeOutcome(): shows the next outcome; false when there is none
napi_value take_outcome(Call& call) { return call.truth_value(call.instance().take_outcome()); }

// takeMore(task): shows more rows of an outcome
napi_value take_more(Call& call) { return call.truth_value(call.instance().take_more(call.number(0))); }

// shapeColumns(shape): the names of the columns; undefined when they were forgotten
napi_value shape_columns(Call& call) {
  const ColumnNames columns = call.instance().columns_of(call.number(0));
  return columns == nullptr ? nullptr : call.names_value(*columns);
}

}  // namespace

std::span<const NamedFunction> handle_functions() {
  static constexpr NamedFunction kFunctions[] = {
      {"setUp", set_up},
      {"takeOutcome", take_outcome},
      {"takeMore", take_more},
      {"shapeColumns", shape_columns},
      {"makeHandle", make_handle},
      {"open", open},
      {"asOf", as_of},
      {"close", close},
      {"query", query},
      {"exec", exec},
      {"control", control},
      {"controlNow", control_now},
      {"interrupt", interrupt},
      {"inTransaction", in_transaction},
      {"maintain", maintain},
  };
  return kFunctions;
}

}  // namespace dosql::node
