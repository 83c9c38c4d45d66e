// Branches and named snapshots: created, dropped, and replayed from the log.
#pragma once

#include "version/store_impl.h"

namespace dosql::version {

// Does again what a kName record says. Errors: kCorrupt when it contradicts what is there.
Status replay_name(StoreImpl& store, const log::RecordView& record, log::Position position);

// The branch on whose line `point` was committed: a version at or below a branch's fork is its parent's.
ReadPoint committed_on(const StoreImpl& store, ReadPoint point);

BranchInfo info_of(const Branch& branch);

}  // namespace dosql::version
