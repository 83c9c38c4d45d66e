// How rows are shown: the settings behind .mode, .headers, .separator, .nullvalue and .width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dosql::shell {

enum class Mode : std::uint8_t {
  kList,
  kCsv,
  kTabs,
  kJson,
  kLine,
  kColumn,
  kTable,
  kBox,
  kMarkdown,
  kQuote,
  kInsert,
};

struct ModeName {
  Mode mode;
  std::string_view name;
  std::string_view summary;
};

// All modes, by name.
std::span<const ModeName> mode_names();
std::string_view mode_name(Mode mode);
std::optional<Mode> find_mode(std::string_view name);

struct Format {
  Mode mode = Mode::kList;
  bool headers = false;
  bool headers_chosen = false;  // by .headers or -header; otherwise .mode column turns them on
  std::string column_separator = "|";
  std::string row_separator = "\n";
  bool separator_chosen = false;  // by .separator or -separator: .import follows it
  std::string null_text;
  std::vector<int> widths;  // minimum per column, negative: to the right; 0 or missing: as needed
  std::string insert_table = "table";
  // Of the modes with columns: break lines at so many characters (0: never), at words, values as SQL.
  std::size_t wrap_columns = 0;
  bool wrap_words = false;
  bool quote_values = false;

  // What `.mode` does: the separators follow the mode.
  void switch_to(Mode new_mode);
};

}  // namespace dosql::shell
