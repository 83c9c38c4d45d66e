// The state behind a VersionStore, shared by its readers and write transactions. Not for other rooms.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "log/log.h"
#include "version/branch_table.h"
#include "version/checkpoint_gate.h"
#include "version/history_cache.h"
#include "version/kept_images.h"
#include "version/page_table.h"
#include "version/pin_registry.h"
#include "version/pool.h"
#include "version/retained_pages.h"
#include "version/status_page.h"
#include "version/version_store.h"
#include "version/visible_end.h"

namespace dosql::version {

class EntryMemory;
class Follower;
class IndexBuilder;

// What the header of a commit's record says. REQUIRES of changed_pages and log_bytes: it did not spill.
CommitInfo info_of(const log::RecordHeader& header, Version version);

// What somebody has who reads many pages.
struct ReadAid {
  const EntryMemory* known = nullptr;  // payloads that need not be read from the log
  log::EntryStreams* ahead = nullptr;  // what is read of the log is read through these
  // Images are read through this; null: as all else.
  log::EntryStretch* around = nullptr;
};

class StoreImpl {
 public:
  StoreImpl(std::unique_ptr<io::Directory> directory_in, const StoreOptions& options_in, Clock& clock_in,
            Random& random_in);
  ~StoreImpl();

  // --- set-up and end ---
  Status open();   // recovery.cc
  Status close();  // maintenance.cc
  // Gives pages whose newest image takes more than kColdReadsMax reads an entry that takes no more.
  Status fold_long_chains();  // maintenance.cc
  Status write_checkpoint();  // checkpoint.cc
  std::uint64_t bytes_behind_checkpoint() const;
  bool checkpoint_is_due() const;
  // None: there is no usable checkpoint file.
  Result<std::optional<log::LogPoint>> load_checkpoint();  // checkpoint.cc

  // --- reading (page_reading.cc) ---
  Status read(const ReadPoint& point, PageNo page, std::uint32_t offset, MutableBytes out, CacheUse cache,
              const ReadAid& aid = {});
  // Whether the page, as `point` sees it, can be rebuilt by `aid` alone: no read of the log is needed. Its
  // chain.
  bool find_held(const ReadPoint& point, PageNo page, const ReadAid& aid, Chain& chain) const;
  Lsn written_at(const ReadPoint& point, PageNo page) const;
  // Rebuilds the image at the head of `chain` into `out` (kPageBytes). `older`: takes those on the way to it.
  Status rebuild(PageNo page, const Chain& chain, std::byte* out, HistoryCache* older = nullptr,
                 const ReadAid& aid = {}) const;

  // REQUIRES: such a branch exists or existed.
  Branch& branch(BranchId id) const {
    Branch* const found = branches.get(id);
    CHECK(found != nullptr);
    return *found;
  }
  // Appends a kName record. names.cc
  Result<log::Appended> append_name(const log::NameSummary& summary, std::string_view name,
                                    Durability durability);
  // Logs a branch that begins with a version, and makes it; durable on return as `durability` says. It is not
  // in the table yet. REQUIRES: names_mutex is held.
  Result<std::unique_ptr<Branch>> fork(log::NameChange change, const std::string& name, const ReadPoint& from,
                                       Durability durability);
  // Waits for a record that was appended with `durability`.
  Status await_durable(Lsn lsn, Durability durability);
  Status await_visible(const OrderedCommit& commit);

  // --- following (following.cc) ---
  // Of a store that follows a writer: takes what became visible since. Nothing to do in any other.
  Status catch_up();
  // The newest LSN that readers see.
  Lsn visible_lsn() const;
  // All versions that were some branch's newest at this LSN, and all later ones, may still be read by
  // somebody.
  Lsn oldest_needed() const;
  // A reader pinned an older version than the newest.
  void note_pin(Lsn lsn);
  // Of those who wait for something to become visible or durable: has them look, or give up.
  void wake_waiters();  // maintenance.cc
  void stop_waiting();  // maintenance.cc
  // Gives the writer's place back: all that the log holds is visible.
  void stop_writing();

  // For another try at open(): gives the directory back. The object is good for nothing afterwards.
  std::unique_ptr<io::Directory> release_directory();

  std::unique_ptr<io::Directory> directory;
  const StoreOptions options;
  Clock& clock;
  Random& random;
  std::unique_ptr<io::DirectoryLock> owner_lock;
  // Null in a store that is open for reading and cannot follow.
  std::unique_ptr<StatusPage> status_page;
  std::unique_ptr<log::Log> log;

  PageTable pages;  // main's
  BranchTable branches{pages, std::make_shared<FrontBudget>(options.front_bytes, options.front_finds)};
  Pool pool;
  RetainedPages retained{pool};
  HistoryCache history;
  ReplayRoom replay_room{pool.capacity_bytes() / kPageBytes / 2};
  PinRegistry pins;
  VisibleEnd visible_end;              // of a writer
  std::unique_ptr<Follower> follower;  // null in a writer, and where there is no status page

  CheckpointGate checkpoint_gate;
  // Names are created and dropped one at a time. Taken behind the checkpoint gate.
  std::mutex names_mutex;

  // Version arrays loaded from the checkpoint stay where they were read to.
  std::vector<std::byte> checkpoint_buffer;
  std::atomic<Lsn> checkpoint_lsn{};  // the newest that the checkpoint file covers
  std::atomic<std::uint64_t> checkpoint_bytes = 0;
  std::atomic<std::uint64_t> used_bytes_at_checkpoint = 0;
  bool checkpoint_damaged = false;

  std::atomic<std::uint64_t> page_versions{0};
  std::atomic<std::uint64_t> rebuilt_pages{0};
  bool opened_clean = true;
  bool created = false;
  // It was opened as if nobody wrote, and then somebody did: what it shows may not be visible there yet.
  bool overtaken = false;
  std::atomic<bool> closed{false};
  std::atomic<bool> waiting_stopped{false};
  std::uint64_t replayed_records = 0;
  std::uint64_t open_us = 0;

 private:
  class Folding;  // maintenance.cc

  Status recover();
  Status recover_read_only();  // following.cc
  Status replay(const std::optional<log::LogPoint>& start, IndexBuilder& builder,
                std::optional<log::Position> limit);
  Status become_writer();      // following.cc
  void start_writing();        // following.cc
  void find_status_page();     // following.cc
  void provide_status_page();  // following.cc
  void install(PageSlot& slot, const Chain& chain, const std::byte* image);
};

}  // namespace dosql::version
