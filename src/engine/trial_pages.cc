#include "engine/trial_pages.h"

#include <sqlite3.h>

#include <algorithm>

#include "base/check.h"

namespace dosql::engine {
namespace {

constexpr std::uint32_t kPagesInMemory = (std::uint32_t{8} << 20) / kPageBytes;

Error failed(const char* action) {
  return Error(ErrorCode::kIo, std::string("a temporary file cannot be ") + action);
}

}  // namespace

// Unlinked as soon as it is made.
class TrialPages::File {
 public:
  static Result<std::unique_ptr<File>> make() {
    sqlite3_vfs* const host = sqlite3_vfs_find("unix");
    CHECK(host != nullptr);
    std::unique_ptr<File> made(new File(static_cast<std::size_t>(host->szOsFile)));
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE |
                           SQLITE_OPEN_DELETEONCLOSE | SQLITE_OPEN_TEMP_DB;
    int flags = 0;
    if (host->xOpen(host, nullptr, made->file(), kFlags, &flags) != SQLITE_OK) return failed("made");
    return made;
  }
  ~File() {
    if (file()->pMethods != nullptr) file()->pMethods->xClose(file());
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  Status write(std::uint64_t page, Bytes image) {
    const int rc = file()->pMethods->xWrite(file(), image.data(), static_cast<int>(image.size()),
                                            static_cast<sqlite3_int64>(page * kPageBytes));
    return rc == SQLITE_OK ? Status() : failed("written");
  }
  Status read(std::uint64_t page, std::uint32_t offset, MutableBytes out) {
    const int rc = file()->pMethods->xRead(file(), out.data(), static_cast<int>(out.size()),
                                           static_cast<sqlite3_int64>(page * kPageBytes + offset));
    return rc == SQLITE_OK ? Status() : failed("read");
  }

 private:
  explicit File(std::size_t bytes) : memory_((bytes + sizeof(Unit) - 1) / sizeof(Unit)) {}
  sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory_.data()); }

  using Unit = std::max_align_t;
  std::vector<Unit> memory_;
};

TrialPages::TrialPages() = default;
TrialPages::~TrialPages() = default;

void TrialPages::begin(std::uint32_t page_count) {
  CHECK(!active_);
  active_ = true;
  page_count_ = page_count;
  low_water_ = page_count;
}

void TrialPages::end() {
  active_ = false;
  places_.clear();
  free_places_.clear();
  in_memory_.clear();
  file_.reset();
}

Status TrialPages::write(PageNo page, Bytes image) {
  CHECK(active_ && image.size() == kPageBytes);
  auto place = places_.find(raw(page));
  if (place == places_.end()) {
    auto fresh = static_cast<std::uint32_t>(places_.size());
    if (!free_places_.empty()) {
      fresh = free_places_.back();
      free_places_.pop_back();
    }
    place = places_.emplace(raw(page), fresh).first;
  }
  page_count_ = std::max(page_count_, raw(page));
  if (place->second >= kPagesInMemory) {
    if (!file_) {
      DOSQL_ASSIGN_OR_RETURN(file_, File::make());
    }
    return file_->write(place->second - kPagesInMemory, image);
  }
  if (place->second == in_memory_.size()) in_memory_.push_back(std::make_unique<std::byte[]>(kPageBytes));
  std::ranges::copy(image, in_memory_[place->second].get());
  return {};
}

Result<bool> TrialPages::read(PageNo page, std::uint32_t offset, MutableBytes out) {
  const auto place = places_.find(raw(page));
  if (place == places_.end()) {
    if (raw(page) <= low_water_) return false;
    std::ranges::fill(out, std::byte{0});
    return true;
  }
  if (place->second >= kPagesInMemory) {
    if (!file_) return failed("read");
    DOSQL_RETURN_IF_ERROR(file_->read(place->second - kPagesInMemory, offset, out));
    return true;
  }
  std::copy_n(in_memory_[place->second].get() + offset, out.size(), out.begin());
  return true;
}

void TrialPages::truncate(std::uint32_t page_count) {
  std::erase_if(places_, [&](const auto& place) {
    if (place.first <= page_count) return false;
    free_places_.push_back(place.second);
    return true;
  });
  page_count_ = page_count;
  low_water_ = std::min(low_water_, page_count);
}

}  // namespace dosql::engine
