// What an iteration over changes in JavaScript stands for: a feed, and the thread that waits for its changes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <dosql/changes.h>

#include "bindings/node/open_databases.h"
#include "bindings/node/worker.h"

namespace dosql::node {

// Where a feed comes from.
struct FeedSource {
  std::optional<std::string> slot;  // and then no branch and no LSN
  std::string branch = "main";
  std::uint64_t after_lsn = 0;
  bool snapshot = false;
  ChangeFilter filter = {};
};

// A feed and its share of the database. Threads: any.
class OpenFeed {
 public:
  explicit OpenFeed(DatabaseShare share) : share_(std::move(share)) {}
  ~OpenFeed() { close().ignore("a destructor cannot report"); }
  OpenFeed(const OpenFeed&) = delete;
  OpenFeed& operator=(const OpenFeed&) = delete;

  // Errors: those of Database::changes() and Slots::subscribe().
  Status open(const FeedSource& source);
  // Puts the changes that there are into `batch`, as many as fit into one (packages/dosql/src/change_event.ts
  // reads them); none once it is stopped. Where there are none, it may wait for some. Errors: those of
  // Changes::next(), DOSQL_INTERRUPTED (it is closed).
  Status next(bool waits, RowBatch& batch);
  // A call of next() ends now, and so does each later one.
  void stop();
  // Stops it, waits for calls that run, and lets go of slot and database.
  Status close();

 private:
  std::mutex use_;  // held by whoever uses or ends changes_
  DatabaseShare share_;
  bool closed_ = false;
  std::optional<Change> left_over_;  // it did not fit into the newest batch

  std::mutex stopping_;  // guards what follows against stop(); is taken after use_
  std::optional<Changes> changes_;
  bool stopped_ = false;
};

// A feed as JavaScript knows it.
class Feed {
 public:
  // `done` gets the tasks of the worker.
  Feed(std::int64_t handle_number, DatabaseShare share, std::function<void(std::unique_ptr<Task>)> done)
      : handle_number_(handle_number),
        open_feed_(std::make_shared<OpenFeed>(std::move(share))),
        worker_({.done = std::move(done), .interrupt = [this] { open_feed_->stop(); }, .idle = [] {}}) {}

  // The handle that it ends with.
  std::int64_t handle_number() const { return handle_number_; }
  const std::shared_ptr<OpenFeed>& open_feed() const { return open_feed_; }
  Worker& worker() { return worker_; }

 private:
  const std::int64_t handle_number_;
  const std::shared_ptr<OpenFeed> open_feed_;
  Worker worker_;  // last: it ends before what its tasks use
};

}  // namespace dosql::node
