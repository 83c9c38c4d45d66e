// A file that an import reads, from the start and from the start again.
#pragma once

#include <cstdint>
#include <string>

#include <dosql/result.h>

namespace dosql::shell {

class InputFile {
 public:
  // Errors: kNotFound, kIo.
  static Result<InputFile> open(const std::string& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  // 0 where it cannot be known (a pipe).
  std::uint64_t size_bytes() const { return size_bytes_; }
  // Bytes read since the start.
  std::uint64_t position() const { return position_; }

  // Up to `capacity` bytes into `to`; 0 at the end. Errors: kIo.
  Result<std::size_t> read(char* to, std::size_t capacity);
  Result<std::string> read_all();
  // Back to the start. What came from a pipe was kept and is given again.
  Status rewind();

 private:
  InputFile(std::string path, int descriptor, std::uint64_t size_bytes, bool seekable);
  Result<std::size_t> read_descriptor(char* to, std::size_t capacity);

  std::string path_;
  int descriptor_;
  std::uint64_t size_bytes_;
  bool seekable_;
  std::uint64_t position_ = 0;
  std::string kept_;  // all that a pipe gave
};

}  // namespace dosql::shell
