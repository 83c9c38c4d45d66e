// A program on a pseudo-terminal, and what its screen would show.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dosql::shell_test {

class Terminal {
 public:
  // Starts `arguments` (the program's path first) in `folder` with 100 columns. `environment` replaces all of
  // it.
  Terminal(const std::filesystem::path& folder, std::vector<std::string> arguments,
           std::map<std::string, std::string> environment);
  ~Terminal();  // ends the program
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(std::string_view keys);
  // Reads until `text` is on the screen behind what earlier calls found. False: it did not come within 20
  // seconds, or the program ended.
  bool wait_for(std::string_view text);
  // What came since the last wait_for() or clear(), without escape sequences and carriage returns.
  std::string screen() const { return plain_.substr(found_); }
  // All that came, as it is.
  const std::string& raw() const { return raw_; }
  // Waits until the program ends by itself; its exit status, 128 + N when signal N ended it. One that is
  // silent for 20 seconds is killed.
  int wait_for_exit();
  pid_t process() const { return process_; }

 private:
  bool read_some();
  void append(std::string_view bytes);

  int descriptor_ = -1;
  pid_t process_ = -1;
  bool closed_ = false;  // by the program
  bool ended_ = false;
  std::string raw_;
  std::string plain_;
  std::size_t found_ = 0;
};

}  // namespace dosql::shell_test
