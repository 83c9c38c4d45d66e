#include "bindings/node/feed.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "bindings/node/rows.h"

namespace dosql::node {
namespace {

// One batch: it is shown to JavaScript at once, and is all that is kept ahead of whoever takes the changes.
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
  kSchema = 6,       // table, LSN, CREATE statement before and after or NULL
  kBegin = 7,        // LSN
  kCommit = 8,       // LSN
};

// Behind the last entry: up to which LSN all was given, whether there was more, and the keys as one BLOB.
constexpr std::size_t kTrailerCells = 3;
// Of an event besides names and values: a transaction, two tables, and what stands in front of the values.
constexpr std::size_t kEventCells = 3 + 2 * 3 + 5;
// SQLite's most.
constexpr std::size_t kMostColumns = 2'000;
static_assert(kEventCells + 2 * 2 * kMostColumns + kTrailerCells <= kCells, "a batch has room for any event");

Entry entry_of(const Change& change) {
  if (change.snapshot) return Entry::kSnapshotRow;
  switch (change.type) {
    case ChangeType::kUpdate: return Entry::kUpdate;
    case ChangeType::kDelete: return Entry::kDelete;
    case ChangeType::kSchema: return Entry::kSchema;
    case ChangeType::kBegin: return Entry::kBegin;
    case ChangeType::kCommit: return Entry::kCommit;
    case ChangeType::kInsert: break;
  }
  return Entry::kInsert;
}

// The most that an event takes: its values, and as many names.
std::size_t cells_of(const Change& change) {
  const std::size_t before = change.before ? change.before->values().size() : 0;
  const std::size_t after = change.after ? change.after->values().size() : 0;
  return kEventCells + 2 * (before + after);
}

// Writes changes as cells.
class BatchWriter {
 public:
  explicit BatchWriter(RowBatch& batch) : batch_(batch) {}

  bool has_room_for(const Change& change) const {
    return batch_.size() + cells_of(change) + kTrailerCells <= kCells &&
           batch_.bytes() + keys_.size() < kBatchBytes;
  }

  void add(const Change& change) {
    if (!begun_ || change.transaction != transaction_) begin_transaction(change);
    switch (change.type) {
      case ChangeType::kBegin:
      case ChangeType::kCommit: add_transaction_mark(change); break;
      case ChangeType::kSchema: add_schema_change(change); break;
      default: add_row_change(change);
    }
  }

  void finish(std::uint64_t given_lsn, bool more) {
    if (!begun_) return;
    put_unsigned(given_lsn, batch_);
    put_truth(more, batch_);
    batch_.blob(keys_);
  }

 private:
  struct Table {
    std::string name;
    std::vector<std::string> columns;
  };

  void add_row_change(const Change& change) {
    const std::size_t before = change.before ? table_number(change.table, *change.before) : 0;
    const std::size_t after = change.after ? table_number(change.table, *change.after) : 0;
    put_entry(entry_of(change));
    if (change.before) put_unsigned(before, batch_);
    if (change.after) put_unsigned(after, batch_);
    put_unsigned(change.lsn, batch_);
    keys_.insert(keys_.end(), change.key.begin(), change.key.end());
    put_unsigned(keys_.size(), batch_);
    if (change.before) put_values(*change.before);
    if (change.after) put_values(*change.after);
  }

  void add_transaction_mark(const Change& change) {
    put_entry(entry_of(change));
    put_unsigned(change.lsn, batch_);
  }

  void add_schema_change(const Change& change) {
    put_entry(entry_of(change));
    batch_.text(change.table);
    put_unsigned(change.lsn, batch_);
    put_statement(change.before);
    put_statement(change.after);
  }

  void put_statement(const std::optional<Row>& row) { row ? put_values(*row) : batch_.null(); }

  void put_entry(Entry entry) { put_integer(static_cast<std::int64_t>(entry), batch_); }

  void begin_transaction(const Change& change) {
    begun_ = true;
    transaction_ = change.transaction;
    put_entry(Entry::kTransaction);
    put_unsigned(change.transaction, batch_);
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
    put_unsigned(row.columns().size(), batch_);
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
  if (changes_->stopped()) return {};
  if (!left_over_) {
    DOSQL_ASSIGN_OR_RETURN(left_over_, first_change(*changes_, waits));
  }
  BatchWriter writer(batch);
  std::uint64_t given_lsn = 0;
  while (left_over_ && writer.has_room_for(*left_over_)) {
    writer.add(*left_over_);
    given_lsn = changes_->given_lsn();
    auto next = changes_->next();
    // What came before a failure is given first; the next call meets it again.
    left_over_ = next ? *std::move(next) : std::nullopt;
  }
  writer.finish(left_over_ ? given_lsn : changes_->given_lsn(), left_over_.has_value());
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
