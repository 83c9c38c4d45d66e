#include "version/page_encoder.h"

#include "version/page_history.h"

namespace dosql::version {
namespace {

using log::EntryKind;

// A chain with more payload than this gets a full image: rebuilding would read more than that saves.
constexpr std::uint32_t kChainBytesMax = 2 * kPageBytes;
// A key patch longer than this is not worth it: the page has drifted away from its base.
constexpr std::size_t kKeyPatchBytesMax = 1024;

}  // namespace

Result<std::optional<EncodedPage>> PageEncoder::encode_key(PageNo page, const PageVersion& base,
                                                           std::uint8_t step, const std::byte* image) {
  Chain chain;
  chain.entries[0] = base;
  chain.size = 1;
  DOSQL_RETURN_IF_ERROR(store_.rebuild(page, chain, scratch_));
  const auto size = make_patch(scratch_, image, key_patch_);
  if (!size || *size > kKeyPatchBytesMax) return std::optional<EncodedPage>();
  return std::optional(EncodedPage{EntryKind::kKey, step, Bytes(key_patch_, *size)});
}

Result<EncodedPage> PageEncoder::encode_fold(PageNo page, const Chain& chain, const std::byte* image) {
  DOSQL_ASSIGN_OR_RETURN(const auto key, encode_key(page, chain.key_base, chain.entries[0].step(), image));
  return key.value_or(EncodedPage{EntryKind::kFull, 0, Bytes(image, kPageBytes)});
}

Result<std::optional<EncodedPage>> PageEncoder::encode(PageRef ref, PageNo page, const std::byte* image) {
  const EncodedPage full{EntryKind::kFull, 0, Bytes(image, kPageBytes)};
  const VisibleVersion newest = lock_visible(ref, kLsnUnbounded);
  if (!newest.slot) {
    const auto size = make_patch(zero_page(), image, patch_);
    if (!size) return std::optional(full);
    return std::optional(EncodedPage{EntryKind::kZero, 0, Bytes(patch_, *size)});
  }
  PageSlot& slot = *newest.slot;
  const unsigned step = slot.versions[newest.index].step() + 1u;
  // Of an older version of another branch it is not known.
  const std::uint32_t chain_bytes = newest.is_newest() ? slot.chain_bytes : kChainBytesMax / 2;
  const bool was_cold = newest.is_newest() && slot.cold_reads > kColdReadsMax;
  std::optional<std::size_t> size;
  const bool tries_key = was_cold || step % kKeyInterval == 0;
  const PageVersion key_base = tries_key ? key_base_of(slot, newest.index) : PageVersion{};
  if (slot.frame() != 0 && newest.is_newest()) {
    size = make_patch(store_.pool.data(slot.frame()), image, patch_);
    slot.lock.unlock_shared();
  } else {
    Chain chain;
    chain_of(slot, newest.index, chain);
    slot.lock.unlock_shared();
    DOSQL_RETURN_IF_ERROR(store_.rebuild(page, chain, scratch_));
    size = make_patch(scratch_, image, patch_);
  }
  if (size && *size == 0) return std::optional<EncodedPage>();
  if (!size || step > kStepMax || chain_bytes + *size > kChainBytesMax) return std::optional(full);
  if (tries_key) {
    DOSQL_ASSIGN_OR_RETURN(const auto key,
                           encode_key(page, key_base, static_cast<std::uint8_t>(step), image));
    if (key) return key;
    if (was_cold) return std::optional(full);
  }
  return std::optional(EncodedPage{EntryKind::kPatch, static_cast<std::uint8_t>(step), Bytes(patch_, *size)});
}

}  // namespace dosql::version
