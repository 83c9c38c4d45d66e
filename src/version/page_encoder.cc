#include "version/page_encoder.h"

namespace dosql::version {
namespace {

using log::EntryKind;

// A chain with more payload than this gets a full image: rebuilding would read more than that saves.
constexpr std::uint32_t kChainBytesMax = 2 * kPageBytes;
// A key patch longer than this is not worth it: the page has drifted away from its base.
constexpr std::size_t kKeyPatchBytesMax = 1024;

}  // namespace

Result<std::optional<std::size_t>> PageEncoder::diff_against_newest(PageNo page, PageSlot& slot,
                                                                    const std::byte* image) {
  slot.lock.lock_shared();
  if (slot.frame != 0) {
    const auto size = make_patch(store_.pool.data(slot.frame), image, patch_);
    slot.lock.unlock_shared();
    return size;
  }
  Chain chain;
  slot.chain_of(slot.count - 1, chain);
  slot.lock.unlock_shared();
  DOSQL_RETURN_IF_ERROR(store_.rebuild(page, chain, scratch_));
  return make_patch(scratch_, image, patch_);
}

Result<std::optional<EncodedPage>> PageEncoder::encode_key(PageNo page, PageSlot& slot, std::uint8_t step,
                                                           const std::byte* image) {
  Chain base;
  slot.lock.lock_shared();
  base.entries[0] = slot.versions[slot.count - 1 - slot.newest_step];
  base.size = 1;
  slot.lock.unlock_shared();
  DOSQL_RETURN_IF_ERROR(store_.rebuild(page, base, scratch_));
  const auto size = make_patch(scratch_, image, key_patch_);
  if (!size || *size > kKeyPatchBytesMax) return std::optional<EncodedPage>();
  return std::optional(EncodedPage{EntryKind::kKey, step, Bytes(key_patch_, *size)});
}

Result<EncodedPage> PageEncoder::encode_fold(PageNo page, PageSlot& slot, const std::byte* image) {
  slot.lock.lock_shared();
  const std::uint8_t step = slot.newest_step;
  slot.lock.unlock_shared();
  DOSQL_ASSIGN_OR_RETURN(const auto key, encode_key(page, slot, step, image));
  return key.value_or(EncodedPage{EntryKind::kFull, 0, Bytes(image, kPageBytes)});
}

Result<std::optional<EncodedPage>> PageEncoder::encode(PageNo page, const std::byte* image) {
  const EncodedPage full{EntryKind::kFull, 0, Bytes(image, kPageBytes)};
  PageSlot* slot = store_.pages.find(page);
  if (!slot || slot->count == 0) {
    const auto size = make_patch(zero_page(), image, patch_);
    if (!size) return std::optional(full);
    return std::optional(EncodedPage{EntryKind::kZero, 0, Bytes(patch_, *size)});
  }
  DOSQL_ASSIGN_OR_RETURN(const auto size, diff_against_newest(page, *slot, image));
  if (size && *size == 0) return std::optional<EncodedPage>();
  slot->lock.lock_shared();
  const unsigned step = slot->newest_step + 1u;
  const std::uint32_t chain_bytes = slot->chain_bytes;
  const std::uint8_t cold_reads = slot->cold_reads;
  slot->lock.unlock_shared();
  if (!size || step > kStepMax || chain_bytes + *size > kChainBytesMax) return std::optional(full);
  const bool was_cold = cold_reads > kColdReadsMax;
  if (was_cold || step % kKeyInterval == 0) {
    DOSQL_ASSIGN_OR_RETURN(const auto key, encode_key(page, *slot, static_cast<std::uint8_t>(step), image));
    if (key) return key;
    if (was_cold) return std::optional(full);
  }
  return std::optional(EncodedPage{EntryKind::kPatch, static_cast<std::uint8_t>(step), Bytes(patch_, *size)});
}

}  // namespace dosql::version
