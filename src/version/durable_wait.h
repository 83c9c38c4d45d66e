// Waiting for a sync that somebody else makes, for who would rather not make one.
#pragma once

#include <atomic>
#include <chrono>

#include <dosql/result.h>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::version {

// Of a store that is open for writing: until everything up to `lsn` is on disk because somebody had it
// synced. False: it is not, by `deadline`, or `cancelled` was set by somebody who then called
// VersionStore::wake_waiters(), or a sync failed. Makes nothing durable itself. Errors: kInterrupted
// (stop_waiting() or close()). Threads: any.
Result<bool> wait_for_durable(VersionStore& store, Lsn lsn, std::chrono::steady_clock::time_point deadline,
                              const std::atomic<bool>* cancelled = nullptr);

}  // namespace dosql::version
