// One row of a table by its key, and since when it has been as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <dosql/result.h>

#include "base/ids.h"
#include "diff/key_order.h"
#include "diff/record.h"
#include "version/version_store.h"

namespace dosql::diff {

struct FoundRow {
  bool exists = false;
  std::vector<std::byte> record;
  // The newest commit that wrote a page on the way from the root to the row, or to where it would be: from
  // then up to the version that was read nothing about it changed. 0: the table has no pages.
  Lsn written{};
};

// Where a version has the table.
struct TreePlace {
  PageNo root{};                   // 0: it does not
  std::uint32_t usable_bytes = 0;  // of its pages (usable_bytes_of()); the schema's changes aside it stays
};

// In the version that `reader` has pinned. Costs a page for each level of the tree, and those that the row
// overflows into; where these have to be rebuilt, their older images are kept, for who goes back in time.
// Errors: kCorrupt, kIo.
Result<FoundRow> find_row(version::Reader& reader, const TreePlace& table, std::int64_t rowid);
// Of a WITHOUT ROWID table. REQUIRES: `key` has as many values as `order` has columns.
Result<FoundRow> find_row(version::Reader& reader, const TreePlace& table, std::span<const Field> key,
                          std::span<const KeyColumn> order);

}  // namespace dosql::diff
