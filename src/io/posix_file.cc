#include "io/posix_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "io/piece_cursor.h"
#include "io/posix_error.h"
#include "io/storage_error.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

namespace dosql::io {
namespace {

// Repeats a system call that a signal interrupted before it did anything.
template <class Call>
auto retry_interrupted(Call call) {
  for (;;) {
    auto result = call();
    if (result != -1 || errno != EINTR) return result;
  }
}

// A store into a mapping cannot report an error: the process would get SIGBUS. Hence only where blocks
// that fallocate reserved are known to stay writable whatever else fills the disk.
bool keeps_allocated_blocks_writable(int descriptor) {
  struct statfs about;
  if (fstatfs(descriptor, &about) != 0) return false;
  return about.f_type == EXT4_SUPER_MAGIC || about.f_type == XFS_SUPER_MAGIC || about.f_type == TMPFS_MAGIC;
}

// The system leaves what was written in memory for long; a sync would then wait for all of it. Much at once
// is the sign of a sync to come, so the disk is set to work on it meanwhile.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{1} << 20;

void begin_write_back(int descriptor, std::uint64_t offset, std::uint64_t bytes) {
  if (bytes < kWriteBackBytes) return;
  // Promises nothing, so there is nothing to report: errors show at the sync.
  [[maybe_unused]] const int ignored = sync_file_range(descriptor, static_cast<off_t>(offset),
                                                       static_cast<off_t>(bytes), SYNC_FILE_RANGE_WRITE);
}

class PosixFile final : public File {
 public:
  PosixFile(FileDescriptor descriptor, std::string path, FileAccess access, PosixFeatures features)
      : descriptor_(std::move(descriptor)),
        path_(std::move(path)),
        access_(access),
        use_fallocate_(features.use_fallocate),
        use_mapping_(features.use_mapping && access == FileAccess::kReadAndWrite &&
                     keeps_allocated_blocks_writable(descriptor_.get())) {}

  ~PosixFile() override {
    if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
  }

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Status write_at(std::uint64_t offset, Bytes bytes) override;
  Status write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override;
  Status store_at(std::uint64_t offset, Bytes bytes) override;
  Status allocate(std::uint64_t file_bytes) override;
  Status truncate(std::uint64_t file_bytes) override;
  Result<std::uint64_t> size() override;
  Status sync_data() override;

 private:
  // Each needs sizing_mutex_ held; those that change the size or the mapping, exclusively.
  Status write_whole(std::uint64_t offset, Bytes bytes);
  Status append_zeros_up_to(std::uint64_t file_bytes);
  bool try_store(std::uint64_t offset, Bytes bytes);
  bool map_allocated();

  Error read_only(std::string_view action) const { return opened_read_only_error(action, path_); }
  bool writable() const { return access_ == FileAccess::kReadAndWrite; }

  const FileDescriptor descriptor_;
  const std::string path_;
  const FileAccess access_;
  const bool use_fallocate_;

  // Writers hold it shared. Exclusively held by what changes the mapping, what shortens the file (a
  // store behind the new end would be a SIGBUS) and what writes zeros behind the end (a concurrent
  // write that grows the file must not be overwritten).
  std::shared_mutex sizing_mutex_;
  bool use_mapping_;
  std::uint64_t allocated_bytes_ = 0;  // allocate() returned success for this much, not truncated since
  std::byte* mapping_ = nullptr;
  std::uint64_t mapped_bytes_ = 0;
};

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = retry_interrupted([&] {
      return pread(descriptor_.get(), out.data() + done, out.size() - done,
                   static_cast<off_t>(offset + done));
    });
    if (count < 0) return posix_data_error(errno, range_action("read", offset, out.size()), path_);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status PosixFile::write_at(std::uint64_t offset, Bytes bytes) {
  if (!writable()) return read_only(range_action("write", offset, bytes.size()));
  std::shared_lock lock(sizing_mutex_);
  return write_whole(offset, bytes);
}

Status PosixFile::write_whole(std::uint64_t offset, Bytes bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = retry_interrupted([&] {
      return pwrite(descriptor_.get(), bytes.data() + done, bytes.size() - done,
                    static_cast<off_t>(offset + done));
    });
    // The system reports a short write when it meets an obstacle, and names it on the next try.
    if (count <= 0) {
      return posix_data_error(count < 0 ? errno : EIO, range_action("write", offset, bytes.size()), path_);
    }
    done += static_cast<std::size_t>(count);
  }
  begin_write_back(descriptor_.get(), offset, bytes.size());
  return {};
}

Status PosixFile::write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) {
  std::uint64_t total_bytes = 0;
  for (Bytes piece : pieces) total_bytes += piece.size();
  if (!writable()) return read_only(range_action("write", offset, total_bytes));

  std::shared_lock lock(sizing_mutex_);
  std::array<iovec, IOV_MAX> batch;
  PieceCursor cursor(pieces);
  std::uint64_t at = offset;
  while (!cursor.at_end()) {
    const int piece_count = static_cast<int>(cursor.fill(batch));
    const ssize_t count = retry_interrupted(
        [&] { return pwritev(descriptor_.get(), batch.data(), piece_count, static_cast<off_t>(at)); });
    if (count <= 0) {
      return posix_data_error(count < 0 ? errno : EIO, range_action("write", offset, total_bytes), path_);
    }
    cursor.advance(static_cast<std::size_t>(count));
    at += static_cast<std::uint64_t>(count);
  }
  begin_write_back(descriptor_.get(), offset, total_bytes);
  return {};
}

Status PosixFile::store_at(std::uint64_t offset, Bytes bytes) {
  if (!writable()) return read_only(range_action("write", offset, bytes.size()));
  if (bytes.empty()) return {};  // memcpy takes no null pointers, not even for nothing
  {
    std::shared_lock lock(sizing_mutex_);
    if (try_store(offset, bytes)) return {};
    if (!use_mapping_) return write_whole(offset, bytes);
  }
  {
    std::unique_lock lock(sizing_mutex_);
    if (map_allocated() && try_store(offset, bytes)) return {};
  }
  return write_at(offset, bytes);
}

bool PosixFile::try_store(std::uint64_t offset, Bytes bytes) {
  const std::uint64_t storable_bytes = std::min(mapped_bytes_, allocated_bytes_);
  if (offset > storable_bytes || bytes.size() > storable_bytes - offset) return false;
  std::memcpy(mapping_ + offset, bytes.data(), bytes.size());
  return true;
}

// Makes the mapping cover all that was allocated. False when there is nothing to gain by it.
bool PosixFile::map_allocated() {
  if (!use_mapping_ || mapped_bytes_ >= allocated_bytes_) return use_mapping_;
  void* const mapping =
      mapping_ == nullptr
          ? mmap(nullptr, allocated_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.get(), 0)
          : mremap(mapping_, mapped_bytes_, allocated_bytes_, MREMAP_MAYMOVE);
  if (mapping == MAP_FAILED) {
    // Out of address space or of mappings: plain writes serve as well. An older mapping stays valid.
    use_mapping_ = false;
    return false;
  }
  mapping_ = static_cast<std::byte*>(mapping);
  mapped_bytes_ = allocated_bytes_;
  return true;
}

Status PosixFile::allocate(std::uint64_t file_bytes) {
  if (!writable()) return read_only(size_action("reserve", file_bytes));
  if (file_bytes == 0) return {};
  std::unique_lock lock(sizing_mutex_);
  if (use_fallocate_) {
    const int failed =
        retry_interrupted([&] { return fallocate(descriptor_.get(), 0, 0, static_cast<off_t>(file_bytes)); });
    if (!failed) {
      allocated_bytes_ = std::max(allocated_bytes_, file_bytes);
      return {};
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
      return posix_data_error(errno, size_action("reserve", file_bytes), path_);
    }
  }
  return append_zeros_up_to(file_bytes);
}

// What allocate does where fallocate is missing. allocated_bytes_ stays: nothing is known about what
// such a file system promises for a mapping.
Status PosixFile::append_zeros_up_to(std::uint64_t file_bytes) {
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t old_bytes, size());
  constexpr std::uint64_t kChunkBytes = 1 << 20;
  const std::vector<std::byte> zeros(kChunkBytes);
  for (std::uint64_t at = old_bytes; at < file_bytes; at += kChunkBytes) {
    DOSQL_RETURN_IF_ERROR(write_whole(at, Bytes(zeros).first(std::min(kChunkBytes, file_bytes - at))));
  }
  return {};
}

Status PosixFile::truncate(std::uint64_t file_bytes) {
  if (!writable()) return read_only(size_action("set a size of", file_bytes));
  std::unique_lock lock(sizing_mutex_);
  allocated_bytes_ = std::min(allocated_bytes_, file_bytes);
  const int failed =
      retry_interrupted([&] { return ftruncate(descriptor_.get(), static_cast<off_t>(file_bytes)); });
  if (failed) return posix_data_error(errno, size_action("set a size of", file_bytes), path_);
  return {};
}

Result<std::uint64_t> PosixFile::size() {
  struct stat about;
  if (fstat(descriptor_.get(), &about) != 0) return posix_data_error(errno, "ask the size of", path_);
  return static_cast<std::uint64_t>(about.st_size);
}

Status PosixFile::sync_data() {
  // Covers what was stored into the mapping too: the kernel tracks dirty pages of shared mappings.
  const int failed = retry_interrupted([&] { return fdatasync(descriptor_.get()); });
  if (failed) return posix_sync_error(errno, path_);
  return {};
}

}  // namespace

std::unique_ptr<File> make_posix_file(FileDescriptor descriptor, std::string path, FileAccess access,
                                      PosixFeatures features) {
  return std::make_unique<PosixFile>(std::move(descriptor), std::move(path), access, features);
}

}  // namespace dosql::io
