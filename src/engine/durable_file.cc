#include "engine/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "io/posix_error.h"
#include "io/posix_storage.h"

namespace dosql::engine {
namespace {

Error exists_error(const std::string& path) {
  return Error(ErrorCode::kAlreadyExists, fmt::format("'{}' exists and is not replaced", path));
}

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// rename() that does not replace. File systems without that call have link().
int rename_without_replacing(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (link(from.c_str(), to.c_str()) != 0) return errno;
  unlink(from.c_str());
  return 0;
}

}  // namespace

Result<std::unique_ptr<DurableFile>> DurableFile::create(const std::string& path, std::uint64_t file_bytes,
                                                         Random& random) {
  const std::string name = std::filesystem::path(path).filename().string();
  if (name.empty()) return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is not a file name", path));
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) return exists_error(path);

  std::unique_ptr<DurableFile> file(new DurableFile);
  file->path_ = path;
  file->directory_path_ = parent_of(path);
  DOSQL_ASSIGN_OR_RETURN(file->directory_,
                         io::open_posix_directory(file->directory_path_, io::CreateDirectory::kNo));
  std::string temporary_name = fmt::format("{}.{:016x}.part", name, random.next_u64());
  DOSQL_ASSIGN_OR_RETURN(file->file_, file->directory_->open(temporary_name, io::OpenMode::kCreate));
  file->temporary_name_ = std::move(temporary_name);
  // A disk that is too small is found out now rather than at the end.
  DOSQL_RETURN_IF_ERROR(file->file_->allocate(file_bytes));
  return file;
}

DurableFile::~DurableFile() {
  if (published_ || temporary_name_.empty()) return;
  directory_->remove(temporary_name_).ignore("nothing more can be done about it");
}

Status DurableFile::publish() {
  DOSQL_RETURN_IF_ERROR(file_->sync_data());
  const std::string temporary_path = (std::filesystem::path(directory_path_) / temporary_name_).string();
  if (const int error_number = rename_without_replacing(temporary_path, path_); error_number != 0) {
    if (error_number == EEXIST) return exists_error(path_);
    return io::posix_name_error(error_number, io::NameUse::kChange, "create", path_);
  }
  published_ = true;
  if (Status synced = directory_->sync(); !synced) {
    // Its name may be lost again: better no file than one that only seems to be safe.
    unlink(path_.c_str());
    return synced;
  }
  return {};
}

Status sync_directory_of(const std::string& path) {
  const std::string named = std::filesystem::path(path).lexically_normal().string();
  const std::string without_slash = named.ends_with('/') ? named.substr(0, named.size() - 1) : named;
  DOSQL_ASSIGN_OR_RETURN(auto parent,
                         io::open_posix_directory(parent_of(without_slash), io::CreateDirectory::kNo));
  return parent->sync();
}

}  // namespace dosql::engine
