#include "io/posix_shared.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <vector>

#include "base/check.h"
#include "io/posix_error.h"
#include "io/storage_error.h"

namespace dosql::io {
namespace {

using std::chrono::nanoseconds;

// A store into the mapping cannot report a full disk, so its blocks are written before.
Status make_long_enough(const FileDescriptor& file, const std::string& path, std::size_t size_bytes,
                        Directory::CreateShared create) {
  struct stat about;
  if (fstat(file.get(), &about) != 0) return posix_data_error(errno, "ask the size of", path);
  if (!S_ISREG(about.st_mode)) return storage_error(ErrorCode::kIo, "share", path, "it is not a plain file");
  const auto old_bytes = static_cast<std::size_t>(about.st_size);
  if (old_bytes >= size_bytes) return {};
  if (create == Directory::CreateShared::kNo)
    return storage_error(ErrorCode::kNotFound, "share", path, "it is too short");
  // Another process may be here too: it writes the same zeros, and nobody anything else before that.
  const std::vector<std::byte> zeros(size_bytes - old_bytes);
  const ssize_t count = pwrite(file.get(), zeros.data(), zeros.size(), static_cast<off_t>(old_bytes));
  if (count == static_cast<ssize_t>(zeros.size())) return {};
  return posix_data_error(count < 0 ? errno : ENOSPC, size_action("reserve", size_bytes), path);
}

struct flock lock_of(short type, std::uint32_t first, std::uint32_t count) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = count;
  return lock;
}

timespec time_of(SharedMemory::TimePoint deadline) {
  const auto since = std::max(deadline.time_since_epoch(), SharedMemory::TimePoint::duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds.count());
  time.tv_nsec = static_cast<long>(std::chrono::duration_cast<nanoseconds>(since - seconds).count());
  return time;
}

class PosixSharedMemory final : public SharedMemory {
 public:
  PosixSharedMemory(FileDescriptor descriptor, std::string path, std::byte* data, std::size_t size_bytes)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), data_(data), size_bytes_(size_bytes) {}
  ~PosixSharedMemory() override { munmap(data_, size_bytes_); }

  std::byte* data() override { return data_; }

  Result<bool> try_lock(std::uint32_t number) override {
    CHECK(number < kLocks);
    struct flock lock = lock_of(F_WRLCK, number, 1);
    while (fcntl(descriptor_.get(), F_OFD_SETLK, &lock) != 0) {
      if (errno == EAGAIN || errno == EACCES) return false;
      if (errno != EINTR) return posix_data_error(errno, "lock", path_);
    }
    return true;
  }

  void unlock(std::uint32_t number) override {
    struct flock lock = lock_of(F_UNLCK, number, 1);
    // Without waiting there is nothing to interrupt, and giving back needs nothing that could be missing.
    [[maybe_unused]] const int ignored = fcntl(descriptor_.get(), F_OFD_SETLK, &lock);
  }

  Result<bool> locked_by_other(std::uint32_t first, std::uint32_t count) override {
    struct flock lock = lock_of(F_WRLCK, first, count);
    if (fcntl(descriptor_.get(), F_OFD_GETLK, &lock) != 0) {
      return posix_data_error(errno, "ask for the locks of", path_);
    }
    return lock.l_type != F_UNLCK;
  }

  bool wait(std::size_t offset, std::uint32_t expected, TimePoint deadline) override {
    const timespec time = time_of(deadline);
    // With a bit set, the time is a point on the monotonic clock, which steady_clock is.
    const long rc = syscall(SYS_futex, data_ + offset, FUTEX_WAIT_BITSET, expected, &time, nullptr,
                            FUTEX_BITSET_MATCH_ANY);
    return rc == 0 || errno != ETIMEDOUT;
  }

  void wake(std::size_t offset) override {
    syscall(SYS_futex, data_ + offset, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }

 private:
  const FileDescriptor descriptor_;
  const std::string path_;
  std::byte* const data_;
  const std::size_t size_bytes_;
};

}  // namespace

Result<std::unique_ptr<SharedMemory>> map_posix_shared(FileDescriptor descriptor, std::string path,
                                                       std::size_t size_bytes,
                                                       Directory::CreateShared create) {
  DOSQL_RETURN_IF_ERROR(make_long_enough(descriptor, path, size_bytes, create));
  void* const data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (data == MAP_FAILED) return posix_data_error(errno, "share", path);
  return std::unique_ptr<SharedMemory>(std::make_unique<PosixSharedMemory>(
      std::move(descriptor), std::move(path), static_cast<std::byte*>(data), size_bytes));
}

}  // namespace dosql::io
