#include "version/page_history.h"

#include <algorithm>

#include "version/branch.h"

namespace dosql::version {

using log::EntryKind;

PageRef older_of(const PageSlot& slot) {
  return slot.on_branch ? static_cast<const BranchSlot&>(slot).older : PageRef{};
}

VisibleVersion lock_visible(PageRef ref, Lsn lsn) {
  while (ref.slot) {
    // What an older slot shows ends where its line was left, and so does all behind it.
    lsn = std::min(lsn, ref.cap);
    ref.slot->lock.lock_shared();
    const std::ptrdiff_t index = ref.slot->find(lsn);
    if (index >= 0) return {ref.slot, static_cast<std::size_t>(index)};
    const PageRef older = older_of(*ref.slot);
    ref.slot->lock.unlock_shared();
    ref = older;
  }
  return {};
}

namespace {

// A version of a page, on a way back through the slots that begins at `first`, which the caller has locked.
struct Place {
  PageSlot* first;
  PageSlot* slot;
  std::size_t index;

  const PageVersion& version() const { return slot->versions[index]; }
  // Slots are locked from younger to older, here and everywhere.
  void go_back(std::size_t back) {
    while (back > index) {
      back -= index + 1;
      const VisibleVersion before = lock_visible(older_of(*slot), Lsn{slot->versions[0].lsn});
      leave();
      slot = before.slot;
      index = before.index;
    }
    index -= back;
  }
  void leave() {
    if (slot != first) slot->lock.unlock_shared();
  }
};

}  // namespace

void chain_of(PageSlot& first, std::size_t index, Chain& chain) {
  chain.size = 0;
  Place place{&first, &first, index};
  while (true) {
    const PageVersion& version = place.version();
    chain.entries[chain.size++] = version;
    const bool is_base = version.kind() == EntryKind::kFull || version.kind() == EntryKind::kZero;
    if (is_base) break;
    place.go_back(version.kind() == EntryKind::kKey ? version.step() : 1);
  }
  place.leave();
}

PageVersion key_base_of(PageSlot& slot, std::size_t index) {
  Place place{&slot, &slot, index};
  place.go_back(place.version().step());
  const PageVersion base = place.version();
  place.leave();
  return base;
}

void newest_chain(PageRef ref, Chain& chain) {
  chain.size = 0;
  const VisibleVersion newest = lock_visible(ref, kLsnUnbounded);
  if (!newest.slot) return;
  chain_of(*newest.slot, newest.index, chain);
  chain.key_base = key_base_of(*newest.slot, newest.index);
  newest.slot->lock.unlock_shared();
}

bool accepts(const PageSlot& slot, EntryKind kind, std::uint8_t step) {
  if (kind == EntryKind::kFull || kind == EntryKind::kZero) return step == 0;
  if (kind != EntryKind::kPatch && kind != EntryKind::kKey) return false;
  if (step == 0 || step > kStepMax) return false;
  if (slot.count > 0) return step == slot.newest_step + 1;
  const VisibleVersion before = lock_visible(older_of(slot), kLsnUnbounded);
  if (!before.slot) return false;
  const bool follows = step == before.slot->versions[before.index].step() + 1;
  before.slot->lock.unlock_shared();
  return follows;
}

}  // namespace dosql::version
