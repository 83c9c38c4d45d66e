// The row changes of the commits of a line of versions, one commit after the other: what CommitEvents gives
// of each, for who goes through many.
//
// A commit that changed a few leaves and nothing of the schema, as most do, is read out of the images that
// the commit before it left (version/page_replay.h, diff/commit_leaves.h). Any other one is given by
// CommitEvents.
//
// Memory: what PageReplay keeps, and a few bytes for each row that the commit changed, never the rows.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include <dosql/result.h>

#include "diff/commit_leaves.h"
#include "diff/leaf_diff.h"
#include "engine/event_order.h"
#include "engine/row_changes.h"
#include "engine/table_pairing.h"
#include "version/page_replay.h"
#include "version/version_store.h"

namespace dosql::engine {

// One thread at a time.
class EventReplay {
 public:
  // `handle` is for collations; all must outlive it.
  EventReplay(version::VersionStore& store, VersionSchemas& schemas, sqlite3* handle);

  // In front of the first event of the commit that made `version`, on the line of `branch`. What was given
  // out before ends. REQUIRES: it is visible, and not version 0. Errors: those of CommitEvents.
  Status go_to(BranchId branch, Version version);

  // Gives memory back that is only good for going on with many commits. What was given out before ends; the
  // next call is go_to().
  void rest() { replay_.rest(); }

  // REQUIRES of these: go_to() succeeded.
  const version::CommitInfo& info() const { return commit_ ? commit_->info() : replay_.info(); }
  const TablePairs& pairs() const { return commit_ ? commit_->pairs() : pairs_; }
  // How many events the commit has.
  std::uint64_t events() const;
  // Whether CommitEvents was not asked.
  bool is_replayed() const { return !commit_; }

  // The next event in the canonical order; false: there are no more. Errors: those of CommitEvents.
  Result<bool> next();
  // REQUIRES of these: next() was true.
  Lsn lsn() const;
  const TablePair& table() const { return commit_ ? commit_->table() : *events_[next_ - 1].table->pair; }
  ChangedRow& row() { return commit_ ? commit_->row() : events_[next_ - 1].table->row; }

 private:
  struct Table {
    const TablePair* pair = nullptr;
    std::size_t index = 0;  // in pairs_
    bool has_events = false;
    bool is_set = false;  // row has its columns
    ChangedRow row{};
  };
  struct Event {
    Table* table = nullptr;
    diff::LeafChange change;
  };

  Result<bool> take_leaves();
  Result<bool> take_table(std::span<const diff::CommitLeaf> leaves);
  Status know_schema();
  Table* find_table(PageNo root);
  Status show(std::size_t event);
  void sort_events();
  Status open_plainly(BranchId branch, Version version);

  version::VersionStore& store_;
  VersionSchemas& schemas_;
  sqlite3* const handle_;
  version::PageReplay replay_;
  diff::ReplayedPages before_{replay_, diff::ReplayedPages::Version::kBefore};
  diff::ReplayedPages after_{replay_, diff::ReplayedPages::Version::kAfter};
  diff::CommitLeaves leaves_;
  diff::LeafDiff diff_;
  std::vector<diff::LeafChange> changes_;

  // The version whose schema these are of, on both sides.
  version::ReadPoint schema_of_;
  TablePairs pairs_;
  std::map<PageNo, Table> tables_;  // by root
  std::vector<std::size_t> ranks_;  // of pairs_, parents first; empty: not known yet

  std::vector<Event> events_;
  std::size_t next_ = 0;
  std::size_t shown_ = 0;  // one more than the event whose row is shown; 0: none
  std::vector<std::byte> record_before_;
  std::vector<std::byte> record_after_;

  std::unique_ptr<CommitEvents> commit_;  // null: what is above
};

}  // namespace dosql::engine
