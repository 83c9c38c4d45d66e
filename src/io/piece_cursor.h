// Where a gathering write stands that the system may cut short anywhere.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <span>

#include "base/bytes.h"

namespace dosql::io {

// Walks over pieces as parts of them get written. Does not own them.
class PieceCursor {
 public:
  explicit PieceCursor(std::span<const Bytes> pieces) : pieces_(pieces) { skip_finished(); }

  bool at_end() const { return pieces_.empty(); }

  // The next pieces, at most as many as `out` has room for; returns how many.
  std::size_t fill(std::span<iovec> out) const {
    const std::size_t count = std::min(out.size(), pieces_.size());
    for (std::size_t i = 0; i < count; ++i) {
      // iovec serves reading too, hence its pointer to mutable bytes.
      out[i] = {const_cast<std::byte*>(pieces_[i].data()), pieces_[i].size()};
    }
    if (count > 0) {
      out[0].iov_base = static_cast<std::byte*>(out[0].iov_base) + done_in_first_;
      out[0].iov_len -= done_in_first_;
    }
    return count;
  }

  // REQUIRES: at most what the pieces still have.
  void advance(std::size_t bytes) {
    done_in_first_ += bytes;
    skip_finished();
  }

 private:
  void skip_finished() {
    while (!pieces_.empty() && done_in_first_ >= pieces_.front().size()) {
      done_in_first_ -= pieces_.front().size();
      pieces_ = pieces_.subspan(1);
    }
  }

  std::span<const Bytes> pieces_;
  std::size_t done_in_first_ = 0;
};

}  // namespace dosql::io
