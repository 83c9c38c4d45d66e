#include "io/posix_lock.h"

#include <sys/file.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "base/own_process.h"
#include "io/posix_error.h"
#include "io/storage_error.h"

namespace dosql::io {
namespace {

constexpr std::size_t kMaxOwnerBytes = 1024;
// How long a holder that is about to end is waited for: two seconds.
constexpr std::chrono::milliseconds kNap{5};
constexpr int kNapsMax = 400;

class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
  // Closing the descriptor releases the lock. The text goes first, so that nobody can be told of an
  // owner who has left; the file stays, because removing it could remove a successor's.
  ~PosixLock() override {
    if (!process_.is_this()) return;  // a child shares its parent's lock
    [[maybe_unused]] const int ignored = ftruncate(descriptor_.get(), 0);
  }

 private:
  const FileDescriptor descriptor_;
  const OwnProcess process_;
};

// The first line of the file. Empty when the holder has not written it yet, or it cannot be read.
std::string holder_of(const FileDescriptor& descriptor) {
  std::array<char, kMaxOwnerBytes> text;
  const ssize_t count = pread(descriptor.get(), text.data(), text.size(), 0);
  if (count <= 0) return {};
  const std::string_view line(text.data(), static_cast<std::size_t>(count));
  return std::string(line.substr(0, line.find('\n')));
}

// Whether a SIGKILL is on its way to the process (proc(5), /proc/pid/status).
bool is_killed(const std::string& process_folder) {
  std::ifstream file(process_folder + "/status");
  for (std::string line; std::getline(file, line);) {
    unsigned long long pending = 0;
    const bool read = std::sscanf(line.c_str(), "SigPnd: %llx", &pending) == 1 ||
                      std::sscanf(line.c_str(), "ShdPnd: %llx", &pending) == 1;
    if (read && (pending & (1ULL << (SIGKILL - 1))) != 0) return true;
  }
  return false;
}

// Whether the process has begun to end (/proc/pid/stat), or is gone.
bool is_exiting(const std::string& process_folder) {
  std::ifstream file(process_folder + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return false;
  char state = 0;
  unsigned flags = 0;
  if (std::sscanf(line.c_str() + name_end + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
    return false;
  constexpr unsigned kExiting = 4;  // PF_EXITING, linux/sched.h
  return state == 'Z' || state == 'X' || (flags & kExiting) != 0;
}

// The system gives a process's locks back late in its end: after a kill -9 the memory goes first. `owner`
// begins with "process 123"; that of another namespace looks as if it were gone, and is waited for in vain.
bool is_leaving(const std::string& owner) {
  int process = 0;
  if (std::sscanf(owner.c_str(), "process %d", &process) != 1) return false;
  const std::string folder = "/proc/" + std::to_string(process);
  return is_exiting(folder) || is_killed(folder);
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
  for (int naps = 0; flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return posix_data_error(errno, "lock", path);
    const std::string holder = holder_of(descriptor);
    if (naps++ == kNapsMax || !is_leaving(holder)) return locked_error(holder);
    std::this_thread::sleep_for(kNap);
  }
  if (!write_owner(descriptor, owner)) return posix_data_error(errno, "write the owner into", path);
  return std::unique_ptr<DirectoryLock>(std::make_unique<PosixLock>(std::move(descriptor)));
}

}  // namespace dosql::io
