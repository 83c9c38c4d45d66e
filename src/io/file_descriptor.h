// Owns a POSIX file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace dosql::io {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  // Linux frees the number even when close reports an error, and whoever cares for the content has
  // called sync_data; nothing to act upon is lost here.
  ~FileDescriptor() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const { return number_; }
  // False when the call that should have opened it failed.
  bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

}  // namespace dosql::io
