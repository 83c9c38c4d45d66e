// The status page: how a writer tells other processes, without waiting for any of them, how far its log is
// visible, and how they tell the writer what they still need. docs/format/status.md says what is where.
//
// It is memory that several processes share (io::SharedMemory) and holds nothing that the log does not have;
// where it is missing, others read what they find when they open the database. Every number in it was written
// by somebody else and may be anything: a follower uses only the position, and believes no record that does
// not verify.
//
//   S1  Lock 0 is held by the process that writes, for as long as it does. Without it nothing in the page is
//       of today, but the pins of followers whose lock is held.
//   S2  Before `visible_end` says so, all commits and names that the log holds in front of it are as
//       durable as they were asked to be (V3). It is 0 while a writer recovers: nobody knows then.
//   S3  A follower holds lock 1 + i for as long as it uses slot i. With the lock it first notes that it needs
//       everything, then reads the log.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include <dosql/result.h>

#include "base/ids.h"
#include "io/storage.h"
#include "log/format.h"

namespace dosql::version {

inline constexpr char kStatusMagic[8] = {'D', 'o', 'S', 'Q', 'L', 's', 't', 'a'};
inline constexpr std::uint32_t kStatusFormatVersion = 1;
inline constexpr std::size_t kStatusBytes = 4096;
inline constexpr std::uint32_t kFollowersMax = 128;

struct FollowerSlot {
  std::atomic<std::uint64_t> pid;
  std::atomic<std::uint64_t> lsn_plus_one;  // 0: it needs nothing; 1: everything
};
static_assert(sizeof(FollowerSlot) == 16);

// NOTE: the layout is that of a file which processes of several releases may have open at once.
struct StatusContent {
  std::atomic<std::uint64_t> magic;
  std::atomic<std::uint32_t> format_version;
  std::uint32_t reserved0;
  std::atomic<std::uint64_t> database_id;
  std::atomic<std::uint64_t> epoch;       // random for each open for writing; 0: there is no writer
  std::atomic<std::uint64_t> writer_pid;  // of the newest one
  std::atomic<std::uint64_t> closed;      // 1: the newest writer closed the database
  std::uint64_t reserved1[2];
  std::atomic<std::uint64_t> visible_end;  // S2
  std::atomic<std::uint64_t> visible_lsn;
  std::atomic<std::uint64_t> durable_lsn;
  std::atomic<std::uint32_t>
      change;  // grows by 2 with each change of what is visible; 1: somebody waits on it
  std::uint32_t reserved2;
  std::uint64_t reserved3[244];
  FollowerSlot followers[kFollowersMax];
};
static_assert(sizeof(StatusContent) == kStatusBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

// How far the log is visible.
struct VisibleLog {
  log::Position end{};  // S2
  Lsn lsn{};            // the newest commit or name in front of it
  Lsn durable_lsn{};    // the newest that is on disk
};

class StatusPage {
 public:
  using TimePoint = io::SharedMemory::TimePoint;

  // Errors: those of Directory::open_shared.
  static Result<std::unique_ptr<StatusPage>> open(io::Directory& directory,
                                                  io::Directory::CreateShared create);
  // One that this process shares with nobody.
  static std::unique_ptr<StatusPage> make_private();

  // A writer has been here.
  bool has_magic() const;
  // What is there is of this format and database.
  bool describes(std::uint64_t database_id) const;

  // --- The writer ---

  // Takes the writer's place; nobody is told anything until start_writing(). Errors: kLocked, kIo.
  Status become_writer(std::uint64_t database_id);
  // `epoch` is not 0.
  void start_writing(std::uint64_t epoch, std::uint64_t pid, const VisibleLog& visible);
  // Tens of nanoseconds when nobody waits. One thread at a time; positions never go back.
  void publish(const VisibleLog& visible);
  // The database is closed: nothing comes any more. Gives the writer's place back.
  void stop_writing(const VisibleLog& visible);

  // --- Everybody else ---

  // Another process writes, and publishes what is visible.
  bool has_writer() const;
  std::uint64_t writer_pid() const { return content().writer_pid.load(std::memory_order_relaxed); }
  log::Position visible_end() const {
    return log::Position{content().visible_end.load(std::memory_order_acquire)};
  }
  Lsn visible_lsn() const { return Lsn{content().visible_lsn.load(std::memory_order_acquire)}; }
  Lsn durable_lsn() const { return Lsn{content().durable_lsn.load(std::memory_order_acquire)}; }

  // Takes a slot that says that everything is needed (S3). False: all are taken. Errors: kIo.
  Result<bool> become_follower(std::uint64_t pid);
  bool is_follower() const { return slot_.has_value(); }
  // The oldest state of the database that this follower needs: all versions that were some branch's newest
  // then, and later ones. REQUIRES: is_follower().
  void set_pin(Lsn lsn);
  // The same where that is older than what is noted.
  void lower_pin(Lsn lsn);

  struct Followers {
    std::uint32_t count = 0;
    std::optional<Lsn> oldest_pin;
  };
  // Those that live now, this one included. Errors: kIo.
  Result<Followers> followers() const;

  // --- Waiting ---

  // A ticket for wait(): take it, look whether what is waited for is there already, then wait.
  std::uint32_t change() const { return content().change.load(std::memory_order_acquire); }
  // Until something became visible since the ticket, or wake_waiters(), or the deadline; may return for no
  // reason. False only when the deadline has passed.
  bool wait(std::uint32_t ticket, TimePoint deadline);
  // In all processes; they look for changes and find none.
  void wake_waiters() { note_change(); }

 private:
  explicit StatusPage(std::unique_ptr<io::SharedMemory> memory) : memory_(std::move(memory)) {}

  StatusContent& content() const { return *reinterpret_cast<StatusContent*>(memory_->data()); }
  void note_change();

  const std::unique_ptr<io::SharedMemory> memory_;
  std::optional<std::uint32_t> slot_;
};

}  // namespace dosql::version
