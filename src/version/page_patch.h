// Patches: the runs of bytes in which two images of a page differ.
//
// Encoding, run after run: varint `skip` (unchanged bytes since the previous run), varint `length`
// (at least 1), `length` bytes. A varint is 7 bits a byte, low bits first, at most two bytes. No runs: the
// images are equal.
//
// A patch that begins with two zeros also has runs of bytes that the page held elsewhere: `skip`, 0, varint
// `length` (at least 1), varint `source`. Sources are places in the page as it was before the whole patch.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"

namespace dosql::version {

// The longest patch worth writing: beyond it a full image is as good.
inline constexpr std::size_t kPatchBytesMax = 3072;

// Writes the patch that turns `before` into `after` (both kPageBytes) to `out` (at least
// kPatchBytesMax) and returns its size; none when it would be longer than kPatchBytesMax.
std::optional<std::size_t> make_patch(const std::byte* before, const std::byte* after, std::byte* out);

// Applies a patch to `page` (kPageBytes). False when the bytes are no patch; `page` is then undefined.
// Never touches anything outside `page`, whatever the patch holds.
bool apply_patch(Bytes patch, std::byte* page);
// The blocks of the page (version/page_view.h) that it writes to, by bits; none: the bytes are no patch.
std::optional<std::uint64_t> blocks_of_patch(Bytes patch);

// A page of zeros, for the patches against nothing.
const std::byte* zero_page();

}  // namespace dosql::version
