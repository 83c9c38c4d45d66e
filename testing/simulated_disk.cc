#include "testing/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/check.h"
#include "io/process_memory.h"
#include "io/sparse_bytes.h"
#include "io/storage_error.h"
#include "testing/simulated_names.h"

namespace dosql::testing {
namespace {

using io::Directory;
using io::DirectoryLock;
using io::File;
using io::OpenMode;
using io::SparseBytes;
using Kind = SimulatedDisk::OperationKind;
using Fault = SimulatedDisk::Fault;

const std::string kDirectoryPath = "simulated";
constexpr std::uint64_t kSectorBytes = 512;

std::string path_of(std::string_view name) {
  CHECK(io::is_plain_name(name));
  return kDirectoryPath + "/" + std::string(name);
}

std::string action_of(const SimulatedDisk::Operation& operation) {
  switch (operation.kind) {
    case Kind::kWrite: return io::range_action("write", operation.offset, operation.size_bytes);
    case Kind::kStore: return io::range_action("store", operation.offset, operation.size_bytes);
    case Kind::kAllocate: return io::size_action("reserve", operation.size_bytes);
    case Kind::kTruncate: return io::size_action("set a size of", operation.size_bytes);
    case Kind::kSync: return "sync";
    case Kind::kCreate: return "create";
    case Kind::kRemove: return "remove";
    case Kind::kRename: return "rename";
    case Kind::kDirectorySync: return "sync";
    case Kind::kLock: return "lock";
  }
  CHECK(false);
}

std::string path_of(const SimulatedDisk::Operation& operation) {
  return operation.kind == Kind::kDirectorySync ? kDirectoryPath : path_of(operation.name);
}

Error error_of(ErrorCode code, const SimulatedDisk::Operation& operation, std::string_view reason) {
  return io::storage_error(code, action_of(operation), path_of(operation), reason);
}

bool is_write(Kind kind) { return kind == Kind::kWrite || kind == Kind::kStore; }
bool is_sync(Kind kind) { return kind == Kind::kSync || kind == Kind::kDirectorySync; }

// How a fault that was planned for any operation shows on one of this kind.
Fault fault_on(Kind kind, Fault fault) {
  if (kind == Kind::kSync) return Fault::kFailedSync;
  switch (fault) {
    case Fault::kIoError: return fault;
    case Fault::kDiskFull: return is_sync(kind) ? Fault::kIoError : fault;
    case Fault::kShortWrite: return is_write(kind) || kind == Kind::kAllocate ? fault : Fault::kIoError;
    case Fault::kFailedSync: return Fault::kIoError;
  }
  CHECK(false);
}

// The part of a write that a short write leaves: up to the sector boundary at or before its middle, or
// else up to the first one inside.
std::uint64_t short_bytes(std::uint64_t offset, std::uint64_t size_bytes) {
  const std::uint64_t before_middle = (offset + size_bytes / 2) / kSectorBytes * kSectorBytes;
  const std::uint64_t first_inside = (offset / kSectorBytes + 1) * kSectorBytes;
  const std::uint64_t boundary = std::max(before_middle, first_inside);
  return boundary < offset + size_bytes ? boundary - offset : 0;
}

}  // namespace

struct SimulatedDisk::State {
  // What is to become of one operation.
  struct Verdict {
    enum class Extent { kAll, kPart, kNothing };
    Extent extent = Extent::kAll;
    std::optional<Error> error;

    Status status() && { return error ? Status(*std::move(error)) : Status(); }
  };

  mutable std::mutex mutex;  // guards everything below, contents included
  SimulatedNames names;
  std::map<std::string, std::string, std::less<>> lock_owners;
  std::map<std::string, std::shared_ptr<io::ProcessMemory>, std::less<>> shared;
  std::vector<Operation> operations;
  std::uint64_t read_count = 0;
  std::optional<std::uint64_t> crash_index;
  bool has_crashed = false;
  std::map<std::uint64_t, Fault> faults;
  std::set<std::uint64_t> read_faults;

  // Each needs the mutex held.
  Verdict begin(Operation operation);
  // `action` is a function that makes the text: reads are too many to make one for each.
  template <class Action>
  Status begin_read(Action action, std::string_view name);
  Status check_power(std::string_view action, const std::string& path) const;
  void copy_shared_to(State& other) const {
    for (const auto& [name, memory] : shared) other.shared.emplace(name, io::copy_process_memory(*memory));
  }
};

Status SimulatedDisk::State::check_power(std::string_view action, const std::string& path) const {
  if (has_crashed) return io::storage_error(ErrorCode::kIo, action, path, "simulated power loss");
  return {};
}

template <class Action>
Status SimulatedDisk::State::begin_read(Action action, std::string_view name) {
  const auto error = [&](std::string_view reason) {
    return io::storage_error(ErrorCode::kIo, action(), name.empty() ? kDirectoryPath : path_of(name), reason);
  };
  if (has_crashed) return error("simulated power loss");
  if (read_faults.contains(read_count++)) return error("simulated I/O error");
  return {};
}

// Counts the operation and decides on it.
SimulatedDisk::State::Verdict SimulatedDisk::State::begin(Operation operation) {
  using Extent = Verdict::Extent;
  const std::uint64_t index = operations.size();
  operations.push_back(operation);
  if (crash_index && index >= *crash_index) {
    has_crashed = true;
    const Kind kind = operation.kind;
    return {is_sync(kind)          ? Extent::kNothing
            : kind == Kind::kStore ? Extent::kPart
                                   : Extent::kAll,
            error_of(ErrorCode::kIo, operation, "simulated power loss")};
  }
  const auto planned = faults.find(index);
  if (planned == faults.end()) return {};
  switch (fault_on(operation.kind, planned->second)) {
    case Fault::kIoError:
      return {Extent::kNothing, error_of(ErrorCode::kIo, operation, "simulated I/O error")};
    case Fault::kDiskFull:
      return {Extent::kNothing, error_of(ErrorCode::kDiskFull, operation, "simulated full disk")};
    case Fault::kShortWrite:
      return {Extent::kPart, operation.kind == Kind::kAllocate
                                 ? error_of(ErrorCode::kDiskFull, operation, "simulated full disk")
                                 : error_of(ErrorCode::kIo, operation, "simulated short write")};
    case Fault::kFailedSync:
      return {Extent::kPart, error_of(ErrorCode::kIo, operation, "simulated failed sync")};
  }
  CHECK(false);
}

class SimulatedDisk::LiveFile final : public File {
 public:
  LiveFile(std::shared_ptr<State> state, std::shared_ptr<SimulatedContent> content, std::string name,
           bool writable)
      : state_(std::move(state)), content_(std::move(content)), name_(std::move(name)), writable_(writable) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override {
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(
        state_->begin_read([&] { return io::range_action("read", offset, out.size()); }, name_));
    return content_->current().read(offset, out);
  }

  Status write_at(std::uint64_t offset, Bytes bytes) override { return write(Kind::kWrite, offset, bytes); }

  Status write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    std::vector<std::byte> joined;
    for (Bytes piece : pieces) joined.insert(joined.end(), piece.begin(), piece.end());
    return write(Kind::kWrite, offset, joined);
  }

  Status store_at(std::uint64_t offset, Bytes bytes) override { return write(Kind::kStore, offset, bytes); }

  Status allocate(std::uint64_t file_bytes) override {
    const Operation operation{Kind::kAllocate, name_, 0, file_bytes};
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(check_change(operation));
    State::Verdict verdict = state_->begin(operation);
    const std::uint64_t old_bytes = content_->current().size();
    if (file_bytes > old_bytes) {
      switch (verdict.extent) {
        case State::Verdict::Extent::kAll: content_->set_size(file_bytes); break;
        case State::Verdict::Extent::kPart:
          content_->set_size(old_bytes + (file_bytes - old_bytes) / 2);
          break;
        case State::Verdict::Extent::kNothing: break;
      }
    }
    return std::move(verdict).status();
  }

  Status truncate(std::uint64_t file_bytes) override {
    const Operation operation{Kind::kTruncate, name_, 0, file_bytes};
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(check_change(operation));
    State::Verdict verdict = state_->begin(operation);
    if (verdict.extent != State::Verdict::Extent::kNothing) content_->set_size(file_bytes);
    return std::move(verdict).status();
  }

  Result<std::uint64_t> size() override {
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->begin_read([] { return "ask the size of"; }, name_));
    return content_->current().size();
  }

  Status sync_data() override {
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("sync", path_of(name_)));
    State::Verdict verdict = state_->begin({Kind::kSync, name_});
    switch (verdict.extent) {
      case State::Verdict::Extent::kAll: content_->sync(); break;
      case State::Verdict::Extent::kPart: content_->fail_sync(); break;
      case State::Verdict::Extent::kNothing: break;
    }
    return std::move(verdict).status();
  }

 private:
  Status write(Kind kind, std::uint64_t offset, Bytes bytes) {
    const Operation operation{kind, name_, offset, bytes.size()};
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(check_change(operation));
    State::Verdict verdict = state_->begin(operation);
    switch (verdict.extent) {
      case State::Verdict::Extent::kAll: content_->write(offset, bytes); break;
      case State::Verdict::Extent::kPart:
        content_->write(
            offset, bytes.first(state_->has_crashed ? bytes.size() / 2 : short_bytes(offset, bytes.size())));
        break;
      case State::Verdict::Extent::kNothing: break;
    }
    return std::move(verdict).status();
  }

  // What refuses a change without being an operation.
  Status check_change(const Operation& operation) const {
    if (state_->has_crashed) return error_of(ErrorCode::kIo, operation, "simulated power loss");
    if (!writable_) return io::opened_read_only_error(action_of(operation), path_of(name_));
    if (operation.offset > SparseBytes::kMaxBytes ||
        operation.size_bytes > SparseBytes::kMaxBytes - operation.offset) {
      return error_of(ErrorCode::kIo, operation, "a simulated file cannot be that large");
    }
    return {};
  }

  const std::shared_ptr<State> state_;
  const std::shared_ptr<SimulatedContent> content_;
  const std::string name_;
  const bool writable_;
};

class SimulatedDisk::LiveLock final : public DirectoryLock {
 public:
  LiveLock(std::shared_ptr<State> state, std::shared_ptr<SimulatedContent> content, std::string name)
      : state_(std::move(state)), content_(std::move(content)), name_(std::move(name)) {}
  ~LiveLock() override {
    std::lock_guard lock(state_->mutex);
    state_->lock_owners.erase(name_);
    if (!state_->has_crashed) content_->set_size(0);
  }

 private:
  const std::shared_ptr<State> state_;
  const std::shared_ptr<SimulatedContent> content_;
  const std::string name_;
};

class SimulatedDisk::LiveDirectory final : public Directory {
 public:
  explicit LiveDirectory(std::shared_ptr<State> state) : state_(std::move(state)) {}

  Result<std::unique_ptr<File>> open(std::string_view name, OpenMode mode) override {
    const std::string path = path_of(name);
    std::lock_guard lock(state_->mutex);
    auto content = state_->names.find(name);
    if (mode == OpenMode::kCreate) {
      DOSQL_RETURN_IF_ERROR(state_->check_power("create", path));
      if (content) return io::storage_error(ErrorCode::kAlreadyExists, "create", path, "it exists");
      State::Verdict verdict = state_->begin({Kind::kCreate, std::string(name)});
      if (happens(verdict)) content = state_->names.create(name);
      DOSQL_RETURN_IF_ERROR(std::move(verdict).status());
    } else {
      DOSQL_RETURN_IF_ERROR(state_->begin_read([] { return "open"; }, name));
      if (!content) return no_such_file("open", path);
    }
    return std::unique_ptr<File>(std::make_unique<LiveFile>(state_, std::move(content), std::string(name),
                                                            mode != OpenMode::kReadOnly));
  }

  Status remove(std::string_view name) override {
    const std::string path = path_of(name);
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("remove", path));
    if (!state_->names.find(name)) return no_such_file("remove", path);
    State::Verdict verdict = state_->begin({Kind::kRemove, std::string(name)});
    if (happens(verdict)) state_->names.remove(name);
    return std::move(verdict).status();
  }

  Status rename(std::string_view from, std::string_view to) override {
    const std::string from_path = path_of(from);
    CHECK(io::is_plain_name(to));
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("rename", from_path));
    if (!state_->names.find(from)) return no_such_file("rename", from_path);
    State::Verdict verdict = state_->begin({Kind::kRename, std::string(from)});
    if (happens(verdict) && from != to) state_->names.rename(from, to);
    return std::move(verdict).status();
  }

  Result<std::vector<std::string>> list() override {
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->begin_read([] { return "list"; }, {}));
    std::vector<std::string> names;
    for (const auto& [name, content] : state_->names.current()) names.push_back(name);
    return names;
  }

  Status sync() override {
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("sync", kDirectoryPath));
    State::Verdict verdict = state_->begin({Kind::kDirectorySync, {}});
    if (happens(verdict)) state_->names.sync();
    return std::move(verdict).status();
  }

  Result<std::unique_ptr<DirectoryLock>> lock(std::string_view name, std::string_view owner) override {
    const std::string path = path_of(name);
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("lock", path));
    if (const auto held = state_->lock_owners.find(name); held != state_->lock_owners.end()) {
      return io::locked_error(held->second);
    }
    State::Verdict verdict = state_->begin({Kind::kLock, std::string(name)});
    auto content = state_->names.find(name);
    if (happens(verdict)) {
      if (!content) content = state_->names.create(name);
      const std::string line = std::string(owner) + '\n';
      content->write(0, std::as_bytes(std::span(line)));
      content->set_size(line.size());
    }
    DOSQL_RETURN_IF_ERROR(std::move(verdict).status());
    state_->lock_owners.emplace(name, owner);
    return std::unique_ptr<DirectoryLock>(
        std::make_unique<LiveLock>(state_, std::move(content), std::string(name)));
  }

  Result<std::unique_ptr<io::SharedMemory>> open_shared(std::string_view name, std::size_t size_bytes,
                                                        CreateShared create) override {
    const std::string path = path_of(name);
    std::lock_guard lock(state_->mutex);
    DOSQL_RETURN_IF_ERROR(state_->check_power("share", path));
    auto found = state_->shared.find(name);
    if (found == state_->shared.end()) {
      if (create == CreateShared::kNo) return no_such_file("share", path);
      found = state_->shared.emplace(name, io::make_process_memory(size_bytes)).first;
    }
    return io::hold_process_memory(found->second);
  }

  std::string describe() const override { return kDirectoryPath; }

 private:
  static bool happens(const State::Verdict& verdict) {
    return verdict.extent != State::Verdict::Extent::kNothing;
  }
  static Error no_such_file(std::string_view action, std::string_view path) {
    return io::storage_error(ErrorCode::kNotFound, action, path, "no such file");
  }

  const std::shared_ptr<State> state_;
};

SimulatedDisk::SimulatedDisk() : SimulatedDisk(std::make_shared<State>()) {}
SimulatedDisk::SimulatedDisk(std::shared_ptr<State> state) : state_(std::move(state)) {}
SimulatedDisk::~SimulatedDisk() = default;

std::unique_ptr<Directory> SimulatedDisk::directory() { return std::make_unique<LiveDirectory>(state_); }

std::string SimulatedDisk::describe(std::uint64_t index, const Operation& operation) {
  return fmt::format("operation {}: {} '{}'", index, action_of(operation), path_of(operation));
}

std::vector<SimulatedDisk::Operation> SimulatedDisk::operations() const {
  std::lock_guard lock(state_->mutex);
  return state_->operations;
}

std::uint64_t SimulatedDisk::operation_count() const {
  std::lock_guard lock(state_->mutex);
  return state_->operations.size();
}

std::uint64_t SimulatedDisk::read_count() const {
  std::lock_guard lock(state_->mutex);
  return state_->read_count;
}

void SimulatedDisk::crash_at(std::uint64_t operation_index) {
  std::lock_guard lock(state_->mutex);
  state_->crash_index = operation_index;
}

bool SimulatedDisk::has_crashed() const {
  std::lock_guard lock(state_->mutex);
  return state_->has_crashed;
}

void SimulatedDisk::fail_at(std::uint64_t operation_index, Fault fault) {
  std::lock_guard lock(state_->mutex);
  state_->faults.insert_or_assign(operation_index, fault);
}

void SimulatedDisk::fail_read_at(std::uint64_t read_index) {
  std::lock_guard lock(state_->mutex);
  state_->read_faults.insert(read_index);
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::after_power_loss(Random& random) const {
  std::lock_guard lock(state_->mutex);
  PowerLoss loss(random);
  SimulatedNames::Map names = state_->names.after_power_loss(loss);
  for (auto& [name, content] : names) {
    content = std::make_shared<SimulatedContent>(content->after_power_loss(loss));
  }
  auto survivor = std::make_shared<State>();
  survivor->names = SimulatedNames(std::move(names));
  return std::unique_ptr<SimulatedDisk>(new SimulatedDisk(std::move(survivor)));
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::after_process_kill() const {
  std::lock_guard lock(state_->mutex);
  auto survivor = std::make_shared<State>();
  survivor->names = state_->names.deep_copy();
  state_->copy_shared_to(*survivor);
  return std::unique_ptr<SimulatedDisk>(new SimulatedDisk(std::move(survivor)));
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::copy() const {
  std::lock_guard lock(state_->mutex);
  auto twin = std::make_shared<State>();
  twin->names = state_->names.deep_copy();
  state_->copy_shared_to(*twin);
  twin->operations = state_->operations;
  twin->read_count = state_->read_count;
  twin->crash_index = state_->crash_index;
  twin->has_crashed = state_->has_crashed;
  twin->faults = state_->faults;
  twin->read_faults = state_->read_faults;
  return std::unique_ptr<SimulatedDisk>(new SimulatedDisk(std::move(twin)));
}

void SimulatedDisk::flip_bit(std::string_view name, std::uint64_t offset, unsigned bit) {
  std::lock_guard lock(state_->mutex);
  const auto content = state_->names.find(name);
  CHECK(content);
  content->flip_bit(offset, bit);
}

std::vector<SimulatedDisk::FileInfo> SimulatedDisk::files() const {
  std::lock_guard lock(state_->mutex);
  std::vector<FileInfo> result;
  for (const auto& [name, content] : state_->names.current())
    result.push_back({name, content->current().size()});
  return result;
}

std::vector<std::byte> SimulatedDisk::content(std::string_view name) const {
  std::lock_guard lock(state_->mutex);
  const auto content = state_->names.find(name);
  CHECK(content);
  std::vector<std::byte> bytes(content->current().size());
  content->current().read(0, bytes);
  return bytes;
}

}  // namespace dosql::testing
