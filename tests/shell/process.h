// Runs a command line and catches what it says.
#pragma once

#include <filesystem>
#include <string>

namespace dosql::shell_test {

struct Outcome {
  std::string output;
  std::string errors;
  int exit_status = -1;  // 128 + N when signal N ended it
};

// /bin/sh -c `command` in `folder`, with `input` as standard input, the built programs first in PATH, HOME in
// the folder and no colours.
Outcome run_command(const std::filesystem::path& folder, const std::string& command,
                    const std::string& input);

// A new empty folder that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& content);

}  // namespace dosql::shell_test
