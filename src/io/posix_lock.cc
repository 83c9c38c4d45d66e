#include "io/posix_lock.h"

#include <sys/file.h>

#include <array>
#include <cerrno>

#include "io/posix_error.h"
#include "io/storage_error.h"

namespace dosql::io {
namespace {

constexpr std::size_t kMaxOwnerBytes = 1024;

class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  // Closing the descriptor releases the lock. The text goes first, so that nobody can be told of an
  // owner who has left; the file stays, because removing it could remove a successor's.
  ~PosixLock() override { [[maybe_unused]] const int ignored = ftruncate(descriptor_.get(), 0); }

 private:
  const FileDescriptor descriptor_;
};

// The first line of the file. Empty when the holder has not written it yet, or it cannot be read.
std::string holder_of(const FileDescriptor& descriptor) {
  std::array<char, kMaxOwnerBytes> text;
  const ssize_t count = pread(descriptor.get(), text.data(), text.size(), 0);
  if (count <= 0) return {};
  const std::string_view line(text.data(), static_cast<std::size_t>(count));
  return std::string(line.substr(0, line.find('\n')));
}

// The text is there before what a killed predecessor left behind it is cut off: who reads the first
// line in between sees the whole new text.
bool write_owner(const FileDescriptor& descriptor, std::string_view owner) {
  const std::string line = std::string(owner.substr(0, kMaxOwnerBytes - 1)) + '\n';
  const ssize_t length = static_cast<ssize_t>(line.size());
  return pwrite(descriptor.get(), line.data(), line.size(), 0) == length &&
         ftruncate(descriptor.get(), length) == 0;
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> lock_posix_file(FileDescriptor descriptor, const std::string& path,
                                                       std::string_view owner) {
  while (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return locked_error(holder_of(descriptor), path);
    if (errno != EINTR) return posix_data_error(errno, "lock", path);
  }
  if (!write_owner(descriptor, owner)) return posix_data_error(errno, "write the owner into", path);
  return std::unique_ptr<DirectoryLock>(std::make_unique<PosixLock>(std::move(descriptor)));
}

}  // namespace dosql::io
