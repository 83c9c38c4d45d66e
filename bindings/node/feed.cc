#include "bindings/node/feed.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "bindings/node/rows.h"

namespace dosql::node {
namespace {

// One batch: it is shown to JavaScript at once, and is all that is kept ahead of whoever takes the changes.
constexpr std::size_t kBatchCells = kCells * 3 / 4;
constexpr std::size_t kBatchBytes = std::size_t{1} << 20;
// stop() ends a wait.
constexpr std::chrono::hours kWait{1};

// What comes next in a batch; packages/dosql/src/change_event.ts knows it too.
enum class Entry : std::int64_t {
  kTransaction = 0,  // number, milliseconds since 1970: of what follows
  kTable = 1,        // name, count, names of columns: the first in a batch has the number 0, and so on
  kInsert = 2,       // number of the table, LSN, end of the key, values
  kUpdate = 3,       // number of the table before and after, LSN, end of the key, values before and after
  kDelete = 4,       // as kInsert
  kSnapshotRow = 5,  // as kInsert
};

Entry entry_of(const Change& change) {
  if (change.snapshot) return Entry::kSnapshotRow;
  switch (change.type) {
    case ChangeType::kUpdate: return Entry::kUpdate;
    case ChangeType::kDelete: return Entry::kDelete;
    default: return Entry::kInsert;
  }
}

// Writes changes as cells. Keys come last, as one BLOB.
class BatchWriter {
 public:
  explicit BatchWriter(RowBatch& batch) : batch_(batch) {}

  bool full() const { return batch_.size() >= kBatchCells || batch_.bytes() + keys_.size() >= kBatchBytes; }

  void add(const Change& change) {
    if (!begun_ || change.transaction != transaction_) begin_transaction(change);
    const std::size_t before = change.before ? table_number(change.table, *change.before) : 0;
    const std::size_t after = change.after ? table_number(change.table, *change.after) : 0;
    put_integer(static_cast<std::int64_t>(entry_of(change)), batch_);
    if (change.before) put_integer(static_cast<std::int64_t>(before), batch_);
    if (change.after) put_integer(static_cast<std::int64_t>(after), batch_);
    put_integer(static_cast<std::int64_t>(change.lsn), batch_);
    keys_.insert(keys_.end(), change.key.begin(), change.key.end());
    put_integer(static_cast<std::int64_t>(keys_.size()), batch_);
    if (change.before) put_values(*change.before);
    if (change.after) put_values(*change.after);
  }

  void finish() {
    if (begun_) batch_.blob(keys_);
  }

 private:
  struct Table {
    std::string name;
    std::vector<std::string> columns;
  };

  void put_entry(Entry entry) { put_integer(static_cast<std::int64_t>(entry), batch_); }

  void begin_transaction(const Change& change) {
    begun_ = true;
    transaction_ = change.transaction;
    put_entry(Entry::kTransaction);
    put_integer(static_cast<std::int64_t>(change.transaction), batch_);
    put_time(change.timestamp, batch_);
  }

  std::size_t table_number(const std::string& name, const Row& row) {
    const auto is_it = [&](const Table& table) {
      return table.name == name && table.columns == row.columns();
    };
    // Mostly the newest.
    const auto found = std::find_if(tables_.rbegin(), tables_.rend(), is_it);
    if (found != tables_.rend()) return static_cast<std::size_t>(tables_.rend() - found) - 1;
    tables_.push_back({.name = name, .columns = row.columns()});
    put_entry(Entry::kTable);
    batch_.text(name);
    put_integer(static_cast<std::int64_t>(row.columns().size()), batch_);
    for (const std::string& column : row.columns()) batch_.text(column);
    return tables_.size() - 1;
  }

  void put_values(const Row& row) {
    for (const Value& value : row.values()) put_value(value, batch_);
  }

  RowBatch& batch_;
  std::vector<Table> tables_;
  Blob keys_;
  bool begun_ = false;
  std::uint64_t transaction_ = 0;
};

Result<Changes> changes_of(Database& database, const FeedSource& source) {
  if (source.slot) return database.slots().subscribe(*source.slot, source.filter);
  return database.changes({.branch = source.branch,
                           .after_lsn = source.after_lsn,
                           .snapshot = source.snapshot,
                           .filter = source.filter});
}

// None: it was stopped, or there is none now and it does not wait.
Result<std::optional<Change>> first_change(Changes& changes, bool waits) {
  if (!waits) return changes.next();
  while (!changes.stopped()) {
    DOSQL_ASSIGN_OR_RETURN(std::optional<Change> change, changes.next(kWait));
    if (change) return change;
  }
  return std::optional<Change>();
}

}  // namespace

Status OpenFeed::open(const FeedSource& source) {
  std::lock_guard use(use_);
  if (closed_) return Error(ErrorCode::kInterrupted, "the database was closed");
  if (changes_) return Error(ErrorCode::kInvalidArgument, "the feed is open already");
  DOSQL_ASSIGN_OR_RETURN(Changes changes, changes_of(share_.database(), source));
  std::lock_guard stopping(stopping_);
  changes_.emplace(std::move(changes));
  if (stopped_) changes_->stop();
  return {};
}

Status OpenFeed::next(bool waits, RowBatch& batch) {
  std::lock_guard use(use_);
  if (closed_) return Error(ErrorCode::kInterrupted, "the database was closed");
  if (!changes_) return Error(ErrorCode::kInvalidArgument, "the feed is not open");
  DOSQL_ASSIGN_OR_RETURN(std::optional<Change> change, first_change(*changes_, waits));
  BatchWriter writer(batch);
  while (change) {
    writer.add(*change);
    if (writer.full()) break;
    auto next = changes_->next();
    // What came before a failure is given first; the next call meets it again.
    change = next ? *std::move(next) : std::nullopt;
  }
  writer.finish();
  return {};
}

void OpenFeed::stop() {
  std::lock_guard lock(stopping_);
  stopped_ = true;
  if (changes_) changes_->stop();
}

Status OpenFeed::close() {
  stop();
  std::lock_guard use(use_);
  closed_ = true;
  std::optional<Changes> changes;
  {
    std::lock_guard stopping(stopping_);
    changes.swap(changes_);
  }
  changes.reset();
  return share_.close();
}

}  // namespace dosql::node
