#include "engine/slot_lag.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/change_feed.h"
#include "engine/connection_state.h"
#include "engine/event_replay.h"

namespace dosql::engine {
namespace {

using cdc::SlotRecord;
using cdc::SlotStore;
using version::ReadPoint;
using version::VersionStore;

Timestamp time_of(std::uint64_t timestamp_us) { return Timestamp{std::chrono::microseconds{timestamp_us}}; }

// Whether a slot that stands in the middle of the commit has all of its events behind it: a commit has more
// LSNs than events. What cannot be told is not so.
bool has_all_events(DatabaseCore& core, BranchId branch, Version version, Lsn acknowledged) {
  const auto commit = core.store().commit_info(branch, version);
  if (!commit || acknowledged <= commit->first_lsn) return false;
  const auto connection = ConnectionState::open(core);
  if (!connection) return false;
  EventReplay replay(core.store(), (*connection)->schemas(), (*connection)->db());
  return replay.go_to(branch, version) && raw(acknowledged) - raw(commit->first_lsn) >= replay.events();
}

// Of what lies behind `lsn`.
Status measure(DatabaseCore& core, BranchId branch, Lsn lsn, SlotInfo& info) {
  const VersionStore& store = core.store();
  Clock& clock = core.clock();
  const ReadPoint head = store.head(branch);
  DOSQL_ASSIGN_OR_RETURN(Version first, first_version_behind(store, branch, lsn));
  if (first <= head.version && has_all_events(core, branch, first, lsn)) first = Version{raw(first) + 1};
  for (std::uint64_t version = raw(first); version <= raw(head.version); ++version) {
    DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo commit, store.commit_info(branch, Version{version}));
    if (info.lag_commits++ == 0)
      info.lag = std::max(std::chrono::microseconds(clock.now_us() - commit.timestamp_us), {});
    info.lag_bytes += commit.log_bytes;
  }
  return {};
}

bool over_limit(const SlotInfo& info) {
  return (info.lag_max.count() > 0 && info.lag > info.lag_max) ||
         (info.lag_bytes_max > 0 && info.lag_bytes > info.lag_bytes_max);
}

}  // namespace

Result<version::BranchInfo> branch_of_slot(const VersionStore& store, const SlotStore::Slot& slot) {
  // Not by its id: a fast-forward gives it another one, and a power loss can take that, or the branch itself,
  // back and have the id given to another. No two branches were made at the same time.
  for (version::BranchInfo& branch : store.branches()) {
    if (static_cast<std::uint64_t>(branch.created_us) == slot.record.branch_us) return std::move(branch);
  }
  return Error(ErrorCode::kBranchNotFound, fmt::format("the branch of slot '{}' was dropped", slot.name));
}

Result<SlotInfo> describe_slot(DatabaseCore& core, const SlotStore::Slot& slot) {
  const SlotRecord& record = slot.record;
  SlotInfo info{.name = slot.name,
                .acknowledged_lsn = record.acknowledged_lsn,
                .created = time_of(record.created_us),
                .acknowledged = time_of(record.acknowledged_us),
                .lag_max = std::chrono::seconds(record.lag_us_max / 1'000'000),
                .lag_bytes_max = record.lag_bytes_max,
                .in_use = slot.in_use,
                .lost = record.lost != 0};
  const auto branch = branch_of_slot(core.store(), slot);
  // What is left of a dropped branch nobody can ask for.
  if (!branch) {
    info.lost = true;
    return info;
  }
  info.branch = branch->name;
  const Lsn dealt_with{record.acknowledged_lsn + record.passed_lsns};
  DOSQL_RETURN_IF_ERROR(measure(core, branch->id, dealt_with, info));
  if (info.lost || info.in_use || !over_limit(info)) return info;
  if (const auto use = core.feed_slots().use(slot.name)) {
    DOSQL_RETURN_IF_ERROR((*use)->lose());
    info.lost = true;
  }
  return info;
}

Result<std::uint64_t> events_behind(ConnectionState& connection, BranchId branch, Lsn acknowledged) {
  VersionStore& store = connection.core().store();
  DOSQL_ASSIGN_OR_RETURN(const Version first, first_version_behind(store, branch, acknowledged));
  EventReplay replay(store, connection.schemas(), connection.db());
  std::uint64_t events = 0;
  const std::uint64_t last = raw(store.head(branch).version);
  for (std::uint64_t version = raw(first); version <= last; ++version) {
    DOSQL_RETURN_IF_ERROR(replay.go_to(branch, Version{version}));
    const std::uint64_t of_commit = replay.events();
    // They are numbered without gaps.
    const std::uint64_t before = raw(replay.info().first_lsn);
    const std::uint64_t dealt_with = raw(acknowledged) > before ? raw(acknowledged) - before : 0;
    events += of_commit - std::min(of_commit, dealt_with);
  }
  return events;
}

}  // namespace dosql::engine
