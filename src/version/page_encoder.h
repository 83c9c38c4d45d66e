// Chooses how a changed page goes into the log: a patch where that is small, a full image where the
// chain of patches got long.
#pragma once

#include <optional>

#include <dosql/result.h>

#include "version/page_patch.h"
#include "version/store_impl.h"

namespace dosql::version {

// One encoded page. The payload lives until the next call of encode(), or is the image given to it.
struct EncodedPage {
  log::EntryKind kind;
  std::uint8_t step;
  Bytes payload;
};

class PageEncoder {
 public:
  explicit PageEncoder(StoreImpl& store) : store_(store) {}

  // Encodes `image` (kPageBytes) against the newest version of `page` that `ref` shows; none when it equals
  // that version. REQUIRES: the caller holds the branch's writer slot, so that the newest version stays it.
  Result<std::optional<EncodedPage>> encode(PageRef ref, PageNo page, const std::byte* image);

  // Encodes the newest version of `page`, which is `image` and rebuilt by `chain` (of newest_chain()), so
  // that it takes two reads at most: for a fold record. REQUIRES: as above, and the newest version is no
  // chain's base.
  Result<EncodedPage> encode_fold(PageNo page, const Chain& chain, const std::byte* image);

 private:
  // A key patch of that step against `base`; none when it would be too long.
  Result<std::optional<EncodedPage>> encode_key(PageNo page, const PageVersion& base, std::uint8_t step,
                                                const std::byte* image);

  StoreImpl& store_;
  std::byte patch_[kPatchBytesMax];
  std::byte key_patch_[kPatchBytesMax];
  std::byte scratch_[kPageBytes];
};

}  // namespace dosql::version
