// Commits whose rows say when they were made, for measuring how long it takes until somebody has them.
#pragma once

#include <dosql/dosql.h>

#include <cstdint>
#include <string>

#include "bench/harness.h"

namespace dosql::bench {

// Of a clock that all processes share.
std::int64_t now_ns();

// What the row t(id, ns, before) of a commit says: when the commit was begun, and what the one before it
// took.
void make_timed_table(Connection& connection);
// Commits `count` rows in FULL, a millisecond apart, so that who waits for them waits again.
void make_timed_commits(Connection& connection, int count);

// A process that does it whenever it is told to. It has the database open for writing.
class CommittingChild {
 public:
  explicit CommittingChild(const std::string& path);
  ~CommittingChild();
  CommittingChild(const CommittingChild&) = delete;
  CommittingChild& operator=(const CommittingChild&) = delete;

  // Does not wait for it.
  void commit(int count);

 private:
  static void serve(const std::string& path, int orders, int answers);

  int pid_ = -1;
  int orders_ = -1;
};

// What a call gave; a failure ends the program.
template <class T>
T value_of(Result<T> result) {
  if (!result) fail(result.error().message());
  return *std::move(result);
}
inline void check(const Status& status) {
  if (!status) fail(status.error().message());
}

}  // namespace dosql::bench
