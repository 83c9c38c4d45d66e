// A file that does something in front of each sync, and else is the one it was made of: for disks that are
// slow, or wait until a test lets them go on.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "io/storage.h"

namespace dosql::testing {

class SyncHookFile final : public io::File {
 public:
  // `before_sync` is called by whoever syncs, several threads at once.
  SyncHookFile(std::unique_ptr<io::File> file, std::function<void()> before_sync)
      : file_(std::move(file)), before_sync_(std::move(before_sync)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override {
    return file_->read_at(offset, out);
  }
  Status write_at(std::uint64_t offset, Bytes bytes) override { return file_->write_at(offset, bytes); }
  Status write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    return file_->write_pieces_at(offset, pieces);
  }
  Status store_at(std::uint64_t offset, Bytes bytes) override { return file_->store_at(offset, bytes); }
  Status allocate(std::uint64_t file_bytes) override { return file_->allocate(file_bytes); }
  Status truncate(std::uint64_t file_bytes) override { return file_->truncate(file_bytes); }
  Result<std::uint64_t> size() override { return file_->size(); }
  Status sync_data() override {
    before_sync_();
    return file_->sync_data();
  }

 private:
  const std::unique_ptr<io::File> file_;
  const std::function<void()> before_sync_;
};

}  // namespace dosql::testing
