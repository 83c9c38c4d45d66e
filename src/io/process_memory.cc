#include "io/process_memory.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/check.h"

namespace dosql::io {
namespace {

constexpr std::size_t kLineBytes = 64;

}  // namespace

struct ProcessMemory {
  struct alignas(kLineBytes) Line {
    std::array<std::byte, kLineBytes> bytes{};
  };

  explicit ProcessMemory(std::size_t size_bytes) : lines((size_bytes + kLineBytes - 1) / kLineBytes) {}

  std::byte* data() { return lines.front().bytes.data(); }

  std::vector<Line> lines;
  mutable std::mutex mutex;  // guards `holders`, and no wake is lost between a look at the bits and the wait
  std::condition_variable changed;
  std::map<std::uint32_t, const void*> holders;
};

namespace {

class ProcessHolder final : public SharedMemory {
 public:
  explicit ProcessHolder(std::shared_ptr<ProcessMemory> memory) : memory_(std::move(memory)) {}
  ~ProcessHolder() override {
    std::lock_guard lock(memory_->mutex);
    std::erase_if(memory_->holders, [this](const auto& held) { return held.second == this; });
  }

  std::byte* data() override { return memory_->data(); }

  Result<bool> try_lock(std::uint32_t number) override {
    CHECK(number < kLocks);
    std::lock_guard lock(memory_->mutex);
    return memory_->holders.emplace(number, this).first->second == this;
  }

  void unlock(std::uint32_t number) override {
    std::lock_guard lock(memory_->mutex);
    const auto found = memory_->holders.find(number);
    if (found != memory_->holders.end() && found->second == this) memory_->holders.erase(found);
  }

  Result<bool> locked_by_other(std::uint32_t first, std::uint32_t count) override {
    std::lock_guard lock(memory_->mutex);
    for (auto held = memory_->holders.lower_bound(first);
         held != memory_->holders.end() && held->first - first < count; ++held) {
      if (held->second != this) return true;
    }
    return false;
  }

  bool wait(std::size_t offset, std::uint32_t expected, TimePoint deadline) override {
    std::unique_lock lock(memory_->mutex);
    if (bits_at(offset).load() != expected) return true;
    return memory_->changed.wait_until(lock, deadline) == std::cv_status::no_timeout;
  }

  void wake(std::size_t) override {
    std::lock_guard lock(memory_->mutex);
    memory_->changed.notify_all();
  }

 private:
  std::atomic_ref<std::uint32_t> bits_at(std::size_t offset) {
    return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(memory_->data() + offset));
  }

  const std::shared_ptr<ProcessMemory> memory_;
};

}  // namespace

std::shared_ptr<ProcessMemory> make_process_memory(std::size_t size_bytes) {
  return std::make_shared<ProcessMemory>(size_bytes);
}

std::shared_ptr<ProcessMemory> copy_process_memory(const ProcessMemory& memory) {
  auto copy = make_process_memory(memory.lines.size() * kLineBytes);
  std::memcpy(copy->data(), memory.lines.data(), memory.lines.size() * kLineBytes);
  return copy;
}

std::unique_ptr<SharedMemory> hold_process_memory(std::shared_ptr<ProcessMemory> memory) {
  return std::make_unique<ProcessHolder>(std::move(memory));
}

}  // namespace dosql::io
