// What only real files have: permissions, system errors, other processes.
#include "io/posix_storage.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "io/file_descriptor.h"
#include "testing/paths.h"

namespace dosql::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Bytes bytes_of_text(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read_all(File& file) {
  std::string text(file.size().value(), '?');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))).value());
  return text;
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code();
}

class PosixStorageTest : public ::testing::Test {
 protected:
  PosixStorageTest() : path_(testing::binary_dir() / "dosql_posix_XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
  }
  ~PosixStorageTest() override { std::filesystem::remove_all(path_); }

  std::unique_ptr<Directory> open_directory() {
    return open_posix_directory(path_, CreateDirectory::kNo).value();
  }

  std::string path_;
};

mode_t mode_of(const std::string& path) {
  struct stat about;
  EXPECT_EQ(stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 0777;
}

// Runs `body` in a child process. `body` returns what is wrong, or nothing.
std::string in_child(const std::function<std::string()>& body) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const std::string wrong = body();
    const bool told = write(writing.get(), wrong.data(), wrong.size()) == static_cast<ssize_t>(wrong.size());
    _exit(told ? 0 : 1);
  }
  writing = FileDescriptor();
  std::string wrong;
  char buffer[512];
  for (ssize_t count; (count = read(reading.get(), buffer, sizeof buffer)) > 0;) {
    wrong.append(buffer, static_cast<std::size_t>(count));
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    wrong += " (the child ended with status " + std::to_string(status) + ")";
  return wrong;
}

constexpr const char* kCannotMount = "cannot mount";

// A tmpfs of our own at `path`, seen by this process only.
bool mount_tmpfs(const std::string& path, const char* options) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  return mount("tmpfs", path.c_str(), "tmpfs", 0, options) == 0;
}

// --- The directory ---

TEST_F(PosixStorageTest, CreatesPrivateDirectoriesAndFiles) {
  const std::string path = path_ + "/shop";
  const auto directory = open_posix_directory(path + "//", CreateDirectory::kIfMissing).value();
  EXPECT_EQ(directory->describe(), path);
  directory->open("a", OpenMode::kCreate).value();
  directory->lock("LOCK", "me").value();
  EXPECT_EQ(mode_of(path), 0700u);
  EXPECT_EQ(mode_of(path + "/a"), 0600u);
  EXPECT_EQ(mode_of(path + "/LOCK"), 0600u);

  const auto again = open_posix_directory(path, CreateDirectory::kIfMissing).value();
  EXPECT_THAT(again->list().value(), ElementsAre("LOCK", "a"));
}

TEST_F(PosixStorageTest, AMissingDirectoryIsNotFound) {
  const auto missing = open_posix_directory(path_ + "/missing", CreateDirectory::kNo);
  EXPECT_EQ(code_of(missing), ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message(),
            "cannot open directory '" + path_ + "/missing': No such file or directory");
  // Only the last component is created.
  const auto deep = open_posix_directory(path_ + "/missing/shop", CreateDirectory::kIfMissing);
  EXPECT_EQ(code_of(deep), ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/missing"));
}

TEST_F(PosixStorageTest, AFileInPlaceOfTheDirectoryIsNotADatabase) {
  std::ofstream(path_ + "/plain") << "text";
  for (const CreateDirectory create : {CreateDirectory::kNo, CreateDirectory::kIfMissing}) {
    const auto opened = open_posix_directory(path_ + "/plain", create);
    EXPECT_EQ(code_of(opened), ErrorCode::kNotADatabase);
    EXPECT_THAT(opened.error().message(), HasSubstr("'" + path_ + "/plain'"));
  }
}

TEST_F(PosixStorageTest, ListsAllButFolders) {
  const auto directory = open_directory();
  directory->open("plain", OpenMode::kCreate).value();
  std::filesystem::create_directory(path_ + "/folder");
  std::filesystem::create_symlink("plain", path_ + "/link");
  ASSERT_EQ(mkfifo((path_ + "/pipe").c_str(), 0600), 0);
  // Who looks for a file by its name must hear that something else has it.
  EXPECT_THAT(directory->list().value(), ElementsAre("link", "pipe", "plain"));
  EXPECT_EQ(code_of(directory->open("folder", OpenMode::kReadOnly)), ErrorCode::kIo);
}

// What a directory holds may have been put there by somebody who means harm.
TEST_F(PosixStorageTest, LinksAndPipesAreNotFollowedAndNotWaitedFor) {
  const auto directory = open_directory();
  std::ofstream(path_ + "/victim") << "precious";
  std::filesystem::create_symlink("victim", path_ + "/lock");
  ASSERT_EQ(mkfifo((path_ + "/pipe").c_str(), 0600), 0);
  for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
    EXPECT_EQ(directory->open("lock", mode).error().message(),
              "cannot open '" + path_ + "/lock': it is not a plain file");
    EXPECT_EQ(code_of(directory->open("pipe", mode)), ErrorCode::kIo);
  }
  EXPECT_EQ(directory->lock("lock", "me").error().message(),
            "cannot lock '" + path_ + "/lock': it is not a plain file");
  EXPECT_EQ(code_of(directory->lock("pipe", "me")), ErrorCode::kIo);
  EXPECT_EQ(std::filesystem::file_size(path_ + "/victim"), 8u);
}

// The process may change its working directory, and somebody may move the database.
TEST_F(PosixStorageTest, AnOpenDirectoryStaysTheSameWhereverItIsMoved) {
  const std::string old_path = path_ + "/old";
  const auto directory = open_posix_directory(old_path, CreateDirectory::kIfMissing).value();
  std::filesystem::rename(old_path, path_ + "/new");
  directory->open("a", OpenMode::kCreate).value();
  EXPECT_TRUE(std::filesystem::exists(path_ + "/new/a"));
}

// Programs that the process starts would keep the lock after its end.
TEST_F(PosixStorageTest, StartedProgramsDoNotInheritDescriptors) {
  const auto directory = open_directory();
  const auto file = directory->open("a", OpenMode::kCreate).value();
  const auto lock = directory->lock("LOCK", "me").value();
  int ours = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.find(path_) == std::string::npos) continue;
    ++ours;
    const int flags = fcntl(std::stoi(entry.path().filename()), F_GETFD);
    EXPECT_TRUE(flags & FD_CLOEXEC) << target;
  }
  EXPECT_EQ(ours, 3);
}

// --- System errors ---

TEST_F(PosixStorageTest, AFailedWriteNamesOperationPlaceFileAndReason) {
  const std::string wrong = in_child([&]() -> std::string {
    // Writing over the limit is cut short first and fails on the second try.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {10'000, 10'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto file = open_directory()->open("a", OpenMode::kCreate).value();
    const std::string text(4096, 'x');
    const Bytes pieces[] = {bytes_of_text(text), bytes_of_text(text)};
    for (const Status& written : {file->write_at(8192, bytes_of_text(text)),
                                  file->write_pieces_at(4096, std::span(pieces).first(2))}) {
      if (code_of(written) != ErrorCode::kDiskFull) return "no kDiskFull";
    }
    const std::string message = file->write_at(8192, bytes_of_text(text)).error().message();
    if (message != "cannot write 4096 bytes at offset 8192 of '" + path_ + "/a': File too large")
      return message;
    if (file->size().value() != 10'000) return "the part that fits was not written";
    if (code_of(file->allocate(1 << 20)) != ErrorCode::kDiskFull)
      return "allocate beyond the limit is no kDiskFull";
    if (code_of(file->truncate(1 << 20)) != ErrorCode::kDiskFull)
      return "truncate beyond the limit is no kDiskFull";
    return "";
  });
  EXPECT_EQ(wrong, "");
}

TEST_F(PosixStorageTest, AFullDiskIsDiskFullAndAllocatedRangesStayWritable) {
  const std::string wrong = in_child([&]() -> std::string {
    if (!mount_tmpfs(path_, "size=1m,mode=700")) return kCannotMount;
    const auto directory = open_directory();
    const auto reserved = directory->open("reserved", OpenMode::kCreate).value();
    reserved->allocate(256 * 1024).value();
    const auto file = directory->open("a", OpenMode::kCreate).value();
    const Status too_much = file->allocate(8 << 20);
    if (code_of(too_much) != ErrorCode::kDiskFull) return "allocating too much is no kDiskFull";
    if (too_much.error().message() !=
        "cannot reserve 8388608 bytes for '" + path_ + "/a': No space left on device") {
      return too_much.error().message();
    }
    const std::string text(2 << 20, 'x');
    const Status written = file->write_at(0, bytes_of_text(text));
    if (code_of(written) != ErrorCode::kDiskFull) return "writing too much is no kDiskFull";
    // Now not a block is free.
    if (!reserved->store_at(200'000, bytes_of_text("stored"))) return "cannot store into an allocated range";
    if (!reserved->write_at(100'000, bytes_of_text("written"))) return "cannot write into an allocated range";
    if (read_all(*reserved).substr(200'000, 6) != "stored") return "what was stored is not there";
    return "";
  });
  if (wrong == kCannotMount) GTEST_SKIP() << wrong;
  EXPECT_EQ(wrong, "");
}

TEST_F(PosixStorageTest, AReadOnlyFileSystemIsReadOnly) {
  const std::string wrong = in_child([&]() -> std::string {
    if (!mount_tmpfs(path_, "mode=700")) return kCannotMount;
    open_directory()->open("a", OpenMode::kCreate).value()->write_at(0, bytes_of_text("text")).value();
    if (mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return kCannotMount;
    const auto directory = open_directory();
    if (read_all(*directory->open("a", OpenMode::kReadOnly).value()) != "text") return "cannot read";
    const auto opened = directory->open("a", OpenMode::kReadWrite);
    if (code_of(opened) != ErrorCode::kReadOnly) return "open is no kReadOnly";
    if (opened.error().message() != "cannot open '" + path_ + "/a': Read-only file system") {
      return opened.error().message();
    }
    if (code_of(directory->open("b", OpenMode::kCreate)) != ErrorCode::kReadOnly)
      return "create is no kReadOnly";
    if (code_of(directory->remove("a")) != ErrorCode::kReadOnly) return "remove is no kReadOnly";
    if (code_of(directory->rename("a", "b")) != ErrorCode::kReadOnly) return "rename is no kReadOnly";
    if (code_of(directory->lock("LOCK", "me")) != ErrorCode::kReadOnly) return "lock is no kReadOnly";
    const auto created = open_posix_directory(path_ + "/new", CreateDirectory::kIfMissing);
    if (code_of(created) != ErrorCode::kReadOnly) return "creating a directory is no kReadOnly";
    return "";
  });
  if (wrong == kCannotMount) GTEST_SKIP() << wrong;
  EXPECT_EQ(wrong, "");
}

// Files of another user, or write-protected ones.
TEST_F(PosixStorageTest, LackOfPermissionToWriteIsReadOnly) {
  const auto directory = open_directory();
  directory->open("a", OpenMode::kCreate).value();
  std::filesystem::permissions(path_ + "/a", std::filesystem::perms{0444});
  std::filesystem::permissions(path_, std::filesystem::perms{0555});
  const std::string wrong = in_child([&]() -> std::string {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) return "cannot become an ordinary user";
    if (!directory->open("a", OpenMode::kReadOnly)) return "cannot read";
    if (code_of(directory->open("a", OpenMode::kReadWrite)) != ErrorCode::kReadOnly)
      return "open is no kReadOnly";
    if (code_of(directory->open("b", OpenMode::kCreate)) != ErrorCode::kReadOnly)
      return "create is no kReadOnly";
    if (code_of(directory->remove("a")) != ErrorCode::kReadOnly) return "remove is no kReadOnly";
    if (code_of(directory->lock("LOCK", "me")) != ErrorCode::kReadOnly) return "lock is no kReadOnly";
    return "";
  });
  std::filesystem::permissions(path_, std::filesystem::perms{0700});
  EXPECT_EQ(wrong, "");
}

// --- Stores ---

TEST_F(PosixStorageTest, StoringOutsideOfWhatWasAllocatedWrites) {
  const auto directory = open_directory();
  const auto file = directory->open("a", OpenMode::kCreate).value();
  file->store_at(0, bytes_of_text("never allocated")).value();
  EXPECT_EQ(read_all(*file), "never allocated");
  file->allocate(4096).value();
  file->store_at(0, bytes_of_text("allocated now  ")).value();
  file->store_at(4090, bytes_of_text("across the end")).value();
  file->store_at(8000, bytes_of_text("behind it")).value();
  EXPECT_EQ(file->size().value(), 8009u);
  EXPECT_EQ(read_all(*file).substr(4090, 14), "across the end");
  EXPECT_EQ(read_all(*file).substr(8000), "behind it");
  file->store_at(UINT64_MAX - 2, bytes_of_text("x")).ignore("a range that no file has must not wrap around");
  EXPECT_EQ(read_all(*file).substr(0, 15), "allocated now  ");
}

// --- Locks between processes ---

class LockHolderTest : public PosixStorageTest {
 protected:
  // A process that takes the lock and keeps it until it is killed; `owner_of(its id)` is what it says.
  pid_t hold(const std::function<std::string(pid_t)>& owner_of, std::size_t memory_bytes = 1) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const FileDescriptor reading(ends[0]);
    FileDescriptor writing(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
      const auto lock = open_directory()->lock("LOCK", owner_of(getpid()));
      const std::vector<char> memory(memory_bytes, 'y');
      const char word = lock ? memory.back() : 'n';
      if (write(writing.get(), &word, 1) != 1) _exit(1);
      for (;;) pause();
    }
    writing = FileDescriptor();
    char word = 0;
    EXPECT_EQ(read(reading.get(), &word, 1), 1);
    EXPECT_EQ(word, 'y');
    return child;
  }
};

TEST_F(LockHolderTest, AnotherProcessHoldsTheLockUntilItIsKilled) {
  const pid_t child = hold([](pid_t) { return "the other process"; });
  const auto refused = open_directory()->lock("LOCK", "me");
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(code_of(refused), ErrorCode::kLocked);
  EXPECT_EQ(refused.error().message(), "the other process");

  // The dead owner's text is longer and still in the file.
  const auto directory = open_directory();
  const auto lock = directory->lock("LOCK", "me").value();
  EXPECT_EQ(open_directory()->lock("LOCK", "you").error().message(), "me");
  EXPECT_EQ(read_all(*directory->open("LOCK", OpenMode::kReadOnly).value()), "me\n");
}

// Nobody has waited for it yet, and its memory goes before its locks do.
TEST_F(LockHolderTest, AHolderThatWasJustKilledIsWaitedFor) {
  const pid_t child =
      hold([](pid_t id) { return "process " + std::to_string(id) + " (test)"; }, std::size_t{64} << 20);
  EXPECT_EQ(code_of(open_directory()->lock("LOCK", "me")), ErrorCode::kLocked) << "it lives";
  kill(child, SIGKILL);
  EXPECT_TRUE(open_directory()->lock("LOCK", "me"));
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
}

// Who holds a lock may remove its file: who opened that just before does not have the lock by it.
TEST_F(PosixStorageTest, ALockWhoseFileIsRemovedStaysWithOne) {
  std::atomic<int> holders{0};
  std::atomic<int> taken{0};
  const auto work = [&] {
    const auto directory = open_directory();
    for (int i = 0; i < 2'000; ++i) {
      const auto held = directory->lock("LOCK", "me");
      if (!held) continue;
      ++taken;
      EXPECT_EQ(holders.fetch_add(1), 0);
      std::this_thread::yield();
      holders.fetch_sub(1);
      EXPECT_TRUE(directory->remove("LOCK"));
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_GT(taken.load(), 100);
}

// Between taking the lock and writing the text, and when the disk was too full for it.
TEST_F(PosixStorageTest, AHolderWithoutTextIsReportedWithoutName) {
  const auto held = open_directory()->lock("LOCK", "me").value();
  std::filesystem::resize_file(path_ + "/LOCK", 0);
  const auto refused = open_directory()->lock("LOCK", "you");
  EXPECT_EQ(code_of(refused), ErrorCode::kLocked);
  EXPECT_EQ(refused.error().message(), "a process that has not said who it is");
}

}  // namespace
}  // namespace dosql::io
