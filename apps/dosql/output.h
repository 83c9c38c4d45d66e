// Where results go: standard output, or a file that .output or .once named.
#pragma once

#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::shell {

class Output {
 public:
  Output() = default;
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Buffered. A failure is kept and told by flush().
  void write(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kBufferBytes) write_out();
  }
  void write(char c) { write(std::string_view(&c, 1)); }

  // Errors: kIo, kDiskFull, once per failure; what was lost stays lost.
  Status flush();

  // Later text goes to the file, replacing its content. With `once`, end_of_command() goes back to standard
  // output. Errors: kIo; the destination is standard output then.
  Status open_file(const std::string& path, bool once);
  Status back_to_standard_output();
  // After each statement or dot-command other than .once itself.
  Status end_of_command();

  bool is_standard_output() const { return path_.empty(); }
  const std::string& path() const { return path_; }

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;
  void write_out();

  std::string buffer_;
  std::string path_;  // empty: standard output
  int descriptor_ = 1;
  bool once_ = false;
  int failed_errno_ = 0;
};

}  // namespace dosql::shell
