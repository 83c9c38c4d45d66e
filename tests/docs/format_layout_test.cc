// docs/format/log.md says where each byte is; these tests fail when the sources say otherwise.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "cdc/slot_file.h"
#include "log/format.h"
#include "testing/paths.h"
#include "tests/docs/markdown.h"
#include "version/checkpoint.h"
#include "version/checkpoint_names.h"
#include "version/status_page.h"

namespace dosql::docs {
namespace {

struct Field {
  std::size_t offset;
  std::size_t bytes;
  std::string name;

  friend bool operator==(const Field&, const Field&) = default;
  friend void PrintTo(const Field& field, std::ostream* out) {
    *out << field.name << " at " << field.offset << ", " << field.bytes << " bytes";
  }
};

#define FIELD(structure, member) \
  Field { offsetof(structure, member), sizeof(structure::member), #member }

bool is_number(const std::string& text) { return text.find_first_not_of("0123456789") == std::string::npos; }

class FormatDocument : public ::testing::Test {
 protected:
  const std::string document_ = read_document("docs/format/log.md");
  const std::string status_document_ = read_document("docs/format/status.md");

  std::vector<Field> documented(const std::string& structure) const {
    return documented_in(document_, structure);
  }
  static std::vector<Field> documented_in(const std::string& document, const std::string& structure) {
    std::vector<Field> fields;
    for (const TableRow& row : table_rows(section(document, structure))) {
      if (row.size() == 4 && is_number(row[0]) && is_number(row[1])) {
        fields.push_back({std::stoul(row[0]), std::stoul(row[1]), plain(row[2])});
      }
    }
    return fields;
  }

  // The number -> name rows of the table in `title`'s section whose first column is a number and second a
  // word.
  std::map<int, std::string> documented_names(const std::string& title) const {
    std::map<int, std::string> names;
    for (const TableRow& row : table_rows(section(document_, title))) {
      if (row.size() >= 3 && is_number(row[0]) && !is_number(row[1])) names[std::stoi(row[0])] = row[1];
    }
    return names;
  }
};

void expect_no_gaps(const std::vector<Field>& fields, std::size_t structure_bytes) {
  std::size_t end = 0;
  for (const Field& field : fields) {
    EXPECT_EQ(field.offset, end) << "a gap before " << field.name;
    end = field.offset + field.bytes;
  }
  EXPECT_EQ(end, structure_bytes);
}

#define EXPECT_DOCUMENTED(structure, ...)                                \
  do {                                                                   \
    const std::vector<Field> fields{__VA_ARGS__};                        \
    EXPECT_THAT(documented(#structure), ::testing::ContainerEq(fields)); \
    expect_no_gaps(fields, sizeof(structure));                           \
  } while (false)

TEST_F(FormatDocument, ControlSlotIsAsTheTableSays) {
  using log::ControlSlot;
  EXPECT_DOCUMENTED(ControlSlot, FIELD(ControlSlot, magic), FIELD(ControlSlot, format_version),
                    FIELD(ControlSlot, page_bytes), FIELD(ControlSlot, database_id),
                    FIELD(ControlSlot, sequence), FIELD(ControlSlot, lsn_lease),
                    FIELD(ControlSlot, created_us), FIELD(ControlSlot, closed_end),
                    FIELD(ControlSlot, reserved), FIELD(ControlSlot, checksum));
}

TEST_F(FormatDocument, SegmentHeaderIsAsTheTableSays) {
  using log::SegmentHeader;
  EXPECT_DOCUMENTED(SegmentHeader, FIELD(SegmentHeader, magic), FIELD(SegmentHeader, format_version),
                    FIELD(SegmentHeader, segment), FIELD(SegmentHeader, database_id),
                    FIELD(SegmentHeader, salt), FIELD(SegmentHeader, segment_bytes),
                    FIELD(SegmentHeader, previous_segment), FIELD(SegmentHeader, reserved0),
                    FIELD(SegmentHeader, previous_end), FIELD(SegmentHeader, previous_checksum),
                    FIELD(SegmentHeader, lsn_floor), FIELD(SegmentHeader, durable_lsn),
                    FIELD(SegmentHeader, created_us), FIELD(SegmentHeader, reserved),
                    FIELD(SegmentHeader, checksum));
}

TEST_F(FormatDocument, RecordHeaderIsAsTheTableSays) {
  using log::RecordHeader;
  EXPECT_DOCUMENTED(
      RecordHeader, FIELD(RecordHeader, magic), FIELD(RecordHeader, type), FIELD(RecordHeader, flags),
      FIELD(RecordHeader, event_order_rule), FIELD(RecordHeader, checksum),
      FIELD(RecordHeader, previous_checksum), FIELD(RecordHeader, body_bytes), FIELD(RecordHeader, last_lsn),
      FIELD(RecordHeader, lsn_units), FIELD(RecordHeader, branch), FIELD(RecordHeader, page_count),
      FIELD(RecordHeader, entry_count), FIELD(RecordHeader, timestamp_us), FIELD(RecordHeader, durable_lsn));
}

TEST_F(FormatDocument, PartsOfRecordsAreAsTheTablesSay) {
  using log::CloseSummary;
  using log::EntryHead;
  using log::SpillSummary;
  EXPECT_DOCUMENTED(SpillSummary, FIELD(SpillSummary, spill_bytes), FIELD(SpillSummary, spill_records),
                    FIELD(SpillSummary, changed_pages));
  EXPECT_DOCUMENTED(CloseSummary, FIELD(CloseSummary, control_sequence));
  using log::MarksSummary;
  using log::MergeMark;
  EXPECT_DOCUMENTED(MarksSummary, FIELD(MarksSummary, merges), FIELD(MarksSummary, message_bytes));
  EXPECT_DOCUMENTED(MergeMark, FIELD(MergeMark, kind), FIELD(MergeMark, branch), FIELD(MergeMark, version),
                    FIELD(MergeMark, lsn));
  using log::MovedRun;
  using log::MovedSummary;
  EXPECT_DOCUMENTED(MovedSummary, FIELD(MovedSummary, runs), FIELD(MovedSummary, bytes));
  EXPECT_DOCUMENTED(MovedRun, FIELD(MovedRun, first), FIELD(MovedRun, last), FIELD(MovedRun, flags),
                    FIELD(MovedRun, name_bytes));
  using log::BroughtFrom;
  EXPECT_DOCUMENTED(BroughtFrom, FIELD(BroughtFrom, lsn), FIELD(BroughtFrom, now));
  using log::NameSummary;
  EXPECT_DOCUMENTED(NameSummary, FIELD(NameSummary, change), FIELD(NameSummary, name_bytes),
                    FIELD(NameSummary, branch), FIELD(NameSummary, parent), FIELD(NameSummary, point_version),
                    FIELD(NameSummary, point_lsn));
  EXPECT_DOCUMENTED(EntryHead, FIELD(EntryHead, page), FIELD(EntryHead, payload_bytes),
                    FIELD(EntryHead, kind), FIELD(EntryHead, step), FIELD(EntryHead, payload_checksum));
}

TEST_F(FormatDocument, CheckpointIsAsTheTablesSay) {
  using version::CheckpointHeader;
  using version::CommitRow;
  using version::PageRow;
  using version::PageVersion;
  EXPECT_DOCUMENTED(CheckpointHeader, FIELD(CheckpointHeader, magic), FIELD(CheckpointHeader, format_version),
                    FIELD(CheckpointHeader, page_count), FIELD(CheckpointHeader, database_id),
                    FIELD(CheckpointHeader, position), FIELD(CheckpointHeader, segment_salt),
                    FIELD(CheckpointHeader, previous_checksum), FIELD(CheckpointHeader, closed_sequence),
                    FIELD(CheckpointHeader, last_lsn), FIELD(CheckpointHeader, lsn_high),
                    FIELD(CheckpointHeader, durable_lsn), FIELD(CheckpointHeader, last_timestamp_us),
                    FIELD(CheckpointHeader, commit_count), FIELD(CheckpointHeader, page_rows),
                    FIELD(CheckpointHeader, version_count), FIELD(CheckpointHeader, names_bytes),
                    FIELD(CheckpointHeader, used_bytes), FIELD(CheckpointHeader, blocks_checksum),
                    FIELD(CheckpointHeader, checksum));
  EXPECT_DOCUMENTED(CommitRow, FIELD(CommitRow, lsn), FIELD(CommitRow, position));
  EXPECT_DOCUMENTED(PageRow, FIELD(PageRow, page), FIELD(PageRow, versions), FIELD(PageRow, chain_bytes),
                    FIELD(PageRow, reserved));
  EXPECT_DOCUMENTED(PageVersion, FIELD(PageVersion, lsn), FIELD(PageVersion, word));
}

TEST_F(FormatDocument, TheStatusPageIsAsTheTablesSay) {
  using version::FollowerSlot;
  using version::StatusContent;
  const std::vector<Field> page{FIELD(StatusContent, magic),       FIELD(StatusContent, format_version),
                                FIELD(StatusContent, reserved0),   FIELD(StatusContent, database_id),
                                FIELD(StatusContent, epoch),       FIELD(StatusContent, writer_pid),
                                FIELD(StatusContent, closed),      FIELD(StatusContent, reserved1),
                                FIELD(StatusContent, visible_end), FIELD(StatusContent, visible_lsn),
                                FIELD(StatusContent, durable_lsn), FIELD(StatusContent, change),
                                FIELD(StatusContent, reserved2),   FIELD(StatusContent, reserved3),
                                FIELD(StatusContent, followers)};
  EXPECT_THAT(documented_in(status_document_, "StatusContent"), ::testing::ContainerEq(page));
  expect_no_gaps(page, sizeof(StatusContent));
  const std::vector<Field> slot{FIELD(FollowerSlot, pid), FIELD(FollowerSlot, lsn_plus_one)};
  EXPECT_THAT(documented_in(status_document_, "FollowerSlot"), ::testing::ContainerEq(slot));
  expect_no_gaps(slot, sizeof(FollowerSlot));
}

TEST_F(FormatDocument, SlotsAreAsTheTableSays) {
  using cdc::SlotRecord;
  const std::vector<Field> record{FIELD(SlotRecord, magic),       FIELD(SlotRecord, format_version),
                                  FIELD(SlotRecord, branch),      FIELD(SlotRecord, database_id),
                                  FIELD(SlotRecord, sequence),    FIELD(SlotRecord, acknowledged_lsn),
                                  FIELD(SlotRecord, created_us),  FIELD(SlotRecord, acknowledged_us),
                                  FIELD(SlotRecord, lag_us_max),  FIELD(SlotRecord, lag_bytes_max),
                                  FIELD(SlotRecord, branch_us),   FIELD(SlotRecord, lost),
                                  FIELD(SlotRecord, passed_lsns), FIELD(SlotRecord, checksum)};
  EXPECT_THAT(documented_in(read_document("docs/format/slots.md"), "SlotRecord"),
              ::testing::ContainerEq(record));
  expect_no_gaps(record, sizeof(SlotRecord));
}

TEST_F(FormatDocument, NamesInTheCheckpointAreAsTheTablesSay) {
  using version::BranchRow;
  using version::LineageRow;
  using version::NamesHeader;
  using version::SlotRow;
  using version::SnapshotRow;
  EXPECT_DOCUMENTED(NamesHeader, FIELD(NamesHeader, branches), FIELD(NamesHeader, commits),
                    FIELD(NamesHeader, slots), FIELD(NamesHeader, versions), FIELD(NamesHeader, snapshots),
                    FIELD(NamesHeader, name_bytes), FIELD(NamesHeader, next_branch_id));
  EXPECT_DOCUMENTED(BranchRow, FIELD(BranchRow, id), FIELD(BranchRow, parent), FIELD(BranchRow, fork_version),
                    FIELD(BranchRow, fork_lsn), FIELD(BranchRow, fork_page_count),
                    FIELD(BranchRow, page_count), FIELD(BranchRow, created_lsn), FIELD(BranchRow, created_us),
                    FIELD(BranchRow, commits), FIELD(BranchRow, known_pages), FIELD(BranchRow, name_bytes),
                    FIELD(BranchRow, dropped), FIELD(BranchRow, generation));
  EXPECT_DOCUMENTED(SlotRow, FIELD(SlotRow, branch), FIELD(SlotRow, page), FIELD(SlotRow, versions),
                    FIELD(SlotRow, chain_bytes), FIELD(SlotRow, generation), FIELD(SlotRow, reserved));
  EXPECT_DOCUMENTED(SnapshotRow, FIELD(SnapshotRow, branch), FIELD(SnapshotRow, page_count),
                    FIELD(SnapshotRow, version), FIELD(SnapshotRow, lsn), FIELD(SnapshotRow, created_us),
                    FIELD(SnapshotRow, name_bytes), FIELD(SnapshotRow, reserved));
  EXPECT_DOCUMENTED(LineageRow, FIELD(LineageRow, branch), FIELD(LineageRow, kind),
                    FIELD(LineageRow, version), FIELD(LineageRow, source_branch), FIELD(LineageRow, moved),
                    FIELD(LineageRow, source_version), FIELD(LineageRow, source_lsn));
}

TEST_F(FormatDocument, NumbersOfTypesAndKindsAreAsTheTablesSay) {
  const auto type = [](log::RecordType value) { return static_cast<int>(value); };
  const auto kind = [](log::EntryKind value) { return static_cast<int>(value); };
  const std::map<int, std::string> types{{type(log::RecordType::kCommit), "commit"},
                                         {type(log::RecordType::kSpill), "spill"},
                                         {type(log::RecordType::kFold), "fold"},
                                         {type(log::RecordType::kClose), "close"},
                                         {type(log::RecordType::kName), "name"}};
  const std::map<int, std::string> kinds{{kind(log::EntryKind::kFull), "full"},
                                         {kind(log::EntryKind::kPatch), "patch"},
                                         {kind(log::EntryKind::kZero), "zero patch"},
                                         {kind(log::EntryKind::kKey), "key patch"}};
  EXPECT_THAT(documented_names("RecordHeader"), ::testing::ContainerEq(types));
  EXPECT_THAT(documented_names("EntryHead"), ::testing::ContainerEq(kinds));
}

// A source that cites an invariant nobody wrote down explains nothing.
TEST_F(FormatDocument, EveryInvariantThatASourceCitesIsThere) {
  const std::regex citation("\\bL([0-9]+)\\b");
  std::set<std::string> cited;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(testing::source_dir() / "src")) {
    if (entry.path().extension() != ".cc" && entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator hit(text.begin(), text.end(), citation), end; hit != end; ++hit)
      cited.insert(hit->str());
  }
  EXPECT_THAT(cited, ::testing::IsSupersetOf({"L2", "L3", "L4", "L5", "L6"})) << "the search finds nothing";
  for (const std::string& invariant : cited) {
    EXPECT_NE(document_.find("- **" + invariant + "** "), std::string::npos)
        << invariant << " is cited, not written";
  }
}

}  // namespace
}  // namespace dosql::docs
