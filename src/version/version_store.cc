#include "version/version_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "version/merge_marks.h"
#include "version/moved_numbers.h"
#include "version/names.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

// A read-only open may look at a record that the owner is just writing, or see the owner change.
constexpr int kReadOnlyOpenTries = 5;

bool may_be_passing(const Error& error) {
  return error.code() == ErrorCode::kCorrupt || error.code() == ErrorCode::kNotFound;
}

Error version_not_found(const VersionStore& store, BranchId branch, std::string_view wanted) {
  const BranchInfo info = store.branch_info(branch);
  const auto first = store.at_version(branch, Version{1});
  if (!first) {
    return Error(ErrorCode::kVersionNotFound,
                 fmt::format("{} does not exist: this database has no versions yet", wanted));
  }
  return Error(
      ErrorCode::kVersionNotFound,
      fmt::format("{} does not exist: this database has {}@1 (LSN {}) to {}@{} (LSN {})", wanted, info.name,
                  raw(first->lsn), info.name, raw(info.head.version), raw(info.head.lsn)));
}

// The branch on which that version of `branch` was committed.
const Branch& committer_of(const StoreImpl& store, BranchId branch, Version version) {
  return store.branch(committed_on(store, {branch, version, Lsn{}, 0}).branch);
}

Result<log::RecordHeads> read_commit(const StoreImpl& store, const CommitEntry& entry) {
  DOSQL_ASSIGN_OR_RETURN(log::RecordHeads record, store.log->read_record_heads(entry.position));
  if (static_cast<log::RecordType>(record.header.type) != log::RecordType::kCommit ||
      record.header.last_lsn != raw(entry.lsn)) {
    return store.log->corrupt(entry.position, "expected another commit");
  }
  return record;
}

}  // namespace

CommitInfo info_of(const log::RecordHeader& header, Version version) {
  return {.branch = BranchId{header.branch},
          .version = version,
          .first_lsn = Lsn{header.last_lsn - log::kLsnsPerPage * header.lsn_units - log::kLsnsPerCommit},
          .last_lsn = Lsn{header.last_lsn},
          .timestamp_us = header.timestamp_us,
          .page_count = header.page_count,
          .changed_pages = header.entry_count,
          .log_bytes = sizeof header + std::uint64_t{header.body_bytes}};
}

VersionStore::VersionStore(std::unique_ptr<StoreImpl> impl) : impl_(std::move(impl)) {}

VersionStore::~VersionStore() = default;

Result<std::unique_ptr<VersionStore>> VersionStore::open(std::unique_ptr<io::Directory> directory,
                                                         const StoreOptions& options, Clock& clock,
                                                         Random& random) {
  const int tries = options.access == Access::kReadOnly ? kReadOnlyOpenTries : 1;
  for (int attempt = 1;; ++attempt) {
    auto impl = std::make_unique<StoreImpl>(std::move(directory), options, clock, random);
    Status opened = impl->open();
    const bool again = attempt < tries && (opened ? impl->overtaken : may_be_passing(opened.error()));
    if (!again) {
      if (!opened) return std::move(opened).error();
      return std::unique_ptr<VersionStore>(new VersionStore(std::move(impl)));
    }
    directory = impl->release_directory();
  }
}

Status VersionStore::close() { return impl_->close(); }

Status VersionStore::catch_up() { return impl_->catch_up(); }

Result<Lsn> VersionStore::wait_for_visible(Lsn after, std::chrono::steady_clock::time_point deadline,
                                           const std::atomic<bool>* cancelled) {
  StoreImpl& store = *impl_;
  if (!store.status_page) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' was opened for reading and has no status page: nothing new will be seen here",
                    store.directory->describe()));
  }
  for (bool in_time = true;;) {
    // In this order: what comes behind the ticket ends the wait.
    const std::uint32_t ticket = store.status_page->change();
    if (store.waiting_stopped) return Error(ErrorCode::kInterrupted, "the database is being closed");
    DOSQL_RETURN_IF_ERROR(store.catch_up());
    const Lsn newest = store.visible_lsn();
    if (newest > after || !in_time || (cancelled && *cancelled)) return newest;
    in_time = store.status_page->wait(ticket, deadline);
  }
}

void VersionStore::stop_waiting() { impl_->stop_waiting(); }

Lsn VersionStore::visible_lsn() const { return impl_->visible_lsn(); }

void VersionStore::wake_waiters() { impl_->wake_waiters(); }

Lsn VersionStore::oldest_needed() const { return impl_->oldest_needed(); }

io::Directory& VersionStore::directory() const { return *impl_->directory; }

const StoreOptions& VersionStore::options() const { return impl_->options; }

Status VersionStore::await_visible(const OrderedCommit& commit) { return impl_->await_visible(commit); }

Status VersionStore::await_ordered_head(BranchId id) {
  const Branch& branch = impl_->branch(id);
  return impl_->await_visible({branch.ordered_head(), branch.ordered_head_awaits()});
}

ReadPoint VersionStore::head(BranchId branch) const { return impl_->branch(branch).head(); }

Result<ReadPoint> VersionStore::at_version(BranchId id, Version version) const {
  const ReadPoint newest = head(id);
  if (version == Version{0} || version > newest.version) {
    if (newest.version == Version{0}) {
      return Error(ErrorCode::kVersionNotFound,
                   fmt::format("version {}@{} does not exist: this database has no versions yet",
                               impl_->branch(id).name(), raw(version)));
    }
    return version_not_found(*this, id, fmt::format("version {}@{}", impl_->branch(id).name(), raw(version)));
  }
  const Branch& branch = committer_of(*impl_, id, version);
  if (const ReadPoint head = branch.head(); version == head.version) return head;
  const CommitEntry entry = branch.commit(version);
  DOSQL_ASSIGN_OR_RETURN(const log::RecordHeads record, read_commit(*impl_, entry));
  return ReadPoint{branch.id(), version, entry.lsn, record.header.page_count};
}

Result<ReadPoint> VersionStore::at_lsn(BranchId id, Lsn lsn) const {
  if (lsn > impl_->log->last_lsn()) {
    const ReadPoint newest = head(id);
    return Error(ErrorCode::kVersionNotFound,
                 fmt::format("LSN {} is in the future: this database is at LSN {} ({}@{})", raw(lsn),
                             raw(impl_->log->last_lsn()), impl_->branch(id).name(), raw(newest.version)));
  }
  const Branch* branch = &impl_->branch(id);
  while (true) {
    // What is behind the head is not visible yet.
    Version version = std::min(branch->find_commit(lsn), branch->head().version);
    const bool is_exact = version > branch->fork().version && branch->commit(version).lsn == lsn;
    if (!is_exact && version < branch->head().version) {
      // Inside the next commit's own range?
      DOSQL_ASSIGN_OR_RETURN(const CommitInfo next, commit_info(branch->id(), Version{raw(version) + 1}));
      if (next.first_lsn < lsn) version = next.version;
    }
    if (version > branch->fork().version) return at_version(branch->id(), version);
    if (!branch->parent()) return version_not_found(*this, id, fmt::format("LSN {}", raw(lsn)));
    if (lsn >= branch->fork().lsn && raw(version) > 0) return at_version(id, version);
    branch = branch->parent();
  }
}

Result<ReadPoint> VersionStore::at_commit(Lsn lsn) const {
  for (const Branch* branch : impl_->branches.with_dropped()) {
    const Version version = std::min(branch->find_commit(lsn), branch->head().version);
    if (version > branch->fork().version && branch->commit(version).lsn == lsn)
      return at_version(branch->id(), version);
  }
  return Error(ErrorCode::kVersionNotFound, fmt::format("there is no commit with LSN {}", raw(lsn)));
}

Result<ReadPoint> VersionStore::at_timestamp(BranchId id, TimestampUs timestamp_us) const {
  // Timestamps increase along a line of versions (L6): find the first version that is later.
  std::uint64_t low = 1;
  std::uint64_t high = raw(head(id).version) + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    DOSQL_ASSIGN_OR_RETURN(const CommitInfo info, commit_info(id, Version{middle}));
    if (info.timestamp_us <= timestamp_us) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 1) return version_not_found(*this, id, "a version as of that time");
  return at_version(id, Version{low - 1});
}

Result<CommitInfo> VersionStore::commit_info(BranchId id, Version version) const {
  CHECK(raw(version) >= 1 && version <= head(id).version);
  const CommitEntry entry = committer_of(*impl_, id, version).commit(version);
  DOSQL_ASSIGN_OR_RETURN(const log::RecordHeads heads, read_commit(*impl_, entry));
  const log::RecordView record = heads.view();
  CommitInfo info = info_of(record.header, version);
  info.marks = marks_of(record);
  if (const auto summary = record.moved_summary()) {
    const auto moved = moved_of({summary->runs, record.moved()});
    if (!moved) {
      return Error(ErrorCode::kCorrupt,
                   fmt::format("what version {} of '{}' says of the numbers of its rows is damaged",
                               raw(version), branch_name(id)));
    }
    info.marks.moved = *moved;
  }
  if (const auto spills = record.spill_summary()) {
    info.log_bytes += spills->spill_bytes;
    info.changed_pages = spills->changed_pages;
  }
  return info;
}

Result<std::vector<PageNo>> VersionStore::changed_pages(BranchId id, Version version) const {
  CHECK(raw(version) >= 1 && version <= head(id).version);
  const Branch& branch = committer_of(*impl_, id, version);
  const CommitEntry entry = branch.commit(version);
  DOSQL_ASSIGN_OR_RETURN(const log::RecordHeads record, read_commit(*impl_, entry));
  std::vector<PageNo> pages;
  if (record.header.flags & log::kHasSpills) {
    // Its spill records are not linked; the index knows as well, and such commits are rare.
    branch.for_each_slot([&](PageNo page, PageSlot& slot) {
      slot.lock.lock_shared();
      const std::ptrdiff_t index = slot.find(entry.lsn);
      if (index >= 0 && slot.versions[index].lsn == raw(entry.lsn)) pages.push_back(page);
      slot.lock.unlock_shared();
    });
    std::ranges::sort(pages);
    return pages;
  }
  return record.pages();
}

namespace {

// Who else has the database open.
void add_others(const StoreImpl& store, StoreStatus& status) {
  const StatusPage* const page = store.status_page.get();
  if (store.options.access == Access::kReadWrite) {
    status.writer_pid = page->writer_pid();
  } else {
    status.role = store.follower ? Role::kFollower : Role::kSnapshot;
    const bool is_written = page && page->describes(store.log->database_id()) && page->has_writer();
    if (is_written) {
      status.writer_pid = page->writer_pid();
      status.durable_lsn =
          std::clamp(page->durable_lsn(), status.durable_lsn, std::max(status.lsn, status.durable_lsn));
    }
  }
  if (!page) return;
  if (const auto followers = page->followers()) {
    status.followers = followers->count;
    status.oldest_follower_pin = followers->oldest_pin;
  }
}

}  // namespace

StoreStatus VersionStore::status() const {
  const StoreImpl& store = *impl_;
  StoreStatus status;
  status.format_version = store.log->format_version();
  status.database_id = store.log->database_id();
  status.lsn = store.log->last_lsn();
  status.durable_lsn = store.log->durable_lsn();
  status.checkpoint_lsn = store.checkpoint_lsn;
  status.log_bytes = store.log->used_bytes();
  status.segments = static_cast<std::uint32_t>(store.log->segments().size());
  for (const Branch* branch : store.branches.with_dropped()) {
    if (branch->dropped && !branch->successor) continue;
    if (!branch->dropped) ++status.branches;
    status.commits += branch->commits().size();
    branch->for_each_slot([&status](PageNo, PageSlot&) { ++status.live_pages; });
    status.index_bytes += branch->memory_bytes();
  }
  status.page_versions = store.page_versions;
  status.pool_bytes = store.pool.used_bytes();
  status.pool_capacity_bytes = store.pool.capacity_bytes();
  status.rebuilt_pages = store.rebuilt_pages;
  status.syncs = store.log->syncs();
  const auto pins = store.pins.summary();
  status.readers = pins.pins;
  status.oldest_pin = pins.oldest;
  add_others(store, status);
  status.poisoned = store.log->poisoned();
  status.opened_clean = store.opened_clean;
  status.checkpoint_damaged = store.checkpoint_damaged;
  status.replayed_records = store.replayed_records;
  status.open_us = store.open_us;
  return status;
}

// --- Reader ----------------------------------------------------------------------------------------

Reader::Reader(VersionStore& store) : store_(store.impl()), pin_(store_.pins.take(PinnedImages::kWanted)) {}

Reader::~Reader() { store_.pins.give_back(pin_); }

const ReadPoint& Reader::pin_head(BranchId branch) {
  store_.branch(branch).pin_head([this](const ReadPoint& head) {
    point_ = head;
    // In that moment, so that retention, which looks at the pins behind it, cannot miss this one.
    pin_->lsn_plus_one.store(raw(point_.lsn) + 1, std::memory_order_release);
  });
  pinned_ = true;
  return point_;
}

const ReadPoint& Reader::pin_ordered_head(BranchId branch) {
  store_.branch(branch).pin_ordered_head([this](const ReadPoint& head) {
    point_ = head;
    pin_->lsn_plus_one.store(raw(point_.lsn) + 1, std::memory_order_release);
  });
  pinned_ = true;
  return point_;
}

void Reader::pin(const ReadPoint& point) {
  point_ = point;
  pin_->lsn_plus_one.store(raw(point_.lsn) + 1, std::memory_order_release);
  pinned_ = true;
  store_.note_pin(point.lsn);
}

void Reader::unpin() {
  pin_->lsn_plus_one.store(0, std::memory_order_release);
  pinned_ = false;
}

Status Reader::read(PageNo page, std::uint32_t offset, MutableBytes out, CacheUse cache) {
  if (cache != CacheUse::kBypass) return store_.read(point_, page, offset, out, cache);
  // Who wants nothing kept reads many pages.
  if (!ahead_) ahead_ = std::make_unique<log::EntryStreams>();
  return store_.read(point_, page, offset, out, cache, {.ahead = ahead_.get()});
}

Lsn Reader::written_at(PageNo page) const { return store_.written_at(point_, page); }

}  // namespace dosql::version
