// A database of arbitrary pages: the b-tree under any page gives its entries or an error, and nothing is read
// outside of the pages. The input is a page number, then the pages.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "diff/entries.h"
#include "diff/key_order.h"
#include "diff/record.h"
#include "diff/tree.h"

namespace dosql::fuzz {
namespace {

constexpr std::size_t kPagesMax = 32;

class InputPages final : public diff::PageSource {
 public:
  explicit InputPages(Bytes input) {
    input = input.first(std::min(input.size(), kPagesMax * kPageBytes));
    pages_.resize((input.size() + kPageBytes - 1) / kPageBytes * kPageBytes);
    std::copy(input.begin(), input.end(), pages_.begin());
  }
  std::uint32_t page_count() const override { return static_cast<std::uint32_t>(pages_.size() / kPageBytes); }
  Status read(PageNo page, std::uint32_t offset, MutableBytes out) override {
    CHECK(raw(page) >= 1 && raw(page) <= page_count());
    CHECK(offset + out.size() <= kPageBytes);
    std::memcpy(out.data(), pages_.data() + (raw(page) - 1) * kPageBytes + offset, out.size());
    return {};
  }

 private:
  std::vector<std::byte> pages_;
};

bool always(PageNo) { return true; }

Status read_all(diff::PageSource& pages, PageNo root) {
  static const std::vector<diff::KeyColumn> kKey(1);
  DOSQL_ASSIGN_OR_RETURN(diff::Tree tree, diff::Tree::open(pages, root));
  DOSQL_RETURN_IF_ERROR(tree.open_where(always));
  const bool is_table = !tree.empty() && tree.is_table();
  diff::Entries entries(std::move(tree), is_table ? std::span<const diff::KeyColumn>() : kKey);
  std::vector<diff::Field> fields;
  while (true) {
    DOSQL_RETURN_IF_ERROR(entries.advance());
    if (entries.at_end()) return {};
    DOSQL_ASSIGN_OR_RETURN(const Bytes record, entries.record());
    DOSQL_RETURN_IF_ERROR(diff::decode_record(record, fields));
  }
}

}  // namespace
}  // namespace dosql::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  dosql::fuzz::InputPages pages(std::as_bytes(std::span(data + 1, size - 1)));
  const auto read = dosql::fuzz::read_all(pages, dosql::PageNo{data[0]});
  if (!read) CHECK(read.error().code() == dosql::ErrorCode::kCorrupt);
  return 0;
}
