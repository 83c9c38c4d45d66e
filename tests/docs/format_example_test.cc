// The example at the end of docs/format/log.md, made anew: the document shows what the code writes.

#include <dosql/dosql.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "base/environment.h"
#include "log/record.h"
#include "log/segment.h"
#include "tests/docs/markdown.h"
#include "tests/shell/process.h"

namespace dosql::docs {
namespace {

constexpr std::size_t kBytesPerLine = 16;

// Lines of offset, bytes and meaning, one field after another.
class Listing {
 public:
  explicit Listing(Bytes bytes) : bytes_(bytes) {}

  void field(std::size_t field_bytes, const std::string& meaning) {
    std::string text = meaning;
    while (field_bytes > 0) {
      const std::size_t here = std::min(field_bytes, kBytesPerLine);
      add_line(here, text);
      field_bytes -= here;
      text.clear();
    }
  }

  const std::string& text() const { return text_; }

 private:
  void add_line(std::size_t line_bytes, const std::string& meaning) {
    std::string hex;
    for (std::size_t i = 0; i < line_bytes; ++i) {
      hex += fmt::format("{}{:02x}", i == 0 ? "" : " ", std::to_integer<int>(bytes_[at_ + i]));
    }
    std::string line = fmt::format("{:4}  {:<{}}  {}", at_, hex, kBytesPerLine * 3 - 1, meaning);
    line.erase(line.find_last_not_of(' ') + 1);
    text_ += line + '\n';
    at_ += line_bytes;
  }

  Bytes bytes_;
  std::size_t at_ = 0;
  std::string text_;
};

void list_header(Listing& listing, const log::RecordHeader& header) {
  const std::uint64_t first_lsn =
      header.last_lsn - log::kLsnsPerPage * header.lsn_units - log::kLsnsPerCommit;
  listing.field(4, "magic \"DSR1\"");
  listing.field(1, fmt::format("type {}: commit", header.type));
  listing.field(1, fmt::format("flags {}", header.flags));
  listing.field(2, fmt::format("event_order_rule {}", header.event_order_rule));
  listing.field(8, "checksum");
  listing.field(4, "previous_checksum");
  listing.field(4, fmt::format("body_bytes {}", header.body_bytes));
  listing.field(8, fmt::format("last_lsn {}; first {} = {} - 1362 * {} - 2", header.last_lsn, first_lsn,
                               header.last_lsn, header.lsn_units));
  listing.field(4, fmt::format("lsn_units {}", header.lsn_units));
  listing.field(4, fmt::format("branch {}: main", header.branch));
  listing.field(4, fmt::format("page_count {}", header.page_count));
  listing.field(4, fmt::format("entry_count {}", header.entry_count));
  listing.field(8, fmt::format("timestamp_us {}", header.timestamp_us));
  listing.field(8, fmt::format("durable_lsn {}", header.durable_lsn));
}

std::size_t take_varint(Bytes bytes, std::size_t& at) {
  const auto low = std::to_integer<std::size_t>(bytes[at++]);
  return low < 0x80 ? low : (low & 0x7f) | std::to_integer<std::size_t>(bytes[at++]) << 7;
}

void list_patch(Listing& listing, Bytes patch) {
  for (std::size_t at = 0; at < patch.size();) {
    const std::size_t begin = at;
    const std::size_t skip = take_varint(patch, at);
    const std::size_t length = take_varint(patch, at);
    listing.field(at - begin, fmt::format("skip {}, length {}", skip, length));
    listing.field(length, "new bytes");
    at += length;
  }
}

std::string list_record(Bytes bytes, const log::RecordView& record) {
  Listing listing(bytes);
  list_header(listing, record.header);
  std::size_t listed = sizeof(log::RecordHeader);
  record.for_each_entry([&](const log::EntryHead& head, Bytes payload, std::uint32_t) {
    listing.field(4, fmt::format("page {}", head.page));
    listing.field(2, fmt::format("payload_bytes {}", head.payload_bytes));
    listing.field(1, fmt::format("kind {}: {}", head.kind, head.kind == 2 ? "patch" : "zero patch"));
    listing.field(1, fmt::format("step {}", head.step));
    listing.field(4, "payload_checksum");
    list_patch(listing, payload);
    listed += sizeof head + payload.size();
  });
  if (listed < record.record_bytes()) listing.field(record.record_bytes() - listed, "padding");
  return listing.text();
}

// What the commit appended, field by field.
std::string example() {
  const shell_test::TemporaryFolder folder;
  const std::string path = (folder.path() / "example").string();
  ManualClock clock(1'767'225'600'000'000);
  SeededRandom random(1);
  Options options;
  options.clock = &clock;
  options.random = &random;
  Database database = Database::open(path, options).value();
  {
    Connection connection = database.connect().value();
    connection.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)").value();
    connection.exec("INSERT INTO t VALUES (1, 'hello')").value();
  }
  const std::string file = shell_test::read_file(path + "/log-00000001");
  const Bytes bytes = std::as_bytes(std::span(file));
  const auto header = load<log::SegmentHeader>(bytes.data());
  std::size_t at = log::kFirstRecordOffset;
  std::string newest;
  while (const auto record = log::parse_record(bytes.subspan(at), header.salt, header.database_id,
                                               log::Verify::kEverything)) {
    newest = list_record(bytes.subspan(at), *record);
    at += record->record_bytes();
  }
  return newest;
}

TEST(FormatExample, IsWhatTheCodeWrites) {
  const std::string made = example();
  ASSERT_FALSE(made.empty());
  const std::vector<CodeBlock> blocks = code_blocks(section(read_document("docs/format/log.md"), "Example"));
  const std::string shown = blocks.empty() ? "" : blocks[0].text;
  EXPECT_EQ(shown, made) << "docs/format/log.md shows another record. This is the present one:\n" << made;
}

}  // namespace
}  // namespace dosql::docs
