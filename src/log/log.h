// The log: the one place where commits are written, and from which everything can be rebuilt.
//
// A Log is opened in two steps. open() reads the control file and the segment headers; replay() then
// walks the records behind a known point (or all of them), hands each to a visitor, finds where the log
// ends and, when the last owner did not close it, starts a new segment with what survived but was not known
// to be on disk, whose header names the cut. Only after replay() may anything be appended.
//
// A Log that is open for reading can follow one that another process writes: replay() up to a position that
// the writer named, then follow() to later ones, through new segments and new writers.
//
// Threads: any. Appends go on while others sync; read_entry() and read_record() never wait for either.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <dosql/result.h>

#include "base/environment.h"
#include "base/ids.h"
#include "base/own_process.h"
#include "base/wait_groups.h"
#include "io/storage.h"
#include "log/control.h"
#include "log/entry_streams.h"
#include "log/entry_stretch.h"
#include "log/entry_window.h"
#include "log/group_sync.h"
#include "log/record.h"
#include "log/record_heads.h"
#include "log/record_window.h"
#include "log/segment.h"

namespace dosql::log {

enum class Access : std::uint8_t { kReadWrite, kReadOnly };

// A place between two records, with what it takes to recognise it again.
struct LogPoint {
  Position position{};
  std::uint64_t segment_salt = 0;
  std::uint64_t previous_checksum = 0;  // of the record before it
  std::uint64_t closed_sequence = 0;    // CloseSummary of the record before it, 0 when it is another
  Lsn last_lsn{};                       // newest commit before it
  Lsn lsn_high{};                       // newest LSN handed out before it, as far as the log tells
  Lsn durable_lsn{};
  TimestampUs last_timestamp_us = 0;
};

class ReplayVisitor {
 public:
  virtual ~ReplayVisitor() = default;
  virtual Status on_record(const RecordView& record, Position position) = 0;
};

struct ReplayOutcome {
  bool clean = true;  // the last owner closed the database
  std::uint64_t records = 0;
};

struct Appended {
  Position position{};  // of the record header; an entry is at position + its offset
  Lsn first_lsn{};
  Lsn last_lsn{};
  TimestampUs timestamp_us = 0;
};

// Is told of a record that was appended before any later one is.
class AppendObserver {
 public:
  virtual void on_append(const Appended& appended, Position end) = 0;

 protected:
  ~AppendObserver() = default;
};

// How a record gets into the file.
enum class WriteStyle : std::uint8_t {
  kStore,  // by memory stores where the storage can: fast when no sync follows
  kWrite,  // by a write into zero-filled space: fast when a sync follows
};

class Log : private SyncSource {
 public:
  // Errors: kNotFound (nothing there, and `create` says no), kNotADatabase, kFormatTooNew, kCorrupt,
  // kIo, kDiskFull. `directory`, `clock` and `random` must outlive the log.
  enum class Create : std::uint8_t { kIfMissing, kNo };
  static Result<std::unique_ptr<Log>> open(io::Directory& directory, Access access, Create create,
                                           Clock& clock, Random& random);

  std::uint64_t database_id() const { return database_id_; }
  std::uint32_t format_version() const { return format_version_; }
  bool created() const { return created_; }

  // Whether `point` lies in this log as far as the segment headers tell.
  bool holds(const LogPoint& point) const;

  // See the head of this file. `from`: a point that holds(); none: the beginning. A failing visitor
  // ends it. `limit`: of a log that another process writes, an end of a record that it named since the log
  // was opened; what lies behind is not looked at. REQUIRES of it: Access::kReadOnly. Errors: kCorrupt (file
  // and offset), kIo, kDiskFull, what the visitor says.
  Result<ReplayOutcome> replay(const std::optional<LogPoint>& from, ReplayVisitor& visitor,
                               std::optional<Position> limit = {});

  // Goes on to `to`, the end of a record that the present writer named, and hands the visitor what is new.
  // Copies of records that it had are passed over. On an error the log stands behind the last record that the
  // visitor took, and what was there can still be read. REQUIRES: Access::kReadOnly, `to` is behind end();
  // one thread at a time. Errors: kNotFound (a file is gone: the writer has changed; ask for its position
  // again), kCorrupt, also where the log is no longer the one that was followed; kIo; what the visitor says.
  Status follow(Position to, ReplayVisitor& visitor);

  // Finishes and appends a record. A commit gets the next LSN range (from header().lsn_units) and
  // timestamp. Not durable on return. Errors: kDiskFull (nothing changed), kIo (nothing changed, or
  // the log is poisoned), kPoisoned, kReadOnly, kLocked (in a child that was forked).
  Result<Appended> append(RecordBuilder& record, WriteStyle style, AppendObserver* observer = nullptr);

  // Makes all records appended before the call durable. Errors: kOutcomeUnknown: the log is poisoned.
  Status sync();

  // Waits until everything up to `lsn` is durable. Of all that wait one syncs for all (group commit). Errors:
  // kOutcomeUnknown: a sync failed, which poisoned the log.
  Status wait_durable(Lsn lsn);

  // Until everything up to `lsn` is durable because somebody else synced. False: not before `deadline`, or
  // `ended` was set by somebody who then called wake_watchers(), or a sync failed.
  bool watch_durable(Lsn lsn, std::chrono::steady_clock::time_point deadline,
                     const std::function<bool()>& ended);
  void wake_watchers() { watchers_.wake_all(0); }

  // Appends the clean-close mark and syncs. Nothing may be appended afterwards.
  Status close();

  // The payload of an entry, verified. It lies in `window`, which later calls may replace; whatever is not
  // there yet is read in one go up to `reach`, an entry that will be asked for too (or `position` itself).
  // Errors: kCorrupt when the bytes are not that entry, kIo.
  Result<Bytes> read_entry(Position position, PageNo page, EntryKind kind, Position reach,
                           EntryWindow& window) const;
  // The same for who reads many of them: it lies in `streams`, and more is read where entries follow another.
  Result<Bytes> read_entry(Position position, PageNo page, EntryKind kind, EntryStreams& streams) const;
  // The same for who wants what lies around it as well: it lies in `stretch`.
  Result<Bytes> read_entry(Position position, PageNo page, EntryKind kind, EntryStretch& stretch) const;
  // What the record at `position` says besides the content of its pages: verified, whether or not that is
  // damaged. Errors: kCorrupt, kIo.
  Result<RecordHeads> read_record_heads(Position position) const;
  // Reads and verifies a whole record, of those that are asked for one after the other: `window` holds its
  // bytes, and those of the ones behind it.
  Result<RecordView> read_record(Position position, RecordWindow& window) const;
  // The same of one that is in the window already; none: not all of it is, or it is damaged.
  std::optional<RecordView> find_record(Position position, const RecordWindow& window) const;

  LogPoint end() const;
  Lsn last_lsn() const { return Lsn{last_lsn_.load(std::memory_order_acquire)}; }
  Lsn durable_lsn() const { return Lsn{durable_lsn_.load(std::memory_order_acquire)}; }
  // Of the process that opened it; no other may append (kLocked).
  const OwnProcess& process() const { return process_; }
  bool poisoned() const { return poisoned_.load(std::memory_order_acquire); }
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  // Segments in log order, with the offset where each one's records end now.
  struct SegmentInfo {
    const Segment* segment;
    std::uint64_t end;
  };
  std::vector<SegmentInfo> segments() const;
  ControlSlot control() const;

  // "'shop/log-00000003' at offset 8192", for messages.
  std::string describe(Position position) const;
  Error corrupt(Position position, std::string_view what) const;

 private:
  Log(io::Directory& directory, Access access, Clock& clock, Random& random, Control control);

  static Result<Control> create_database(io::Directory& directory, Clock& clock, Random& random);
  Status load_segments();

  struct Tail;
  Status end_at(Position limit);
  Result<ReplayOutcome> finish_following(Position limit, std::uint64_t start, ReplayVisitor& visitor,
                                         Tail& tail);
  void remember(const Tail& tail);
  Tail tail_at_end() const;
  Result<std::vector<std::unique_ptr<Segment>>> segments_up_to(std::uint32_t number) const;
  Status follow_active(std::uint64_t to, ReplayVisitor& visitor, Tail& tail);
  Status follow_into(std::unique_ptr<Segment> segment, ReplayVisitor& visitor, Tail& tail);
  Status pass_over_copies(Segment& segment, std::uint64_t bytes, Tail& tail) const;
  Status scan_segment(Segment& segment, std::uint64_t from, std::optional<std::uint64_t> end,
                      ReplayVisitor& visitor, Tail& tail) const;
  Status judge_tail(const Tail& found) const;
  Status judge_void_segment(std::uint32_t number, Lsn newest) const;
  Status repair_tail(const Tail& found, bool may_replace, ReplayVisitor& visitor, Tail& tail);
  Status copy_records(std::uint64_t from, std::uint64_t to, std::uint64_t previous_checksum,
                      Segment& target) const;
  void forget_active();

  Segment& active() const { return *segments_.back(); }
  const Segment* find_segment(std::uint32_t number) const;
  void add_segment(std::unique_ptr<Segment> segment);
  SegmentHeader next_header(std::uint64_t record_bytes) const;
  Result<std::unique_ptr<Segment>> create_segment_that_fits(SegmentHeader header, std::uint64_t record_bytes,
                                                            const FillSegment& fill);
  Status roll(std::uint64_t record_bytes);
  Status ensure_lease(Lsn last);
  Status secure_what_was_found();
  Error ends_inside_entry(Position position) const;
  Result<std::size_t> entry_bytes(const std::byte* at, Position position, PageNo page, EntryKind kind) const;
  Result<Bytes> verified_payload(Bytes entry, Position position) const;
  Status fill(RecordWindow& window, Position position, std::size_t least_bytes, std::size_t bytes) const;
  Status fill(EntryWindow& window, Position position, std::size_t size_bytes, Position reach) const;
  Status prepare_space(std::uint64_t offset, std::uint64_t record_bytes);
  Status write_record(const RecordBuilder& record, std::uint64_t offset, WriteStyle style);
  Status sync_segment(Segment& segment, std::uint64_t appended);
  std::uint64_t durable() const override { return durable_lsn_.load(std::memory_order_acquire); }
  bool failed() const override { return poisoned(); }
  std::uint64_t appended() override { return last_lsn_.load(std::memory_order_acquire); }
  void sync_appended() override {
    sync().ignore("a failure poisons the log, and those that wait look there");
  }
  Error poison(const Error& cause);
  Error outcome_unknown() const;

  io::Directory& directory_;
  const Access access_;
  const OwnProcess process_;
  Clock& clock_;
  Random& random_;
  Control control_;
  // What stays in the control file, whose slot changes under append_mutex_.
  const std::uint64_t database_id_;
  const std::uint32_t format_version_;
  bool created_ = false;
  bool replayed_ = false;
  bool leased_ = false;       // this owner wrote the control file since it opened
  bool needs_close_ = false;  // the log does not end with a clean-close mark

  // What each append changes is in other lines than what whoever reads the log needs.
  alignas(kCacheLineBytes) mutable std::mutex append_mutex_;    // guards what follows but for the atomics
  std::mutex sync_mutex_;                                       // taken last but for poison_mutex_
  alignas(kCacheLineBytes) mutable std::mutex segments_mutex_;  // guards segments_ as a list
  std::vector<std::unique_ptr<Segment>> segments_;
  std::vector<std::uint32_t> void_segments_;
  // Lock-free lookup for readers: number -> segment, in chunks.
  static constexpr std::size_t kChunk = 1024;
  struct Chunk {
    std::array<std::atomic<const Segment*>, kChunk> segments{};
  };
  std::array<std::atomic<Chunk*>, (kSegmentNumberMax + kChunk) / kChunk> chunks_{};
  std::vector<std::unique_ptr<Chunk>> owned_chunks_;

  mutable std::mutex poison_mutex_;  // taken last; guards what follows
  std::string poison_cause_;

  GroupSync group_sync_{*this};
  WaitGroups watchers_;  // in group 0; woken by each sync

  alignas(kCacheLineBytes) std::uint64_t previous_checksum_ = 0;
  std::uint64_t closed_sequence_ = 0;
  std::uint64_t useful_end_ = kFirstRecordOffset;    // of a log that is read: Tail::useful_end
  std::optional<std::uint64_t> found_close_record_;  // its offset in the active segment
  std::uint64_t next_lsn_ = 0;                       // newest LSN handed out
  TimestampUs last_timestamp_us_ = 0;
  std::uint64_t prepared_ = 0;              // the active segment is zero-filled up to here
  std::atomic<std::uint64_t> last_lsn_{0};  // newest commit appended
  std::atomic<std::uint64_t> durable_lsn_{0};
  std::atomic<std::uint64_t> used_bytes_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<bool> poisoned_{false};
};

}  // namespace dosql::log
