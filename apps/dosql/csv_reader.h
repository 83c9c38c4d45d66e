// Reads comma-separated values (RFC 4180), or values with another separator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <dosql/result.h>

#include "apps/dosql/input_file.h"

namespace dosql::shell {

struct CsvRecord {
  std::vector<std::string_view> fields;
  std::size_t line = 0;      // of its first byte, from 1
  bool stray_quote = false;  // something stood behind a closing quote; it was taken as text
  bool blank() const { return fields.size() == 1 && fields[0].empty(); }
};

// Fields are separated by one character, records by \n or \r\n. A field that starts with a double quote may
// hold separators, line ends and doubled quotes. A byte order mark at the start is skipped.
class CsvReader {
 public:
  // `file` stands at its start and must outlive the reader.
  CsvReader(InputFile& file, char separator) : file_(file), separator_(separator) {}

  // The next record; its fields live until the next call. False at the end. Errors: kIo; kInvalidArgument for
  // a quote that is not closed, with file and line.
  Result<bool> next(CsvRecord& record);

 private:
  Result<int> peek();
  void advance() { ++at_; }
  Status fill();
  Status skip_byte_order_mark();
  Status read_quoted(CsvRecord& record);
  Status read_bare();
  Result<bool> end_field();

  static constexpr int kEnd = -1;

  InputFile& file_;
  char separator_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool at_end_ = false;
  bool started_ = false;
  std::size_t line_ = 1;
  std::string text_;                     // of the record's fields, one behind the other
  std::size_t bare_begin_ = 0;           // in text_: where the unquoted part of the field starts
  std::vector<std::size_t> field_ends_;  // in text_
};

}  // namespace dosql::shell
