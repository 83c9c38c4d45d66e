// A small harness for measuring ours against a peer on a machine that other work shares.
//
// Each round runs both sides one after the other, the side that goes first changing from round to round, and
// yields one ratio; what is reported is the median of the ratios with the smallest and the largest. A burst
// of foreign load then spoils a few rounds, not the result. Everything runs in one process and one thread.
//
//   Report report(settings);
//   report.compare({.name = "scan", .what = "full scan", .unit = "rows/s", .ratio_min = 1.0}, ours, peer);
//   report.measure({.name = "open-clean", .what = "open", .unit = "ms", .most = 50}, ours);
//   return report.finish();
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dosql::bench {

struct Settings {
  int rounds = 11;
  bool quick = false;     // a tenth of the work, three rounds: shows that everything runs, measures nothing
  std::string filter;     // part of a name; empty: everything
  std::string directory;  // on the disk; empty: a new one beside the program, removed at the end
  std::string json;       // file for the numbers; empty: none
};

// Reads the command line; on --help or a mistake prints the usage and ends the program.
Settings parse_settings(int argc, char** argv);

enum class Better : std::uint8_t { kMore, kLess };

// What is measured and what is required of it.
struct Subject {
  std::string name;  // stable, for the JSON file and --filter
  std::string what;  // for people
  std::string unit;  // of ours and peer
  Better better = Better::kMore;
  std::optional<double> ratio_min{};  // required: at least this many times as good as the peer
  std::optional<double> most{};       // required: ours is at most this
  std::optional<double> least{};      // required: ours is at least this
  bool once = false;                  // one round: what is measured does not vary
};

// One side's share of round `round`; returns what it achieved in the subject's unit.
using Run = std::function<double(int round)>;

struct Measurement {
  Subject subject;
  double ours = 0;
  std::optional<double> peer;
  std::optional<double> ratio;  // above 1: ours is better
  double spread_min = 0;        // of the ratio, without a peer of ours
  double spread_max = 0;

  bool reached() const;
};

class Report {
 public:
  explicit Report(Settings settings);

  const Settings& settings() const { return settings_; }
  // Whether any of the names is asked for, so that a data set need not be built for nothing.
  bool wants(std::string_view name) const;
  bool wants_any(std::span<const std::string_view> names) const;
  // `count`, or a tenth of it in a quick run.
  int scaled(int count) const { return settings_.quick ? count / 10 : count; }

  // Runs all rounds and prints the line of the table. Does nothing for a name that is not asked for.
  void compare(const Subject& subject, const Run& ours, const Run& peer);
  void measure(const Subject& subject, const Run& ours);

  // Writes the JSON file. Returns the program's exit status: 1 when that failed. A missed requirement is a
  // line in the table, not a failure: the machine may have been busy.
  int finish();

 private:
  void add(Measurement measurement);

  Settings settings_;
  std::vector<Measurement> measurements_;
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

double median(std::vector<double> values);

// Says why on stderr and ends the program: a benchmark has nobody to report a failure to.
[[noreturn]] void fail(std::string_view what);

}  // namespace dosql::bench
