// How far a slot is behind its branch.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <dosql/result.h>
#include <dosql/slots.h>

#include "cdc/slot_store.h"
#include "engine/database_core.h"

namespace dosql::engine {

// Looks at the slot's limits too: one that is over them is lost, durably, unless somebody is using it. Costs
// a look at each commit that was not acknowledged. Errors: kIo, kCorrupt.
Result<SlotInfo> describe_slot(DatabaseCore& core, const cdc::SlotStore::Slot& slot);

// The branch, if it still exists under the name it had. Errors: kBranchNotFound.
Result<version::BranchInfo> branch_of_slot(const version::VersionStore& store,
                                           const cdc::SlotStore::Slot& slot);

// The row changes that were not acknowledged, counted: reads them all. Errors: those of CommitEvents.
Result<std::uint64_t> events_behind(ConnectionState& connection, BranchId branch, Lsn acknowledged);

}  // namespace dosql::engine
