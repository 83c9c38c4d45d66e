// Opening a store: the checkpoint, then the log behind it.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <map>

#include "version/names.h"
#include "version/page_history.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

using log::EntryKind;
using log::RecordType;

// Rebuilds the index from log records.
class IndexBuilder final : public log::ReplayVisitor {
 public:
  // `start`: the newest LSN in the checkpoint.
  IndexBuilder(StoreImpl& store, Lsn start) : store_(store), newest_lsn_(start) {}

  Status on_record(const log::RecordView& record, log::Position position) override {
    const auto type = static_cast<RecordType>(record.header.type);
    if (type == RecordType::kName) return on_name(record, position);
    branch_ = store_.branches.get(BranchId{record.header.branch});
    if (!branch_ || branch_->dropped) return bad(position, "it is for an unknown branch");
    switch (type) {
      case RecordType::kCommit: return on_commit(record, position);
      case RecordType::kSpill: return on_spill(record, position);
      case RecordType::kFold: return on_fold(record, position);
      case RecordType::kClose:
      case RecordType::kName: return {};
    }
    return {};
  }

  // After the last record.
  Status finish() {
    DOSQL_RETURN_IF_ERROR(apply_waiting());
    store_.page_versions += versions_;
    for (Branch* branch : store_.branches.with_dropped()) branch->dropped_before_open = branch->dropped;
    return {};
  }

 private:
  struct Change {
    PageVersion version;
    std::uint16_t payload_bytes;
  };
  // A change on its way into the index.
  struct Waiting {
    PageSlot* slot;
    std::uint32_t page;
    Change change;
    log::Position position;
  };
  static constexpr std::size_t kWaiting = 32;

  Error bad(log::Position position, std::string_view what) const {
    return store_.log->corrupt(position, what);
  }

  void gather(const log::RecordView& record, log::Position position,
              std::map<std::uint32_t, Change>& changes) {
    record.for_each_entry([&](const log::EntryHead& head, Bytes, std::uint32_t offset) {
      changes[head.page] = {
          PageVersion::make(Lsn{record.header.last_lsn}, log::Position{raw(position) + offset},
                            static_cast<EntryKind>(head.kind), head.step),
          head.payload_bytes};
    });
  }

  // Commits change pages all over the database, and each would wait for the processor to fetch its page's
  // slot and then the end of its array. So each change is asked for when it is read and made kWaiting changes
  // later.
  Status apply_later(std::uint32_t page, const Change& change, log::Position position) {
    if (page == 0) return bad(position, "it has an entry of page 0");
    PageSlot& slot = branch_->own(PageNo{page});
    __builtin_prefetch(&slot, 1);
    waiting_[queued_++ % kWaiting] = {&slot, page, change, position};
    if (queued_ - fetched_ > kWaiting / 2) {
      const PageSlot& near = *waiting_[fetched_++ % kWaiting].slot;
      if (near.count > 0) __builtin_prefetch(near.versions + near.count - 1, 1);
    }
    return queued_ - applied_ == kWaiting ? apply(waiting_[applied_++ % kWaiting]) : Status();
  }

  Status apply_waiting() {
    while (applied_ < queued_) DOSQL_RETURN_IF_ERROR(apply(waiting_[applied_++ % kWaiting]));
    fetched_ = queued_;
    return {};
  }

  Status apply(const Waiting& waiting) {
    PageSlot& slot = *waiting.slot;
    const PageVersion& version = waiting.change.version;
    if (!accepts(slot, version.kind(), version.step())) {
      return bad(waiting.position,
                 fmt::format("its entry of page {} does not follow that page's history", waiting.page));
    }
    slot.push(version);
    slot.add_chain_bytes(version.kind(), waiting.change.payload_bytes);
    ++versions_;
    return {};
  }

  Status on_spill(const log::RecordView& record, log::Position position) {
    auto& spilled = spilled_[branch_->id()];
    if (record.header.flags & log::kFirstSpill) spilled.clear();
    gather(record, position, spilled);
    return {};
  }

  Status on_commit(const log::RecordView& record, log::Position position) {
    const log::RecordHeader& header = record.header;
    if (header.last_lsn <= raw(newest_lsn_))
      return bad(position, "its LSN does not follow its predecessor's");
    newest_lsn_ = Lsn{header.last_lsn};
    const bool has_spills = (header.flags & log::kHasSpills) != 0;
    auto spilled = spilled_.empty() ? spilled_.end() : spilled_.find(branch_->id());
    if (has_spills) {
      if (spilled == spilled_.end()) spilled = spilled_.try_emplace(branch_->id()).first;
      gather(record, position, spilled->second);
    }
    const std::uint64_t entries = has_spills ? spilled->second.size() : header.entry_count;
    if (header.page_count > branch_->known_pages + entries)
      return bad(position, "it adds pages without saying what is in them");
    if (has_spills) {
      for (auto& [page, change] : spilled->second) {
        if (page > header.page_count) break;  // written, then truncated away
        change.version.lsn = header.last_lsn;
        DOSQL_RETURN_IF_ERROR(apply_later(page, change, position));
      }
    } else {
      // The usual small commit: no detour through a map.
      Status applied;
      record.for_each_entry([&](const log::EntryHead& head, Bytes, std::uint32_t offset) {
        if (!applied) return;
        const Change change{PageVersion::make(Lsn{header.last_lsn}, log::Position{raw(position) + offset},
                                              static_cast<EntryKind>(head.kind), head.step),
                            head.payload_bytes};
        applied = head.page > header.page_count
                      ? bad(position, fmt::format("page {} is beyond its end", head.page))
                      : apply_later(head.page, change, position);
      });
      DOSQL_RETURN_IF_ERROR(applied);
    }
    if (spilled != spilled_.end()) spilled_.erase(spilled);
    branch_->push_commit({Lsn{header.last_lsn}, position});
    branch_->set_head(
        {branch_->id(), Version{raw(branch_->head().version) + 1}, Lsn{header.last_lsn}, header.page_count});
    return {};
  }

  Status on_name(const log::RecordView& record, log::Position position) {
    // What a branch shares with its parent is what the parent has now.
    DOSQL_RETURN_IF_ERROR(apply_waiting());
    if (record.header.last_lsn <= raw(newest_lsn_))
      return bad(position, "its LSN does not follow its predecessor's");
    newest_lsn_ = Lsn{record.header.last_lsn};
    return replay_name(store_, record, position);
  }

  Status on_fold(const log::RecordView& record, log::Position position) {
    DOSQL_RETURN_IF_ERROR(apply_waiting());
    Status folded;
    record.for_each_entry([&](const log::EntryHead& head, Bytes, std::uint32_t offset) {
      PageSlot* slot = branch_->own_newest(PageNo{head.page});
      const auto kind = static_cast<EntryKind>(head.kind);
      const bool has_history = slot && slot->count > 0;
      // L10: a base, or what the newest version is too, against the same base.
      const bool fits =
          has_history && ((kind == EntryKind::kFull && head.step == 0) ||
                          (kind == EntryKind::kKey && head.step > 0 && head.step == slot->newest_step));
      if (!fits) {
        folded =
            bad(position, fmt::format("its fold of page {} does not fit that page's history", head.page));
        return;
      }
      const Lsn lsn{slot->newest().lsn};
      slot->replace_newest(PageVersion::make(lsn, log::Position{raw(position) + offset}, kind, head.step));
    });
    return folded;
  }

  StoreImpl& store_;
  Lsn newest_lsn_;
  Branch* branch_ = nullptr;  // of the record at hand
  // Of each branch's transaction whose commit has not been seen yet, by page.
  std::map<BranchId, std::map<std::uint32_t, Change>> spilled_;
  // A ring: of the changes counted from the beginning, those in [applied_, queued_) wait, and the arrays of
  // those before fetched_ are asked for.
  std::array<Waiting, kWaiting> waiting_;
  std::uint64_t queued_ = 0;
  std::uint64_t fetched_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t versions_ = 0;
};

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

Status StoreImpl::open() {
  const TimestampUs started_us = clock.now_us();
  if (options.access == Access::kReadWrite) {
    auto taken = directory->lock(log::kLockFile, owner_text());
    if (!taken && taken.error().code() == ErrorCode::kLocked) {
      return Error(ErrorCode::kLocked, fmt::format("'{}' is open for writing in {}", directory->describe(),
                                                   taken.error().message()))
          .with_hint("open it with -readonly, or stop that process");
    }
    if (!taken) return std::move(taken).error();
    owner_lock = *std::move(taken);
  }
  DOSQL_RETURN_IF_ERROR(recover());
  open_us = static_cast<std::uint64_t>(std::max<TimestampUs>(clock.now_us() - started_us, 0));
  return {};
}

Status StoreImpl::recover() {
  const auto access = options.access == Access::kReadOnly ? log::Access::kReadOnly : log::Access::kReadWrite;
  const auto create = options.create_if_missing ? log::Log::Create::kIfMissing : log::Log::Create::kNo;
  DOSQL_ASSIGN_OR_RETURN(log, log::Log::open(*directory, access, create, clock, random));
  created = log->created();
  DOSQL_ASSIGN_OR_RETURN(const auto start, load_checkpoint());
  IndexBuilder builder(*this, start ? start->last_lsn : Lsn{});
  DOSQL_ASSIGN_OR_RETURN(const log::ReplayOutcome outcome, log->replay(start, builder));
  DOSQL_RETURN_IF_ERROR(builder.finish());
  opened_clean = outcome.clean;
  replayed_records = outcome.records;
  return {};
}

}  // namespace dosql::version
