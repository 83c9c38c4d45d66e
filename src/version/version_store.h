// The versioned page store: every committed transaction of a branch is a version that stays readable.
//
// A VersionStore sits on one directory. Pages are SQLite's, 4096 bytes, numbered from 1. A commit is one
// record in the log (src/log); this room keeps the index from (page, LSN) to log position, a pool of
// the newest page images, and the rules of reading and committing.
//
//   Reader           pins one version and reads pages of it
//   WriteTransaction collects changed pages privately, then commits them as the next version
//
// Invariants (docs/format/log.md numbers those of the bytes on disk):
//   V1  A ReadPoint once handed out reads the same bytes for as long as it is pinned.
//   V2  At most one WriteTransaction is active on a branch; it was begun at the branch's ordered head: the
//       newest commit that is in the log.
//   V3  A commit becomes visible to readers when its durability mode is met and the commit before it is
//       visible. Only the branch's next writer reads it earlier.
//   V4  A page's newest image is in the pool or can be rebuilt from the log; nothing else holds it.
//   V5  Bytes 24-27 and 92-95 of page 1 (SQLite's change counters) are not versioned: the store keeps
//       them constant, and each face that shows page 1 to SQLite synthesises them.
//
// Threads: a VersionStore may be used from any thread; a Reader or WriteTransaction by one at a time.
// The store starts no thread, reads no clock and draws no randomness but through what it was given.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "base/environment.h"
#include "base/ids.h"
#include "io/storage.h"

namespace dosql::log {
class EntryStreams;
}

namespace dosql::version {

// What "committed" promises when commit() returns.
enum class Durability : std::uint8_t {
  kOff,     // survives the end of this process; after a power loss some newest commits may be missing
  kNormal,  // the same, and what is left after a power loss is a consistent older version
  kFull,    // on disk
};

enum class Access : std::uint8_t { kReadWrite, kReadOnly };

struct StoreOptions {
  Access access = Access::kReadWrite;
  // The directory may be empty (or hold nothing of ours yet): make a new database of it.
  bool create_if_missing = true;
  // Upper bound of the pool of newest page images.
  std::size_t pool_bytes = std::size_t{256} << 20;
  // Upper bound of the cache of rebuilt old page images.
  std::size_t history_cache_bytes = std::size_t{16} << 20;
  // Upper bound of the maps by which busy branches find pages as quickly as main does, of 8 bytes for a page
  // each; and after how many pages that were looked for a branch counts as busy.
  std::uint64_t front_bytes = std::uint64_t{64} << 20;
  std::uint32_t front_finds = 4096;
  // Changed pages of one transaction kept in memory before they go to the log as spill records.
  std::size_t spill_bytes = std::size_t{8} << 20;
  // A clean close writes a checkpoint only when more log than this would have to be replayed without it...
  std::uint64_t close_checkpoint_bytes = std::uint64_t{1} << 20;
  // ... and maintain() when this much log lies behind the last one.
  std::uint64_t maintain_checkpoint_bytes = std::uint64_t{64} << 20;
};

// One committed state of one branch. Version 0 with 0 pages is the empty database.
struct ReadPoint {
  BranchId branch{};
  Version version{};
  Lsn lsn{};
  std::uint32_t page_count = 0;

  friend bool operator==(const ReadPoint&, const ReadPoint&) = default;
};

// How much of a version a commit has merged.
enum class MergeKind : std::uint8_t {
  kParent = 1,  // all: that version is a second parent of the commit
  kSquash = 2,  // its changes: it counts as merged, and its history is not the commit's
};

// A version that a commit merged, by the branch that committed it.
struct MergeMark {
  MergeKind kind = MergeKind::kParent;
  BranchId branch{};
  Version version{};
  Lsn lsn{};

  friend bool operator==(const MergeMark&, const MergeMark&) = default;
};

// In which versions that a commit stands on numbers are another row's than in it.
enum MovedFrom : std::uint8_t {
  kFromMerged = 1,  // those that it merged
  kFromParent = 2,  // those that lead to its parent
  kBrought = 8,     // none, for all that this says: its rows came otherwise than by being inserted
};

// Of rows that a commit brought: the version is not known any more.
inline constexpr Lsn kLostSource{~std::uint64_t{0}};

// Numbers of rows that a merge took away from one row and left to another, or may have: what has such a
// number in the commit need not be what has it in a version that the commit contains. Or, with kBrought, rows
// that a REVERT, CHERRY PICK or decision brought, or a merge renumbered: as they are in the version `source`.
struct MovedRun {
  std::string table;  // by its name in the commit; empty: any table
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::uint8_t from = 0;  // kBrought, or other MovedFrom
  // Of kBrought: by the LSN of its commit; 0: one that the commit merged or stands on.
  Lsn source{};
  // Of kBrought: what has the number `first` there has this one in the commit, and so on.
  std::int64_t now = 0;

  friend bool operator==(const MovedRun&, const MovedRun&) = default;
};

// What a commit says besides its pages.
struct CommitMarks {
  static constexpr std::size_t kMergesMax = 256;
  static constexpr std::size_t kMessageBytesMax = std::size_t{64} << 10;

  std::vector<MergeMark> merges;
  std::string message;
  // What is more than fits becomes fewer, wider runs (moved_numbers.h). Of a commit that merged nothing only
  // what it brought.
  std::vector<MovedRun> moved = {};

  bool empty() const { return merges.empty() && message.empty() && moved.empty(); }
  friend bool operator==(const CommitMarks&, const CommitMarks&) = default;
};

// What the log says of one commit. It owns the LSNs in (first_lsn, last_lsn].
struct CommitInfo {
  BranchId branch{};
  Version version{};
  Lsn first_lsn{};
  Lsn last_lsn{};
  TimestampUs timestamp_us = 0;
  std::uint32_t page_count = 0;     // size of the database after it
  std::uint32_t changed_pages = 0;  // page images and patches it wrote
  std::uint64_t log_bytes = 0;      // bytes it took in the log, spill records included
  CommitMarks marks{};

  friend bool operator==(const CommitInfo&, const CommitInfo&) = default;
};

inline constexpr std::string_view kMainName = "main";

struct BranchInfo {
  BranchId id{};
  std::string name;
  BranchId parent{};           // of main: main
  std::string parent_name;     // also when the parent was dropped; empty for main
  ReadPoint fork;              // the version of the parent that it was created from; of main: version 0
  ReadPoint head;              // its newest version
  TimestampUs created_us = 0;  // 0 for main

  bool is_main() const { return name == kMainName; }
};

// A version contains all that leads to it: its parents, and what it squashed.
struct LineageComparison {
  std::uint64_t ahead = 0;   // commits that a contains and b does not
  std::uint64_t behind = 0;  // commits that b contains and a does not
  // The versions that both contain and that no other such version contains, the newest first. One, but for
  // branches that merged each other's older versions; version 0 of main where there is no commit.
  std::vector<ReadPoint> bases;
};

// A label on a version, which retention keeps.
struct NamedSnapshot {
  std::string name;
  ReadPoint point;
  TimestampUs created_us = 0;
};

enum class Role : std::uint8_t {
  kWriter,
  kFollower,  // open for reading, and sees what a writer in another process commits
  kSnapshot,  // open for reading, and stays as it was then: the directory takes no status page
};

struct StoreStatus {
  std::uint32_t format_version = 0;
  std::uint64_t database_id = 0;
  Lsn lsn{};                    // newest commit
  Lsn durable_lsn{};            // newest commit known to be on disk
  Lsn checkpoint_lsn{};         // newest commit covered by the checkpoint file
  std::uint64_t log_bytes = 0;  // used bytes in all segments
  std::uint32_t segments = 0;
  std::uint64_t commits = 0;  // on all branches
  std::uint32_t branches = 0;
  std::uint64_t live_pages = 0;
  std::uint64_t page_versions = 0;
  std::uint64_t index_bytes = 0;  // memory of the page and commit index
  std::uint64_t pool_bytes = 0;   // memory of page images
  std::uint64_t pool_capacity_bytes = 0;
  std::uint64_t rebuilt_pages = 0;  // page images rebuilt from the log
  std::uint64_t syncs = 0;
  std::uint32_t readers = 0;  // pins held now
  std::optional<Lsn> oldest_pin;
  Role role = Role::kWriter;
  std::uint64_t writer_pid = 0;  // of the process that has it open for writing; 0: none
  std::uint32_t followers = 0;   // processes that follow the writer, this one included
  std::optional<Lsn> oldest_follower_pin;
  bool poisoned = false;
  bool opened_clean = true;         // the last owner closed it
  bool checkpoint_damaged = false;  // it was ignored, the log replayed instead
  std::uint64_t replayed_records = 0;
  std::uint64_t open_us = 0;  // time open() took
};

// One thing wrong on disk.
struct CheckProblem {
  std::string file;
  std::uint64_t offset = 0;
  std::string what;
};

// A commit that is in the log, and that the branch's next writer stands on, but that may not be visible yet.
struct OrderedCommit {
  ReadPoint point;
  // What must be durable before it is visible; 0: it is.
  Lsn awaits{};
};

class StoreImpl;
struct PinSlot;

class VersionStore {
 public:
  // Opens the database in `directory`, recovering from a crash where needed (docs/format/log.md).
  // Takes the writer lock unless read-only. A read-only open changes nothing but the status page, needs no
  // lock and shows what is visible in the process that writes, or without one the newest version found; see
  // catch_up(). With a directory that it cannot write to it stays at that.
  // Errors: kLocked (names the owner), kNotADatabase, kFormatTooNew, kCorrupt (file and offset), kIo,
  // kDiskFull, kReadOnly, kNotFound (nothing there and nothing to be created).
  // `clock` and `random` must outlive the store.
  static Result<std::unique_ptr<VersionStore>> open(std::unique_ptr<io::Directory> directory,
                                                    const StoreOptions& options, Clock& clock,
                                                    Random& random);
  // Without close(): like a crash of the process, nothing acknowledged is lost.
  ~VersionStore();

  // Makes everything durable, writes the checkpoint and gives the lock back; afterwards only
  // destruction is allowed. Errors: kBusy (a WriteTransaction is active; the store stays open), others: the
  // data is as safe as before, the next open merely replays the log.
  Status close();

  const StoreOptions& options() const;
  // For files beside the log.
  io::Directory& directory() const;

  // Waits until the commit is as durable as it was asked to be, and visible. One sync serves all that wait.
  // Errors: kOutcomeUnknown (a sync failed; the store is poisoned now).
  Status await_visible(const OrderedCommit& commit);

  // Waits until all that is in the log of the branch by now is visible. Errors: as above.
  Status await_ordered_head(BranchId branch);

  // Of a store that is open for reading while another process writes: all that was visible there when this
  // was called is visible here when it returns; what is pinned stays as it is (V1). Never waits for the
  // writer, and costs a load where nothing happened. Nothing to do in a store that is open for writing.
  // Errors: kCorrupt, kIo: what was visible before still is.
  Status catch_up();
  // The newest LSN that is visible, as soon as it is above `after`; at `deadline` whatever it is then. With a
  // writer in another process it catches up too. Any number of threads may wait. Errors: those of catch_up(),
  // kInterrupted (stop_waiting() or close()), kInvalidArgument (the role is kSnapshot). `cancelled`: ends the
  // wait like the deadline, for who set it and then called wake_waiters().
  Result<Lsn> wait_for_visible(Lsn after, std::chrono::steady_clock::time_point deadline,
                               const std::atomic<bool>* cancelled = nullptr);
  void wake_waiters();
  // The newest LSN that readers see here.
  Lsn visible_lsn() const;
  // Ends all waits of this store, also those to come.
  void stop_waiting();
  // What compaction has to keep: all versions that were some branch's newest at this LSN, and all later ones,
  // are or may be read by somebody, in this process or in one that follows it.
  Lsn oldest_needed() const;

  // The newest visible version. REQUIRES of this and all that take a BranchId: the branch exists, or existed.
  ReadPoint head(BranchId branch) const;
  // A version at or below the branch's fork is its parent's: the result names the branch that committed it.
  // Errors of the three: kVersionNotFound, the message naming the range there is.
  Result<ReadPoint> at_version(BranchId branch, Version version) const;
  // The newest commit of that line of versions at or below; inside a commit's own range: that commit.
  Result<ReadPoint> at_lsn(BranchId branch, Lsn lsn) const;
  // The commit with exactly that last LSN, on whatever branch, dropped ones included.
  Result<ReadPoint> at_commit(Lsn lsn) const;
  // The newest commit at or before.
  Result<ReadPoint> at_timestamp(BranchId branch, TimestampUs timestamp_us) const;

  // Names are the caller's to check: here they are 1 to 255 bytes. Both kinds of names take no version and
  // one LSN; they are as durable on return as `durability` says.
  //
  // A branch that begins with `from`, in constant time. Errors: kAlreadyExists, kReadOnly, kDiskFull, kIo,
  // kOutcomeUnknown, kPoisoned.
  Result<BranchInfo> create_branch(const std::string& name, const ReadPoint& from, Durability durability);
  // Makes a newer version the branch's newest: all versions up to it are the branch's now, and its next
  // commit stands on it. In constant time, as one record. The branch gets another id; who has the old one
  // learns it from current(). Errors: those of create_branch, kBusy (somebody writes to the branch),
  // kBusySnapshot (the line of `to` does not go through the branch's newest version). REQUIRES: `to` is
  // visible, and newer.
  Result<BranchInfo> fast_forward(BranchId branch, const ReadPoint& to, Durability durability);
  // The id of a branch now: another one than it was when it has been fast-forwarded since.
  BranchId current(BranchId branch) const;
  // Its versions stay readable for who has them pinned, and as part of branches forked off it. Errors: as
  // above, kInvalidArgument for main, kBusy (a transaction is writing to it).
  Status drop_branch(BranchId branch, Durability durability);
  // None: there is none of that name.
  std::optional<BranchInfo> find_branch(std::string_view name) const;
  BranchInfo branch_info(BranchId branch) const;
  // Lives as long as the store.
  const std::string& branch_name(BranchId branch) const;
  // By name, ascending.
  std::vector<BranchInfo> branches() const;
  // How many of the commits that each branch contains no other branch does (lineage.h). Of all at once: what
  // one has depends on the others.
  std::map<BranchId, std::uint64_t> unmerged_commits() const;
  // How two versions are related by forks and merge marks. In time that does not depend on the number of
  // commits. Errors of the two: kIo, kCorrupt.
  Result<LineageComparison> compare(const ReadPoint& a, const ReadPoint& b) const;
  // LineageComparison::bases
  Result<std::vector<ReadPoint>> merge_bases(const ReadPoint& a, const ReadPoint& b) const;
  // The newest version that the lines of both go through, whatever was merged: where their pages part.
  // O(depth).
  ReadPoint shared_version(BranchId a, BranchId b) const;
  // Whether the line of versions that ends with `newer` goes through `older`.
  bool goes_through(const ReadPoint& newer, const ReadPoint& older) const;

  // Errors: kAlreadyExists and those of create_branch.
  Status create_snapshot(const std::string& name, const ReadPoint& point, Durability durability);
  // Errors: kNotFound and those of create_branch.
  Status drop_snapshot(const std::string& name, Durability durability);
  std::optional<NamedSnapshot> find_snapshot(std::string_view name) const;
  // By name, ascending.
  std::vector<NamedSnapshot> snapshots() const;
  // Grows with each branch or snapshot that comes or goes: while it stays the same, names mean the same.
  std::uint64_t name_changes() const;

  // REQUIRES: 1 <= version <= head version. Errors: kIo, kCorrupt.
  Result<CommitInfo> commit_info(BranchId branch, Version version) const;
  // The pages that commit wrote, ascending.
  Result<std::vector<PageNo>> changed_pages(BranchId branch, Version version) const;

  StoreStatus status() const;

  // Does up to about `budget_us` of housekeeping (a checkpoint when much log lies behind the last one; once
  // begun it is ended). Returns true when more is waiting.
  Result<bool> maintain(std::uint64_t budget_us);

  // Reads every byte of every file of the database and verifies every checksum; `progress(done_bytes,
  // total_bytes)` may return false to stop (kInterrupted). An empty list: all is well.
  using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
  Result<std::vector<CheckProblem>> check(const Progress& progress) const;

  // Copies the database, history included, as of now into the empty directory `target`. Writers go on
  // meanwhile. The copy is durable on return, and verified: kCorrupt where a record in it is damaged.
  Status backup(io::Directory& target, const Progress& progress) const;

  StoreImpl& impl() { return *impl_; }

 private:
  explicit VersionStore(std::unique_ptr<StoreImpl> impl);
  std::unique_ptr<StoreImpl> impl_;
};

// Whether a read should leave the image that it had to rebuild for the next one.
enum class CacheUse : std::uint8_t {
  kKeep,
  kBypass,
  kKeepOlder,  // and the images of older versions that rebuilding it comes by: somebody goes back in time
};

class Reader {
 public:
  explicit Reader(VersionStore& store);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Pins the newest visible version. Never waits for I/O or for a writer.
  const ReadPoint& pin_head(BranchId branch);
  // Pins the newest commit that is in the log, for a transaction that is going to write. REQUIRES: nobody
  // else is going to write to the branch.
  const ReadPoint& pin_ordered_head(BranchId branch);
  // Pins a version that the store gave out (and that retention still holds).
  void pin(const ReadPoint& point);
  void unpin();
  bool pinned() const { return pinned_; }
  // REQUIRES: pinned().
  const ReadPoint& point() const { return point_; }

  // Fills `out` with the bytes of `page` from `offset` on. A page beyond the version's size reads as
  // zeros. REQUIRES: pinned(), offset + out.size() <= kPageBytes. Errors: kIo, kCorrupt.
  Status read(PageNo page, std::uint32_t offset, MutableBytes out, CacheUse cache = CacheUse::kKeep);

  // Which commit wrote the page as it is in this version: its last LSN; 0: none did, it reads as zeros. Where
  // two readers are told the same, they read the same bytes. Reads none itself. REQUIRES: pinned().
  Lsn written_at(PageNo page) const;

 private:
  StoreImpl& store_;
  PinSlot* pin_;
  ReadPoint point_;
  bool pinned_ = false;
  std::unique_ptr<log::EntryStreams> ahead_;  // null: not needed so far
};

class WriteTransaction {
 public:
  explicit WriteTransaction(VersionStore& store);
  ~WriteTransaction();  // rolls back
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  // Takes the branch for writing; never waits. Errors: kBusy (taken), kBusySnapshot (the branch's
  // ordered head is no longer `base`), kPoisoned, kReadOnly. The object may be begun again after commit or
  // rollback. The caller keeps `base` pinned while the transaction is active.
  // `spilled`: whether pages that went to the log ahead of the commit stay in the pool while it has room.
  Status begin(const ReadPoint& base, CacheUse spilled = CacheUse::kKeep);
  bool active() const { return active_; }

  // Replaces a page (kPageBytes long); a page at or beyond page_count() grows the database.
  // Errors: those of a spill (kIo, kDiskFull); the transaction then can only be rolled back.
  Status write(PageNo page, Bytes image);
  // Reads a page that this transaction wrote or truncated away (zeros); false for any other: read the
  // base then.
  Result<bool> read(PageNo page, std::uint32_t offset, MutableBytes out);
  // Cuts the database to `page_count` pages.
  void truncate(std::uint32_t page_count);
  std::uint32_t page_count() const;

  // Makes what was written the next version of the branch and gives the branch to the next writer, also on
  // failure. When no page differs from the base and there are no marks there is no new version and the result
  // is the base. Until await_visible() has returned it may be lost. Errors: kDiskFull and kIo (nothing is
  // committed), kPoisoned. REQUIRES: each mark names a visible version, by whatever branch has it; the limits
  // of CommitMarks.
  Result<OrderedCommit> order(Durability durability, const CommitMarks& marks = {});
  // Both in one. Errors: those of both.
  Result<ReadPoint> commit(Durability durability, const CommitMarks& marks = {});
  void rollback();

 private:
  class Overlay;
  StoreImpl& store_;
  std::unique_ptr<Overlay> overlay_;
  bool active_ = false;
};

}  // namespace dosql::version
