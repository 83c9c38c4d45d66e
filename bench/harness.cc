#include "bench/harness.h"

#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace dosql::bench {
namespace {

constexpr int kQuickRounds = 3;

[[noreturn]] void usage(std::string_view program, int status) {
  fmt::print(status == 0 ? stdout : stderr,
             "usage: {} [--rounds N] [--filter NAME] [--quick] [--directory DIR] [--json FILE]\n", program);
  std::exit(status);
}

// 1234567.8 -> "1,235k", 12.345 -> "12.3".
std::string readable(double value) {
  if (value >= 10e6) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 10e3) return fmt::format("{:.0f}k", value / 1e3);
  if (value >= 100) return fmt::format("{:.0f}", value);
  return fmt::format("{:.3g}", value);
}

std::string requirement(const Subject& subject) {
  if (subject.ratio_min) return fmt::format(">= {:.3g}x", *subject.ratio_min);
  if (subject.most) return fmt::format("<= {}", readable(*subject.most));
  if (subject.least) return fmt::format(">= {}", readable(*subject.least));
  return "";
}

std::string optional_number(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : "null";
}

std::string json_line(const Measurement& measurement) {
  const Subject& subject = measurement.subject;
  return fmt::format(
      R"(  {{"name": "{}", "what": "{}", "ours": {:.6g}, "peer": {}, "ratio": {}, "spread": [{:.6g}, {:.6g}], )"
      R"("unit": "{}", "required": {}, "required_kind": "{}"}})",
      subject.name, subject.what, measurement.ours, optional_number(measurement.peer),
      optional_number(measurement.ratio), measurement.spread_min, measurement.spread_max, subject.unit,
      optional_number(subject.ratio_min ? subject.ratio_min
                      : subject.most    ? subject.most
                                        : subject.least),
      subject.ratio_min ? "ratio at least"
      : subject.most    ? "at most"
      : subject.least   ? "at least"
                        : "none");
}

void print_line(std::string_view what, std::string_view unit, std::string_view ours, std::string_view peer,
                std::string_view ratio, std::string_view spread, std::string_view required) {
  fmt::print("{:<46} {:>10} {:>9} {:>9} {:>7} {:>15} {:>9}", what, unit, ours, peer, ratio, spread, required);
}

}  // namespace

void fail(std::string_view what) {
  fmt::print(stderr, "benchmark: {}\n", what);
  std::exit(1);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Settings parse_settings(int argc, char** argv) {
  Settings settings;
  bool rounds_given = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) usage(argv[0], 2);
      return argv[++i];
    };
    if (option == "--rounds") {
      settings.rounds = std::atoi(value().c_str());
      rounds_given = true;
    } else if (option == "--filter") {
      settings.filter = value();
    } else if (option == "--directory") {
      settings.directory = value();
    } else if (option == "--json") {
      settings.json = value();
    } else if (option == "--quick") {
      settings.quick = true;
    } else {
      usage(argv[0], option == "--help" ? 0 : 2);
    }
  }
  if (settings.quick && !rounds_given) settings.rounds = kQuickRounds;
  if (settings.rounds < 1) usage(argv[0], 2);
  return settings;
}

bool Measurement::reached() const {
  if (subject.ratio_min) return ratio && *ratio >= *subject.ratio_min;
  return (!subject.most || ours <= *subject.most) && (!subject.least || ours >= *subject.least);
}

Report::Report(Settings settings) : settings_(std::move(settings)) {
  print_line("", "unit", "ours", "peer", "ratio", "[min..max]", "required");
  fmt::print("\n");
}

bool Report::wants(std::string_view name) const {
  return name.find(settings_.filter) != std::string_view::npos;
}

bool Report::wants_any(std::span<const std::string_view> names) const {
  return std::any_of(names.begin(), names.end(), [this](std::string_view name) { return wants(name); });
}

void Report::compare(const Subject& subject, const Run& ours, const Run& peer) {
  if (!wants(subject.name)) return;
  std::vector<double> our_values;
  std::vector<double> peer_values;
  std::vector<double> ratios;
  for (int round = 0; round < settings_.rounds; ++round) {
    if (round % 2 == 0) our_values.push_back(ours(round));
    peer_values.push_back(peer(round));
    if (round % 2 == 1) our_values.push_back(ours(round));
    const double ratio = our_values.back() / peer_values.back();
    ratios.push_back(subject.better == Better::kMore ? ratio : 1 / ratio);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  add({subject, median(our_values), median(peer_values), median(ratios), *least, *most});
}

void Report::measure(const Subject& subject, const Run& ours) {
  if (!wants(subject.name)) return;
  std::vector<double> values;
  for (int round = 0; round < (subject.once ? 1 : settings_.rounds); ++round) values.push_back(ours(round));
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  add({subject, median(values), {}, {}, *least, *most});
}

void Report::add(Measurement measurement) {
  const Subject& subject = measurement.subject;
  const bool is_ratio = measurement.ratio.has_value();
  const std::string spread =
      is_ratio ? fmt::format("[{:.2f}..{:.2f}]", measurement.spread_min, measurement.spread_max)
               : fmt::format("[{}..{}]", readable(measurement.spread_min), readable(measurement.spread_max));
  print_line(subject.what, subject.unit, readable(measurement.ours),
             measurement.peer ? readable(*measurement.peer) : "",
             is_ratio ? fmt::format("{:.2f}x", *measurement.ratio) : "", spread, requirement(subject));
  if (subject.ratio_min || subject.most || subject.least) {
    const bool reached = measurement.reached();
    const std::string_view word = reached ? "  ok" : "  missed";
    if (isatty(STDOUT_FILENO) != 0) {
      fmt::print(fmt::fg(reached ? fmt::terminal_color::green : fmt::terminal_color::red), "{}", word);
    } else {
      fmt::print("{}", word);
    }
  }
  fmt::print("\n");
  std::fflush(stdout);
  measurements_.push_back(std::move(measurement));
}

int Report::finish() {
  if (settings_.json.empty()) return 0;
  std::ofstream file(settings_.json);
  file << "[\n";
  for (std::size_t i = 0; i < measurements_.size(); ++i) {
    file << json_line(measurements_[i]) << (i + 1 < measurements_.size() ? ",\n" : "\n");
  }
  file << "]\n";
  file.close();
  if (!file.fail()) return 0;
  fmt::print(stderr, "benchmark: cannot write '{}'\n", settings_.json);
  return 1;
}

}  // namespace dosql::bench
