// A new file outside the database that appears under its name whole and on disk, or not at all.
#pragma once

#include <memory>
#include <string>

#include <dosql/result.h>

#include "base/environment.h"
#include "io/storage.h"

namespace dosql::engine {

class DurableFile {
 public:
  // Begins a file that will be `path`, of about `file_bytes`. Errors: kAlreadyExists, kNotFound (its
  // directory), kDiskFull, kReadOnly, kIo.
  static Result<std::unique_ptr<DurableFile>> create(const std::string& path, std::uint64_t file_bytes,
                                                     Random& random);
  // Removes it unless publish() succeeded.
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  io::File& file() { return *file_; }

  // Makes content and name durable. Never replaces: kAlreadyExists when `path` has come into being meanwhile.
  Status publish();

 private:
  DurableFile() = default;

  std::unique_ptr<io::Directory> directory_;
  std::unique_ptr<io::File> file_;
  std::string path_;
  std::string directory_path_;
  std::string temporary_name_;
  bool published_ = false;
};

// Makes the name `path` durable in its directory.
Status sync_directory_of(const std::string& path);

}  // namespace dosql::engine
