// The database file that SQLite sees: one branch of a VersionStore, or one old version of it.
//
// SQLite's locks are the transaction. SHARED pins the newest visible version, or, when this connection holds
// the branch's writer slot already, the newest commit in the log. RESERVED takes the writer slot and begins a
// WriteTransaction on the pinned version; SQLITE_FCNTL_COMMIT_PHASETWO commits it (pager.c sends it
// after the journal is finalised and after VACUUM's truncate); going below RESERVED without it rolls back.
// PENDING and EXCLUSIVE have nothing to keep out.
//
// A trial is a transaction that is always rolled back: RESERVED takes no slot then, and the pages that it
// writes stay beside the store.
//
// The change counter. SQLite keeps its page cache over the end of a transaction when bytes 24-39 of page 1
// are what it saw last (sqlite3PagerSharedLock). Bytes 24-27 (and their copy at 92-95) are a counter that the
// store does not keep (invariant V5), so each file keeps one of its own:
//
//   M1  Whatever part of page 1 is read, the counter in it is this file's.
//   M2  The counter is left alone by a commit through this file (the pager itself counted up), and counts
//       up when the version that is pinned is not the one this file pinned or committed last.
//   M3  After a counter that the pager wrote but did not commit, this file continues behind it: the pager
//       may have taken note of it.
//
// One thread at a time, as its connection. The methods return SQLite result codes; what the store had to say
// is in the session's `failure`.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/autoincrement.h"
#include "engine/journal_file.h"
#include "engine/session.h"
#include "engine/trial_pages.h"
#include "engine/writer_slot.h"
#include "version/version_store.h"

namespace dosql::engine {

class MainFile final : public BaseReader {
 public:
  // On `fixed` when given (then read-only), else on the head of main. `store`, `slots` and `counters` must
  // outlive the file.
  MainFile(version::VersionStore& store, WriterSlots& slots, AutoincrementCounters& counters,
           std::shared_ptr<Session> session, std::optional<version::ReadPoint> fixed);
  ~MainFile() override;
  MainFile(const MainFile&) = delete;
  MainFile& operator=(const MainFile&) = delete;

  int read(std::uint64_t offset, MutableBytes out);
  int write(std::uint64_t offset, Bytes bytes);
  int truncate(std::uint64_t file_bytes);
  std::uint64_t size();
  int lock(int level);
  void unlock(int level);
  int commit();

  int read_base(PageNo page, std::uint32_t offset, MutableBytes out) override;
  JournalFile& journal() { return journal_; }
  Session& session() { return *session_; }
  version::VersionStore& store() { return store_; }
  bool read_only() const;

  // What the commit of the open transaction is to say besides its pages; more of it may follow. A commit that
  // has marks makes a version also where no page changed, if the transaction was begun for writing. Undone
  // with the transaction; for savepoints inside it there is marks_table.h. REQUIRES: writes(); in all, the
  // limits of CommitMarks.
  void add_marks(const version::CommitMarks& marks) {
    CHECK(writes());
    marks_.push_back(marks);
  }
  std::size_t marks_count() const { return marks_.size(); }
  // All of them as one.
  version::CommitMarks marks() const;
  // All but the first `count`.
  void drop_marks_from(std::size_t count) { marks_.resize(std::min(count, marks_.size())); }
  // A statement is going to be stepped; it was, and gave a row or came to its end. What is only tried gives
  // no numbers to anybody.
  void statement_begins(sqlite3_stmt* statement) {
    if (locked() && !trial_) counters_.statement_begins(*this, statement);
  }
  void statement_gave(sqlite3_stmt* statement) {
    if (write_.active()) counters_.statement_gave(*this, statement);
  }

  // The transaction is one that writes: it has the writer slot, or is a trial.
  bool writes() const { return write_.active() || trial_pages_.active(); }

  // Until end_trial() every transaction that writes is a trial, on whichever version it reads; a file that is
  // otherwise read-only may be written to as well. Committing one fails. REQUIRES of both: !writes().
  void begin_trial() {
    CHECK(!writes());
    trial_ = true;
  }
  void end_trial() {
    CHECK(!writes());
    trial_ = false;
  }

  // The version that the open transaction reads, else the one that the next would.
  version::ReadPoint point() const;
  // Waits until that is visible: a writer may stand on commits that are not yet, and no point names those.
  // Errors: kOutcomeUnknown (a sync failed).
  Status await_point();
  // The branch that it is on. Moving it leaves it to the caller that SQLite forgets the schema: two branches
  // may have the same schema cookie. REQUIRES of moving: no lock is held, the file is not on a fixed version.
  // Until the open transaction ends, the one that its version was pinned on.
  BranchId branch() const { return fixed_ || reader_.pinned() ? branch_ : store_.current(branch_); }
  void move_to(BranchId branch);
  // Moves a file on a fixed version to another one. REQUIRES: no lock is held.
  void look_at(const version::ReadPoint& point);
  // Makes SQLite read the schema anew before it next uses the file: two versions may have the same schema
  // cookie and different schemas. From then on the cookie shown is this file's own. REQUIRES: as look_at.
  void show_another_schema();
  bool locked() const { return lock_ != 0; }

  // Pins what the next transaction would read and keeps it pinned over SQLite's locks, until release_head():
  // what is counted from the present before SQLite locks the file, and what it reads then, are of one
  // version. REQUIRES: not locked(), not held.
  void hold_head();
  // Gives back what is not in use, a writer slot that was waited for included.
  void release_head();
  bool holds_head() const { return held_; }

  // Waits for the writer slot until `deadline` and keeps it for the statement that is tried again now. False:
  // the time is over or the connection was interrupted.
  bool wait_for_slot(WriterSlot::TimePoint deadline);
  // Any thread.
  void wake_waiter() { slot_.load()->wake(); }

 private:
  class TemporaryPin;

  void pin();
  Status pin_known_schema();
  bool has_schema_of(const version::ReadPoint& other);
  int reserve();
  void roll_back();
  void forget_transaction();
  void end_write(WriterSlot::HandOff hand_off);
  void give_slot_back(WriterSlot::HandOff hand_off);
  void let_go();
  void forget_written_counter();
  int read_page(PageNo page, std::uint32_t offset, MutableBytes out);
  int read_version_bytes(MutableBytes out);
  void show_counter(std::uint32_t counter, std::uint32_t offset, MutableBytes out) const;
  void note_page1(Bytes page);
  int fail(Error error, int io_code);

  version::VersionStore& store_;
  WriterSlots& slots_;
  AutoincrementCounters& counters_;
  std::shared_ptr<Session> session_;
  std::optional<version::ReadPoint> fixed_;
  BranchId branch_;
  std::atomic<WriterSlot*> slot_;  // the branch's, whatever its id
  WriterSlot::Writer writer_;

  int lock_ = 0;
  bool held_ = false;
  bool has_slot_ = false;
  version::Reader reader_;
  version::WriteTransaction write_;
  bool trial_ = false;
  TrialPages trial_pages_;
  std::vector<version::CommitMarks> marks_;  // of the transaction that is open
  JournalFile journal_;

  // Bytes 24-39 of page 1 as the pager last saw them from us: the counter, then its page count and free list.
  using VersionBytes = std::array<std::byte, 16>;
  version::ReadPoint last_point_;
  std::uint32_t counter_ = 1;
  std::uint32_t schema_cookie_ = 0;  // 0: the version's own
  VersionBytes version_bytes_{};
  // What the pager wrote in the transaction that is open.
  bool wrote_page1_ = false;
  std::uint32_t written_counter_ = 0;
  VersionBytes written_version_bytes_{};
};

}  // namespace dosql::engine
