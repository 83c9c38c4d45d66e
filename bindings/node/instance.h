// The addon in one JavaScript environment (the main thread, or one of node's workers).
#pragma once

#include <node_api.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dosql/result.h>

#include "bindings/node/arguments.h"
#include "bindings/node/feed.h"
#include "bindings/node/handle.h"
#include "bindings/node/numbered.h"
#include "bindings/node/rows.h"
#include "bindings/node/worker.h"

namespace dosql::node {

// What a call that gives rows says beside them, in front of the cells; packages/dosql/src/native.ts knows it
// too.
struct Report {
  double rows = 0;
  double shape = 0;       // of the rows: a number for their column names
  double more = 0;        // 1: there are more rows to fetch
  double task = 0;        // whose outcome it is
  double failed = 0;      // 1: the first extra is the error
  double text_place = 0;  // where among the extras the text is missing that a call for one row returned
  double unused[2] = {};
};

struct HashOfNames {
  std::size_t operator()(const ColumnNames& columns) const;
};
struct SameNames {
  bool operator()(const ColumnNames& a, const ColumnNames& b) const { return a == b || *a == *b; }
};

// All methods are for JavaScript's thread, unless they say otherwise.
class Instance {
 public:
  explicit Instance(napi_env env) : env_(env) {}
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // `memory`: an ArrayBuffer for a Report and the cells; `extras`: an array; `make_error(code, message, hint,
  // sqliteCode, sql, offset, retryable)` gives an Error; `settle()` is called when outcomes are there to be
  // taken.
  Status set_up(napi_value memory, napi_value extras, napi_value make_error, napi_value settle);
  bool is_set_up() const { return cells_ != nullptr; }

  Numbered<Handle>& handles() { return handles_; }
  Numbered<Prepared>& statements() { return statements_; }
  Numbered<Feed>& feeds() { return feeds_; }
  std::vector<std::shared_ptr<OpenFeed>> feeds_of(std::int64_t handle_number);

  // Has `work` done on a worker; gives the number under which its outcome comes.
  std::int64_t submit(Worker& worker, std::string sql, std::function<Status(Outcome&)> work,
                      std::function<void()> when_taken = {});
  std::unique_ptr<Handle> make_handle();
  std::unique_ptr<Feed> make_feed(std::int64_t handle_number, DatabaseShare share);

  // Shows JavaScript the next outcome; false when there is none now.
  bool take_outcome();
  // Shows the next rows of an outcome that had more; false when there are none.
  bool take_more(std::int64_t task);

  Report& report() { return *report_; }
  JsSink sink();
  // The sink's rows as the report has them. Errors: a value that JavaScript cannot hold.
  Status shown(JsSink& sink, std::size_t rows, double shape, bool more);
  // The same of one row. The result is a string that JavaScript puts into the extras, or null.
  Result<napi_value> shown_row(JsSink& sink, double shape);
  // The number by which JavaScript knows these names.
  double shape_of(const ColumnNames& columns);
  // Null when it has been forgotten.
  ColumnNames columns_of(std::int64_t shape) const;

  // Spare ones, so that their memory is used again; a call in a call gets others.
  Arguments take_arguments() { return std::exchange(arguments_, Arguments()); }
  void give_back(Arguments arguments);

  // A JavaScript Error; null when an exception is pending.
  napi_value error_value(const Error& error, std::string_view sql);

  // Ends all threads and closes all databases.
  void shut_down();

 private:
  static void settle_called(napi_env env, napi_value callback, void* context, void* data);
  void done(std::unique_ptr<Task> task);  // any thread
  void show(std::unique_ptr<Task> task);
  napi_value referenced(napi_ref reference) const;
  void count_in_flight(int change);

  const napi_env env_;
  napi_ref memory_ = nullptr;
  napi_ref extras_ = nullptr;
  napi_ref make_error_ = nullptr;
  napi_threadsafe_function settle_ = nullptr;
  Report* report_ = nullptr;
  double* cells_ = nullptr;
  Arguments arguments_;

  std::int64_t tasks_ = 0;
  std::int64_t in_flight_ = 0;  // while there are some, the process does not end
  std::deque<std::unique_ptr<Task>> to_show_;
  std::unordered_map<std::int64_t, std::unique_ptr<Task>> half_shown_;

  // Names of columns that JavaScript knows by numbers: those of shapes_[i] have the number forgotten_ + i
  // + 1.
  std::vector<ColumnNames> shapes_;
  std::unordered_map<ColumnNames, double, HashOfNames, SameNames> shape_numbers_;
  std::size_t forgotten_ = 0;

  std::mutex mutex_;
  std::vector<std::unique_ptr<Task>> done_;  // guarded by mutex_

  Numbered<Handle> handles_;
  Numbered<Feed> feeds_;
  Numbered<Prepared> statements_;  // after the handles: they end first
};

}  // namespace dosql::node
