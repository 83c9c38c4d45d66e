// Opening a store: the checkpoint, then the log behind it.

#include <fmt/format.h>
#include <unistd.h>

#include "version/following.h"
#include "version/index_builder.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

std::string owner_text() { return fmt::format("process {} ({})", ::getpid(), program_invocation_short_name); }

}  // namespace

StoreImpl::StoreImpl(std::unique_ptr<io::Directory> directory_in, const StoreOptions& options_in,
                     Clock& clock_in, Random& random_in)
    : directory(std::move(directory_in)),
      options(options_in),
      clock(clock_in),
      random(random_in),
      pool(options_in.pool_bytes),
      history(options_in.history_cache_bytes) {}

StoreImpl::~StoreImpl() = default;

Status StoreImpl::open() {
  const TimestampUs started_us = clock.now_us();
  if (!pool.has_frames()) {
    return Error(ErrorCode::kOutOfMemory, "the process may not have as many addresses as the pool needs")
        .with_hint(
            "allow it more (ulimit -v): the pool takes 4 GiB of them beyond its size, unused ones cost "
            "nothing");
  }
  if (options.access == Access::kReadWrite) {
    auto taken = directory->lock(log::kLockFile, owner_text());
    if (!taken && taken.error().code() == ErrorCode::kLocked) {
      return Error(ErrorCode::kLocked, fmt::format("'{}' is open for writing in {}", directory->describe(),
                                                   taken.error().message()))
          .with_hint("open it read-only, or stop that process");
    }
    if (!taken) return std::move(taken).error();
    owner_lock = *std::move(taken);
  }
  DOSQL_RETURN_IF_ERROR(recover());
  open_us = static_cast<std::uint64_t>(std::max<TimestampUs>(clock.now_us() - started_us, 0));
  return {};
}

Status StoreImpl::recover() {
  if (options.access == Access::kReadOnly) return recover_read_only();
  const auto create = options.create_if_missing ? log::Log::Create::kIfMissing : log::Log::Create::kNo;
  DOSQL_ASSIGN_OR_RETURN(log, log::Log::open(*directory, log::Access::kReadWrite, create, clock, random));
  created = log->created();
  // Before anything that followers may be reading goes.
  DOSQL_RETURN_IF_ERROR(become_writer());
  DOSQL_ASSIGN_OR_RETURN(const auto start, load_checkpoint());
  IndexBuilder builder(*this, start ? start->last_lsn : Lsn{});
  DOSQL_RETURN_IF_ERROR(replay(start, builder, std::nullopt));
  start_writing();
  return {};
}

Status StoreImpl::replay(const std::optional<log::LogPoint>& start, IndexBuilder& builder,
                         std::optional<log::Position> limit) {
  DOSQL_ASSIGN_OR_RETURN(const log::ReplayOutcome outcome, log->replay(start, builder, limit));
  DOSQL_RETURN_IF_ERROR(builder.go_live());
  opened_clean = outcome.clean;
  replayed_records = outcome.records;
  return {};
}

}  // namespace dosql::version
