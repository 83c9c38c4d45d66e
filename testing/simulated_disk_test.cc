// A crash test proves nothing if the simulated disk keeps too much, and finds bugs that are none if it keeps
// too little: both sides of each rule in simulated_disk.h are tested.
#include "testing/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "testing/run_length.h"

namespace dosql::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

using io::Directory;
using io::File;
using io::OpenMode;
using Fault = SimulatedDisk::Fault;
using Kind = SimulatedDisk::OperationKind;

constexpr std::size_t kSector = 512;
// Of each rule's outcomes the rarest is met several times in so many power losses.
constexpr int kLosses = 400;

Bytes bytes_of_text(std::string_view text) { return std::as_bytes(std::span(text)); }

std::unique_ptr<File> create(SimulatedDisk& disk, std::string_view name) {
  return disk.directory()->open(name, OpenMode::kCreate).value();
}

std::unique_ptr<File> open(SimulatedDisk& disk, std::string_view name) {
  return disk.directory()->open(name, OpenMode::kReadWrite).value();
}

void write(File& file, std::uint64_t offset, std::string_view text) {
  file.write_at(offset, bytes_of_text(text)).value();
}

std::string text_of(const SimulatedDisk& disk, std::string_view name) {
  const std::vector<std::byte> bytes = disk.content(name);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::vector<std::string> names_of(const SimulatedDisk& disk) {
  std::vector<std::string> names;
  for (const SimulatedDisk::FileInfo& file : disk.files()) names.push_back(file.name);
  return names;
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code();
}

// What `look` saw on the disks after power losses with different seeds.
template <class Look>
auto outcomes(const SimulatedDisk& disk, Look look) {
  std::set<decltype(look(disk))> seen;
  for (int seed = 1; seed <= kLosses; ++seed) {
    SeededRandom random(static_cast<std::uint64_t>(seed));
    seen.insert(look(*disk.after_power_loss(random)));
  }
  return seen;
}

std::set<std::string> content_outcomes(const SimulatedDisk& disk, std::string_view name) {
  return outcomes(disk, [&](const SimulatedDisk& survivor) { return text_of(survivor, name); });
}

// A disk with the durable file "a".
struct DiskWithFile {
  explicit DiskWithFile(std::string_view text) {
    file = create(disk, "a");
    write(*file, 0, text);
    file->sync_data().value();
    disk.directory()->sync().value();
  }
  SimulatedDisk disk;
  std::unique_ptr<File> file;
};

// --- Content ---

TEST(SimulatedDiskTest, WhatWasSyncedSurvivesEveryPowerLoss) {
  DiskWithFile with(std::string(3000, 'o'));
  write(*with.file, 100, std::string(2000, 'n'));
  with.file->allocate(5000).value();
  with.file->store_at(4000, bytes_of_text("stored")).value();
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), ElementsAre(text_of(with.disk, "a")));
}

TEST(SimulatedDiskTest, AnUnsyncedWriteWithinASectorIsKeptOrLostAsAWhole) {
  DiskWithFile with("old content");
  write(*with.file, 4, "CONT");
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("old content", "old CONTent"));
}

TEST(SimulatedDiskTest, AnUnsyncedWriteIsTornAtSectorsOnly) {
  DiskWithFile with(std::string(4 * kSector, 'o'));
  // Covers the sectors 1 and 2 wholly, 0 and 3 in part.
  write(*with.file, 100, std::string(3 * kSector, 'n'));
  std::set<std::string> patterns;
  for (const std::string& text : content_outcomes(with.disk, "a")) {
    ASSERT_EQ(text.size(), 4 * kSector);
    ASSERT_EQ(text.substr(0, 100), std::string(100, 'o')) << "a byte that was not written changed";
    ASSERT_EQ(text.substr(100 + 3 * kSector), std::string(kSector - 100, 'o'));
    std::string pattern;
    for (std::size_t sector = 0; sector < 4; ++sector) {
      const std::size_t begin = std::max<std::size_t>(sector * kSector, 100);
      const std::string part =
          text.substr(begin, std::min((sector + 1) * kSector, 100 + 3 * kSector) - begin);
      const bool uniform = part == std::string(part.size(), part[0]) && (part[0] == 'o' || part[0] == 'n');
      pattern += uniform ? part[0] : '?';
    }
    ASSERT_NE(pattern[0], '?') << "garbage in a sector that holds synced bytes";
    ASSERT_NE(pattern[3], '?') << "garbage in a sector that holds synced bytes";
    patterns.insert(pattern);
  }
  EXPECT_THAT(patterns, IsSupersetOf({"oooo", "nnnn", "noon", "onno", "ooon", "nooo", "nonn"}));
  EXPECT_TRUE(std::any_of(patterns.begin(), patterns.end(),
                          [](const std::string& pattern) { return pattern.find('?') != std::string::npos; }));
}

TEST(SimulatedDiskTest, OfOverlappingUnsyncedWritesAnyMayStay) {
  DiskWithFile with("oooooo");
  write(*with.file, 0, "111111");
  write(*with.file, 0, "222222");
  write(*with.file, 0, "333333");
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("oooooo", "111111", "222222", "333333"));
}

TEST(SimulatedDiskTest, UnsyncedWritesReachTheDiskInAnyOrder) {
  DiskWithFile with("ooo");
  write(*with.file, 0, "1");
  write(*with.file, 1, "2");
  write(*with.file, 0, "33");
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre("ooo", "1oo", "o2o", "12o", "33o", "13o", "32o"));
}

// --- Sizes ---

TEST(SimulatedDiskTest, GrowthIsKeptOrLostAndReadsAsZerosWithoutItsWrite) {
  DiskWithFile with("old");
  write(*with.file, 3, "NEW");
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre("old", std::string("old\0\0\0", 6), "oldNEW"));
  write(*with.file, 8, "X");
  const auto texts = content_outcomes(with.disk, "a");
  EXPECT_THAT(texts, Contains(std::string("old\0\0\0\0\0X", 9)));
  EXPECT_THAT(texts, Contains(std::string("oldNEW\0\0\0", 9)));
  for (const std::string& text : texts) {
    EXPECT_TRUE(text.size() == 3 || text.size() == 6 || text.size() == 9) << text.size();
  }
}

TEST(SimulatedDiskTest, AllocationIsKeptOrLost) {
  DiskWithFile with("old");
  with.file->allocate(64 << 20).value();
  EXPECT_THAT(outcomes(with.disk, [](const SimulatedDisk& disk) { return disk.files()[0].size_bytes; }),
              UnorderedElementsAre(3u, 64u << 20));
}

TEST(SimulatedDiskTest, TruncationIsKeptOrLostAndWhatASurvivingOneCutOffStaysAway) {
  DiskWithFile with("content");
  with.file->truncate(3).value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("content", "con"));
  with.file->truncate(6).value();
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre("content", "con", std::string("con\0\0\0", 6)));
}

TEST(SimulatedDiskTest, AWriteIntoAnAllocationAfterATruncationIsKeptWithBoth) {
  DiskWithFile with("content");
  with.file->truncate(3).value();
  with.file->allocate(6).value();
  write(*with.file, 3, "NEW");
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre("content", "con", std::string("con\0\0\0", 6), "conNEW"));
}

TEST(SimulatedDiskTest, AWriteBehindALostTruncationIsLost) {
  DiskWithFile with("content");
  write(*with.file, 5, "X");
  with.file->truncate(3).value();
  write(*with.file, 3, "NEW");
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre("content", "conteXt", "con", std::string("con\0\0\0", 6), "conNEW"));
}

// --- Names ---

TEST(SimulatedDiskTest, NamesSurviveAsAPrefixOfTheirChanges) {
  SimulatedDisk disk;
  create(disk, "a");
  create(disk, "b");
  disk.directory()->sync().value();
  create(disk, "c");
  disk.directory()->rename("a", "b").value();
  disk.directory()->remove("c").value();
  using Names = std::vector<std::string>;
  EXPECT_THAT(outcomes(disk, names_of),
              UnorderedElementsAre(Names{"a", "b"}, Names{"a", "b", "c"}, Names{"b", "c"}, Names{"b"}));
  disk.directory()->sync().value();
  EXPECT_THAT(outcomes(disk, names_of), ElementsAre(Names{"b"}));
}

TEST(SimulatedDiskTest, SyncedContentIsGoneWithItsUnsyncedName) {
  SimulatedDisk disk;
  const auto file = create(disk, "a");
  write(*file, 0, "content");
  file->sync_data().value();
  const auto seen = outcomes(disk, [](const SimulatedDisk& survivor) {
    return survivor.files().empty() ? std::string("no file") : text_of(survivor, "a");
  });
  EXPECT_THAT(seen, UnorderedElementsAre("no file", "content"));
}

TEST(SimulatedDiskTest, ASyncedNameDoesNotMakeItsContentDurable) {
  SimulatedDisk disk;
  const auto file = create(disk, "a");
  write(*file, 0, "content");
  disk.directory()->sync().value();
  EXPECT_THAT(content_outcomes(disk, "a"), UnorderedElementsAre("", std::string(7, '\0'), "content"));
}

TEST(SimulatedDiskTest, ARemovedOrReplacedFileMayComeBackWithItsContent) {
  DiskWithFile with("first");
  const auto other = create(with.disk, "b");
  write(*other, 0, "second");
  other->sync_data().value();
  with.disk.directory()->sync().value();
  with.disk.directory()->rename("b", "a").value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("first", "second"));
  with.disk.directory()->sync().value();
  with.disk.directory()->remove("a").value();
  const auto seen = outcomes(with.disk, [](const SimulatedDisk& survivor) {
    return survivor.files().empty() ? std::string("no file") : text_of(survivor, "a");
  });
  EXPECT_THAT(seen, UnorderedElementsAre("no file", "second"));
}

// --- Failed syncs ---

TEST(SimulatedDiskTest, WritesOfAFailedSyncStayAtRiskThroughLaterSyncs) {
  DiskWithFile with("old old");
  write(*with.file, 0, "NEW");
  with.disk.fail_at(with.disk.operation_count(), Fault::kFailedSync);
  const Status failed = with.file->sync_data();
  EXPECT_EQ(code_of(failed), ErrorCode::kIo);
  EXPECT_THAT(failed.error().message(), HasSubstr("'simulated/a'"));
  EXPECT_EQ(text_of(with.disk, "a"), "NEW old") << "the page cache still has it";

  write(*with.file, 4, "SYN");
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("old SYN", "NEW SYN"));
  EXPECT_EQ(text_of(*with.disk.after_process_kill(), "a"), "NEW SYN");
  EXPECT_THAT(content_outcomes(*with.disk.after_process_kill(), "a"),
              UnorderedElementsAre("old SYN", "NEW SYN"));
}

TEST(SimulatedDiskTest, WritingAgainAndSyncingTakesBytesOutOfDanger) {
  DiskWithFile with("oooooo");
  write(*with.file, 0, "111111");
  with.disk.fail_at(with.disk.operation_count(), Fault::kIoError);
  EXPECT_FALSE(with.file->sync_data());
  write(*with.file, 2, "22");
  EXPECT_THAT(content_outcomes(with.disk, "a"), Contains("oooooo"));
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("oo22oo", "1122oo", "oo2211", "112211"));
  write(*with.file, 0, "333333");
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), ElementsAre("333333"));
}

TEST(SimulatedDiskTest, AFailedSyncLosesNoSizeForEver) {
  DiskWithFile with("old");
  write(*with.file, 3, "NEW");
  with.disk.fail_at(with.disk.operation_count(), Fault::kFailedSync);
  EXPECT_FALSE(with.file->sync_data());
  EXPECT_THAT(content_outcomes(with.disk, "a"), Contains("old"));
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre(std::string("old\0\0\0", 6), "oldNEW"));
  with.file->truncate(4).value();
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre(std::string("old\0", 4), "oldN"));
  with.file->allocate(6).value();
  with.file->sync_data().value();
  EXPECT_THAT(content_outcomes(with.disk, "a"),
              UnorderedElementsAre(std::string("old\0\0\0", 6), std::string("oldN\0\0", 6)));
}

TEST(SimulatedDiskTest, NamesOfAFailedDirectorySyncAreDurableByTheNext) {
  SimulatedDisk disk;
  create(disk, "a");
  disk.fail_at(disk.operation_count(), Fault::kFailedSync);
  EXPECT_EQ(code_of(disk.directory()->sync()), ErrorCode::kIo);
  EXPECT_EQ(outcomes(disk, names_of).size(), 2u);
  disk.directory()->sync().value();
  EXPECT_EQ(outcomes(disk, names_of).size(), 1u);
}

// --- Crashes ---

TEST(SimulatedDiskTest, FromTheCrashOnEverythingFails) {
  DiskWithFile with("old");
  const std::uint64_t crash = with.disk.operation_count() + 1;
  with.disk.crash_at(crash);
  write(*with.file, 0, "1");
  EXPECT_FALSE(with.disk.has_crashed());
  const Status crashed = with.file->write_at(1, bytes_of_text("2"));
  EXPECT_TRUE(with.disk.has_crashed());
  EXPECT_EQ(crashed.error().message(),
            "cannot write 1 bytes at offset 1 of 'simulated/a': simulated power loss");

  std::string buffer(3, '?');
  const auto directory = with.disk.directory();
  const ErrorCode codes[] = {code_of(with.file->read_at(0, std::as_writable_bytes(std::span(buffer)))),
                             code_of(with.file->size()),
                             code_of(with.file->store_at(0, {})),
                             code_of(with.file->allocate(1)),
                             code_of(with.file->truncate(0)),
                             code_of(with.file->sync_data()),
                             code_of(directory->open("a", OpenMode::kReadOnly)),
                             code_of(directory->open("b", OpenMode::kCreate)),
                             code_of(directory->remove("a")),
                             code_of(directory->rename("a", "b")),
                             code_of(directory->list()),
                             code_of(directory->sync()),
                             code_of(directory->lock("LOCK", "me"))};
  for (const ErrorCode code : codes) EXPECT_EQ(code, ErrorCode::kIo);
  EXPECT_EQ(with.disk.operation_count(), crash + 1) << "what fails after the crash is not counted";
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("old", "1ld", "o2d", "12d"));
}

TEST(SimulatedDiskTest, TheCrashOperationMayHaveHappened) {
  const std::map<std::string, std::function<void(SimulatedDisk&)>> operations = {
      {"create", [](SimulatedDisk& disk) { disk.directory()->open("b", OpenMode::kCreate).ignore("fails"); }},
      {"remove", [](SimulatedDisk& disk) { disk.directory()->remove("a").ignore("fails"); }},
      {"rename", [](SimulatedDisk& disk) { disk.directory()->rename("a", "b").ignore("fails"); }},
      {"lock", [](SimulatedDisk& disk) { disk.directory()->lock("LOCK", "me").ignore("fails"); }},
      {"truncate", [](SimulatedDisk& disk) { open(disk, "a")->truncate(1).ignore("fails"); }},
      {"allocate", [](SimulatedDisk& disk) { open(disk, "a")->allocate(9).ignore("fails"); }},
  };
  for (const auto& [name, operation] : operations) {
    DiskWithFile with("old");
    with.disk.crash_at(with.disk.operation_count());
    operation(with.disk);
    EXPECT_TRUE(with.disk.has_crashed()) << name;
    using Files = std::vector<std::pair<std::string, std::uint64_t>>;
    const auto seen = outcomes(with.disk, [](const SimulatedDisk& survivor) {
      Files files;
      for (const auto& file : survivor.files()) files.emplace_back(file.name, file.size_bytes);
      return files;
    });
    EXPECT_THAT(seen, Contains(Files{{"a", 3}})) << name;
    EXPECT_GE(seen.size(), 2u) << name;
  }
}

TEST(SimulatedDiskTest, ASyncThatCrashesMayHaveDoneAnyPart) {
  DiskWithFile with("old");
  write(*with.file, 0, "1");
  write(*with.file, 1, "2");
  with.disk.crash_at(with.disk.operation_count());
  EXPECT_FALSE(with.file->sync_data());
  EXPECT_THAT(content_outcomes(with.disk, "a"), UnorderedElementsAre("old", "1ld", "o2d", "12d"));
  EXPECT_EQ(text_of(*with.disk.after_process_kill(), "a"), "12d");
}

TEST(SimulatedDiskTest, AProcessKilledWithinAStoreLeavesHalfOfIt) {
  DiskWithFile with("oooo");
  with.disk.crash_at(with.disk.operation_count());
  EXPECT_FALSE(with.file->store_at(0, bytes_of_text("nnnn")));
  EXPECT_EQ(text_of(*with.disk.after_process_kill(), "a"), "nnoo");
}

TEST(SimulatedDiskTest, AProcessKillLosesNothingAndLeavesTheUnsyncedAtRisk) {
  DiskWithFile with("old");
  write(*with.file, 0, "NEW");
  create(with.disk, "b");
  const auto killed = with.disk.after_process_kill();
  EXPECT_EQ(text_of(*killed, "a"), "NEW");
  EXPECT_THAT(names_of(*killed), ElementsAre("a", "b"));
  EXPECT_EQ(killed->operation_count(), 0u);
  EXPECT_THAT(content_outcomes(*killed, "a"), UnorderedElementsAre("old", "NEW"));
  EXPECT_EQ(outcomes(*killed, names_of).size(), 2u);

  open(*killed, "a")->sync_data().value();
  killed->directory()->sync().value();
  EXPECT_THAT(content_outcomes(*killed, "a"), ElementsAre("NEW"));
  EXPECT_THAT(content_outcomes(with.disk, "a"), Contains("old")) << "the disk it came from was changed";
}

TEST(SimulatedDiskTest, LocksEndWithTheProcess) {
  SimulatedDisk disk;
  const auto lock = disk.directory()->lock("LOCK", "me").value();
  EXPECT_EQ(code_of(disk.directory()->lock("LOCK", "you")), ErrorCode::kLocked);
  SeededRandom random(1);
  for (const auto& next : {disk.after_process_kill(), disk.after_power_loss(random), disk.copy()}) {
    EXPECT_TRUE(next->directory()->lock("LOCK", "you"));
  }
  EXPECT_EQ(code_of(disk.directory()->lock("LOCK", "you")), ErrorCode::kLocked);
}

// --- Faults ---

TEST(SimulatedDiskTest, AFaultHitsOneOperationAndNothingHappensInIt) {
  for (const auto& [fault, code] :
       {std::pair(Fault::kIoError, ErrorCode::kIo), std::pair(Fault::kDiskFull, ErrorCode::kDiskFull)}) {
    DiskWithFile with("old");
    const auto directory = with.disk.directory();
    const Bytes piece = bytes_of_text("X");
    const std::vector<std::function<ErrorCode()>> operations = {
        [&] { return code_of(with.file->write_at(0, piece)); },
        [&] { return code_of(with.file->write_pieces_at(0, std::span(&piece, 1))); },
        [&] { return code_of(with.file->store_at(0, piece)); },
        [&] { return code_of(with.file->allocate(100)); },
        [&] { return code_of(with.file->truncate(0)); },
        [&] { return code_of(directory->open("b", OpenMode::kCreate)); },
        [&] { return code_of(directory->rename("a", "b")); },
        [&] { return code_of(directory->remove("a")); },
        [&] { return code_of(directory->lock("LOCK", "me")); },
    };
    for (std::size_t i = 0; i < operations.size(); ++i) {
      with.disk.fail_at(with.disk.operation_count(), fault);
      EXPECT_EQ(operations[i](), code) << "operation " << i;
      EXPECT_THAT(with.disk.files(), ElementsAre(SimulatedDisk::FileInfo{"a", 3})) << "operation " << i;
      EXPECT_EQ(text_of(with.disk, "a"), "old") << "operation " << i;
    }
    for (std::size_t i = 0; i < operations.size(); ++i) {
      EXPECT_EQ(operations[i](), i == 7 ? ErrorCode::kNotFound : ErrorCode::kInternal) << "operation " << i;
    }
  }
}

TEST(SimulatedDiskTest, AShortWriteEndsAtASectorInside) {
  DiskWithFile with(std::string(3000, 'o'));
  struct Case {
    std::uint64_t offset, size, written;
  };
  for (const Case& each : {Case{100, 200, 0}, Case{500, 20, 12}, Case{0, 2048, 1024}, Case{100, 1100, 412},
                           Case{500, 2000, 524}, Case{0, 512, 0}}) {
    const std::string before = text_of(with.disk, "a");
    with.disk.fail_at(with.disk.operation_count(), Fault::kShortWrite);
    const std::string text(each.size, static_cast<char>('a' + each.size % 7));
    const Status written = with.file->write_at(each.offset, bytes_of_text(text));
    EXPECT_EQ(code_of(written), ErrorCode::kIo);
    std::string expected = before;
    expected.replace(each.offset, each.written, text.substr(0, each.written));
    EXPECT_TRUE(text_of(with.disk, "a") == expected) << each.size << " at " << each.offset;
  }
  with.disk.fail_at(with.disk.operation_count(), Fault::kShortWrite);
  EXPECT_EQ(code_of(with.file->allocate(5000)), ErrorCode::kDiskFull);
  EXPECT_EQ(with.file->size().value(), 4000u);
}

TEST(SimulatedDiskTest, AReadFaultHitsOneRead) {
  DiskWithFile with("old");
  std::string buffer(3, '?');
  const auto read = [&] { return code_of(with.file->read_at(0, std::as_writable_bytes(std::span(buffer)))); };
  const std::uint64_t next = with.disk.read_count();
  with.disk.fail_read_at(next + 1);
  EXPECT_EQ(read(), ErrorCode::kInternal);
  EXPECT_EQ(read(), ErrorCode::kIo);
  EXPECT_EQ(read(), ErrorCode::kInternal);
  const std::vector<std::function<ErrorCode()>> others = {
      [&] { return code_of(with.file->size()); }, [&] { return code_of(with.disk.directory()->list()); },
      [&] { return code_of(with.disk.directory()->open("a", OpenMode::kReadOnly)); }};
  for (const auto& other : others) {
    with.disk.fail_read_at(with.disk.read_count());
    EXPECT_EQ(other(), ErrorCode::kIo);
    EXPECT_EQ(other(), ErrorCode::kInternal);
  }
}

// --- The rest ---

TEST(SimulatedDiskTest, OperationsAreCountedAndReadsAreNot) {
  SimulatedDisk disk;
  const auto directory = disk.directory();
  const auto file = create(disk, "a");
  write(*file, 4096, "content");
  const Bytes pieces[] = {bytes_of_text("ab"), bytes_of_text("c")};
  file->write_pieces_at(1, pieces).value();
  file->allocate(8192).value();
  file->store_at(7, bytes_of_text("x")).value();
  file->truncate(5000).value();
  file->sync_data().value();
  EXPECT_FALSE(directory->open("a", OpenMode::kCreate));
  EXPECT_FALSE(directory->remove("missing"));
  open(disk, "a")->size().value();
  directory->rename("a", "b").value();
  directory->list().value();
  directory->remove("b").value();
  directory->sync().value();
  directory->lock("LOCK", "me").value();

  std::vector<std::string> texts;
  for (const auto& operation : disk.operations())
    texts.push_back(SimulatedDisk::describe(texts.size(), operation));
  EXPECT_THAT(texts, ElementsAre("operation 0: create 'simulated/a'",
                                 "operation 1: write 7 bytes at offset 4096 of 'simulated/a'",
                                 "operation 2: write 3 bytes at offset 1 of 'simulated/a'",
                                 "operation 3: reserve 8192 bytes for 'simulated/a'",
                                 "operation 4: store 1 bytes at offset 7 of 'simulated/a'",
                                 "operation 5: set a size of 5000 bytes for 'simulated/a'",
                                 "operation 6: sync 'simulated/a'", "operation 7: rename 'simulated/a'",
                                 "operation 8: remove 'simulated/b'", "operation 9: sync 'simulated'",
                                 "operation 10: lock 'simulated/LOCK'"));
  EXPECT_EQ(disk.operation_count(), 11u);
  EXPECT_EQ(disk.read_count(), 3u);
}

TEST(SimulatedDiskTest, ACopyGoesOnFromTheSameStateAndApart) {
  DiskWithFile with("old");
  write(*with.file, 0, "N");
  with.disk.fail_at(with.disk.operation_count() + 1, Fault::kIoError);
  const auto twin = with.disk.copy();
  EXPECT_EQ(twin->operation_count(), with.disk.operation_count());
  EXPECT_THAT(content_outcomes(*twin, "a"), UnorderedElementsAre("old", "Nld"));

  for (SimulatedDisk* disk : {&with.disk, twin.get()}) {
    const auto file = open(*disk, "a");
    write(*file, 1, disk == twin.get() ? "T" : "W");
    EXPECT_FALSE(file->sync_data()) << "the planned fault";
  }
  EXPECT_EQ(text_of(with.disk, "a"), "NWd");
  EXPECT_EQ(text_of(*twin, "a"), "NTd");
}

TEST(SimulatedDiskTest, AFlippedBitIsThereNowAndAfterAPowerLoss) {
  DiskWithFile with("old");
  with.disk.flip_bit("a", 1, 5);
  EXPECT_EQ(text_of(with.disk, "a"), "oLd");
  EXPECT_THAT(content_outcomes(with.disk, "a"), ElementsAre("oLd"));
  with.disk.flip_bit("a", 1, 5);
  EXPECT_EQ(text_of(with.disk, "a"), "old");
}

// --- Random work ---

// Writes at random, and for each byte what a power loss may leave there, kept byte by byte: nothing of the
// ranges and lists by which the simulated disk does it.
class RandomWork {
 public:
  explicit RandomWork(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (random_.next_u64() % 12) {
      case 0: sync(); break;
      case 1: fail_sync(); break;
      case 2: grow(below(kMaxBytes)); break;
      default: write_somewhere();
    }
  }

  // What is wrong with a state after a power loss, or nothing.
  std::string problem_of(const std::string& text) const {
    if (!possible_sizes_.contains(text.size())) return "impossible size " + std::to_string(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
      const Byte& byte = bytes_[at];
      const bool possible = text[at] == byte.durable || byte.may_be_garbage ||
                            std::any_of(byte.at_risk.begin(), byte.at_risk.end(),
                                        [&](const auto& write) { return write.value == text[at]; });
      if (!possible) return "impossible byte at " + std::to_string(at);
    }
    return "";
  }

  SimulatedDisk& disk() { return disk_; }
  std::uint64_t below(std::uint64_t bound) { return random_.next_u64() % bound; }

 private:
  static constexpr std::uint64_t kMaxBytes = 8 * kSector;
  struct Byte {
    struct Write {
      char value;
      bool sync_failed;
    };
    char durable = 0;
    std::vector<Write> at_risk;
    bool may_be_garbage = false;
  };

  void write_somewhere() {
    const std::uint64_t offset = below(kMaxBytes - 1);
    const std::uint64_t size = 1 + below(std::min<std::uint64_t>(3 * kSector, kMaxBytes - offset));
    const char value = static_cast<char>(++writes_ % 255 + 1);
    write(*file_, offset, std::string(size, value));
    for (std::uint64_t at = offset; at < offset + size; ++at) {
      bytes_[at].at_risk.push_back({value, false});
      const std::uint64_t sector = at / kSector * kSector;
      if (sector >= offset && sector + kSector <= offset + size) bytes_[at].may_be_garbage = true;
    }
    if (offset + size > size_) size_changed(offset + size);
  }

  void grow(std::uint64_t size) {
    file_->allocate(size).value();
    if (size > size_) size_changed(size);
  }

  void size_changed(std::uint64_t size) {
    size_ = size;
    possible_sizes_.insert(size);
  }

  void sync() {
    file_->sync_data().value();
    possible_sizes_ = {size_};
    for (Byte& byte : bytes_) {
      std::vector<Byte::Write> still_at_risk;
      for (const Byte::Write& write : byte.at_risk) {
        if (write.sync_failed) {
          still_at_risk.push_back(write);
        } else {
          byte.durable = write.value;
          still_at_risk.clear();
        }
      }
      byte.at_risk = std::move(still_at_risk);
      if (byte.at_risk.empty()) byte.may_be_garbage = false;
    }
  }

  void fail_sync() {
    disk_.fail_at(disk_.operation_count(), Fault::kFailedSync);
    EXPECT_FALSE(file_->sync_data());
    for (Byte& byte : bytes_) {
      for (Byte::Write& write : byte.at_risk) write.sync_failed = true;
    }
  }

  SeededRandom random_;
  SimulatedDisk disk_;
  std::unique_ptr<File> file_ = [this] {
    auto file = create(disk_, "a");
    disk_.directory()->sync().value();
    return file;
  }();
  std::vector<Byte> bytes_{kMaxBytes};
  std::uint64_t size_ = 0;
  std::set<std::uint64_t> possible_sizes_ = {0};
  int writes_ = 0;
};

TEST(SimulatedDiskTest, NoPowerLossLeavesAByteThatCannotBe) {
  RandomWork work(test_seed());
  const int steps = scaled(2000);
  std::set<std::string> seen;
  for (int step = 0; step < steps; ++step) {
    work.step();
    SeededRandom random(work.below(UINT64_MAX));
    const auto survivor = work.disk().after_power_loss(random);
    const std::string text = text_of(*survivor, "a");
    ASSERT_EQ(work.problem_of(text), "") << "step " << step;
    SeededRandom another(1);
    ASSERT_EQ(text_of(*survivor->after_power_loss(another), "a"), text) << "what survived once is durable";
    seen.insert(text);
  }
  EXPECT_GT(seen.size(), static_cast<std::size_t>(steps) / 4) << "losses are all alike";
}

TEST(SimulatedDiskTest, TheSameSeedGivesTheSameDisk) {
  RandomWork work(test_seed());
  for (int step = 0; step < 50; ++step) work.step();
  create(work.disk(), "b");
  const auto look = [](const SimulatedDisk& disk) {
    std::string all;
    for (const auto& file : disk.files()) all += file.name + text_of(disk, file.name);
    return all;
  };
  const auto after = [&](const SimulatedDisk& disk, std::uint64_t seed) {
    SeededRandom random(seed);
    return look(*disk.after_power_loss(random));
  };
  const auto copy = work.disk().copy();
  std::set<std::string> different;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const std::string first = after(work.disk(), seed);
    ASSERT_EQ(first, after(work.disk(), seed)) << "seed " << seed;
    ASSERT_EQ(first, after(*copy, seed)) << "seed " << seed;
    different.insert(first);
  }
  EXPECT_GT(different.size(), 10u) << "seeds make no difference";
}

}  // namespace
}  // namespace dosql::testing
