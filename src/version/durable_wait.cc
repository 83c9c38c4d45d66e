#include "version/durable_wait.h"

#include "version/store_impl.h"

namespace dosql::version {

Result<bool> wait_for_durable(VersionStore& store, Lsn lsn, std::chrono::steady_clock::time_point deadline,
                              const std::atomic<bool>* cancelled) {
  const StoreImpl& impl = store.impl();
  const bool is_durable = impl.log->watch_durable(
      lsn, deadline, [&] { return impl.waiting_stopped || (cancelled && *cancelled); });
  if (impl.waiting_stopped) return Error(ErrorCode::kInterrupted, "the database is being closed");
  return is_durable;
}

}  // namespace dosql::version
