// Processes that are killed in tests.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dosql {
class Connection;
}

namespace dosql::testing {

// A program of ours beside the tests, and the numbers that it prints, one a line.
class Child {
 public:
  // `arguments` begin with the program's name.
  explicit Child(const std::vector<std::string>& arguments);
  // Kills it.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // None when there are no more.
  std::optional<std::int64_t> read_number();
  void send_kill();
  // Waits for its end. False if it was not killed.
  bool was_killed();

 private:
  pid_t pid_ = -1;
  std::FILE* lines_ = nullptr;
};

// A running kill_writer.
class KilledWriter {
 public:
  KilledWriter(const std::string& directory, const char* synchronous, int threads);

  // Reads acknowledgements; false when there are no more.
  bool read_one();
  // Kills it and reads what it still acknowledged. False if it had ended by itself.
  bool kill();
  // The newest acknowledged transaction, 0: none.
  std::int64_t acknowledged() const { return acknowledged_; }

 private:
  Child child_;
  std::int64_t acknowledged_ = 0;
};

// That the database holds what the transactions of kill_writer up to some number leave behind, not fewer than
// `acknowledged` and not more than one besides for each thread that was killed since that was known. `newest`
// becomes that number.
void expect_whole(Connection& connection, std::int64_t acknowledged, int threads_killed,
                  std::int64_t& newest);

}  // namespace dosql::testing
