#include "cdc/slot_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

namespace dosql::cdc {
namespace {

// Held by who needs a slot's lock only for a moment, so that no thread of this process is told that another
// one has the slot.
std::mutex& moments() {
  static std::mutex mutex;
  return mutex;
}

// How long a use that is just ending in this process is waited for: a tenth of a second.
constexpr std::chrono::milliseconds kNap{5};
constexpr int kNapsMax = 20;

Error in_use_here(std::string_view name) {
  return Error(ErrorCode::kBusy, fmt::format("slot '{}' is in use in this process", name));
}

bool same_place(const SlotRecord& a, const SlotRecord& b) {
  return a.acknowledged_lsn == b.acknowledged_lsn && a.passed_lsns == b.passed_lsns;
}

// It can only be dropped. Of no branch: none was made at the end of time.
SlotStore::Slot damaged_slot(const std::string& name) {
  SlotStore::Slot slot{.name = name};
  slot.record.branch_us = ~std::uint64_t{0};
  slot.record.lost = 1;
  return slot;
}

}  // namespace

// --- SlotUse ---

SlotUse::SlotUse(std::string name, SlotFile file, std::unique_ptr<io::DirectoryLock> lock, Clock& clock)
    : name_(std::move(name)),
      lock_(std::move(lock)),
      clock_(clock),
      file_(std::move(file)),
      record_(file_.record()) {}

SlotUse::~SlotUse() { flush().ignore("it comes again"); }

SlotRecord SlotUse::record() const {
  std::lock_guard lock(mutex_);
  return record_;
}

Status SlotUse::advance(Lsn lsn) {
  std::lock_guard lock(mutex_);
  if (record_.lost != 0) {
    return Error(ErrorCode::kHistoryExpired,
                 fmt::format("slot '{}' is lost: it was further behind than its limit", name_))
        .with_hint("drop it, make it anew and begin with a snapshot");
  }
  const TimestampUs now_us = clock_.now_us();
  if (raw(lsn) > record_.acknowledged_lsn) {
    record_.acknowledged_lsn = raw(lsn);
    record_.passed_lsns = 0;
    record_.acknowledged_us = static_cast<std::uint64_t>(now_us);
    take_passed();
  }
  if (same_place(record_, file_.record())) return {};
  // A clock that steps back does not keep it from being written.
  const TimestampUs passed_us = now_us - written_us_;
  return passed_us >= 0 && passed_us < kWriteIntervalUs ? Status() : write();
}

void SlotUse::pass(Lsn newest_given, Lsn reached) {
  std::lock_guard lock(mutex_);
  newest_given_ = newest_given;
  passed_ = reached;
  take_passed();
}

// REQUIRES: mutex_ is held.
void SlotUse::take_passed() {
  const std::uint64_t acknowledged = record_.acknowledged_lsn;
  if (record_.lost != 0 || acknowledged < raw(newest_given_) || acknowledged >= raw(passed_)) return;
  // What does not fit counts as lag until something is acknowledged.
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const auto passed = static_cast<std::uint32_t>(std::min(raw(passed_) - acknowledged, kMost));
  record_.passed_lsns = std::max(record_.passed_lsns, passed);
}

Status SlotUse::flush() {
  std::lock_guard lock(mutex_);
  return same_place(record_, file_.record()) ? Status() : write();
}

Status SlotUse::lose() {
  std::lock_guard lock(mutex_);
  record_.lost = 1;
  return write();
}

// REQUIRES: mutex_ is held.
Status SlotUse::write() {
  written_us_ = clock_.now_us();
  return file_.write(record_);
}

// --- SlotStore ---

SlotStore::SlotStore(io::Directory& directory, std::uint64_t database_id, Clock& clock, std::string owner)
    : directory_(directory), database_id_(database_id), clock_(clock), owner_(std::move(owner)) {}

Status SlotStore::create(const std::string& name, BranchId branch, std::uint64_t branch_us, Lsn acknowledged,
                         std::uint64_t lag_us_max, std::uint64_t lag_bytes_max) {
  DOSQL_RETURN_IF_ERROR(check_slot_name(name));
  std::lock_guard moment(moments());
  DOSQL_ASSIGN_OR_RETURN(const auto held, lock(name));
  SlotRecord record{};
  record.branch = raw(branch);
  record.branch_us = branch_us;
  record.database_id = database_id_;
  record.acknowledged_lsn = raw(acknowledged);
  record.created_us = record.acknowledged_us = static_cast<std::uint64_t>(clock_.now_us());
  record.lag_us_max = lag_us_max;
  record.lag_bytes_max = lag_bytes_max;
  return SlotFile::create(directory_, name, record);
}

Result<std::vector<SlotStore::Slot>> SlotStore::list() const {
  DOSQL_ASSIGN_OR_RETURN(const auto names, SlotFile::list(directory_));
  std::vector<Slot> slots;
  for (const std::string& name : names) {
    auto slot = get(name);
    // Dropped meanwhile.
    if (!slot && slot.error().code() == ErrorCode::kNotFound) continue;
    // One that is damaged does not hide the others.
    if (!slot && slot.error().code() == ErrorCode::kCorrupt) slot = damaged_slot(name);
    if (!slot) return std::move(slot).error();
    slots.push_back(*std::move(slot));
  }
  return slots;
}

Result<SlotStore::Slot> SlotStore::get(const std::string& name) const {
  DOSQL_RETURN_IF_ERROR(check_slot_name(name));
  if (const auto use = found_use(name)) return Slot{name, use->record(), true};
  DOSQL_ASSIGN_OR_RETURN(const SlotFile file,
                         SlotFile::open(directory_, name, io::OpenMode::kReadOnly, database_id_));
  return Slot{name, file.record(), false};
}

Result<std::unique_ptr<io::DirectoryLock>> SlotStore::lock(const std::string& name) const {
  auto held = directory_.lock("slot-" + name + "+lock", owner_);
  const auto is_ours = [&] {
    return !held && held.error().code() == ErrorCode::kLocked && held.error().message() == owner_;
  };
  for (int naps = 0; is_ours() && !found_use(name) && naps < kNapsMax; ++naps) {
    std::this_thread::sleep_for(kNap);
    held = directory_.lock("slot-" + name + "+lock", owner_);
  }
  if (held || held.error().code() != ErrorCode::kLocked) return held;
  return Error(ErrorCode::kLocked, fmt::format("slot '{}' is in use by {}", name, held.error().message()));
}

std::shared_ptr<SlotUse> SlotStore::found_use(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = uses_.find(name);
  return found == uses_.end() ? nullptr : found->second.lock();
}

Result<std::shared_ptr<SlotUse>> SlotStore::open_use(const std::string& name) {
  // First, so that no lock is made for what is not there.
  DOSQL_RETURN_IF_ERROR(get(name).and_then(ignore_result));
  DOSQL_ASSIGN_OR_RETURN(auto held, lock(name));
  DOSQL_ASSIGN_OR_RETURN(SlotFile file,
                         SlotFile::open(directory_, name, io::OpenMode::kReadWrite, database_id_));
  return std::shared_ptr<SlotUse>(new SlotUse(name, std::move(file), std::move(held), clock_));
}

Result<std::shared_ptr<SlotUse>> SlotStore::use(const std::string& name) {
  std::lock_guard moment(moments());
  if (found_use(name)) return in_use_here(name);
  DOSQL_ASSIGN_OR_RETURN(auto use, open_use(name));
  std::lock_guard lock(mutex_);
  uses_[name] = use;
  return use;
}

Status SlotStore::advance(const std::string& name, Lsn lsn) {
  if (const auto use = found_use(name)) return use->advance(lsn);
  std::lock_guard moment(moments());
  if (const auto use = found_use(name)) return use->advance(lsn);
  DOSQL_ASSIGN_OR_RETURN(const auto use, open_use(name));
  DOSQL_RETURN_IF_ERROR(use->advance(lsn));
  return use->flush();
}

Status SlotStore::drop(const std::string& name) {
  DOSQL_RETURN_IF_ERROR(check_slot_name(name));
  std::lock_guard moment(moments());
  if (found_use(name)) return in_use_here(name);
  // Also one that cannot be read.
  DOSQL_ASSIGN_OR_RETURN(const auto names, SlotFile::list(directory_));
  if (std::ranges::find(names, name) == names.end())
    return Error(ErrorCode::kNotFound, fmt::format("there is no slot '{}'", name));
  DOSQL_ASSIGN_OR_RETURN(const auto held, lock(name));
  DOSQL_RETURN_IF_ERROR(SlotFile::remove(directory_, name));
  return directory_.remove("slot-" + name + "+lock");
}

}  // namespace dosql::cdc
