// Reading pages: from the pool when it holds the wanted version, else rebuilt from the log.

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/check.h"
#include "version/entry_memory.h"
#include "version/page_history.h"
#include "version/page_patch.h"
#include "version/store_impl.h"

namespace dosql::version {

using log::EntryKind;

Status StoreImpl::rebuild(PageNo page, const Chain& chain, std::byte* out, HistoryCache* older,
                          const ReadAid& aid) const {
  log::EntryWindow window;
  std::size_t reach = chain.size;
  for (std::size_t i = chain.size; i-- > 0;) {
    const PageVersion& entry = chain.entries[i];
    // As Chain::reads() counts.
    if (i < reach) {
      reach = i;
      while (reach > 0 && log::EntryWindow::reaches(entry.position(), chain.entries[reach - 1].position()))
        --reach;
    }
    Bytes payload = aid.known ? aid.known->find(entry.position()) : Bytes();
    if (payload.empty() && aid.around && entry.kind() == EntryKind::kFull) {
      DOSQL_ASSIGN_OR_RETURN(payload, log->read_entry(entry.position(), page, entry.kind(), *aid.around));
    } else if (payload.empty() && aid.ahead) {
      DOSQL_ASSIGN_OR_RETURN(payload, log->read_entry(entry.position(), page, entry.kind(), *aid.ahead));
    } else if (payload.empty()) {
      DOSQL_ASSIGN_OR_RETURN(payload, log->read_entry(entry.position(), page, entry.kind(),
                                                      chain.entries[reach].position(), window));
    }
    if (entry.kind() == EntryKind::kFull) {
      if (payload.size() != kPageBytes)
        return log->corrupt(entry.position(), "a full page image is too short");
      std::memcpy(out, payload.data(), kPageBytes);
    } else {
      if (entry.kind() == EntryKind::kZero) std::memset(out, 0, kPageBytes);
      if (!apply_patch(payload, out)) return log->corrupt(entry.position(), "a page patch makes no sense");
    }
    if (older && i > 0) older->put(entry.position(), out);
  }
  return {};
}

bool StoreImpl::find_held(const ReadPoint& point, PageNo page, const ReadAid& aid, Chain& chain) const {
  const VisibleVersion visible = lock_visible(branch(point.branch).find(page), point.lsn);
  if (!visible.slot) return false;
  chain_of(*visible.slot, visible.index, chain);
  visible.slot->lock.unlock_shared();
  return std::ranges::all_of(std::span(chain.entries).first(chain.size), [&](const PageVersion& entry) {
    if (entry.kind() == EntryKind::kFull) return aid.around->holds_image(entry.position());
    return !aid.known->find(entry.position()).empty();
  });
}

// Puts a freshly rebuilt newest image into the pool, unless the page has moved on meanwhile.
void StoreImpl::install(PageSlot& slot, const Chain& chain, const std::byte* image) {
  const FrameId frame = pool.allocate();
  std::memcpy(pool.data(frame), image, kPageBytes);
  slot.lock.lock();
  const bool current = slot.frame() == 0 && slot.newest().word == chain.entries[0].word;
  if (current) {
    slot.set_frame(frame);
    slot.cold_reads = static_cast<std::uint8_t>(chain.reads());
    pool.give_to_slot(frame, slot);
  }
  slot.lock.unlock();
  if (!current) pool.free(frame);
}

Status StoreImpl::read(const ReadPoint& point, PageNo page, std::uint32_t offset, MutableBytes out,
                       CacheUse cache, const ReadAid& aid) {
  DCHECK(offset + out.size() <= kPageBytes);
  const PageRef ref = dosql::raw(page) <= point.page_count ? branch(point.branch).find(page) : PageRef{};
  // Not locked yet: a guess that costs little where it is wrong. Who knows patches reads old versions.
  if (ref.slot && out.size() == kPageBytes && aid.known == nullptr) {
    if (const FrameId frame = ref.slot->frame(); frame != 0) pool.prefetch(frame);
  }
  const VisibleVersion visible = lock_visible(ref, point.lsn);
  if (!visible.slot) {
    std::memset(out.data(), 0, out.size());
    return {};
  }
  PageSlot& slot = *visible.slot;
  const bool is_newest = visible.is_newest();
  if (slot.frame() != 0 && is_newest) {
    std::memcpy(out.data(), pool.data(slot.frame()) + offset, out.size());
    pool.touch(slot.frame());
    slot.lock.unlock_shared();
    return {};
  }
  Chain chain;
  chain_of(slot, visible.index, chain);
  slot.lock.unlock_shared();
  const PageVersion& version = chain.entries[0];
  if (!is_newest &&
      (retained.read(version.position(), offset, out) || history.read(version.position(), offset, out)))
    return {};
  rebuilt_pages.fetch_add(1, std::memory_order_relaxed);
  std::byte buffer[kPageBytes];
  std::byte* const image = out.size() == kPageBytes ? out.data() : buffer;
  DOSQL_RETURN_IF_ERROR(rebuild(page, chain, image, cache == CacheUse::kKeepOlder ? &history : nullptr, aid));
  if (image == buffer) std::memcpy(out.data(), image + offset, out.size());
  if (cache == CacheUse::kBypass) return {};
  if (is_newest) {
    install(slot, chain, image);
  } else {
    history.put(version.position(), image);
  }
  return {};
}

Lsn StoreImpl::written_at(const ReadPoint& point, PageNo page) const {
  if (dosql::raw(page) > point.page_count) return Lsn{};
  const VisibleVersion visible = lock_visible(branch(point.branch).find(page), point.lsn);
  if (!visible.slot) return Lsn{};
  // The LSN, not the entry's place in the log: a fold moves that.
  const Lsn lsn{visible.slot->versions[visible.index].lsn};
  visible.slot->lock.unlock_shared();
  return lsn;
}

}  // namespace dosql::version
