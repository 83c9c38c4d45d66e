#include "engine/marks_table.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <map>

#include "engine/connection_state.h"
#include "engine/own_statement.h"

namespace dosql::engine {
namespace {

constexpr const char* kPointerType = "dosql::version::CommitMarks";

struct Shared {
  std::shared_ptr<Session> session;  // keeps the file
  MainFile& file;
  std::shared_ptr<PendingDecisions> decisions;
};

// How much of each there is.
struct Counts {
  std::size_t marks = 0;
  std::size_t decisions = 0;
};

struct Table : sqlite3_vtab {
  explicit Table(const Shared& of) : sqlite3_vtab{}, shared(of) {}
  Counts counts() const { return {shared.file.marks_count(), shared.decisions->all().size()}; }

  const Shared shared;
  std::map<int, Counts> before;  // when a savepoint began, by its number
};

Table& of(sqlite3_vtab* table) { return *static_cast<Table*>(table); }

int connect(sqlite3* db, void* shared, int, const char* const*, sqlite3_vtab** out, char**) {
  if (const int rc = sqlite3_declare_vtab(db, "CREATE TABLE dosql_marks(marks)"); rc != SQLITE_OK) return rc;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  *out = new Table(*static_cast<Shared*>(shared));
  return SQLITE_OK;
}

int disconnect(sqlite3_vtab* table) {
  delete &of(table);
  return SQLITE_OK;
}

int plan(sqlite3_vtab*, sqlite3_index_info*) { return SQLITE_OK; }

int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  *out = new sqlite3_vtab_cursor{};
  return SQLITE_OK;
}

int close(sqlite3_vtab_cursor* cursor) {
  delete cursor;
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor*, int, const char*, int, sqlite3_value**) { return SQLITE_OK; }
int next(sqlite3_vtab_cursor*) { return SQLITE_OK; }
int at_end(sqlite3_vtab_cursor*) { return 1; }
int column(sqlite3_vtab_cursor*, sqlite3_context*, int) { return SQLITE_OK; }

int rowid(sqlite3_vtab_cursor*, sqlite3_int64* out) {
  *out = 0;
  return SQLITE_OK;
}

int fail(sqlite3_vtab* table, const char* message) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = sqlite3_mprintf("%s", message);
  return SQLITE_ERROR;
}

// An INSERT of what only add_marks() and add_decisions() can bind.
int update(sqlite3_vtab* table, int count, sqlite3_value** values, sqlite3_int64* rowid) {
  const auto* const marks =
      count == 3 ? static_cast<const version::CommitMarks*>(sqlite3_value_pointer(values[2], kPointerType))
                 : nullptr;
  if (marks == nullptr) return fail(table, "table dosql_marks may not be modified");
  MainFile& file = of(table).shared.file;
  // Without any the transaction only takes note of the table, and of what else belongs to it.
  if (!marks->empty()) file.add_marks(*marks);
  *rowid = static_cast<sqlite3_int64>(file.marks_count());
  return SQLITE_OK;
}

int begin(sqlite3_vtab* table) {
  of(table).before.clear();
  of(table).shared.decisions->keep(0);
  return SQLITE_OK;
}

// Of the transaction, which can still be rolled back where this fails.
int prepare_commit(sqlite3_vtab* table) {
  Status written = of(table).shared.decisions->write();
  if (written) return SQLITE_OK;
  const int rc = fail(table, written.error().message().c_str());
  of(table).shared.session->failure = std::move(written).error();
  return rc;
}

int forget_decisions(sqlite3_vtab* table) {
  of(table).shared.decisions->keep(0);
  return SQLITE_OK;
}

int begin_savepoint(sqlite3_vtab* table, int savepoint) {
  of(table).before[savepoint] = of(table).counts();
  return SQLITE_OK;
}

int release(sqlite3_vtab* table, int savepoint) {
  auto& before = of(table).before;
  before.erase(before.lower_bound(savepoint), before.end());
  return SQLITE_OK;
}

// The savepoint stays. One that nothing was noted of is older than the first mark.
int roll_back_to(sqlite3_vtab* table, int savepoint) {
  auto& before = of(table).before;
  const auto noted = before.find(savepoint);
  const Counts counts = noted == before.end() ? Counts() : noted->second;
  of(table).shared.file.drop_marks_from(counts.marks);
  of(table).shared.decisions->keep(counts.decisions);
  before.erase(before.lower_bound(savepoint), before.end());
  before[savepoint] = counts;
  return SQLITE_OK;
}

sqlite3_module make_module() {
  sqlite3_module module{};
  module.iVersion = 2;
  module.xConnect = connect;  // and no xCreate: eponymous only
  module.xBestIndex = plan;
  module.xDisconnect = disconnect;
  module.xOpen = open;
  module.xClose = close;
  module.xFilter = filter;
  module.xNext = next;
  module.xEof = at_end;
  module.xColumn = column;
  module.xRowid = rowid;
  module.xUpdate = update;
  module.xBegin = begin;
  module.xSync = prepare_commit;
  module.xCommit = forget_decisions;
  module.xRollback = forget_decisions;
  module.xSavepoint = begin_savepoint;
  module.xRelease = release;
  module.xRollbackTo = roll_back_to;
  return module;
}

const sqlite3_module kModule = make_module();

Status insert(ConnectionState& connection, const version::CommitMarks& marks) {
  DOSQL_ASSIGN_OR_RETURN(
      OwnStatement insert,
      OwnStatement::prepare(connection, fmt::format("INSERT INTO {} VALUES(?1)", kMarksTable)));
  insert.bind_pointer(1, &marks, kPointerType);
  const int rc = insert.run();
  return rc == SQLITE_DONE ? Status() : Status(connection.error(rc));
}

}  // namespace

int register_marks_table(const std::shared_ptr<Session>& session, MainFile& file,
                         std::shared_ptr<PendingDecisions> decisions) {
  return sqlite3_create_module_v2(session->db, kMarksTable, &kModule,
                                  new Shared{session, file, std::move(decisions)},
                                  [](void* gone) { delete static_cast<Shared*>(gone); });
}

Status add_marks(ConnectionState& connection, const version::CommitMarks& marks) {
  using version::CommitMarks;
  const CommitMarks so_far = connection.file().marks();
  if (so_far.merges.size() + marks.merges.size() > CommitMarks::kMergesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a transaction has at most {} merges", CommitMarks::kMergesMax))
        .with_hint("COMMIT first");
  }
  // Between two messages is a line's end.
  const std::size_t joint = so_far.message.empty() || marks.message.empty() ? 0 : 1;
  const std::size_t bytes = so_far.message.size() + joint + marks.message.size();
  if (bytes > CommitMarks::kMessageBytesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the messages of a commit have at most {} bytes, not {}",
                             CommitMarks::kMessageBytesMax, bytes));
  }
  return insert(connection, marks);
}

Status add_decisions(ConnectionState& connection) { return insert(connection, version::CommitMarks()); }

}  // namespace dosql::engine
