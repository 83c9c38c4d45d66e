// The events of one branch behind an LSN, for the faces that show them (docs of include/dosql/changes.h).
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <dosql/changes.h>
#include <dosql/result.h>

#include "cdc/slot_store.h"
#include "engine/connection_state.h"
#include "engine/event_replay.h"

namespace dosql::engine {

// Makes the values and names of changes, and keeps the names for the next ones.
class ChangeWriter {
 public:
  // Fills in table, key and row images of the change that `row` shows.
  Status write(const TablePairs& pairs, const TablePair& table, ChangedRow& row, Change& change);

 private:
  using Names = std::shared_ptr<const std::vector<std::string>>;

  // What is shown of a table's rows.
  struct Shown {
    std::vector<std::size_t> columns;
    Names names;
  };

  // Of one version's schema; another one takes its place.
  struct Side {
    std::shared_ptr<const VersionSchema> schema;
    std::map<const TableShape*, Shown> tables;
  };

  static const Shown& shown(Side& side, const std::shared_ptr<const VersionSchema>& schema,
                            const TableShape& table);
  static Row image(const Shown& shown, std::span<const diff::Field> values, diff::TextEncoding encoding);

  Side before_;
  Side after_;
  std::vector<diff::Field> key_;  // of the row that is being written
};

// The first version of the branch of which something lies behind the LSN; it may be one that is still to
// come. Errors: kIo.
Result<Version> first_version_behind(const version::VersionStore& store, BranchId branch, Lsn lsn);

// One thread at a time, but for stop().
class ChangeFeed {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  // The present.
  using Now = TimePoint (*)();
  // None: there is none now.
  using Found = std::optional<Change>;

  // `now` says when what it found is old. Errors: kBranchNotFound, those of connecting.
  static Result<std::shared_ptr<ChangeFeed>> open(DatabaseCore& core, ChangesOptions options,
                                                  Now now = std::chrono::steady_clock::now);
  ~ChangeFeed();

  // Each kSyncPause at most a feed that waits has the log synced for commits that nobody made durable. Most
  // of what is committed in between comes together, and costs the writer a sync and a wake-up together.
  static constexpr std::chrono::milliseconds kSyncPause{5};

  // So long after it has found a commit a feed stays awake for the next one: where one is committed after the
  // other, each with its sync, waking it would cost the writer a quarter of its time. Other threads run on
  // the processor meanwhile.
  static constexpr std::chrono::microseconds kAwakeMax{250};

  // So long after it has found the last commit a feed that waits gives back the memory that it took to catch
  // up.
  static constexpr std::chrono::seconds kRestAfter{1};

  // None: there was none before `deadline`, or it was stopped.
  Result<Found> next(TimePoint deadline);
  // Of those that are there.
  Result<Found> next_now() { return next(TimePoint::min()); }

  // All up to here was given or left out.
  Lsn given() const { return snapshot_ ? Lsn{} : after_; }

  // The feed is of this slot, keeps it, and tells it what lies behind the newest change for nobody.
  void use(std::shared_ptr<cdc::SlotUse> slot) { slot_ = std::move(slot); }

  void stop();
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

 private:
  // What of a commit comes next.
  enum class Part : std::uint8_t { kBegin, kSchema, kRows, kCommit };

  ChangeFeed(std::shared_ptr<ConnectionState> connection, ChangesOptions options, Now now);
  Status begin_snapshot();
  // These write the next one to `change`, and say whether there is one.
  Result<bool> next_of_known(Change& change);
  Result<bool> next_of_snapshot(Change& change);
  Result<bool> next_of_commit(Change& change);
  bool next_schema_change(Change& change);
  Result<bool> next_row(Change& change);
  Result<bool> await_commits(TimePoint deadline);
  Status await_durable(TimePoint deadline);
  Status open_next_commit();
  void was_given(const Change& change);
  void end_commit();
  bool wants(const TablePair& table) const;
  bool wants(const TablePair& table, diff::ChangeKind kind) const;
  void begin_event(ChangeType type, Lsn lsn, Change& change) const;

  version::VersionStore& store() const { return connection_->core().store(); }
  BranchId branch() const { return connection_->file().branch(); }

  std::shared_ptr<cdc::SlotUse> slot_;  // null: of none
  std::shared_ptr<ConnectionState> connection_;
  const ChangesOptions options_;
  const Now now_;
  std::set<std::string> tables_;  // of the filter, folded
  std::atomic<bool> stopped_{false};

  // All up to here was given.
  Lsn after_{};
  Lsn newest_given_{};  // of what next() gave; before that, where it began
  Version next_{};      // the commit that comes next; of the one that is open, that
  Version known_{};     // commits up to here may be given
  TimePoint next_sync_ = TimePoint::min();
  TimePoint newest_found_{};  // when there was a commit to be given
  EventReplay events_;
  bool in_commit_ = false;  // events_ is at next_
  Part part_ = Part::kBegin;
  std::size_t schema_pair_ = 0;
  ChangeWriter writer_;

  // The rows that were there when it began; null: they have come, or were not asked for.
  class Snapshot;
  std::unique_ptr<Snapshot> snapshot_;
};

}  // namespace dosql::engine
