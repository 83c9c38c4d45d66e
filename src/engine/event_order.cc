#include "engine/event_order.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <set>

namespace dosql::engine {
namespace {

using diff::ChangeKind;
using version::ReadPoint;
using version::VersionStore;

// Puts tables behind their parents.
class TableOrder {
 public:
  explicit TableOrder(const TablePairs& pairs) : parents_(pairs.pairs.size()), children_(pairs.pairs.size()) {
    for (const TablePair& pair : pairs.pairs) {
      const TableShape& table = pair.after != nullptr ? *pair.after : *pair.before;
      ids_.emplace_back(table.schema_rowid, pair.after != nullptr ? 0 : 1);
    }
    add_references(pairs, &TablePair::before);
    add_references(pairs, &TablePair::after);
  }

  std::vector<std::size_t> run() {
    for (std::size_t i = 0; i < parents_.size(); ++i) left_.insert({ids_[i], i});
    for (const auto& entry : left_) {
      if (parents_[entry.second].empty()) ready_.insert(entry);
    }
    while (!left_.empty()) {
      if (!ready_.empty()) {
        place(ready_.begin()->second);
      } else {
        for (const std::size_t table : first_circle()) place(table);
      }
    }
    return std::move(order_);
  }

 private:
  using Id = std::pair<std::int64_t, int>;

  void add_references(const TablePairs& pairs, const TableShape* TablePair::*side) {
    std::map<std::string, std::size_t> names;
    for (std::size_t i = 0; i < pairs.pairs.size(); ++i) {
      if (const TableShape* const table = pairs.pairs[i].*side) names[diff::folded(table->name)] = i;
    }
    for (const auto& [name, i] : names) {
      for (const std::string& parent : (pairs.pairs[i].*side)->parents) {
        const auto found = names.find(diff::folded(parent));
        if (found == names.end() || found->second == i) continue;
        parents_[i].insert(found->second);
        children_[found->second].insert(i);
      }
    }
  }

  void place(std::size_t table) {
    order_.push_back(table);
    left_.erase({ids_[table], table});
    ready_.erase({ids_[table], table});
    for (const std::size_t child : children_[table]) {
      parents_[child].erase(table);
      const std::pair entry{ids_[child], child};
      if (parents_[child].empty() && left_.contains(entry)) ready_.insert(entry);
    }
  }

  // Which tables that are left stand before `table`, directly or not.
  std::set<std::size_t> ancestors(std::size_t table) const {
    std::set<std::size_t> found;
    std::vector<std::size_t> open{table};
    while (!open.empty()) {
      const std::size_t next = open.back();
      open.pop_back();
      for (const std::size_t parent : parents_[next]) {
        if (found.insert(parent).second) open.push_back(parent);
      }
    }
    return found;
  }

  // Tables that refer to each other, and to no others that are left. REQUIRES: each has a parent that is
  // left.
  std::vector<std::size_t> first_circle() const {
    std::size_t table = left_.begin()->second;
    while (true) {
      const std::set<std::size_t> above = ancestors(table);
      const auto outside =
          std::ranges::find_if(above, [&](std::size_t other) { return !ancestors(other).contains(table); });
      if (outside != above.end()) {
        table = *outside;
        continue;
      }
      std::vector<std::size_t> circle(above.begin(), above.end());
      std::ranges::sort(circle, {}, [&](std::size_t one) { return std::pair(ids_[one], one); });
      return circle;
    }
  }

  std::vector<Id> ids_;
  std::vector<std::set<std::size_t>> parents_;  // those that are left
  std::vector<std::set<std::size_t>> children_;
  std::set<std::pair<Id, std::size_t>> left_;
  std::set<std::pair<Id, std::size_t>> ready_;
  std::vector<std::size_t> order_;
};

}  // namespace

bool has_events(const TableShape& table) {
  return table.kind != TableKind::kVirtual && !table.shadow &&
         !diff::folded(table.name).starts_with("sqlite_");
}

std::vector<std::size_t> parents_first(const TablePairs& pairs) { return TableOrder(pairs).run(); }

Status check_interrupt(sqlite3* handle) {
  if (sqlite3_is_interrupted(handle) == 0) return {};
  return Error(ErrorCode::kInterrupted, "interrupted");
}

Result<ReadPoint> version_before(VersionStore& store, const ReadPoint& point) {
  if (raw(point.version) <= 1) return store.branch_info(kMainBranch).fork;
  return store.at_version(point.branch, Version{raw(point.version) - 1});
}

Result<std::unique_ptr<CommitEvents>> CommitEvents::open(VersionStore& store, VersionSchemas& schemas,
                                                         const ReadPoint& commit, sqlite3* handle) {
  std::unique_ptr<CommitEvents> events(new CommitEvents(store, handle));
  DOSQL_RETURN_IF_ERROR(events->find_versions(schemas, commit));
  DOSQL_RETURN_IF_ERROR(events->find_changed());
  return events;
}

Status CommitEvents::find_changed() {
  DOSQL_RETURN_IF_ERROR(count());
  if (check_lsns(info_, number())) return {};
  given_ = GivenRows::kWritten;
  tables_.clear();
  DOSQL_RETURN_IF_ERROR(count());
  return check_lsns(info_, number());
}

Status CommitEvents::find_versions(VersionSchemas& schemas, const ReadPoint& commit) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint previous, version_before(store_, commit));
  DOSQL_ASSIGN_OR_RETURN(info_, store_.commit_info(commit.branch, commit.version));
  before_.pin(previous);
  after_.pin(commit);
  DOSQL_ASSIGN_OR_RETURN(changes_, diff::PageChanges::between(store_, before_, after_));
  DOSQL_ASSIGN_OR_RETURN(pairs_, pair_tables(store_, schemas, previous, commit));
  return {};
}

Status check_lsns(const version::CommitInfo& commit, std::uint64_t events) {
  if (events <= raw(commit.last_lsn) - raw(commit.first_lsn)) return {};
  return Error(ErrorCode::kCorrupt,
               fmt::format("version {} has {} row changes, more than the LSNs {} to {} that it owns",
                           raw(commit.version), events, raw(commit.first_lsn) + 1, raw(commit.last_lsn)));
}

// Most tables did not change, which their root tells.
bool CommitEvents::may_differ(const TablePair& pair) const {
  if (pair.before == nullptr || pair.after == nullptr || pair.before->root != pair.after->root) return true;
  if (pairs_.before != pairs_.after && given_ == GivenRows::kChanged &&
      read_otherwise(*pair.before, *pair.after))
    return true;
  return !changes_.knows_paths() || !changes_.same_with_all_below(pair.after->root);
}

Result<std::unique_ptr<RowChanges>> CommitEvents::changes_of(const TablePair& table) {
  return RowChanges::open(before_, after_, changes_, pairs_, table, handle_, given_);
}

Status CommitEvents::count() {
  std::map<const TablePair*, TableEvents> changed;
  for (const TablePair& pair : pairs_.pairs) {
    const bool counts = (pair.before == nullptr || has_events(*pair.before)) &&
                        (pair.after == nullptr || has_events(*pair.after));
    if (!counts || !may_differ(pair)) continue;
    TableEvents events{.table = &pair};
    DOSQL_ASSIGN_OR_RETURN(const auto rows, changes_of(pair));
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, rows->next());
      if (!found) break;
      switch (rows->kind()) {
        case ChangeKind::kDelete: ++events.deletes; break;
        case ChangeKind::kUpdate: ++events.updates; break;
        case ChangeKind::kInsert: ++events.inserts; break;
      }
    }
    if (events.deletes + events.updates + events.inserts > 0) changed[&pair] = events;
  }
  if (changed.size() <= 1) {
    for (const auto& [pair, events] : changed) tables_.push_back(events);
    return {};
  }
  for (const std::size_t index : parents_first(pairs_)) {
    const auto found = changed.find(&pairs_.pairs[index]);
    if (found != changed.end()) tables_.push_back(found->second);
  }
  return {};
}

// Gives how many there are.
std::uint64_t CommitEvents::number() {
  std::uint64_t next = raw(info_.first_lsn) + 1;
  const auto take = [&](Lsn& first, std::uint64_t count) {
    first = Lsn{next};
    next += count;
  };
  for (auto table = tables_.rbegin(); table != tables_.rend(); ++table)
    take(table->first_delete, table->deletes);
  for (TableEvents& table : tables_) take(table.first_update, table.updates);
  for (TableEvents& table : tables_) take(table.first_insert, table.inserts);
  return next - 1 - raw(info_.first_lsn);
}

std::uint64_t CommitEvents::events_of(const TableEvents& table) const {
  switch (phase_) {
    case ChangeKind::kDelete: return table.deletes;
    case ChangeKind::kUpdate: return table.updates;
    case ChangeKind::kInsert: break;
  }
  return table.inserts;
}

// The next table that has changes of this kind, or of the next kind. False: there is none.
Result<bool> CommitEvents::open_next_table() {
  while (true) {
    if (tables_done_ == tables_.size()) {
      if (phase_ == ChangeKind::kInsert) return false;
      phase_ = phase_ == ChangeKind::kDelete ? ChangeKind::kUpdate : ChangeKind::kInsert;
      tables_done_ = 0;
      continue;
    }
    table_ = phase_ == ChangeKind::kDelete ? tables_.size() - 1 - tables_done_ : tables_done_;
    ++tables_done_;
    if (events_of(tables_[table_]) == 0) continue;
    DOSQL_ASSIGN_OR_RETURN(rows_, changes_of(*tables_[table_].table));
    return true;
  }
}

Result<bool> CommitEvents::next() {
  while (!done_) {
    while (rows_ != nullptr) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, rows_->next());
      if (!found) {
        rows_.reset();
      } else if (rows_->kind() == phase_) {
        lsn_ = raw(lsn_) == 0 ? Lsn{raw(info_.first_lsn) + 1} : Lsn{raw(lsn_) + 1};
        return true;
      }
    }
    DOSQL_ASSIGN_OR_RETURN(const bool more, open_next_table());
    done_ = !more;
  }
  return false;
}

}  // namespace dosql::engine
