#include "engine/vfs.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "engine/file_methods.h"
#include "engine/sqlite_error.h"

namespace dosql::engine {
namespace {

constexpr int kPathBytes = 4096;

// What Vfs::open and Vfs::attach want from the xOpen that SQLite calls inside.
struct OpenRequest {
  std::shared_ptr<Session> session;
  std::optional<version::ReadPoint> point;
  bool attached = false;
  bool trial = false;
  MainFile* file = nullptr;
};

thread_local OpenRequest* open_request = nullptr;
thread_local std::optional<Error> refused_file;

int refuse(Error error) {
  refused_file.emplace(std::move(error));
  return SQLITE_CANTOPEN;
}

bool is_directory(const char* path) {
  struct stat about;
  return ::stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

}  // namespace

std::optional<Error> take_refused_file() { return std::exchange(refused_file, std::nullopt); }

// Stands behind pAppData.
struct Vfs::Host {
  VfsSetup setup;
  std::string name;
  std::string main_path;
  sqlite3_vfs* host = nullptr;  // of the operating system
  sqlite3_vfs vfs{};

  static Host& of(sqlite3_vfs* vfs) { return *static_cast<Host*>(vfs->pAppData); }

  // What follows main_path in a name of ours: "", "@5", "-journal", "@5-wal", ...; none: not ours.
  std::optional<std::string_view> own_suffix(const char* path) const {
    if (std::strncmp(path, main_path.c_str(), main_path.size()) != 0) return {};
    const std::string_view suffix(path + main_path.size());
    if (suffix.empty() || suffix[0] == '@' || suffix == "-journal" || suffix == "-wal") return suffix;
    return {};
  }

  int open_main(sqlite3_file* file, int* out_flags);
  int open_plain(const char* path, sqlite3_file* file, int flags, int* out_flags) const;

  static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags);
  static int remove(sqlite3_vfs* vfs, const char* path, int sync_directory);
  static int access(sqlite3_vfs* vfs, const char* path, int flags, int* result);
  static int full_path(sqlite3_vfs* vfs, const char* path, int out_bytes, char* out);
  static int current_time(sqlite3_vfs* vfs, double* julian_day);
  static int current_time_ms(sqlite3_vfs* vfs, sqlite3_int64* julian_ms);
};

int Vfs::Host::open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  Host& self = of(vfs);
  file->pMethods = nullptr;
  if (path == nullptr) return self.host->xOpen(self.host, path, file, flags, out_flags);
  if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) {
    sqlite3_file* database = sqlite3_database_file_object(path);
    if (is_main_file(database)) {
      make_journal_file(file, database);
      if (out_flags != nullptr) *out_flags = flags;
      return SQLITE_OK;
    }
  }
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return self.host->xOpen(self.host, path, file, flags, out_flags);
  return self.own_suffix(path) ? self.open_main(file, out_flags)
                               : self.open_plain(path, file, flags, out_flags);
}

int Vfs::Host::open_main(sqlite3_file* file, int* out_flags) {
  if (open_request == nullptr) {
    return refuse(Error(ErrorCode::kInvalidArgument, "the database's own file cannot be attached"));
  }
  auto main = std::make_unique<MainFile>(*setup.store, *setup.slots, *setup.counters,
                                         std::move(open_request->session), open_request->point);
  if (open_request->trial) main->begin_trial();
  const bool read_only = main->read_only();
  if (open_request->attached) main->show_another_schema();
  open_request->file = main.get();
  open_request = nullptr;
  make_main_file(file, std::move(main));
  if (out_flags != nullptr) *out_flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  return SQLITE_OK;
}

int Vfs::Host::open_plain(const char* path, sqlite3_file* file, int flags, int* out_flags) const {
  if (!setup.allow_files) {
    return refuse(
        Error(ErrorCode::kForbidden,
              fmt::format("'{}' is a file outside the database: ATTACH and VACUUM INTO need leave for that",
                          path)));
  }
  if (is_directory(path)) {
    return refuse(Error(ErrorCode::kNotADatabase,
                        fmt::format("'{}' is a directory; only plain SQLite files can be attached", path))
                      .with_hint("of a DoSQL database, export the version that is wanted to such a file"));
  }
  // ATTACH opens with the flags of its connection; VACUUM INTO, which a reader may do, adds this one.
  const bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
  if (!creates) flags = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
  return host->xOpen(host, path, file, flags, out_flags);
}

int Vfs::Host::remove(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  Host& self = of(vfs);
  if (self.own_suffix(path)) return SQLITE_OK;
  return self.host->xDelete(self.host, path, sync_directory);
}

int Vfs::Host::access(sqlite3_vfs* vfs, const char* path, int flags, int* result) {
  Host& self = of(vfs);
  if (self.own_suffix(path)) {
    *result = 0;  // no journal and no WAL is ever left behind by someone else
    return SQLITE_OK;
  }
  return self.host->xAccess(self.host, path, flags, result);
}

int Vfs::Host::full_path(sqlite3_vfs* vfs, const char* path, int out_bytes, char* out) {
  Host& self = of(vfs);
  if (!self.own_suffix(path)) return self.host->xFullPathname(self.host, path, out_bytes, out);
  if (std::strlen(path) >= static_cast<std::size_t>(out_bytes)) return SQLITE_CANTOPEN;
  std::strcpy(out, path);
  return SQLITE_OK;
}

int Vfs::Host::current_time_ms(sqlite3_vfs* vfs, sqlite3_int64* julian_ms) {
  constexpr sqlite3_int64 kUnixEpochJulianMs = 210'866'760'000'000;
  *julian_ms = kUnixEpochJulianMs + of(vfs).setup.clock->now_us() / 1'000;
  return SQLITE_OK;
}

int Vfs::Host::current_time(sqlite3_vfs* vfs, double* julian_day) {
  sqlite3_int64 julian_ms = 0;
  const int rc = current_time_ms(vfs, &julian_ms);
  *julian_day = static_cast<double>(julian_ms) / 86'400'000.0;
  return rc;
}

Vfs::Vfs(VfsSetup setup) : host_(std::make_unique<Host>()) {
  static std::atomic<std::uint64_t> count{0};
  Host& self = *host_;
  self.setup = std::move(setup);
  self.name = fmt::format("dosql-{}", ++count);
  self.main_path = self.setup.directory + "/main";
  self.host = sqlite3_vfs_find("unix");
  CHECK(self.host != nullptr);

  sqlite3_vfs& vfs = self.vfs;
  vfs.iVersion = 2;
  vfs.szOsFile = std::max(self.host->szOsFile, kOwnFileBytes);
  vfs.mxPathname = kPathBytes;
  vfs.zName = self.name.c_str();
  vfs.pAppData = &self;
  vfs.xOpen = Host::open;
  vfs.xDelete = Host::remove;
  vfs.xAccess = Host::access;
  vfs.xFullPathname = Host::full_path;
  vfs.xRandomness = [](sqlite3_vfs* of, int n, char* out) {
    sqlite3_vfs* host = Host::of(of).host;
    return host->xRandomness(host, n, out);
  };
  vfs.xSleep = [](sqlite3_vfs* of, int us) {
    sqlite3_vfs* host = Host::of(of).host;
    return host->xSleep(host, us);
  };
  vfs.xGetLastError = [](sqlite3_vfs* of, int n, char* out) {
    sqlite3_vfs* host = Host::of(of).host;
    return host->xGetLastError(host, n, out);
  };
  vfs.xCurrentTime = Host::current_time;
  vfs.xCurrentTimeInt64 = Host::current_time_ms;
  CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

Vfs::~Vfs() { sqlite3_vfs_unregister(&host_->vfs); }

Result<MainFile*> Vfs::open(std::shared_ptr<Session> session, std::optional<version::ReadPoint> point) {
  return open(std::move(session), point, Writes::kCommit);
}

Result<MainFile*> Vfs::open_trial(std::shared_ptr<Session> session, const version::ReadPoint& point) {
  return open(std::move(session), point, Writes::kTrial);
}

Result<MainFile*> Vfs::open(std::shared_ptr<Session> session, std::optional<version::ReadPoint> point,
                            Writes writes) {
  std::string path = host_->main_path;
  if (point) path += fmt::format("@{}", raw(point->version));
  if (path.size() + 16 > kPathBytes)
    return Error(ErrorCode::kInvalidArgument, "the database's path is too long");

  OpenRequest request{.session = session, .point = point, .trial = writes == Writes::kTrial};
  open_request = &request;
  // What only reads neither makes nor writes the plain files that it attaches: open_plain() knows it by the
  // flag that is missing. SQLITE_OPEN_READONLY would also make attached databases in memory read-only.
  const int creates = session->read_only ? 0 : SQLITE_OPEN_CREATE;
  const int flags = SQLITE_OPEN_READWRITE | creates | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int rc = sqlite3_open_v2(path.c_str(), &session->db, flags, host_->name.c_str());
  open_request = nullptr;
  if (rc == SQLITE_OK) return request.file;
  Error error = connection_error(*session, rc);
  sqlite3_close(session->db);
  session->db = nullptr;
  return error;
}

Result<MainFile*> Vfs::attach(std::shared_ptr<Session> session, const std::string& schema,
                              const version::ReadPoint& point) {
  const std::string path = host_->main_path + fmt::format("@{}", raw(point.version));
  sqlite3_stmt* statement = nullptr;
  int rc = sqlite3_prepare_v2(session->db, DOSQL_OWN_SQL "ATTACH ?1 AS ?2", -1, &statement, nullptr);
  if (rc != SQLITE_OK) return connection_error(*session, rc);
  sqlite3_bind_text(statement, 1, path.data(), static_cast<int>(path.size()), SQLITE_STATIC);
  sqlite3_bind_text(statement, 2, schema.data(), static_cast<int>(schema.size()), SQLITE_STATIC);

  OpenRequest request{.session = session, .point = point, .attached = true};
  open_request = &request;
  rc = sqlite3_step(statement);
  open_request = nullptr;
  if (rc == SQLITE_DONE) {
    sqlite3_finalize(statement);
    return request.file;
  }
  Error error = connection_error(*session, rc);
  sqlite3_finalize(statement);
  return error;
}

}  // namespace dosql::engine
