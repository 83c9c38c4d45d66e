#include "version/status_page.h"

#include <cstring>
#include <thread>

#include "base/bytes.h"
#include "base/check.h"
#include "io/process_memory.h"

namespace dosql::version {
namespace {

constexpr std::uint32_t kWriterLock = 0;
constexpr std::uint32_t kFirstFollowerLock = 1;

constexpr std::uint32_t kWaiting = 1;
constexpr std::uint32_t kOneChange = 2;

// A predecessor that was killed lets go of the database's lock and of this one in no particular order.
constexpr int kWriterLockTries = 200;
constexpr std::chrono::milliseconds kWriterLockNap{1};

std::uint64_t magic_number() { return load<std::uint64_t>(reinterpret_cast<const std::byte*>(kStatusMagic)); }

}  // namespace

Result<std::unique_ptr<StatusPage>> StatusPage::open(io::Directory& directory,
                                                     io::Directory::CreateShared create) {
  DOSQL_ASSIGN_OR_RETURN(auto memory, directory.open_shared(log::kStatusFile, kStatusBytes, create));
  return std::unique_ptr<StatusPage>(new StatusPage(std::move(memory)));
}

std::unique_ptr<StatusPage> StatusPage::make_private() {
  return std::unique_ptr<StatusPage>(
      new StatusPage(io::hold_process_memory(io::make_process_memory(kStatusBytes))));
}

bool StatusPage::has_magic() const { return content().magic == magic_number(); }

bool StatusPage::describes(std::uint64_t database_id) const {
  const StatusContent& page = content();
  return has_magic() && page.format_version == kStatusFormatVersion && page.database_id == database_id;
}

// --- The writer ------------------------------------------------------------------------------------

Status StatusPage::become_writer(std::uint64_t database_id) {
  for (int tries = 0;; ++tries) {
    DOSQL_ASSIGN_OR_RETURN(const bool taken, memory_->try_lock(kWriterLock));
    if (taken) break;
    if (tries == kWriterLockTries)
      return Error(ErrorCode::kLocked, "another process holds the writer's lock of the file 'status'");
    std::this_thread::sleep_for(kWriterLockNap);
  }
  StatusContent& page = content();
  page.visible_end.store(0, std::memory_order_release);
  page.epoch = 0;
  page.closed = 0;
  page.database_id = database_id;
  page.format_version = kStatusFormatVersion;
  page.magic = magic_number();
  return {};
}

void StatusPage::start_writing(std::uint64_t epoch, std::uint64_t pid, const VisibleLog& visible) {
  content().writer_pid = pid;
  publish(visible);
  content().epoch.store(epoch, std::memory_order_release);
}

void StatusPage::publish(const VisibleLog& visible) {
  StatusContent& page = content();
  page.visible_lsn.store(raw(visible.lsn), std::memory_order_relaxed);
  page.durable_lsn.store(raw(visible.durable_lsn), std::memory_order_relaxed);
  page.visible_end.store(raw(visible.end), std::memory_order_release);
  note_change();
}

void StatusPage::stop_writing(const VisibleLog& visible) {
  publish(visible);
  content().closed = 1;
  content().epoch.store(0, std::memory_order_release);
  memory_->unlock(kWriterLock);
}

// Who waits sets the lowest bit in the very number that it saw and waits on the result: so either it sees the
// change, or the change sees that it waits. A waiter that was killed costs one wake that nobody hears.
void StatusPage::note_change() {
  std::atomic<std::uint32_t>& change = content().change;
  std::uint32_t old = change.load(std::memory_order_relaxed);
  while (!change.compare_exchange_weak(old, (old & ~kWaiting) + kOneChange, std::memory_order_acq_rel)) {
  }
  if ((old & kWaiting) != 0) memory_->wake(offsetof(StatusContent, change));
}

// --- Followers -------------------------------------------------------------------------------------

bool StatusPage::has_writer() const {
  if (content().epoch.load(std::memory_order_acquire) == 0) return false;
  return memory_->locked_by_other(kWriterLock).value_or(false);
}

Result<bool> StatusPage::become_follower(std::uint64_t pid) {
  CHECK(!slot_);
  for (std::uint32_t i = 0; i < kFollowersMax; ++i) {
    DOSQL_ASSIGN_OR_RETURN(const bool taken, memory_->try_lock(kFirstFollowerLock + i));
    if (!taken) continue;
    content().followers[i].lsn_plus_one.store(1);
    content().followers[i].pid.store(pid, std::memory_order_relaxed);
    slot_ = i;
    return true;
  }
  return false;
}

void StatusPage::set_pin(Lsn lsn) { content().followers[*slot_].lsn_plus_one.store(raw(lsn) + 1); }

void StatusPage::lower_pin(Lsn lsn) {
  std::atomic<std::uint64_t>& pin = content().followers[*slot_].lsn_plus_one;
  std::uint64_t noted = pin.load();
  while (raw(lsn) + 1 < noted && !pin.compare_exchange_weak(noted, raw(lsn) + 1)) {
  }
}

Result<StatusPage::Followers> StatusPage::followers() const {
  Followers found;
  const auto add = [&](std::uint32_t slot) {
    const std::uint64_t pin = content().followers[slot].lsn_plus_one.load();
    ++found.count;
    // 0: it has the lock and has not said yet what it needs.
    const Lsn lsn{pin > 0 ? pin - 1 : 0};
    if (!found.oldest_pin || lsn < *found.oldest_pin) found.oldest_pin = lsn;
  };
  if (slot_) add(*slot_);
  DOSQL_ASSIGN_OR_RETURN(const bool any, memory_->locked_by_other(kFirstFollowerLock, kFollowersMax));
  for (std::uint32_t i = 0; any && i < kFollowersMax; ++i) {
    DOSQL_ASSIGN_OR_RETURN(const bool lives, memory_->locked_by_other(kFirstFollowerLock + i));
    if (lives) add(i);
  }
  return found;
}

bool StatusPage::wait(std::uint32_t ticket, TimePoint deadline) {
  std::atomic<std::uint32_t>& change = content().change;
  if (!change.compare_exchange_strong(ticket, ticket | kWaiting, std::memory_order_acq_rel)) return true;
  return memory_->wait(offsetof(StatusContent, change), ticket | kWaiting, deadline);
}

}  // namespace dosql::version
