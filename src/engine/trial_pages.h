// The pages of a transaction that is never to be committed: it only finds out what would come of it. Nothing
// of it gets into the log, so it needs neither the branch's writer slot nor a database that may be written.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <dosql/result.h>

#include "base/bytes.h"
#include "base/ids.h"

namespace dosql::engine {

// One thread at a time. The first 8 MiB stay in memory, the rest goes to a temporary file, as SQLite's do.
class TrialPages {
 public:
  TrialPages();
  ~TrialPages();
  TrialPages(const TrialPages&) = delete;
  TrialPages& operator=(const TrialPages&) = delete;

  // On a version of so many pages. REQUIRES: not active().
  void begin(std::uint32_t page_count);
  void end();
  bool active() const { return active_; }

  std::uint32_t page_count() const { return page_count_; }
  // REQUIRES of all: active(). Errors: kIo (of the temporary file).
  Status write(PageNo page, Bytes image);
  // False: the page is as in the version.
  Result<bool> read(PageNo page, std::uint32_t offset, MutableBytes out);
  void truncate(std::uint32_t page_count);

 private:
  class File;

  bool active_ = false;
  std::uint32_t page_count_ = 0;
  std::uint32_t low_water_ = 0;                              // the smallest page_count_ so far
  std::unordered_map<std::uint32_t, std::uint32_t> places_;  // of the images, by page
  std::vector<std::uint32_t> free_places_;
  std::vector<std::unique_ptr<std::byte[]>> in_memory_;
  std::unique_ptr<File> file_;  // null: nothing has gone there
};

}  // namespace dosql::engine
