// Finding the version of a page that a reader sees, and what to read to rebuild it.
//
// The versions of a page on a branch may lie in several slots: its own, and behind it (`older`) those of the
// branch it was forked from, up to the LSN where their ways parted, down to main's.
#pragma once

#include "version/page_table.h"

namespace dosql::version {

// The slot that holds the newest version at or below `lsn`, and its index there. Null: there is none.
// When not null, slot->lock is held shared: for the caller to release.
struct VisibleVersion {
  PageSlot* slot = nullptr;
  std::size_t index = 0;

  bool is_newest() const { return index + 1 == slot->count; }
};
VisibleVersion lock_visible(PageRef ref, Lsn lsn);

// What the slot's owner saw before its first version. None for main's.
PageRef older_of(const PageSlot& slot);

// What to read to rebuild slot->versions[index]. REQUIRES: slot->lock is held.
void chain_of(PageSlot& slot, std::size_t index, Chain& chain);

// Chain::key_base of slot->versions[index]. REQUIRES: as above.
PageVersion key_base_of(PageSlot& slot, std::size_t index);

// The newest version that `ref` shows. Its chain; empty when there is none.
void newest_chain(PageRef ref, Chain& chain);

// Whether an entry of this kind and step may be the next version of `slot`. REQUIRES: no other thread writes
// to it.
bool accepts(const PageSlot& slot, log::EntryKind kind, std::uint8_t step);

}  // namespace dosql::version
