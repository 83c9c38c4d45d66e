#include "engine/event_replay.h"

#include <algorithm>
#include <tuple>

namespace dosql::engine {

using diff::ChangeKind;
using diff::CommitLeaf;

EventReplay::EventReplay(version::VersionStore& store, VersionSchemas& schemas, sqlite3* handle)
    : store_(store), schemas_(schemas), handle_(handle), replay_(store) {}

Status EventReplay::go_to(BranchId branch, Version version) {
  commit_.reset();
  events_.clear();
  next_ = 0;
  shown_ = 0;
  DOSQL_ASSIGN_OR_RETURN(bool known, replay_.go_to(branch, version));
  if (known) {
    DOSQL_ASSIGN_OR_RETURN(known, leaves_.find(replay_));
  }
  if (known) {
    DOSQL_ASSIGN_OR_RETURN(known, take_leaves());
  }
  return known ? Status() : open_plainly(branch, version);
}

Status EventReplay::open_plainly(BranchId branch, Version version) {
  events_.clear();
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint point, store_.at_version(branch, version));
  DOSQL_ASSIGN_OR_RETURN(commit_, CommitEvents::open(store_, schemas_, point, handle_));
  if (commit_->pairs().after == pairs_.after) schema_of_ = point;
  return {};
}

std::uint64_t EventReplay::events() const {
  if (!commit_) return events_.size();
  std::uint64_t events = 0;
  for (const TableEvents& table : commit_->tables()) events += table.deletes + table.updates + table.inserts;
  return events;
}

// --- From the leaves ---

// REQUIRES: the commit that replay_ is at did not change the schema.
Status EventReplay::know_schema() {
  if (pairs_.after != nullptr && schema_of_ == replay_.before()) {
    schema_of_ = replay_.after();
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(TablePairs pairs, pair_tables(store_, schemas_, replay_.before(), replay_.after()));
  schema_of_ = replay_.after();
  if (pairs.after == pairs_.after && pairs.before == pairs_.before) return {};
  pairs_ = std::move(pairs);
  tables_.clear();
  ranks_.clear();
  for (std::size_t i = 0; i < pairs_.pairs.size(); ++i) {
    const TablePair& pair = pairs_.pairs[i];
    if (pair.before == nullptr || pair.after == nullptr || raw(pair.after->root) == 0) continue;
    tables_[pair.after->root] = {.pair = &pair, .index = i, .has_events = has_events(*pair.after)};
  }
  return {};
}

EventReplay::Table* EventReplay::find_table(PageNo root) {
  const auto found = tables_.find(root);
  return found != tables_.end() ? &found->second : nullptr;
}

// False: what changed is not only leaves of tables with rowids.
Result<bool> EventReplay::take_leaves() {
  DOSQL_RETURN_IF_ERROR(know_schema());
  if (pairs_.before != pairs_.after) return false;
  for (const PageNo root : leaves_.other_roots()) {
    const Table* const table = find_table(root);
    if (table != nullptr && table->has_events) return false;
  }
  std::span<const CommitLeaf> left = leaves_.leaves();
  while (!left.empty()) {
    const auto end =
        std::ranges::find_if(left, [&](const CommitLeaf& leaf) { return leaf.root != left.front().root; });
    const auto count = static_cast<std::size_t>(end - left.begin());
    DOSQL_ASSIGN_OR_RETURN(const bool taken, take_table(left.first(count)));
    if (!taken) return false;
    left = left.subspan(count);
  }
  if (events_.size() > 1) sort_events();
  DOSQL_RETURN_IF_ERROR(check_lsns(replay_.info(), events_.size()));
  return true;
}

Result<bool> EventReplay::take_table(std::span<const CommitLeaf> leaves) {
  Table* const table = find_table(leaves.front().root);
  if (table == nullptr) return false;
  if (!table->has_events) return true;
  if (table->pair->after->kind != TableKind::kRowid) return false;
  if (!table->is_set) {
    table->row.set_table(table->pair->before, table->pair->after);
    table->is_set = true;
  }
  changes_.clear();
  DOSQL_RETURN_IF_ERROR(diff_.find(leaves, before_, after_, leaves_.usable_bytes(), changes_));
  for (const diff::LeafChange& change : changes_) {
    events_.push_back({table, change});
    if (change.kind != ChangeKind::kUpdate) continue;
    DOSQL_RETURN_IF_ERROR(show(events_.size() - 1));
    DOSQL_ASSIGN_OR_RETURN(const bool differs, table->row.differs());
    if (differs) continue;
    events_.pop_back();
    shown_ = 0;
  }
  return true;
}

// Deletes, updates, inserts; deletes of children first, the others of parents (E1 to E4 of event_order.h).
void EventReplay::sort_events() {
  if (ranks_.empty()) {
    const std::vector<std::size_t> order = parents_first(pairs_);
    ranks_.resize(order.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank) ranks_[order[rank]] = rank;
  }
  const auto place = [this](const Event& event) {
    const std::size_t rank = ranks_[event.table->index];
    switch (event.change.kind) {
      case ChangeKind::kDelete: return std::tuple(0, ranks_.size() - rank, event.change.rowid());
      case ChangeKind::kUpdate: return std::tuple(1, rank, event.change.rowid());
      case ChangeKind::kInsert: break;
    }
    return std::tuple(2, rank, event.change.rowid());
  };
  std::ranges::sort(events_, {}, place);
  shown_ = 0;
}

Status EventReplay::show(std::size_t event) {
  if (shown_ == event + 1) return {};
  shown_ = 0;
  const diff::LeafChange& change = events_[event].change;
  diff::RowChange row{.kind = change.kind, .rowid = change.rowid()};
  const std::uint32_t usable_bytes = leaves_.usable_bytes();
  if (change.kind != ChangeKind::kInsert) {
    DOSQL_ASSIGN_OR_RETURN(row.before, payload_of(before_, change.before, usable_bytes, record_before_));
  }
  if (change.kind != ChangeKind::kDelete) {
    DOSQL_ASSIGN_OR_RETURN(row.after, payload_of(after_, change.after, usable_bytes, record_after_));
  }
  events_[event].table->row.show(row);
  shown_ = event + 1;
  return {};
}

// --- The events ---

Result<bool> EventReplay::next() {
  if (commit_) return commit_->next();
  if (next_ == events_.size()) return false;
  DOSQL_RETURN_IF_ERROR(show(next_));
  ++next_;
  return true;
}

Lsn EventReplay::lsn() const { return commit_ ? commit_->lsn() : Lsn{raw(replay_.info().first_lsn) + next_}; }

}  // namespace dosql::engine
