#include "apps/dosql/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace dosql::shell {

Output::~Output() {
  write_out();
  if (!is_standard_output()) ::close(descriptor_);
}

void Output::write_out() {
  std::string_view rest = buffer_;
  while (!rest.empty() && failed_errno_ == 0) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written >= 0)
      rest.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      failed_errno_ = errno;
  }
  buffer_.clear();
}

Status Output::flush() {
  write_out();
  if (failed_errno_ == 0) return {};
  const int code = std::exchange(failed_errno_, 0);
  return Error(code == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kIo,
               fmt::format("cannot write {}: {}", is_standard_output() ? "standard output" : path_,
                           std::strerror(code)));
}

Status Output::open_file(const std::string& path, bool once) {
  DOSQL_RETURN_IF_ERROR(back_to_standard_output());
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return Error(ErrorCode::kIo, fmt::format("cannot open '{}' for writing: {}", path, std::strerror(errno)));
  }
  descriptor_ = descriptor;
  path_ = path;
  once_ = once;
  return {};
}

Status Output::back_to_standard_output() {
  Status status = flush();
  if (!is_standard_output()) ::close(descriptor_);
  descriptor_ = STDOUT_FILENO;
  path_.clear();
  once_ = false;
  return status;
}

Status Output::end_of_command() { return once_ ? back_to_standard_output() : flush(); }

}  // namespace dosql::shell
