#include "apps/dosql/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace dosql::shell {

namespace {

Error system_error(std::string_view what, const std::string& path, int code) {
  return Error(code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               fmt::format("cannot {} '{}': {}", what, path, std::strerror(code)));
}

}  // namespace

Result<InputFile> InputFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return system_error("open", path, errno);
  struct stat facts = {};
  int code = ::fstat(descriptor, &facts) == 0 ? 0 : errno;
  if (code == 0 && S_ISDIR(facts.st_mode)) code = EISDIR;
  if (code != 0) {
    ::close(descriptor);
    return system_error("read", path, code);
  }
  const bool seekable = S_ISREG(facts.st_mode);
  return InputFile(path, descriptor, seekable ? static_cast<std::uint64_t>(facts.st_size) : 0, seekable);
}

InputFile::InputFile(std::string path, int descriptor, std::uint64_t size_bytes, bool seekable)
    : path_(std::move(path)), descriptor_(descriptor), size_bytes_(size_bytes), seekable_(seekable) {}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_),
      seekable_(other.seekable_),
      position_(other.position_),
      kept_(std::move(other.kept_)) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> InputFile::read(char* to, std::size_t capacity) {
  if (position_ < kept_.size()) {
    const std::size_t bytes = kept_.copy(to, capacity, position_);
    position_ += bytes;
    return bytes;
  }
  DOSQL_ASSIGN_OR_RETURN(const std::size_t bytes, read_descriptor(to, capacity));
  if (!seekable_) kept_.append(to, bytes);
  position_ += bytes;
  return bytes;
}

Result<std::size_t> InputFile::read_descriptor(char* to, std::size_t capacity) {
  for (;;) {
    const ssize_t bytes = ::read(descriptor_, to, capacity);
    if (bytes >= 0) return static_cast<std::size_t>(bytes);
    if (errno != EINTR) return system_error("read", path_, errno);
  }
}

Result<std::string> InputFile::read_all() {
  std::string all;
  for (std::size_t chunk = std::max<std::size_t>(size_bytes_ + 1, 64 * 1024);;) {
    const std::size_t size = all.size();
    all.resize(size + chunk);
    DOSQL_ASSIGN_OR_RETURN(const std::size_t bytes, read(all.data() + size, chunk));
    all.resize(size + bytes);
    if (bytes == 0) return all;
    chunk = 64 * 1024;
  }
}

Status InputFile::rewind() {
  position_ = 0;
  if (seekable_ && ::lseek(descriptor_, 0, SEEK_SET) < 0) return system_error("read", path_, errno);
  return {};
}

}  // namespace dosql::shell
