// The public face of slots.

#include <dosql/database.h>
#include <dosql/slots.h>
#include <fmt/format.h>

#include "engine/change_feed.h"
#include "engine/slot_lag.h"
#include "engine/time_points.h"
#include "version/newest_lsn.h"

namespace dosql {

using engine::ChangeFeed;

Slots Database::slots() { return Slots(core_); }

Status Slots::create(const std::string& name, const SlotOptions& options) {
  version::VersionStore& store = core_->store();
  DOSQL_RETURN_IF_ERROR(store.catch_up());
  const auto branch = store.find_branch(options.branch);
  if (!branch) return engine::branch_not_found(store, options.branch);
  if (options.lag_max.count() < 0 || options.lag_max > std::chrono::hours(24 * 365'000))
    return Error(ErrorCode::kInvalidArgument, "lag_max is out of range");
  // A power loss must not take the branch and leave the slot.
  if (!core_->read_only())
    DOSQL_RETURN_IF_ERROR(store.await_visible({branch->head, version::newest_lsn(store)}));
  const Lsn after = options.after_lsn ? Lsn{*options.after_lsn} : branch->head.lsn;
  return core_->feed_slots().create(name, branch->id, static_cast<std::uint64_t>(branch->created_us), after,
                                    static_cast<std::uint64_t>(options.lag_max.count()) * 1'000'000,
                                    options.lag_bytes_max);
}

Result<std::vector<SlotInfo>> Slots::list() {
  DOSQL_RETURN_IF_ERROR(core_->store().catch_up());
  DOSQL_ASSIGN_OR_RETURN(const auto slots, core_->feed_slots().list());
  std::vector<SlotInfo> infos;
  for (const auto& slot : slots) {
    DOSQL_ASSIGN_OR_RETURN(SlotInfo info, engine::describe_slot(*core_, slot));
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<SlotInfo> Slots::get(const std::string& name) {
  DOSQL_RETURN_IF_ERROR(core_->store().catch_up());
  DOSQL_ASSIGN_OR_RETURN(const auto slot, core_->feed_slots().get(name));
  return engine::describe_slot(*core_, slot);
}

Result<Changes> Slots::subscribe(const std::string& name, ChangeFilter filter) {
  DOSQL_ASSIGN_OR_RETURN(const SlotInfo info, get(name));
  DOSQL_ASSIGN_OR_RETURN(auto use, core_->feed_slots().use(name));
  const cdc::SlotStore::Slot slot{name, use->record(), true};
  DOSQL_ASSIGN_OR_RETURN(const version::BranchInfo branch, engine::branch_of_slot(core_->store(), slot));
  if (slot.record.lost != 0) {
    return Error(ErrorCode::kHistoryExpired,
                 fmt::format("slot '{}' is lost: it was further behind than its limit", name))
        .with_hint("drop it, make it anew and begin with a snapshot");
  }
  DOSQL_ASSIGN_OR_RETURN(auto feed, ChangeFeed::open(*core_, {.branch = branch.name,
                                                              .after_lsn = slot.record.acknowledged_lsn,
                                                              .filter = std::move(filter)}));
  feed->use(std::move(use));
  return Changes(std::move(feed));
}

Status Slots::acknowledge(const std::string& name, std::uint64_t lsn) {
  // What a feed gave may be above what is visible of all branches.
  if (const Lsn newest = version::newest_lsn(core_->store()); Lsn{lsn} > newest) {
    // A slot may begin in the future.
    DOSQL_ASSIGN_OR_RETURN(const auto slot, core_->feed_slots().get(name));
    if (lsn > slot.record.acknowledged_lsn)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("LSN {} cannot be acknowledged: the newest is {}", lsn, raw(newest)));
  }
  return core_->feed_slots().advance(name, Lsn{lsn});
}

Status Slots::drop(const std::string& name) { return core_->feed_slots().drop(name); }

}  // namespace dosql
