#include "io/posix_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/check.h"
#include "io/file_descriptor.h"
#include "io/posix_directory.h"
#include "io/posix_error.h"
#include "io/posix_lock.h"
#include "io/posix_shared.h"
#include "io/storage_error.h"

namespace dosql::io {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Status sync_directory(int descriptor, const std::string& path) {
  while (fsync(descriptor) != 0) {
    // Some network and user-space file systems keep names safe by themselves and know no such call.
    if (errno == EINVAL || errno == EOPNOTSUPP) return {};
    if (errno != EINTR) return posix_sync_error(errno, path);
  }
  return {};
}

// A directory may come from anybody: what is a link in it leads to somebody else's file, and to open a pipe
// would wait for the one who writes into it.
constexpr int kSafely = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly: return O_RDONLY | kSafely;
    case OpenMode::kReadWrite: return O_RDWR | kSafely;
    case OpenMode::kCreate: return O_RDWR | O_CREAT | O_EXCL | kSafely;
  }
  CHECK(false);
}

Error no_plain_file(std::string_view action, std::string_view path) {
  return storage_error(ErrorCode::kIo, action, path, "it is not a plain file");
}

// All work goes through the descriptor of the directory: neither a chdir of the process nor a rename of
// the directory moves it elsewhere.
class PosixDirectory final : public Directory {
 public:
  PosixDirectory(FileDescriptor descriptor, std::string path, PosixFeatures features)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), features_(features) {}

  Result<std::unique_ptr<File>> open(std::string_view name, OpenMode mode) override;
  Status remove(std::string_view name) override;
  Status rename(std::string_view from, std::string_view to) override;
  Result<std::vector<std::string>> list() override;
  Status sync() override { return sync_directory(descriptor_.get(), path_); }
  Result<std::unique_ptr<DirectoryLock>> lock(std::string_view name, std::string_view owner) override;
  Result<std::unique_ptr<SharedMemory>> open_shared(std::string_view name, std::size_t size_bytes,
                                                    CreateShared create) override;
  std::string describe() const override { return path_; }

 private:
  std::string path_of(std::string_view name) const {
    CHECK(is_plain_name(name));
    return (path_ == "/" ? path_ : path_ + "/") + std::string(name);
  }
  bool is_directory(const dirent& entry) const;

  const FileDescriptor descriptor_;
  const std::string path_;
  const PosixFeatures features_;
};

Result<std::unique_ptr<File>> PosixDirectory::open(std::string_view name, OpenMode mode) {
  std::string path = path_of(name);
  const bool creates = mode == OpenMode::kCreate;
  const bool reads_only = mode == OpenMode::kReadOnly;
  FileDescriptor file(openat(descriptor_.get(), std::string(name).c_str(), open_flags(mode), kFileMode));
  if (!file.is_open()) {
    if (errno == ELOOP) return no_plain_file("open", path);
    return posix_name_error(errno, reads_only ? NameUse::kRead : NameUse::kChange,
                            creates ? "create" : "open", path);
  }
  struct stat about;
  if (fstat(file.get(), &about) != 0) return posix_name_error(errno, NameUse::kRead, "open", path);
  if (!S_ISREG(about.st_mode)) return no_plain_file("open", path);
  return make_posix_file(std::move(file), std::move(path),
                         reads_only ? FileAccess::kRead : FileAccess::kReadAndWrite, features_);
}

Status PosixDirectory::remove(std::string_view name) {
  const std::string path = path_of(name);
  if (unlinkat(descriptor_.get(), std::string(name).c_str(), 0) != 0) {
    return posix_name_error(errno, NameUse::kChange, "remove", path);
  }
  return {};
}

Status PosixDirectory::rename(std::string_view from, std::string_view to) {
  const std::string from_path = path_of(from);
  const std::string action = "rename to '" + path_of(to) + "' the file";
  const int directory = descriptor_.get();
  if (renameat(directory, std::string(from).c_str(), directory, std::string(to).c_str()) != 0) {
    return posix_name_error(errno, NameUse::kChange, action, from_path);
  }
  return {};
}

Result<std::vector<std::string>> PosixDirectory::list() {
  // A descriptor of its own: the position of a reading is shared by all duplicates of a descriptor.
  const int own = openat(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return posix_name_error(errno, NameUse::kRead, "list", path_);
  const std::unique_ptr<DIR, decltype([](DIR* open) { closedir(open); })> entries(fdopendir(own));
  if (!entries) {
    const int error_number = errno;
    close(own);
    return posix_name_error(error_number, NameUse::kRead, "list", path_);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(entries.get());
    if (entry == nullptr) break;
    if (!is_directory(*entry)) names.emplace_back(entry->d_name);
  }
  if (errno != 0) return posix_name_error(errno, NameUse::kRead, "list", path_);
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixDirectory::is_directory(const dirent& entry) const {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat about;
  return fstatat(descriptor_.get(), entry.d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode);
}

Result<std::unique_ptr<DirectoryLock>> PosixDirectory::lock(std::string_view name, std::string_view owner) {
  const std::string path = path_of(name);
  const std::string file_name(name);
  while (true) {
    FileDescriptor file(openat(descriptor_.get(), file_name.c_str(), O_RDWR | O_CREAT | kSafely, kFileMode));
    if (!file.is_open()) {
      if (errno == ELOOP) return no_plain_file("lock", path);
      return posix_name_error(errno, NameUse::kChange, "lock", path);
    }
    struct stat opened;
    if (fstat(file.get(), &opened) != 0) return posix_data_error(errno, "look at", path);
    if (!S_ISREG(opened.st_mode)) return no_plain_file("lock", path);
    DOSQL_ASSIGN_OR_RETURN(auto held, lock_posix_file(std::move(file), path, owner));
    // Its last holder may have removed it meanwhile: others lock the file that has the name now.
    struct stat named;
    const bool is_named = fstatat(descriptor_.get(), file_name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                          named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
    if (is_named) return held;
  }
}

Result<std::unique_ptr<SharedMemory>> PosixDirectory::open_shared(std::string_view name,
                                                                  std::size_t size_bytes,
                                                                  CreateShared create) {
  std::string path = path_of(name);
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create == CreateShared::kIfMissing ? O_CREAT : 0);
  FileDescriptor file(openat(descriptor_.get(), std::string(name).c_str(), flags, kFileMode));
  if (!file.is_open()) return posix_name_error(errno, NameUse::kChange, "share", path);
  return map_posix_shared(std::move(file), std::move(path), size_bytes, create);
}

// Creates `path` unless it exists, and makes its name in the directory above durable.
Status create_directory(const std::string& path) {
  if (mkdir(path.c_str(), kDirectoryMode) != 0) {
    if (errno == EEXIST) return {};
    return posix_name_error(errno, NameUse::kChange, "create directory", path);
  }
  std::string parent_path = std::filesystem::path(path).parent_path().string();
  if (parent_path.empty()) parent_path = ".";
  const FileDescriptor parent(::open(parent_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.is_open()) return posix_name_error(errno, NameUse::kRead, "open directory", parent_path);
  return sync_directory(parent.get(), parent_path);
}

}  // namespace

Result<std::unique_ptr<Directory>> open_posix_directory_with(const std::string& given_path,
                                                             CreateDirectory create, PosixFeatures features) {
  std::string path = without_trailing_slashes(given_path);
  if (create == CreateDirectory::kIfMissing) DOSQL_RETURN_IF_ERROR(create_directory(path));
  FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.is_open()) {
    if (errno == ENOTDIR) {
      return storage_error(ErrorCode::kNotADatabase, "open directory", path, "it is not a directory");
    }
    return posix_name_error(errno, NameUse::kRead, "open directory", path);
  }
  return std::unique_ptr<Directory>(
      std::make_unique<PosixDirectory>(std::move(directory), std::move(path), features));
}

Result<std::unique_ptr<Directory>> open_posix_directory(const std::string& path, CreateDirectory create) {
  return open_posix_directory_with(path, create, {});
}

}  // namespace dosql::io
