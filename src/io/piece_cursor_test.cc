#include "io/piece_cursor.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace dosql::io {
namespace {

// Real files rarely cut a write short; here each write takes `step` bytes of at most two pieces.
std::string written_in_steps(const std::vector<std::string>& texts, std::size_t step) {
  std::vector<Bytes> pieces;
  for (const std::string& text : texts) pieces.push_back(std::as_bytes(std::span(text)));
  PieceCursor cursor(pieces);
  std::string written;
  while (!cursor.at_end()) {
    std::array<iovec, 2> batch;
    std::string offered;
    const std::size_t count = cursor.fill(batch);
    for (std::size_t i = 0; i < count; ++i) {
      offered.append(static_cast<const char*>(batch[i].iov_base), batch[i].iov_len);
    }
    if (offered.empty()) return written + "(nothing offered)";
    const std::size_t taken = std::min(step, offered.size());
    written += offered.substr(0, taken);
    cursor.advance(taken);
  }
  return written;
}

TEST(PieceCursorTest, NoByteIsLostOrRepeatedWhereverWritesAreCutShort) {
  for (std::size_t step = 1; step <= 12; ++step) {
    EXPECT_EQ(written_in_steps({"abc", "", "d", "", "", "efgh", "ij"}, step), "abcdefghij") << step;
    EXPECT_EQ(written_in_steps({"", "abc", ""}, step), "abc") << step;
  }
}

TEST(PieceCursorTest, EmptyPiecesAreTheEndAtOnce) {
  EXPECT_EQ(written_in_steps({}, 1), "");
  EXPECT_EQ(written_in_steps({"", ""}, 1), "");
}

}  // namespace
}  // namespace dosql::io
