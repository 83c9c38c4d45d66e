#include "io/memory_storage.h"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "base/check.h"
#include "io/process_memory.h"
#include "io/sparse_bytes.h"
#include "io/storage_error.h"

namespace dosql::io {
namespace {

const std::string kDirectoryPath = "memory";

std::string path_of(std::string_view name) {
  CHECK(is_plain_name(name));
  return kDirectoryPath + "/" + std::string(name);
}

// The content behind a name; Files opened on it keep it alive when the name is gone.
struct Content {
  std::shared_mutex mutex;
  SparseBytes bytes;
};

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<Content> content, std::string path, bool writable)
      : content_(std::move(content)), path_(std::move(path)), writable_(writable) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override {
    std::shared_lock lock(content_->mutex);
    return content_->bytes.read(offset, out);
  }

  Status write_at(std::uint64_t offset, Bytes bytes) override {
    return write_pieces_at(offset, std::span(&bytes, 1));
  }

  Status write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    std::uint64_t total_bytes = 0;
    for (Bytes piece : pieces) total_bytes += piece.size();
    DOSQL_RETURN_IF_ERROR(
        check_change(offset, total_bytes, [&] { return range_action("write", offset, total_bytes); }));
    std::unique_lock lock(content_->mutex);
    for (Bytes piece : pieces) {
      content_->bytes.write(offset, piece);
      offset += piece.size();
    }
    return {};
  }

  Status store_at(std::uint64_t offset, Bytes bytes) override { return write_at(offset, bytes); }

  Status allocate(std::uint64_t file_bytes) override {
    DOSQL_RETURN_IF_ERROR(check_change(file_bytes, 0, [&] { return size_action("reserve", file_bytes); }));
    std::unique_lock lock(content_->mutex);
    if (file_bytes > content_->bytes.size()) content_->bytes.resize(file_bytes);
    return {};
  }

  Status truncate(std::uint64_t file_bytes) override {
    DOSQL_RETURN_IF_ERROR(
        check_change(file_bytes, 0, [&] { return size_action("set a size of", file_bytes); }));
    std::unique_lock lock(content_->mutex);
    content_->bytes.resize(file_bytes);
    return {};
  }

  Result<std::uint64_t> size() override {
    std::shared_lock lock(content_->mutex);
    return content_->bytes.size();
  }

  // Memory does not outlive the process, so there is nothing to wait for.
  Status sync_data() override { return {}; }

 private:
  template <class Action>
  Status check_change(std::uint64_t offset, std::uint64_t size_bytes, Action action) const {
    if (!writable_) return opened_read_only_error(action(), path_);
    if (offset > SparseBytes::kMaxBytes || size_bytes > SparseBytes::kMaxBytes - offset) {
      return storage_error(ErrorCode::kIo, action(), path_, "a file in memory cannot be that large");
    }
    return {};
  }

  const std::shared_ptr<Content> content_;
  const std::string path_;
  const bool writable_;
};

// What a directory, its locks and nothing else share.
struct Names {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Content>, std::less<>> files;
  std::map<std::string, std::string, std::less<>> lock_owners;
  // What is shared has a file too, without content.
  std::map<std::string, std::shared_ptr<ProcessMemory>, std::less<>> shared;
};

class MemoryLock final : public DirectoryLock {
 public:
  MemoryLock(std::shared_ptr<Names> names, std::string name)
      : names_(std::move(names)), name_(std::move(name)) {}
  ~MemoryLock() override {
    std::lock_guard lock(names_->mutex);
    names_->lock_owners.erase(name_);
  }

 private:
  const std::shared_ptr<Names> names_;
  const std::string name_;
};

class MemoryDirectory final : public Directory {
 public:
  Result<std::unique_ptr<File>> open(std::string_view name, OpenMode mode) override {
    std::string path = path_of(name);
    std::lock_guard lock(names_->mutex);
    auto found = names_->files.find(name);
    if (mode == OpenMode::kCreate) {
      if (found != names_->files.end()) {
        return storage_error(ErrorCode::kAlreadyExists, "create", path, "it exists");
      }
      found = names_->files.emplace(name, std::make_shared<Content>()).first;
    } else if (found == names_->files.end()) {
      return no_such_file("open", path);
    }
    return std::unique_ptr<File>(
        std::make_unique<MemoryFile>(found->second, std::move(path), mode != OpenMode::kReadOnly));
  }

  Status remove(std::string_view name) override {
    const std::string path = path_of(name);
    std::lock_guard lock(names_->mutex);
    const auto found = names_->files.find(name);
    if (found == names_->files.end()) return no_such_file("remove", path);
    names_->files.erase(found);
    names_->shared.erase(std::string(name));
    return {};
  }

  Status rename(std::string_view from, std::string_view to) override {
    const std::string from_path = path_of(from);
    const std::string to_path = path_of(to);
    std::lock_guard lock(names_->mutex);
    const auto found = names_->files.find(from);
    if (found == names_->files.end()) return no_such_file("rename to '" + to_path + "' the file", from_path);
    if (from == to) return {};
    names_->files.insert_or_assign(std::string(to), found->second);
    names_->files.erase(found);
    return {};
  }

  Result<std::vector<std::string>> list() override {
    std::lock_guard lock(names_->mutex);
    std::vector<std::string> names;
    for (const auto& [name, content] : names_->files) names.push_back(name);
    return names;
  }

  Status sync() override { return {}; }

  Result<std::unique_ptr<DirectoryLock>> lock(std::string_view name, std::string_view owner) override {
    std::lock_guard lock(names_->mutex);
    if (const auto held = names_->lock_owners.find(name); held != names_->lock_owners.end()) {
      return locked_error(held->second);
    }
    names_->lock_owners.emplace(name, owner);
    names_->files.try_emplace(std::string(name), std::make_shared<Content>());
    return std::unique_ptr<DirectoryLock>(std::make_unique<MemoryLock>(names_, std::string(name)));
  }

  Result<std::unique_ptr<SharedMemory>> open_shared(std::string_view name, std::size_t size_bytes,
                                                    CreateShared create) override {
    const std::string path = path_of(name);
    std::lock_guard lock(names_->mutex);
    if (create == CreateShared::kNo && !names_->files.contains(name)) return no_such_file("share", path);
    names_->files.try_emplace(std::string(name), std::make_shared<Content>());
    auto& memory = names_->shared[std::string(name)];
    if (!memory) memory = make_process_memory(size_bytes);
    return hold_process_memory(memory);
  }

  std::string describe() const override { return kDirectoryPath; }

 private:
  static Error no_such_file(std::string_view action, std::string_view path) {
    return storage_error(ErrorCode::kNotFound, action, path, "no such file");
  }

  const std::shared_ptr<Names> names_ = std::make_shared<Names>();
};

}  // namespace

std::unique_ptr<Directory> make_memory_directory() { return std::make_unique<MemoryDirectory>(); }

}  // namespace dosql::io
