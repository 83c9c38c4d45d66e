#include "engine/change_feed.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/check.h"
#include "engine/row_changes.h"
#include "engine/sqlite_value.h"
#include "version/durable_wait.h"
#include "version/newest_lsn.h"

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using diff::Field;
using diff::FieldType;
using version::Reader;
using version::ReadPoint;

ChangeType type_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert: return ChangeType::kInsert;
    case ChangeKind::kUpdate: return ChangeType::kUpdate;
    case ChangeKind::kDelete: break;
  }
  return ChangeType::kDelete;
}

// In the version that it is of, as sqlite_schema has it.
const std::string* create_statement(const VersionSchema& schema, const TableShape* table) {
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find_if(schema.entries, [table](const diff::SchemaEntry& entry) {
    return entry.type == "table" && entry.name == table->name;
  });
  return found == schema.entries.end() ? nullptr : &found->sql;
}

std::optional<Row> schema_row(const std::string* sql) {
  static const auto names = std::make_shared<const std::vector<std::string>>(1, "sql");
  if (sql == nullptr) return std::nullopt;
  return Row(names, {Value(*sql)});
}

bool is_users(const TableShape& table) {
  return !table.shadow && !diff::folded(table.name).starts_with("sqlite_");
}

}  // namespace

// --- Values and names ---

const ChangeWriter::Shown& ChangeWriter::shown(Side& side, const std::shared_ptr<const VersionSchema>& schema,
                                               const TableShape& table) {
  if (side.schema != schema) side = {schema, {}};
  const auto [found, is_new] = side.tables.try_emplace(&table);
  Shown& shown = found->second;
  if (!is_new) return shown;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].generated == Generated::kVirtual) continue;
    shown.columns.push_back(i);
    names.push_back(table.columns[i].name);
  }
  shown.names = std::make_shared<const std::vector<std::string>>(std::move(names));
  return shown;
}

Row ChangeWriter::image(const Shown& shown, std::span<const Field> values, diff::TextEncoding encoding) {
  std::vector<Value> row;
  row.reserve(shown.columns.size());
  for (const std::size_t column : shown.columns) row.push_back(value_of(values[column], encoding));
  return Row(shown.names, std::move(row));
}

Status ChangeWriter::write(const TablePairs& pairs, const TablePair& table, ChangedRow& row, Change& change) {
  change.table = table.name();
  std::span<const Field> before;
  std::span<const Field> after;
  if (row.kind() != ChangeKind::kInsert) {
    DOSQL_ASSIGN_OR_RETURN(before, row.before());
    change.before = image(shown(before_, pairs.before, *table.before), before, pairs.before->encoding);
  }
  if (row.kind() != ChangeKind::kDelete) {
    DOSQL_ASSIGN_OR_RETURN(after, row.after());
    change.after = image(shown(after_, pairs.after, *table.after), after, pairs.after->encoding);
  }
  const bool deleted = row.kind() == ChangeKind::kDelete;
  const std::span<const Field> values = deleted ? before : after;
  key_.clear();
  for (const KeyPart& part : (deleted ? table.before : table.after)->key) key_.push_back(values[part.column]);
  if (key_.empty()) key_.push_back({.type = FieldType::kInteger, .integer = row.rowid()});
  diff::encode_record(key_, change.key);
  return {};
}

// --- The snapshot ---

// All rows of a version, as the difference to the empty database.
class ChangeFeed::Snapshot {
 public:
  static Result<std::unique_ptr<Snapshot>> open(ConnectionState& connection, const ReadPoint& point) {
    version::VersionStore& store = connection.core().store();
    std::unique_ptr<Snapshot> made(new Snapshot(store, connection.db(), point));
    const ReadPoint nothing = store.branch_info(kMainBranch).fork;
    made->empty_.pin(nothing);
    made->reader_.pin(point);
    DOSQL_ASSIGN_OR_RETURN(made->changes_, diff::PageChanges::between(store, made->empty_, made->reader_));
    DOSQL_ASSIGN_OR_RETURN(made->pairs_, pair_tables(store, connection.schemas(), nothing, point));
    made->order_ = parents_first(made->pairs_);
    return made;
  }

  // To the next row. False: there are no more.
  Result<bool> next(const ChangeFeed& feed) {
    while (true) {
      if (rows_) {
        DOSQL_ASSIGN_OR_RETURN(const bool found, rows_->next());
        if (found) return true;
        rows_.reset();
      }
      if (tables_done_ == order_.size()) return false;
      table_ = &pairs_.pairs[order_[tables_done_++]];
      if (!has_events(*table_->after) || !feed.wants(*table_)) continue;
      DOSQL_ASSIGN_OR_RETURN(rows_, RowChanges::open(empty_, reader_, changes_, pairs_, *table_, handle_));
    }
  }

  const ReadPoint& point() const { return point_; }
  const TablePairs& pairs() const { return pairs_; }
  const TablePair& table() const { return *table_; }
  RowChanges& rows() { return *rows_; }

 private:
  Snapshot(version::VersionStore& store, sqlite3* handle, const ReadPoint& point)
      : handle_(handle), point_(point), empty_(store), reader_(store) {}

  sqlite3* const handle_;
  const ReadPoint point_;
  Reader empty_;
  Reader reader_;
  diff::PageChanges changes_;
  TablePairs pairs_;
  std::vector<std::size_t> order_;
  std::size_t tables_done_ = 0;
  const TablePair* table_ = nullptr;
  std::unique_ptr<RowChanges> rows_;
};

// --- The feed ---

ChangeFeed::ChangeFeed(std::shared_ptr<ConnectionState> connection, ChangesOptions options, Now now)
    : connection_(std::move(connection)),
      options_(std::move(options)),
      now_(now),
      after_{options_.after_lsn},
      newest_given_{options_.after_lsn},
      events_(store(), connection_->schemas(), connection_->db()) {
  for (const std::string& table : options_.filter.tables) tables_.insert(diff::folded(table));
}

ChangeFeed::~ChangeFeed() = default;

Result<std::shared_ptr<ChangeFeed>> ChangeFeed::open(DatabaseCore& core, ChangesOptions options, Now now) {
  DOSQL_ASSIGN_OR_RETURN(auto connection, ConnectionState::open(core));
  DOSQL_RETURN_IF_ERROR(connection->checkout(options.branch));
  std::shared_ptr<ChangeFeed> feed(new ChangeFeed(std::move(connection), std::move(options), now));
  if (feed->options_.snapshot) {
    DOSQL_RETURN_IF_ERROR(feed->begin_snapshot());
  } else {
    DOSQL_ASSIGN_OR_RETURN(feed->next_, first_version_behind(core.store(), feed->branch(), feed->after_));
  }
  return feed;
}

Result<Version> first_version_behind(const version::VersionStore& store, BranchId branch, Lsn lsn) {
  const ReadPoint head = store.head(branch);
  if (lsn >= head.lsn) return Version{raw(head.version) + 1};
  const auto point = store.at_lsn(branch, lsn);
  // In front of the first commit there is no version.
  if (!point && point.error().code() == ErrorCode::kVersionNotFound) return Version{1};
  if (!point) return point.error();
  const bool in_its_middle = point->lsn > lsn;
  return Version{raw(point->version) + (in_its_middle ? 0 : 1)};
}

Status ChangeFeed::begin_snapshot() {
  const ReadPoint head = store().head(branch());
  after_ = head.lsn;
  next_ = Version{raw(head.version) + 1};
  if (raw(head.version) == 0) return {};
  if (store().options().access == version::Access::kReadWrite)
    DOSQL_RETURN_IF_ERROR(store().await_visible({head, version::newest_lsn(store())}));
  DOSQL_ASSIGN_OR_RETURN(snapshot_, Snapshot::open(*connection_, head));
  return {};
}

bool ChangeFeed::wants(const TablePair& table) const {
  return tables_.empty() || tables_.contains(diff::folded(table.name()));
}

bool ChangeFeed::wants(const TablePair& table, ChangeKind kind) const {
  const ChangeFilter& filter = options_.filter;
  const bool kind_wanted = kind == ChangeKind::kInsert   ? filter.inserts
                           : kind == ChangeKind::kUpdate ? filter.updates
                                                         : filter.deletes;
  return kind_wanted && wants(table);
}

Result<ChangeFeed::Found> ChangeFeed::next(TimePoint deadline) {
  // Written where it is returned: a change is large, and would be moved once for each step on the way.
  Found change(std::in_place);
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next_of_known(*change));
    if (found) return change;
    if (stopped()) return Found();
    DOSQL_ASSIGN_OR_RETURN(const bool more, await_commits(deadline));
    if (!more) return Found();
  }
}

// Of what may be given without looking whether there is more.
Result<bool> ChangeFeed::next_of_known(Change& change) {
  while (!stopped()) {
    auto found = snapshot_ ? next_of_snapshot(change) : next_of_commit(change);
    if (!found) in_commit_ = false;
    if (found && *found) was_given(change);
    if (!found || *found || stopped()) return found;
    if (snapshot_) {
      snapshot_.reset();
      continue;
    }
    if (in_commit_) end_commit();
    if (known_ < next_) break;
    DOSQL_RETURN_IF_ERROR(open_next_commit());
  }
  return false;
}

Result<bool> ChangeFeed::next_of_snapshot(Change& change) {
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, snapshot_->next(*this));
    if (!found) return false;
    const ReadPoint& point = snapshot_->point();
    DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, store().commit_info(point.branch, point.version));
    change = {.type = ChangeType::kInsert,
              .lsn = raw(point.lsn),
              .transaction = raw(point.lsn),
              .timestamp = Timestamp{std::chrono::microseconds{info.timestamp_us}},
              .snapshot = true};
    DOSQL_RETURN_IF_ERROR(writer_.write(snapshot_->pairs(), snapshot_->table(), snapshot_->rows(), change));
    if (!options_.filter.predicate || options_.filter.predicate(change)) return true;
  }
}

// False: nothing new came before `deadline`, or it was stopped.
Result<bool> ChangeFeed::await_commits(TimePoint deadline) {
  DOSQL_RETURN_IF_ERROR(connection_->catch_up());
  // Who follows another process has to ask for its commits.
  const bool writes_here = store().options().access == version::Access::kReadWrite;
  const TimePoint awake_until =
      writes_here ? std::min(deadline, newest_found_ + kAwakeMax) : TimePoint::min();
  const TimePoint rest_at = newest_found_ + kRestAfter;
  for (Lsn seen{}; store().head(branch()).version < next_;) {
    const TimePoint now = now_();
    const bool rests = now >= rest_at;
    if (rests) events_.rest();
    if (stopped() || now >= deadline) return false;
    if (now < awake_until) {
      std::this_thread::yield();
      continue;
    }
    const TimePoint until = rests ? deadline : std::min(deadline, rest_at);
    DOSQL_ASSIGN_OR_RETURN(seen, store().wait_for_visible(seen, until, &stopped_));
  }
  newest_found_ = now_();
  DOSQL_RETURN_IF_ERROR(await_durable(deadline));
  return !stopped();
}

// REQUIRES: there is a commit to be given.
Status ChangeFeed::await_durable(TimePoint deadline) {
  version::VersionStore& store = this->store();
  if (store.options().access == version::Access::kReadOnly) {
    known_ = store.head(branch()).version;
    return {};
  }
  ReadPoint head;
  Lsn newest{};
  const auto look = [&] {
    head = store.head(branch());
    // All that is in the log: the head may stand behind a commit that waits for its sync, and the
    // fast-forward that brought it here is behind it.
    newest = version::newest_lsn(store);
  };
  look();
  DOSQL_ASSIGN_OR_RETURN(const bool others_synced,
                         version::wait_for_durable(store, newest, std::min(next_sync_, deadline), &stopped_));
  if (stopped()) return {};
  if (!others_synced) look();
  DOSQL_RETURN_IF_ERROR(store.await_visible({head, newest}));
  if (!others_synced) next_sync_ = now_() + kSyncPause;
  known_ = head.version;
  return {};
}

Status ChangeFeed::open_next_commit() {
  DOSQL_RETURN_IF_ERROR(events_.go_to(branch(), next_));
  in_commit_ = true;
  // In the middle of a commit its beginning has been given; one that is before a place in the future is not
  // wanted at all.
  part_ = after_ >= events_.info().last_lsn   ? Part::kCommit
          : after_ > events_.info().first_lsn ? Part::kRows
                                              : Part::kBegin;
  schema_pair_ = 0;
  return {};
}

void ChangeFeed::was_given(const Change& change) {
  newest_given_ = Lsn{change.lsn};
  if (slot_ == nullptr || !in_commit_ || options_.filter.transactions) return;
  // The commit owns LSNs behind that of its last change. Who asks for no more has all of it, too.
  if (change.lsn == raw(events_.info().first_lsn) + events_.events())
    slot_->pass(newest_given_, events_.info().last_lsn);
}

void ChangeFeed::end_commit() {
  after_ = std::max(after_, events_.info().last_lsn);
  if (slot_) slot_->pass(newest_given_, after_);
  next_ = Version{raw(next_) + 1};
  in_commit_ = false;
}

void ChangeFeed::begin_event(ChangeType type, Lsn lsn, Change& change) const {
  const version::CommitInfo& info = events_.info();
  change.type = type;
  change.lsn = raw(lsn);
  change.transaction = raw(info.last_lsn);
  change.timestamp = Timestamp{std::chrono::microseconds{info.timestamp_us}};
  // Of one that was not wanted.
  change.before.reset();
  change.after.reset();
}

Result<bool> ChangeFeed::next_of_commit(Change& change) {
  if (!in_commit_) return false;
  const ChangeFilter& filter = options_.filter;
  if (part_ == Part::kBegin) {
    part_ = Part::kSchema;
    if (filter.transactions) {
      begin_event(ChangeType::kBegin, events_.info().first_lsn, change);
      return true;
    }
  }
  if (part_ == Part::kSchema) {
    if (filter.schema && next_schema_change(change)) return true;
    part_ = Part::kRows;
  }
  if (part_ == Part::kRows) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, next_row(change));
    if (found) return true;
    if (stopped()) return false;
    part_ = Part::kCommit;
    if (filter.transactions) {
      change = {};
      begin_event(ChangeType::kCommit, events_.info().last_lsn, change);
      return true;
    }
  }
  return false;
}

bool ChangeFeed::next_schema_change(Change& change) {
  const TablePairs& pairs = events_.pairs();
  while (pairs.before != pairs.after && schema_pair_ < pairs.pairs.size()) {
    const TablePair& pair = pairs.pairs[schema_pair_++];
    if (!is_users(pair.after != nullptr ? *pair.after : *pair.before) || !wants(pair)) continue;
    const std::string* const before = create_statement(*pairs.before, pair.before);
    const std::string* const after = create_statement(*pairs.after, pair.after);
    if (before != nullptr && after != nullptr && *before == *after) continue;
    begin_event(ChangeType::kSchema, events_.info().first_lsn, change);
    change.table = pair.name();
    change.before = schema_row(before);
    change.after = schema_row(after);
    return true;
  }
  return false;
}

Result<bool> ChangeFeed::next_row(Change& change) {
  // Nothing of a commit may be wanted, however large it is.
  while (!stopped()) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, events_.next());
    if (!found) return false;
    if (events_.lsn() <= after_) continue;
    ChangedRow& row = events_.row();
    if (!wants(events_.table(), row.kind())) continue;
    begin_event(type_of(row.kind()), events_.lsn(), change);
    DOSQL_RETURN_IF_ERROR(writer_.write(events_.pairs(), events_.table(), row, change));
    after_ = events_.lsn();
    if (!options_.filter.predicate || options_.filter.predicate(change)) return true;
  }
  return false;
}

void ChangeFeed::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  store().wake_waiters();
}

}  // namespace dosql::engine
