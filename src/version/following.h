// Following a writer in another process: a store that is open for reading takes what becomes visible there.
//
// A statement, before it pins its version, looks at one number of the status page. When that has changed, the
// log is read up to there and added to the index as the writer published it, beside readers of other threads,
// whose versions stay as they are (V1). Nobody waits for the writer, and the writer for nobody.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "version/index_builder.h"

namespace dosql::version {

class Follower {
 public:
  // REQUIRES: the store's status page is there and has a slot of ours. `builder` has seen all that the store
  // shows. `seen`: what the page said when its log was read.
  Follower(StoreImpl& store, std::unique_ptr<IndexBuilder> builder, log::Position seen);

  // All that was visible in the writer when it was called is visible here when it returns. Where nothing
  // changed it costs one load. Errors: kCorrupt, kIo: what was visible before still is, and another call may
  // succeed unless the log is damaged. Threads: any.
  Status catch_up() {
    if (page_.visible_end() == seen_.load(std::memory_order_acquire)) [[likely]]
      return {};
    return take_news();
  }

 private:
  Status take_news();
  // Notes in the status page what is needed here.
  void note_pins();

  StoreImpl& store_;
  StatusPage& page_;
  std::unique_ptr<IndexBuilder> builder_;
  std::mutex mutex_;  // one takes news at a time
  std::atomic<log::Position> seen_;
};

}  // namespace dosql::version
