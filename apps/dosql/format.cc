#include "apps/dosql/format.h"

#include <array>

namespace dosql::shell {

namespace {

constexpr std::array kModes{
    ModeName{Mode::kBox, "box", "table drawn with Unicode lines"},
    ModeName{Mode::kColumn, "column", "aligned columns; see .width"},
    ModeName{Mode::kCsv, "csv", "comma-separated values (RFC 4180)"},
    ModeName{Mode::kInsert, "insert", "INSERT statements for TABLE"},
    ModeName{Mode::kJson, "json", "an array of objects"},
    ModeName{Mode::kLine, "line", "one value per line"},
    ModeName{Mode::kList, "list", "values delimited by \"|\" (the default)"},
    ModeName{Mode::kMarkdown, "markdown", "Markdown table"},
    ModeName{Mode::kQuote, "quote", "values as SQL literals"},
    ModeName{Mode::kTable, "table", "table drawn with ASCII lines"},
    ModeName{Mode::kTabs, "tabs", "tab-separated values"},
};

}  // namespace

std::span<const ModeName> mode_names() { return kModes; }

std::string_view mode_name(Mode mode) {
  for (const ModeName& entry : kModes) {
    if (entry.mode == mode) return entry.name;
  }
  return "";
}

std::optional<Mode> find_mode(std::string_view name) {
  for (const ModeName& entry : kModes) {
    if (entry.name == name) return entry.mode;
  }
  return std::nullopt;
}

void Format::switch_to(Mode new_mode) {
  mode = new_mode;
  separator_chosen = false;
  switch (mode) {
    case Mode::kList:
      column_separator = "|";
      row_separator = "\n";
      break;
    case Mode::kCsv:
      column_separator = ",";
      row_separator = "\r\n";
      break;
    case Mode::kTabs: column_separator = "\t"; break;
    case Mode::kQuote:
      column_separator = ",";
      row_separator = "\n";
      break;
    case Mode::kLine: row_separator = "\n"; break;
    case Mode::kColumn:
      row_separator = "\n";
      if (!headers_chosen) headers = true;
      break;
    case Mode::kJson:
    case Mode::kTable:
    case Mode::kBox:
    case Mode::kMarkdown:
    case Mode::kInsert: break;
  }
}

}  // namespace dosql::shell
