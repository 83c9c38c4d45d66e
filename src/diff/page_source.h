// Where the pages of one database state come from.
#pragma once

#include <cstdint>

#include <dosql/result.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::diff {

// One thread at a time.
class PageSource {
 public:
  virtual ~PageSource() = default;
  virtual std::uint32_t page_count() const = 0;
  // Fills `out` with the bytes of the page from `offset` on. REQUIRES: 1 <= page <= page_count(), and they
  // are inside of the page.
  virtual Status read(PageNo page, std::uint32_t offset, MutableBytes out) = 0;
};

// The version that a reader has pinned.
class VersionPages final : public PageSource {
 public:
  // `reader` must outlive it.
  explicit VersionPages(version::Reader& reader, version::CacheUse cache = version::CacheUse::kKeep)
      : reader_(reader), cache_(cache) {}
  std::uint32_t page_count() const override { return reader_.point().page_count; }
  Status read(PageNo page, std::uint32_t offset, MutableBytes out) override {
    return reader_.read(page, offset, out, cache_);
  }

 private:
  version::Reader& reader_;
  const version::CacheUse cache_;
};

}  // namespace dosql::diff
