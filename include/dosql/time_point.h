// Points in time: how a program says which version it means.
//
//   lsn(6816)                            that LSN's commit, or the newest one before it
//   timestamp("2026-01-01T12:00:00Z")    the newest version at or before it
//   snapshot("main@5")                   main after its fifth commit; or the name that CREATE SNAPSHOT gave
//   branch("x")                          the newest version of branch x
//   relative(-5), current()              five versions back; none
//
// A point is only a description, and making one cannot fail. It means a version once a Connection resolves
// it: LSNs, timestamps and relative points are on that connection's branch, snapshots and branches are the
// same for everybody. What does not exist is reported there: DOSQL_VERSION_NOT_FOUND (before the beginning,
// or in the future), DOSQL_BRANCH_NOT_FOUND, DOSQL_NOT_FOUND (a named snapshot), DOSQL_INVALID_ARGUMENT (not
// a date).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <dosql/value.h>

namespace dosql {

// UTC, as commits have it.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// A version that exists, or existed: branch x after its fifth commit is x@5.
struct VersionId {
  std::string branch;
  std::uint64_t version = 0;  // 0: the empty database
  std::uint64_t lsn = 0;      // the last one of its commit

  // "x@5"
  std::string to_string() const;
  friend bool operator==(const VersionId&, const VersionId&) = default;
};

// Copies are independent; threads: as any value.
class TimePoint {
 public:
  enum class Kind : std::uint8_t { kLsn, kTimestamp, kSnapshot, kBranch, kRelative, kText };

  TimePoint(Kind kind, Value value, std::uint64_t commit_lsn = 0)
      : kind_(kind), value_(std::move(value)), commit_lsn_(commit_lsn) {}

  Kind kind() const { return kind_; }
  // INTEGER of kLsn and kRelative, else TEXT.
  const Value& value() const { return value_; }
  // Of snapshot(VersionId): the commit that is meant, whatever its branch is called now. Else 0.
  std::uint64_t commit_lsn() const { return commit_lsn_; }
  // As SQL says it behind FROM and AS OF: "SNAPSHOT 'main@5'"; of kText the text.
  std::string to_string() const;

 private:
  Kind kind_;
  Value value_;
  std::uint64_t commit_lsn_;
};

TimePoint lsn(std::uint64_t lsn);
// Whatever SQLite's date functions read; UTC unless it has an offset.
TimePoint timestamp(std::string_view text);
TimePoint timestamp(Timestamp time);
// Finer clocks: what is below a microsecond is cut off.
template <class Duration>
TimePoint timestamp(std::chrono::sys_time<Duration> time) {
  return timestamp(std::chrono::floor<std::chrono::microseconds>(time));
}
TimePoint snapshot(std::string_view name);
// Exactly that version, also when its branch was dropped or another one has its name now; by name where the
// LSN is 0.
TimePoint snapshot(const VersionId& version);
TimePoint branch(std::string_view name);
// 0 is the newest version, or what the open transaction sees; -5 is five versions before it.
TimePoint relative(std::int64_t versions);
TimePoint current();

// As a person writes it in one word, for command lines: 'lsn:6816', 'branch:x', 'snapshot:x', 'current',
// 'current-5', '5' (a version of the connection's branch, whatever else is called so), the name of a
// snapshot, 'main@5', the name of a branch, else a timestamp.
TimePoint time_point(std::string_view text);

}  // namespace dosql
