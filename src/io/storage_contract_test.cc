// The contract of storage.h, sentence by sentence, over every body.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <numeric>
#include <ostream>
#include <string>
#include <thread>

#include "base/environment.h"
#include "io/memory_storage.h"
#include "io/posix_directory.h"
#include "io/posix_storage.h"
#include "io/storage.h"
#include "testing/paths.h"
#include "testing/run_length.h"
#include "testing/simulated_disk.h"

namespace dosql::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes bytes_of_text(std::string_view text) { return std::as_bytes(std::span(text)); }

// One empty directory and two views of it, as far as the body can have two.
class Body {
 public:
  virtual ~Body() = default;
  virtual Directory& directory() = 0;
  virtual Directory& other_view() = 0;
};

class PosixBody final : public Body {
 public:
  PosixBody(std::string parent, PosixFeatures features) : path_(std::move(parent) + "/dosql_storage_XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
    directory_ = open_posix_directory_with(path_, CreateDirectory::kNo, features).value();
    other_view_ = open_posix_directory_with(path_, CreateDirectory::kNo, features).value();
  }
  ~PosixBody() override { std::filesystem::remove_all(path_); }
  Directory& directory() override { return *directory_; }
  Directory& other_view() override { return *other_view_; }

 private:
  std::string path_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Directory> other_view_;
};

class MemoryBody final : public Body {
 public:
  Directory& directory() override { return *directory_; }
  Directory& other_view() override { return *directory_; }

 private:
  std::unique_ptr<Directory> directory_ = make_memory_directory();
};

class SimulatedBody final : public Body {
 public:
  Directory& directory() override { return *directory_; }
  Directory& other_view() override { return *other_view_; }

 private:
  dosql::testing::SimulatedDisk disk_;
  std::unique_ptr<Directory> directory_ = disk_.directory();
  std::unique_ptr<Directory> other_view_ = disk_.directory();
};

struct BodyKind {
  std::string name;
  std::function<std::unique_ptr<Body>()> make;
};

void PrintTo(const BodyKind& kind, std::ostream* out) { *out << kind.name; }

std::vector<BodyKind> body_kinds() {
  std::vector<BodyKind> kinds = {
      // The build folder, since the folder for temporary files is often in memory.
      {"Disk", [] { return std::make_unique<PosixBody>(testing::binary_dir(), PosixFeatures{}); }},
      {"DiskWithoutFallocateAndMapping",
       [] {
         return std::make_unique<PosixBody>(testing::binary_dir(),
                                            PosixFeatures{.use_fallocate = false, .use_mapping = false});
       }},
      {"Memory", [] { return std::make_unique<MemoryBody>(); }},
      {"SimulatedDisk", [] { return std::make_unique<SimulatedBody>(); }},
  };
  if (std::filesystem::is_directory("/dev/shm")) {
    kinds.push_back({"Tmpfs", [] { return std::make_unique<PosixBody>("/dev/shm", PosixFeatures{}); }});
  }
  return kinds;
}

class StorageContractTest : public ::testing::TestWithParam<BodyKind> {
 protected:
  Directory& directory() { return body_->directory(); }
  Directory& other_view() { return body_->other_view(); }

  std::unique_ptr<File> create(std::string_view name) {
    return directory().open(name, OpenMode::kCreate).value();
  }
  std::unique_ptr<File> create_with(std::string_view name, std::string_view text) {
    std::unique_ptr<File> file = create(name);
    file->write_at(0, bytes_of_text(text)).value();
    return file;
  }
  std::string path_of(std::string_view name) { return directory().describe() + "/" + std::string(name); }

  static std::string read(File& file, std::uint64_t offset, std::size_t count) {
    std::string text(count, '?');
    text.resize(file.read_at(offset, std::as_writable_bytes(std::span(text))).value());
    return text;
  }
  static std::string read_all(File& file) { return read(file, 0, file.size().value()); }

 private:
  std::unique_ptr<Body> body_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Bodies, StorageContractTest, ::testing::ValuesIn(body_kinds()),
                         [](const auto& kind) { return kind.param.name; });

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code();
}

// --- Reading and writing ---

TEST_P(StorageContractTest, ReadsBackWhatWasWrittenAndLessOnlyAtTheEnd) {
  const auto file = create_with("a", "0123456789");
  EXPECT_EQ(read(*file, 0, 10), "0123456789");
  EXPECT_EQ(read(*file, 3, 4), "3456");
  EXPECT_EQ(read(*file, 8, 100), "89");
  EXPECT_EQ(read(*file, 10, 5), "");
  EXPECT_EQ(read(*file, 1'000'000, 5), "");
  EXPECT_EQ(read(*file, 3, 0), "");
}

TEST_P(StorageContractTest, WritingBehindTheEndGrowsTheFileAndTheGapReadsAsZeros) {
  const auto file = create_with("a", "ab");
  file->write_at(5, bytes_of_text("cd")).value();
  EXPECT_EQ(read_all(*file), std::string("ab\0\0\0cd", 7));
  file->write_at(1, bytes_of_text("xyz")).value();
  EXPECT_EQ(read_all(*file), std::string("axyz\0cd", 7));
}

TEST_P(StorageContractTest, WritingNothingChangesNothing) {
  const auto file = create_with("a", "ab");
  const std::vector<Bytes> empty_pieces(3);
  file->write_at(100, {}).value();
  file->write_pieces_at(100, {}).value();
  file->write_pieces_at(100, empty_pieces).value();
  file->store_at(0, {}).value();
  EXPECT_EQ(read_all(*file), "ab");
}

// More pieces than one system call takes, some empty, some across the blocks of bodies in memory.
TEST_P(StorageContractTest, PiecesAreWrittenOneBehindAnother) {
  const auto file = create("a");
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i)
    texts.push_back(std::string(static_cast<std::size_t>(i * 7 % 40), 'a' + i % 26));
  texts.push_back(std::string(100'000, 'z'));
  texts.push_back("");
  std::vector<Bytes> pieces;
  for (const std::string& text : texts) pieces.push_back(bytes_of_text(text));
  file->write_pieces_at(7, pieces).value();
  EXPECT_EQ(read_all(*file),
            std::string(7, '\0') + std::accumulate(texts.begin(), texts.end(), std::string()));
}

TEST_P(StorageContractTest, ChangesAreSeenAtOnceThroughOtherOpenings) {
  const auto file = create("a");
  const auto reader = other_view().open("a", OpenMode::kReadOnly).value();
  const auto writer = other_view().open("a", OpenMode::kReadWrite).value();
  file->write_at(0, bytes_of_text("written")).value();
  EXPECT_EQ(read_all(*reader), "written");
  writer->write_at(0, bytes_of_text("W")).value();
  EXPECT_EQ(read_all(*file), "Written");
  file->allocate(8192).value();
  EXPECT_EQ(reader->size().value(), 8192u);
  file->store_at(5000, bytes_of_text("stored")).value();
  EXPECT_EQ(read(*reader, 5000, 6), "stored");
  writer->write_at(5002, bytes_of_text("O")).value();
  EXPECT_EQ(read(*file, 5000, 6), "stOred");
  file->store_at(5003, bytes_of_text("R")).value();
  EXPECT_EQ(read(*writer, 5000, 6), "stORed");
}

TEST_P(StorageContractTest, StoresReachEveryByteThatWasAllocated) {
  const auto file = create("a");
  file->allocate(10'000).value();
  file->store_at(0, bytes_of_text("first")).value();
  file->store_at(9'996, bytes_of_text("last")).value();
  // After the first store, when a mapping of the smaller file exists.
  file->allocate(1'000'000).value();
  file->store_at(9'998, bytes_of_text("across")).value();
  file->store_at(999'997, bytes_of_text("end")).value();
  EXPECT_EQ(file->size().value(), 1'000'000u);
  EXPECT_EQ(read(*file, 0, 5), "first");
  EXPECT_EQ(read(*file, 9'996, 8), "laacross");
  EXPECT_EQ(read(*file, 999'997, 10), "end");
  file->sync_data().value();
  EXPECT_EQ(read(*file, 0, 5), "first");
}

// --- Sizes ---

TEST_P(StorageContractTest, AllocateGrowsWithZerosKeepsContentAndNeverShortens) {
  const auto file = create_with("a", "content");
  file->allocate(100'000).value();
  EXPECT_EQ(read_all(*file), "content" + std::string(99'993, '\0'));
  file->allocate(10).value();
  file->allocate(0).value();
  EXPECT_EQ(file->size().value(), 100'000u);
  EXPECT_EQ(read(*file, 0, 7), "content");
}

TEST_P(StorageContractTest, TruncateSetsTheSizeAndNothingComesBackFromBehindIt) {
  const auto file = create_with("a", std::string(50'000, 'x'));
  file->truncate(20'001).value();
  EXPECT_EQ(read_all(*file), std::string(20'001, 'x'));
  file->truncate(60'000).value();
  EXPECT_EQ(read_all(*file), std::string(20'001, 'x') + std::string(39'999, '\0'));
  file->truncate(0).value();
  EXPECT_EQ(file->size().value(), 0u);
}

TEST_P(StorageContractTest, StoringGoesOnAfterTruncateAndNewAllocate) {
  const auto file = create("a");
  file->allocate(40'000).value();
  file->store_at(39'000, bytes_of_text("cut off")).value();
  file->store_at(100, bytes_of_text("kept")).value();
  file->truncate(5'000).value();
  file->store_at(200, bytes_of_text("still")).value();
  file->allocate(40'000).value();
  EXPECT_EQ(read(*file, 39'000, 7), std::string(7, '\0'));
  file->store_at(39'500, bytes_of_text("again")).value();
  EXPECT_EQ(read(*file, 39'500, 5), "again");
  EXPECT_EQ(read(*file, 100, 4), "kept");
  EXPECT_EQ(read(*file, 200, 5), "still");
}

// --- Opening ---

TEST_P(StorageContractTest, OpeningWhatIsMissingIsNotFoundAndNamesTheFile) {
  for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
    const auto opened = directory().open("missing", mode);
    EXPECT_EQ(code_of(opened), ErrorCode::kNotFound);
    EXPECT_THAT(opened.error().message(), HasSubstr("'" + path_of("missing") + "'"));
  }
  EXPECT_THAT(directory().list().value(), ElementsAre());
}

TEST_P(StorageContractTest, CreatingWhatExistsIsRefusedAndLeavesItAlone) {
  create_with("a", "old");
  const auto created = directory().open("a", OpenMode::kCreate);
  EXPECT_EQ(code_of(created), ErrorCode::kAlreadyExists);
  EXPECT_THAT(created.error().message(), HasSubstr("'" + path_of("a") + "'"));
  EXPECT_EQ(read_all(*directory().open("a", OpenMode::kReadOnly).value()), "old");
}

TEST_P(StorageContractTest, AFileOpenedForReadingRefusesEveryChange) {
  create_with("a", "content");
  const auto file = directory().open("a", OpenMode::kReadOnly).value();
  const Bytes piece = bytes_of_text("x");
  const Status refusals[] = {file->write_at(0, piece), file->write_pieces_at(0, std::span(&piece, 1)),
                             file->store_at(0, piece), file->allocate(100), file->truncate(0)};
  for (const Status& refusal : refusals) {
    EXPECT_EQ(code_of(refusal), ErrorCode::kReadOnly);
    EXPECT_THAT(refusal.error().message(), HasSubstr("'" + path_of("a") + "'"));
  }
  EXPECT_EQ(read_all(*file), "content");
}

// --- Names ---

TEST_P(StorageContractTest, ListNamesAllFilesSorted) {
  for (const char* name : {"b", "log-2", "a", "log-10"}) create(name);
  EXPECT_THAT(directory().list().value(), ElementsAre("a", "b", "log-10", "log-2"));
  EXPECT_THAT(other_view().list().value(), ElementsAre("a", "b", "log-10", "log-2"));
}

TEST_P(StorageContractTest, RemoveTakesTheNameAndLeavesOpenFilesTheirContent) {
  const auto file = create_with("a", "content");
  create("b");
  directory().remove("a").value();
  EXPECT_THAT(directory().list().value(), ElementsAre("b"));
  EXPECT_EQ(code_of(directory().open("a", OpenMode::kReadOnly)), ErrorCode::kNotFound);
  file->write_at(7, bytes_of_text(" more")).value();
  EXPECT_EQ(read_all(*file), "content more");
  EXPECT_EQ(read_all(*create("a")), "") << "a new file of that name has old content";

  const Status again = directory().remove("c");
  EXPECT_EQ(code_of(again), ErrorCode::kNotFound);
  EXPECT_THAT(again.error().message(), HasSubstr("'" + path_of("c") + "'"));
}

TEST_P(StorageContractTest, RenameReplacesTheTargetAndLeavesOpenFilesTheirContent) {
  const auto file = create_with("new", "new content");
  const auto replaced = create_with("current", "old content");
  directory().rename("new", "current").value();
  EXPECT_THAT(directory().list().value(), ElementsAre("current"));
  EXPECT_EQ(read_all(*directory().open("current", OpenMode::kReadOnly).value()), "new content");
  EXPECT_EQ(read_all(*replaced), "old content");
  file->write_at(0, bytes_of_text("NEW")).value();
  EXPECT_EQ(read_all(*directory().open("current", OpenMode::kReadOnly).value()), "NEW content");

  directory().rename("current", "current").value();
  EXPECT_EQ(read_all(*directory().open("current", OpenMode::kReadOnly).value()), "NEW content");
  directory().rename("current", "moved").value();
  EXPECT_THAT(directory().list().value(), ElementsAre("moved"));

  const Status missing = directory().rename("current", "elsewhere");
  EXPECT_EQ(code_of(missing), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("'" + path_of("current") + "'"));
}

TEST_P(StorageContractTest, SyncsSucceedAndChangeNothing) {
  const auto file = create_with("a", "content");
  file->sync_data().value();
  directory().sync().value();
  EXPECT_EQ(read_all(*file), "content");
  EXPECT_THAT(directory().list().value(), ElementsAre("a"));
}

// --- Locks ---

TEST_P(StorageContractTest, OnlyOneHoldsTheLockAndOthersAreToldWho) {
  const auto held = directory().lock("LOCK", "process 4711, opened for writing").value();
  for (Directory* view : {&directory(), &other_view()}) {
    const auto refused = view->lock("LOCK", "me");
    EXPECT_EQ(code_of(refused), ErrorCode::kLocked);
    EXPECT_EQ(refused.error().message(), "process 4711, opened for writing");
  }
  EXPECT_TRUE(other_view().lock("OTHER", "me")) << "locks of different names exclude each other";
}

TEST_P(StorageContractTest, ALockIsReleasedByItsDestructorAndItsFileStays) {
  auto held = directory().lock("LOCK", "a first owner with a rather long description").value();
  held.reset();
  held = other_view().lock("LOCK", "second").value();
  const auto refused = directory().lock("LOCK", "me");
  EXPECT_EQ(code_of(refused), ErrorCode::kLocked);
  EXPECT_EQ(refused.error().message(), "second") << "must not show what an earlier owner left behind";
  EXPECT_THAT(directory().list().value(), ElementsAre("LOCK"));
}

// --- Threads ---

TEST_P(StorageContractTest, ThreadsWriteStoreGrowAndReadOneFileAtTheSameTime) {
  constexpr std::uint64_t kPartBytes = 64 * 1024;
  constexpr int kWriters = 4;
  const auto file = create("a");
  file->allocate(kPartBytes * kWriters).value();
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      const std::string text(97, 'a' + writer);
      for (std::uint64_t at = 0; at + text.size() <= kPartBytes; at += text.size()) {
        const std::uint64_t offset = kPartBytes * writer + at;
        const bool stores = (at / text.size() + writer) % 2 == 0;
        if (!(stores ? file->store_at(offset, bytes_of_text(text))
                     : file->write_at(offset, bytes_of_text(text)))) {
          failed = true;
        }
        if (read(*file, offset, text.size()) != text) failed = true;
      }
    });
  }
  // Meanwhile the mapping is replaced again and again.
  for (std::uint64_t parts = kWriters; parts < 60; ++parts) {
    file->allocate(kPartBytes * parts).value();
    file->store_at(kPartBytes * parts - 1, bytes_of_text("x")).value();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(failed);
  for (int writer = 0; writer < kWriters; ++writer) {
    EXPECT_EQ(read(*file, kPartBytes * writer, 97 * 5), std::string(97 * 5, 'a' + writer));
  }
}

// A store behind the end of a mapped file would end the process with SIGBUS.
TEST_P(StorageContractTest, StoringWhileAnotherThreadTruncatesIsHarmless) {
  const auto file = create("a");
  file->allocate(100'000).value();
  std::atomic<bool> stored_all = false;
  std::atomic<bool> failed = false;
  std::thread storer([&] {
    for (int i = 0; i < 2000; ++i) {
      if (!file->store_at(90'000, bytes_of_text("upper"))) failed = true;
      if (!file->store_at(10, bytes_of_text("lower"))) failed = true;
    }
    stored_all = true;
  });
  while (!stored_all) {
    file->truncate(4096).value();
    file->allocate(100'000).value();
  }
  storer.join();
  EXPECT_FALSE(failed);
  EXPECT_EQ(read(*file, 10, 5), "lower");
}

TEST_P(StorageContractTest, ThreadsCreateRenameListAndRemoveAtTheSameTime) {
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::string mine = "mine-" + std::to_string(i);
      for (int round = 0; round < 50; ++round) {
        if (!directory().open(mine, OpenMode::kCreate)) failed = true;
        if (!directory().rename(mine, mine + "-moved")) failed = true;
        const auto names = directory().list();
        if (!names || std::count(names->begin(), names->end(), mine + "-moved") != 1) failed = true;
        if (!directory().remove(mine + "-moved")) failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(failed);
  EXPECT_THAT(directory().list().value(), ElementsAre());
}

// --- All of it ---

// Every file behaves like a string, whatever the order of calls.
TEST_P(StorageContractTest, RandomCallsBehaveLikeAString) {
  SeededRandom random(dosql::testing::test_seed());
  const auto below = [&](std::uint64_t bound) { return random.next_u64() % bound; };
  auto file = create("a");
  std::string model;
  std::uint64_t allocated = 0;
  const auto expect_at = [&](std::uint64_t offset, std::string_view text) {
    if (model.size() < offset + text.size()) model.resize(offset + text.size());
    model.replace(offset, text.size(), text);
  };
  const int steps = dosql::testing::scaled(3000);
  for (int step = 0; step < steps; ++step) {
    const std::string text(below(8) == 0 ? below(40'000) : below(200), static_cast<char>('a' + below(26)));
    const std::uint64_t offset = below(100'000);
    switch (below(8)) {
      case 0:
      case 1: {
        file->write_at(offset, bytes_of_text(text)).value();
        if (!text.empty()) expect_at(offset, text);
        break;
      }
      case 2: {
        const std::size_t cut = below(text.size() + 1);
        const Bytes pieces[] = {bytes_of_text(text).first(cut), bytes_of_text(text).subspan(cut)};
        file->write_pieces_at(offset, pieces).value();
        if (!text.empty()) expect_at(offset, text);
        break;
      }
      case 3:
      case 4: {
        if (offset + text.size() > allocated) break;
        file->store_at(offset, bytes_of_text(text)).value();
        expect_at(offset, text);
        break;
      }
      case 5: {
        file->allocate(offset).value();
        allocated = std::max(allocated, offset);
        model.resize(std::max<std::size_t>(model.size(), offset));
        break;
      }
      case 6: {
        if (below(4) != 0) break;
        file->truncate(offset).value();
        allocated = std::min(allocated, offset);
        model.resize(offset);
        break;
      }
      case 7: {
        if (below(8) != 0) break;
        file = directory().open("a", OpenMode::kReadWrite).value();
        allocated = 0;
        break;
      }
    }
    ASSERT_EQ(file->size().value(), model.size()) << "step " << step;
    const std::uint64_t from = below(100'000);
    const std::string expected = from < model.size() ? model.substr(from, 5000) : "";
    ASSERT_TRUE(read(*file, from, 5000) == expected) << "step " << step << ", offset " << from;
  }
  EXPECT_TRUE(read_all(*file) == model);
}

// --- Shared memory ---

constexpr std::size_t kSharedBytes = 4096;
using CreateShared = Directory::CreateShared;
using Word = std::atomic<std::uint32_t>;

Word& word_at(SharedMemory& memory, std::size_t offset) {
  return *reinterpret_cast<Word*>(memory.data() + offset);
}

class SharedMemoryContractTest : public StorageContractTest {
 protected:
  std::unique_ptr<SharedMemory> hold(Directory& from) {
    return from.open_shared("shared", kSharedBytes, CreateShared::kIfMissing).value();
  }
};

INSTANTIATE_TEST_SUITE_P(Bodies, SharedMemoryContractTest, ::testing::ValuesIn(body_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(SharedMemoryContractTest, IsCreatedOnlyWhenAskedForAndZeroThen) {
  EXPECT_EQ(code_of(directory().open_shared("shared", kSharedBytes, CreateShared::kNo)),
            ErrorCode::kNotFound);
  const auto memory = hold(directory());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->data()) % 64, 0u);
  EXPECT_TRUE(std::all_of(memory->data(), memory->data() + kSharedBytes,
                          [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_TRUE(directory().open_shared("shared", kSharedBytes, CreateShared::kNo));
}

TEST_P(SharedMemoryContractTest, AllHoldersSeeTheSameBytesAndTheyStay) {
  auto first = hold(directory());
  const auto second = hold(other_view());
  word_at(*first, 8).store(7);
  EXPECT_EQ(word_at(*second, 8).load(), 7u);
  word_at(*second, kSharedBytes - 4).store(9);
  EXPECT_EQ(word_at(*first, kSharedBytes - 4).load(), 9u);
  first.reset();
  EXPECT_EQ(word_at(*hold(directory()), 8).load(), 7u);
}

TEST_P(SharedMemoryContractTest, ALockBelongsToOneHolderUntilItGoes) {
  auto first = hold(directory());
  auto second = hold(other_view());
  EXPECT_TRUE(first->try_lock(3).value());
  EXPECT_TRUE(first->try_lock(3).value()) << "its own";
  EXPECT_FALSE(second->try_lock(3).value());
  EXPECT_TRUE(second->try_lock(4).value());
  first->unlock(3);
  EXPECT_TRUE(second->try_lock(3).value());
  second.reset();
  EXPECT_TRUE(first->try_lock(3).value());
  EXPECT_TRUE(first->try_lock(4).value());
}

TEST_P(SharedMemoryContractTest, WhatOthersHaveLockedCanBeAsked) {
  const auto first = hold(directory());
  const auto second = hold(other_view());
  EXPECT_FALSE(second->locked_by_other(0, SharedMemory::kLocks).value());
  first->try_lock(5).value();
  EXPECT_TRUE(second->locked_by_other(5).value());
  EXPECT_FALSE(first->locked_by_other(5).value()) << "its own";
  EXPECT_FALSE(second->locked_by_other(4).value());
  EXPECT_FALSE(second->locked_by_other(6).value());
  EXPECT_TRUE(second->locked_by_other(1, 5).value());
  EXPECT_FALSE(second->locked_by_other(1, 4).value());
  EXPECT_FALSE(second->locked_by_other(6, 10).value());
  first->unlock(5);
  EXPECT_FALSE(second->locked_by_other(5).value());
}

TEST_P(SharedMemoryContractTest, AWaitEndsWithTheDeadlineOrWhenTheBitsAreOthersAlready) {
  const auto memory = hold(directory());
  const auto now = std::chrono::steady_clock::now();
  EXPECT_TRUE(memory->wait(64, 1, now + std::chrono::hours(1))) << "they are 0";
  while (memory->wait(64, 0, now + std::chrono::milliseconds(5))) {
  }
  EXPECT_GE(std::chrono::steady_clock::now(), now + std::chrono::milliseconds(5));
  EXPECT_FALSE(memory->wait(64, 0, now)) << "a deadline of the past";
}

TEST_P(SharedMemoryContractTest, AWakeEndsTheWaitsOfAllHolders) {
  const auto waker = hold(directory());
  std::vector<std::thread> waiters;
  std::atomic<int> woken{0};
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&, i] {
      const auto memory = hold(i == 0 ? directory() : other_view());
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
      while (word_at(*memory, 128).load() == 0) {
        if (!memory->wait(128, 0, deadline)) return;
      }
      ++woken;
    });
  }
  word_at(*waker, 128).store(1);
  waker->wake(128);
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(woken, 3);
}

}  // namespace
}  // namespace dosql::io
