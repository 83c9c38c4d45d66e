// A connection runs SQL. It belongs to one thread at a time.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <dosql/merge.h>
#include <dosql/result.h>
#include <dosql/savepoint.h>
#include <dosql/statement.h>
#include <dosql/time_point.h>
#include <dosql/value.h>

struct sqlite3;

namespace dosql {

class Database;

namespace engine {
class ConnectionState;
}

struct BranchOptions {
  std::optional<TimePoint> from;  // none: the newest version of the connection's branch
};

struct DeleteBranchOptions {
  bool force = false;  // also when it has commits that no other branch contains
};

struct SnapshotOptions {
  std::optional<TimePoint> at;  // none: the newest version of the connection's branch
};

struct BranchInfo {
  std::string name;
  VersionId head;                    // its newest version
  std::optional<VersionId> fork;     // the version of its parent that it began with; none: main
  std::optional<Timestamp> created;  // none: main
  bool current = false;              // the connection is on it
};

struct SnapshotInfo {
  std::string name;
  VersionId version;
  Timestamp created;
};

// A branch has the commits of its line, and those of the versions that were merged into it.
struct BranchComparison {
  std::string source;
  std::string target;
  std::uint64_t ahead = 0;   // commits of the source that the target lacks
  std::uint64_t behind = 0;  // commits of the target that the source lacks
  bool diverged = false;     // both lack some
  // The target could become the source: it lacks some, and its newest version is one of the source's line.
  bool can_fast_forward = false;
  // The newest version that both have. Branches that merged each other's older versions may have several that
  // no other one contains.
  VersionId merge_base;
};

// One run of a statement, from its first step to its end or reset.
struct StatementTrace {
  std::string sql;  // with the parameters filled in
  std::chrono::nanoseconds duration{};
  std::uint64_t rows = 0;  // that it gave
};
using Trace = std::function<void(const StatementTrace&)>;

class Connection {
 public:
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();  // rolls back an open transaction

  // Runs all statements of `sql` one after another, dropping rows. Stops at the first failure.
  Status exec(std::string_view sql);

  // Compiles one statement. Text behind it other than space and comments is DOSQL_INVALID_ARGUMENT.
  Result<Statement> prepare(std::string_view sql);
  // Compiles the first statement of `sql`; `tail` receives the text behind it. A Statement that
  // `empty()` means there was only space or comments.
  Result<Statement> prepare(std::string_view sql, std::string_view& tail);

  // Runs one statement to its end.
  template <class... Args>
  Result<RunResult> run(std::string_view sql, const Args&... args) {
    return run_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<RunResult> run(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<RunResult> run_list(std::string_view sql, std::span<const Value> args);

  // Runs one statement and gives all its rows; use each() to stream.
  template <class... Args>
  Result<Rows> query(std::string_view sql, const Args&... args) {
    return query_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<Rows> query(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<Rows> query_list(std::string_view sql, std::span<const Value> args);

  // The first row, or none.
  template <class... Args>
  Result<std::optional<Row>> query_one(std::string_view sql, const Args&... args) {
    return query_one_list(sql, std::initializer_list<Value>{Value(args)...});
  }
  Result<std::optional<Row>> query_one(std::string_view sql, std::initializer_list<NamedValue> args);
  Result<std::optional<Row>> query_one_list(std::string_view sql, std::span<const Value> args);

  // Runs one statement and calls `on_row(const Row&)` with each row as it is found, so that memory holds one.
  // `on_row` returns nothing; or bool, false to stop here; or Status, of which a failure ends the statement
  // and becomes the result. It may use this connection.
  //
  //   connection.each("SELECT name FROM users WHERE id > ?", [&](const Row& row) { ... }, 7)
  template <class OnRow, class... Args>
  Status each(std::string_view sql, OnRow&& on_row, const Args&... args) {
    return each_list(sql, std::initializer_list<Value>{Value(args)...}, visitor_of(on_row));
  }
  template <class OnRow>
  Status each(std::string_view sql, OnRow&& on_row, std::initializer_list<NamedValue> args) {
    return each_list(sql, args, visitor_of(on_row));
  }
  // True: go on.
  using RowVisitor = std::function<Result<bool>(const Row&)>;
  Status each_list(std::string_view sql, std::span<const Value> args, const RowVisitor& visit);
  Status each_list(std::string_view sql, std::initializer_list<NamedValue> args, const RowVisitor& visit);

  // BEGIN IMMEDIATE, body, COMMIT; ROLLBACK when the body or the commit fails. Inside an open
  // transaction it is a savepoint.
  Status transaction(const std::function<Status(Connection&)>& body);

  // The same in steps, for code that does not fit into a body: undone when it is destroyed, unless it was
  // released. Outside a transaction it begins one, and its release commits.
  Result<Savepoint> savepoint();

  bool in_transaction() const;
  // The version the connection's next read would see.
  std::uint64_t version() const;

  // Branches and named snapshots. What makes or drops one takes effect at once, is no part of a transaction
  // (inside one: DOSQL_INVALID_ARGUMENT), and is durable on return unless PRAGMA synchronous says less; its
  // errors are also DOSQL_READ_ONLY, DOSQL_DISK_FULL, DOSQL_IO and DOSQL_POISONED.
  //
  // Makes a branch in constant time; the connection stays where it is. Errors: DOSQL_ALREADY_EXISTS,
  // DOSQL_INVALID_ARGUMENT (a name that no branch can have), those of the point.
  Status branch(const std::string& name, const BranchOptions& options = {});
  // Moves this connection, and no other. Errors: DOSQL_BRANCH_NOT_FOUND, DOSQL_INVALID_ARGUMENT (inside a
  // transaction, while a statement is running, or on a connection of as_of()).
  Status checkout(std::string_view name);
  // Until the next checkout. Of a connection of as_of(): the branch that committed its version.
  std::string_view current_branch() const;
  // Who has a version of it in use goes on reading that. Errors: DOSQL_BRANCH_NOT_FOUND,
  // DOSQL_BRANCH_NOT_MERGED (see `force`), DOSQL_INVALID_ARGUMENT (main, or a connection is on it).
  Status delete_branch(std::string_view name, const DeleteBranchOptions& options = {});
  // By name, ascending.
  std::vector<BranchInfo> list_branches() const;

  // Merges the newest version of a branch into the connection's branch. Where the connection's branch has no
  // commits that the source lacks, it is fast-forwarded, whatever the size of what the source did: the
  // source's versions are its versions then, under the same numbers and LSNs. Inside a transaction, and as a
  // squash, a merge is a commit. Errors: DOSQL_BRANCH_NOT_FOUND, DOSQL_INVALID_ARGUMENT (a branch into
  // itself, a message of more than 64 KiB, on a connection of as_of()), DOSQL_BUSY (the branch is being
  // written to), those of writing.
  Result<MergeResult> merge(std::string_view source, const MergeOptions& options = {});
  // Of a merge with MergeStrategy::kManual, or a revert() or cherry_pick(), that met conflicts and waits for
  // decisions. It survives a restart, and the branch stays usable meanwhile. Errors of the four:
  // DOSQL_NOT_FOUND (none waits for the connection's branch; no such conflict), DOSQL_INVALID_ARGUMENT (a
  // value that is no JSON, or cannot be one of the conflict's; complete_merge() and abort_merge() inside a
  // transaction), those of writing. Of a merge that the branch has otherwise meanwhile the last two forget
  // what is left, and do nothing else: already_merged.
  Result<std::vector<MergeConflict>> conflicts();
  // As durable on return as a commit; inside a transaction with that, and undone with it or a savepoint in
  // it, but for a COMMIT that fails itself, behind which it may have been decided. There also DOSQL_BUSY (the
  // branch is being written to).
  Status resolve_conflict(std::int64_t id, const ConflictResolution& resolution);
  // Merges again, into what the branch is by now, with what was decided. Conflicts that nothing was decided
  // about, new ones too, are in the result: then nothing was changed, and they wait now.
  Result<MergeResult> complete_merge(const std::string& message = {});
  Status abort_merge();
  // A commit that undoes what the commit that made the version did, and leaves what came later; none where
  // nothing of it is left. A merge of its kind, with the same conflicts and errors; also
  // DOSQL_VERSION_NOT_FOUND (the empty database was not committed).
  Result<MergeResult> revert(const TimePoint& commit, const PickOptions& options = {});
  // A commit that does what the commit with that LSN, of whatever branch, did; none where the branch has all
  // of it. As above.
  Result<MergeResult> cherry_pick(std::uint64_t lsn, const PickOptions& options = {});

  // Errors: DOSQL_ALREADY_EXISTS, DOSQL_VERSION_NOT_FOUND (the database is empty), DOSQL_INVALID_ARGUMENT (no
  // name, or more than 255 bytes), those of the point.
  Status create_snapshot(const std::string& name, const SnapshotOptions& options = {});
  // The version stays. Errors: DOSQL_NOT_FOUND.
  Status drop_snapshot(const std::string& name);
  // By name, ascending.
  std::vector<SnapshotInfo> list_snapshots() const;

  // Errors: DOSQL_BRANCH_NOT_FOUND.
  Result<BranchComparison> compare_branches(std::string_view source, std::string_view target) const;

  // The version that a point means to this connection now.
  Result<VersionId> resolve(const TimePoint& point);
  // How many commits lead from one point to the other: 3 from main@2 to main@5, -3 the other way round. One
  // of the two versions must be part of the other's history, as main@2 is of each branch that was made of
  // main later; else DOSQL_INVALID_ARGUMENT (compare_branches() tells how far two branches are apart).
  Result<std::int64_t> distance(const TimePoint& from, const TimePoint& to);

  // A read-only connection that stays at `point`, as this connection resolves it now: all its reads, from
  // whatever statement, are of that version, unmoved by commits, CHECKOUT or a dropped branch, for as long as
  // the connection or a Statement of it lives. It is a connection of its own: it may go to another thread,
  // outlive this one, and keeps the database open. Temporary tables can be written; for all else a write is
  // DOSQL_READ_ONLY. Errors: those of the point, DOSQL_CORRUPT, DOSQL_IO.
  Result<Connection> as_of(const TimePoint& point);
  // Made by as_of().
  bool fixed() const;

  // Makes the running statement fail with DOSQL_INTERRUPTED. The one method any thread may call.
  void interrupt();
  // Behind a statement that was interrupted: without it SQLite interrupts all that run until none of the
  // connection's statements is in the middle of its rows.
  void forget_interrupt();

  // While it holds, COMMIT and ROLLBACK (not RELEASE and ROLLBACK TO) are refused with
  // DOSQL_INVALID_ARGUMENT: the transaction belongs to somebody who will end it.
  void hold_transaction(bool holds);

  // Has `goes_on` asked after about every so many instructions of SQLite's machine (a thousand take some ten
  // microseconds) while a statement runs: false makes the statement fail with DOSQL_INTERRUPTED. An empty
  // function takes it off. It runs on the connection's thread and must not use the connection.
  void set_progress(int every_instructions, std::function<bool()> goes_on);
  // Has `trace` called at the end of each run of a statement, failed ones too. An empty function takes it
  // off; without one it costs nothing. Thread and use as above. What the engine itself runs is not traced.
  void set_trace(Trace trace);

  // The SQLite handle, for what this class does not offer. It stays owned by the Connection.
  sqlite3* sqlite_handle() const;

 private:
  template <class OnRow>
  static RowVisitor visitor_of(OnRow& on_row) {
    return [&on_row](const Row& row) -> Result<bool> {
      using Outcome = std::invoke_result_t<OnRow&, const Row&>;
      if constexpr (std::is_void_v<Outcome>) {
        on_row(row);
        return true;
      } else if constexpr (std::is_same_v<Outcome, bool>) {
        return on_row(row);
      } else {
        DOSQL_RETURN_IF_ERROR(on_row(row));
        return true;
      }
    };
  }

  friend class Database;
  explicit Connection(std::shared_ptr<engine::ConnectionState> state);
  std::shared_ptr<engine::ConnectionState> state_;
};

}  // namespace dosql
