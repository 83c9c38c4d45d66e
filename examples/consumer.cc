// A consumer of changes that keeps a search index: it tries again when the index does not answer, and puts
// aside what the index cannot take.
//
//   example_consumer DIRECTORY

#include <dosql/consumer.h>
#include <dosql/dosql.h>
#include <fmt/format.h>

#include <cstdio>

namespace {

using dosql::Change;
using dosql::Error;
using dosql::ErrorCode;
using dosql::Status;

// Stands for a service on the network.
class Index {
 public:
  Status apply(const Change& change) {
    // Not answering may pass: the consumer tries again.
    if (++calls_ == 3) {
      fmt::print("(the index does not answer)\n");
      return Error(ErrorCode::kIo, "the index does not answer");
    }
    const dosql::Row& row = change.after ? *change.after : *change.before;
    const auto name = row.get<std::optional<std::string>>("name");
    // This stays wrong: a dead letter.
    if (!name && !takes_anything) return Error(ErrorCode::kConstraint, "a name is missing");
    if (name) fmt::print("{} {} {}\n", change.after ? "index" : "remove", row.get<std::int64_t>("id"), *name);
    return {};
  }

  bool takes_anything = false;

 private:
  int calls_ = 0;
};

void run(const std::string& directory) {
  auto db = dosql::Database::open(directory).value();
  auto conn = db.connect().value();
  conn.exec("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT)").value();
  conn.exec("INSERT INTO goods VALUES (1, 'tea'), (2, 'cake'), (3, 'milk'), (4, NULL)").value();
  conn.exec("DELETE FROM goods WHERE id = 1").value();

  Index index;
  auto dead = dosql::DeadLetters::open(db).value();
  dosql::Consumer consumer(db, "search-index",
                           {.create = dosql::SlotOptions{.after_lsn = 0},
                            .retry = {.attempts_max = 3, .delay_min = std::chrono::milliseconds(10)},
                            .dead_letters = &dead});
  // All that is there, and then run() returns. A program that stays calls run() in a thread, and stop() in
  // the end.
  consumer.drain();
  consumer.run([&](const Change& change) { return index.apply(change); }).value();
  fmt::print("handled {}, dead letters {}\n", consumer.stats().handled, consumer.stats().dead_letters);

  // What was put aside waits in an ordinary table.
  conn.each("SELECT after ->> '$.id' AS id, error FROM dead_letters",
            [](const dosql::Row& row) {
              fmt::print("{}: {}\n", row.get<std::int64_t>("id"), row.get<std::string_view>("error"));
            })
      .value();
  index.takes_anything = true;
  const auto again =
      dead.retry("search-index", [&](const Change& change) { return index.apply(change); }).value();
  fmt::print("dead letters mended: {}\n", again.dealt_with);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: example_consumer DIRECTORY\n");
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const dosql::Exception& failure) {
    fmt::print(stderr, "error: {}\n", failure.what());
    return 1;
  }
  return 0;
}
