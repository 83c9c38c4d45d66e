// What the tests of the store share: whole images as the model, and a disk that outlives stores.
#pragma once

#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "io/storage.h"

namespace dosql::version {

using Page = std::array<std::byte, kPageBytes>;
using Image = std::vector<Page>;  // [0] is page 1

inline std::uint64_t test_seed() {
  const char* text = std::getenv("DOSQL_SEED");
  return text ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

// One memory directory that several stores open one after another; others change some of its answers.
class SharedDirectory : public io::Directory {
 public:
  explicit SharedDirectory(io::Directory& shared) : shared_(shared) {}
  Result<std::unique_ptr<io::File>> open(std::string_view name, io::OpenMode mode) override {
    return shared_.open(name, mode);
  }
  Status remove(std::string_view name) override { return shared_.remove(name); }
  Status rename(std::string_view from, std::string_view to) override { return shared_.rename(from, to); }
  Result<std::vector<std::string>> list() override { return shared_.list(); }
  Status sync() override { return shared_.sync(); }
  Result<std::unique_ptr<io::DirectoryLock>> lock(std::string_view name, std::string_view owner) override {
    return shared_.lock(name, owner);
  }
  Result<std::unique_ptr<io::SharedMemory>> open_shared(std::string_view name, std::size_t size_bytes,
                                                        CreateShared create) override {
    return shared_.open_shared(name, size_bytes, create);
  }
  std::string describe() const override { return shared_.describe(); }

 private:
  io::Directory& shared_;
};

// Somewhere, a little or wholly.
inline void change_page(Page& page, std::mt19937_64& random) {
  const std::size_t kind = random() % 8;
  if (kind == 0) {
    for (auto& byte : page) byte = static_cast<std::byte>(random());
  } else if (kind == 1) {
    page.fill(std::byte{0});
  } else {
    for (std::size_t run = 0; run <= random() % 3; ++run) {
      const std::size_t at = random() % kPageBytes;
      const std::size_t length = std::min<std::size_t>(1 + random() % 120, kPageBytes - at);
      for (std::size_t i = 0; i < length; ++i) page[at + i] = static_cast<std::byte>(random());
    }
  }
}

}  // namespace dosql::version
