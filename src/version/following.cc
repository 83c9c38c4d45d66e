#include "version/following.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace dosql::version {
namespace {

using CreateShared = io::Directory::CreateShared;

// A writer that dies while it is followed is followed by one that may take files away.
constexpr int kFollowTries = 5;

Error not_followable(const StoreImpl& store, const Error& cause) {
  return Error(ErrorCode::kCorrupt, fmt::format("'{}' cannot be followed any more: {}",
                                                store.directory->describe(), cause.message()))
      .with_hint("open the database again");
}

}  // namespace

// --- Follower --------------------------------------------------------------------------------------

Follower::Follower(StoreImpl& store, std::unique_ptr<IndexBuilder> builder, log::Position seen)
    : store_(store), page_(*store.status_page), builder_(std::move(builder)), seen_(seen) {
  note_pins();
}

Status Follower::take_news() {
  std::lock_guard lock(mutex_);
  for (int tries = 1;; ++tries) {
    const log::Position end = page_.visible_end();
    if (end == seen_) return {};
    // 0: a new writer is still looking at what its predecessor left. Less than what is here: nobody wrote
    // when this store was opened, and it took all there was.
    if (end == log::Position{} || end <= store_.log->end().position) {
      seen_ = end;
      return {};
    }
    if (!page_.describes(store_.log->database_id())) {
      // Nobody writes: whatever stands there, the next writer begins the page anew.
      if (!page_.has_writer()) {
        seen_ = end;
        return {};
      }
      return Error(ErrorCode::kCorrupt, fmt::format("'{}/{}' is damaged: it does not belong to this database",
                                                    store_.directory->describe(), log::kStatusFile));
    }
    Status followed = store_.log->follow(end, *builder_);
    if (followed) {
      seen_ = end;
      note_pins();
      return {};
    }
    if (builder_->failure()) return not_followable(store_, followed.error());
    if (followed.error().code() == ErrorCode::kIo || tries == kFollowTries) return followed;
    if (page_.visible_end() == end) return not_followable(store_, followed.error());
  }
}

// A reader notes its pin in this process first, then here (StoreImpl::note_pin): if it came in between the
// two looks, the second sees it.
void Follower::note_pins() {
  const auto oldest = [this] {
    const Lsn newest = store_.log->last_lsn();
    return std::min(newest, store_.pins.summary().oldest.value_or(newest));
  };
  page_.set_pin(oldest());
  page_.lower_pin(oldest());
}

// --- The store -------------------------------------------------------------------------------------

Status StoreImpl::catch_up() { return follower ? follower->catch_up() : Status(); }

Lsn StoreImpl::visible_lsn() const {
  return options.access == Access::kReadWrite ? visible_end.shown_here() : log->last_lsn();
}

Lsn StoreImpl::oldest_needed() const {
  Lsn oldest = visible_lsn();
  if (const auto pinned = pins.summary().oldest) oldest = std::min(oldest, *pinned);
  if (!status_page) return oldest;
  const auto followers = status_page->followers();
  if (!followers) return Lsn{};  // nobody can tell: everything
  return std::min(oldest, followers->oldest_pin.value_or(oldest));
}

void StoreImpl::note_pin(Lsn lsn) {
  if (!follower) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  status_page->lower_pin(lsn);
}

std::unique_ptr<io::Directory> StoreImpl::release_directory() {
  follower.reset();
  log.reset();
  status_page.reset();
  owner_lock.reset();
  return std::move(directory);
}

// --- Opening for writing ---------------------------------------------------------------------------

Status StoreImpl::become_writer() {
  auto page = StatusPage::open(*directory, CreateShared::kIfMissing);
  // Where it cannot be, others see the database as it is when they open it.
  status_page = page ? *std::move(page) : StatusPage::make_private();
  Status taken = status_page->become_writer(log->database_id());
  if (taken || taken.error().code() == ErrorCode::kLocked) return taken;
  status_page = StatusPage::make_private();
  return status_page->become_writer(log->database_id());
}

void StoreImpl::start_writing() {
  const VisibleLog visible{log->end().position, log->last_lsn(), log->durable_lsn()};
  visible_end.start(*status_page, *log, visible);
  status_page->start_writing(random.next_u64() | 1, static_cast<std::uint64_t>(::getpid()), visible);
}

void StoreImpl::stop_writing() {
  status_page->stop_writing({log->end().position, log->last_lsn(), log->durable_lsn()});
}

// --- Opening for reading ---------------------------------------------------------------------------

// A status page that somebody of ours made. Whether this is a database is not known yet: nothing is created.
void StoreImpl::find_status_page() {
  auto page = StatusPage::open(*directory, CreateShared::kNo);
  if (!page || !(*page)->has_magic()) return;
  status_page = *std::move(page);
  // Without a slot it still tells how far the log is visible.
  status_page->become_follower(static_cast<std::uint64_t>(::getpid())).ignore("see is_follower()");
}

// For the next writer.
void StoreImpl::provide_status_page() {
  auto page = StatusPage::open(*directory, CreateShared::kIfMissing);
  if (!page || !(*page)->become_follower(static_cast<std::uint64_t>(::getpid())).value_or(false)) return;
  status_page = *std::move(page);
}

// With a writer, the log is what it says that is visible; without one, it ends where recovery would end it.
// The page is looked at before the directory, so that the files are there that it speaks of.
Status StoreImpl::recover_read_only() {
  find_status_page();
  log::Position seen = status_page ? status_page->visible_end() : log::Position{};
  DOSQL_ASSIGN_OR_RETURN(
      log, log::Log::open(*directory, log::Access::kReadOnly, log::Log::Create::kNo, clock, random));
  if (!status_page) provide_status_page();
  DOSQL_ASSIGN_OR_RETURN(const auto start, load_checkpoint());
  const auto is_written = [this] {
    return status_page && status_page->describes(log->database_id()) && status_page->has_writer();
  };
  std::optional<log::Position> limit;
  if (is_written()) {
    // The checkpoint may be younger than what was read from the page, and it may cover spills that nobody
    // committed, which the page does not name. All commits in front of it were visible when it was written.
    if (start && start->position > seen) seen = status_page->visible_end();
    if (seen != log::Position{}) limit = start ? std::max(seen, start->position) : seen;
  }
  auto builder = std::make_unique<IndexBuilder>(*this, start ? start->last_lsn : Lsn{});
  DOSQL_RETURN_IF_ERROR(replay(start, *builder, limit));
  overtaken = !limit && is_written();
  if (status_page && status_page->is_follower()) {
    follower = std::make_unique<Follower>(*this, std::move(builder), seen);
  } else {
    status_page.reset();  // nobody knows what such a reader needs, so it does not go on
  }
  return {};
}

}  // namespace dosql::version
