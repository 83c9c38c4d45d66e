#include "tests/shell/process.h"
#include "testing/paths.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

namespace dosql::shell_test {

namespace fs = std::filesystem;

Outcome run_command(const fs::path& folder, const std::string& command, const std::string& input) {
  // Files rather than pipes: nothing has to be read while it runs.
  TemporaryFolder streams;
  write_file(streams.path() / "command", command);
  write_file(streams.path() / "in", input);
  const std::string streams_path = streams.path().string();
  const std::string line = fmt::format(
      "cd '{0}' && env -i PATH='{1}':/usr/local/bin:/usr/bin:/bin HOME='{0}' TERM=dumb LC_ALL=C.UTF-8 "
      "ASAN_OPTIONS=\"$ASAN_OPTIONS\" UBSAN_OPTIONS=\"$UBSAN_OPTIONS\" TSAN_OPTIONS=\"$TSAN_OPTIONS\" "
      "/bin/sh '{2}/command' < '{2}/in' > '{2}/out' 2> '{2}/err'",
      folder.string(), testing::binary_dir().string(), streams_path);
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.output = read_file(streams.path() / "out");
  outcome.errors = read_file(streams.path() / "err");
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "dosql-shell-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
}

}  // namespace dosql::shell_test
