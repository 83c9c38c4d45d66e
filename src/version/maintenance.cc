// Closing, folding and checking a store.

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "log/segment_reader.h"
#include "version/checkpoint.h"
#include "version/page_encoder.h"
#include "version/page_history.h"
#include "version/store_impl.h"

namespace dosql::version {
namespace {

using log::EntryKind;
using log::RecordType;

constexpr std::size_t kFoldPagesPerRecord = 1024;
constexpr std::size_t kBranchColdReadsMax = 4;
// Checkpoints are written in proportion to their size, so that all of them together cost no more than the log
// itself: when this part of the last one's size lies behind it.
constexpr std::uint64_t kCloseCheckpointPart = 4;  // a quarter
constexpr std::uint64_t kMaintainCheckpointTimes = 2;

}  // namespace

// Collects the folds of one branch and writes them.
class StoreImpl::Folding {
 public:
  Folding(StoreImpl& store, Branch& branch)
      : store_(store),
        branch_(branch),
        newest_(branch.head()),
        // A branch's first patch of a page stands on its parent's, so its pages take one read more.
        reads_max_(branch.parent() ? kBranchColdReadsMax : kColdReadsMax),
        record_(store.log->database_id()),
        encoder_(store) {}

  Status fold(PageNo page, PageSlot& slot) {
    if (dosql::raw(page) > newest_.page_count || branch_.own_newest(page) != &slot) return {};
    Chain chain;
    newest_chain({&slot}, chain);
    if (chain.reads() <= reads_max_) return {};
    // Most closes have nothing to fold.
    if (!images_) images_ = std::make_unique_for_overwrite<std::byte[]>(kFoldPagesPerRecord * kPageBytes);
    if (folds_.empty()) record_.start(RecordType::kFold, 0, branch_.id());
    std::byte* const image = images_.get() + folds_.size() * kPageBytes;
    DOSQL_RETURN_IF_ERROR(store_.read(newest_, page, 0, MutableBytes(image, kPageBytes), CacheUse::kBypass));
    DOSQL_ASSIGN_OR_RETURN(const EncodedPage encoded, encoder_.encode_fold(page, chain, image));
    const std::uint32_t offset =
        encoded.kind == EntryKind::kFull
            ? record_.add_referenced(page, encoded.kind, encoded.step, encoded.payload)
            : record_.add_copied(page, encoded.kind, encoded.step, encoded.payload);
    folds_.push_back({&slot, offset, encoded.kind, encoded.step});
    return folds_.size() == kFoldPagesPerRecord ? flush() : Status();
  }

  Status flush() {
    if (folds_.empty()) return {};
    DOSQL_ASSIGN_OR_RETURN(const log::Appended appended,
                           store_.log->append(record_, log::WriteStyle::kWrite));
    for (const Fold& fold : folds_) {
      fold.slot->lock.lock();
      fold.slot->replace_newest(PageVersion::make(Lsn{fold.slot->newest().lsn},
                                                  log::Position{raw(appended.position) + fold.entry_offset},
                                                  fold.kind, fold.step));
      fold.slot->lock.unlock();
    }
    folds_.clear();
    return {};
  }

 private:
  struct Fold {
    PageSlot* slot;
    std::uint32_t entry_offset;
    EntryKind kind;
    std::uint8_t step;
  };

  StoreImpl& store_;
  Branch& branch_;
  const ReadPoint newest_;
  const std::size_t reads_max_;
  log::RecordBuilder record_;
  PageEncoder encoder_;
  std::unique_ptr<std::byte[]> images_;
  std::vector<Fold> folds_;
};

Status StoreImpl::fold_long_chains() {
  std::vector<Branch*> folded_branches = branches.all();
  // Where most of a main's pages are that was fast-forwarded.
  if (branches.first_main().successor) folded_branches.push_back(&branches.first_main());
  for (Branch* branch : folded_branches) {
    Folding folding(*this, *branch);
    Status folded;
    branch->for_each_slot([&](PageNo page, PageSlot& slot) {
      if (folded) folded = folding.fold(page, slot);
    });
    DOSQL_RETURN_IF_ERROR(folded);
    DOSQL_RETURN_IF_ERROR(folding.flush());
  }
  return {};
}

void StoreImpl::wake_waiters() {
  if (status_page) status_page->wake_waiters();
  log->wake_watchers();
}

void StoreImpl::stop_waiting() {
  waiting_stopped = true;
  wake_waiters();
}

Status StoreImpl::close() {
  closed = true;
  // What is in the files, and the locks, are the parent's.
  if (!log->process().is_this()) return {};
  for (const Branch* branch : branches.with_dropped()) {
    if (!branch->being_written()) continue;
    closed = false;
    return Error(ErrorCode::kBusy,
                 fmt::format("a transaction that writes to branch '{}' is open", branch->name()));
  }
  stop_waiting();
  if (options.access == Access::kReadOnly) return {};
  // Nothing behind the last clean close: the files are already what they should be.
  if (log->end().closed_sequence != log->control().sequence) {
    DOSQL_RETURN_IF_ERROR(fold_long_chains());
    DOSQL_RETURN_IF_ERROR(log->close());
  }
  if (bytes_behind_checkpoint() >
      std::max(options.close_checkpoint_bytes, checkpoint_bytes / kCloseCheckpointPart)) {
    DOSQL_RETURN_IF_ERROR(write_checkpoint());
  }
  stop_writing();
  owner_lock.reset();
  return {};
}

std::uint64_t StoreImpl::bytes_behind_checkpoint() const {
  const std::uint64_t at_checkpoint = used_bytes_at_checkpoint;  // first: what is used only grows
  return log->used_bytes() - at_checkpoint;
}

bool StoreImpl::checkpoint_is_due() const {
  return bytes_behind_checkpoint() >= std::max<std::uint64_t>(options.maintain_checkpoint_bytes,
                                                              checkpoint_bytes * kMaintainCheckpointTimes);
}

Result<bool> VersionStore::maintain([[maybe_unused]] std::uint64_t budget_us) {
  StoreImpl& store = *impl_;
  if (store.options.access == Access::kReadOnly || store.log->poisoned() || !store.log->process().is_this()) {
    return false;
  }
  if (!store.checkpoint_is_due()) return false;
  const CheckpointGate::Closed closed(store.checkpoint_gate);
  // Until that transaction has ended there is nothing to be done; and another thread may have done it.
  if (store.checkpoint_gate.spilling() || !store.checkpoint_is_due()) return false;
  DOSQL_RETURN_IF_ERROR(store.log->sync());
  for (Branch* branch : store.branches.with_dropped()) branch->show_durable(store.log->durable_lsn());
  store.visible_end.tell();
  DOSQL_RETURN_IF_ERROR(store.write_checkpoint());
  return false;
}

// --- check -----------------------------------------------------------------------------------------

namespace {

// Verifies every record of one segment.
Status check_segment(const StoreImpl& store, const log::Log::SegmentInfo& info,
                     std::vector<CheckProblem>& problems, const std::function<bool(std::uint64_t)>& advance) {
  const log::Segment& segment = *info.segment;
  DOSQL_ASSIGN_OR_RETURN(const auto damaged, log::damaged_headers(*segment.file));
  for (const std::uint64_t offset : damaged) {
    problems.push_back({segment.name, offset, "a copy of the segment header is damaged"});
  }
  log::SegmentReader reader(*segment.file, info.end);
  std::uint64_t offset = log::kFirstRecordOffset;
  while (offset < info.end) {
    DOSQL_ASSIGN_OR_RETURN(const Bytes bytes, reader.record_at(offset));
    const auto record =
        log::parse_record(bytes, segment.header.salt, store.log->database_id(), log::Verify::kRecord);
    if (!record) {
      problems.push_back(
          {segment.name, offset, "a record is damaged; what follows it in this file was not checked"});
      return {};
    }
    for (const log::DamagedEntry& entry : log::damaged_entries(*record, store.log->database_id()))
      problems.push_back({segment.name, offset + entry.offset,
                          fmt::format("an entry of page {} is damaged", dosql::raw(entry.page))});
    offset += record->record_bytes();
    if (!advance(offset)) return Error(ErrorCode::kInterrupted, "the check was stopped");
  }
  return {};
}

}  // namespace

Result<std::vector<CheckProblem>> VersionStore::check(const Progress& progress) const {
  const StoreImpl& store = *impl_;
  std::vector<CheckProblem> problems;
  std::vector<std::pair<std::uint64_t, std::string>> found;
  DOSQL_RETURN_IF_ERROR(log::Control::check(*store.directory, found));
  for (auto& [offset, what] : found)
    problems.push_back({std::string(log::kControlFile), offset, std::move(what)});
  DOSQL_ASSIGN_OR_RETURN(found, check_checkpoint(*store.directory, store.log->database_id()));
  for (auto& [offset, what] : found)
    problems.push_back({std::string(log::kCheckpointFile), offset, std::move(what)});

  const auto segments = store.log->segments();
  std::uint64_t total = 0;
  for (const auto& info : segments) total += info.end;
  std::uint64_t done = 0;
  for (const auto& info : segments) {
    DOSQL_RETURN_IF_ERROR(check_segment(store, info, problems, [&](std::uint64_t offset) {
      return !progress || progress(done + offset, total);
    }));
    done += info.end;
  }
  return problems;
}

}  // namespace dosql::version
