// Where lines of input come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <dosql/result.h>

namespace dosql::shell {

struct ReadLine {
  enum class Kind : std::uint8_t { kLine, kEnd, kInterrupted };
  Kind kind = Kind::kEnd;
  std::string text;  // without its line end
};

class LineSource {
 public:
  virtual ~LineSource() = default;
  // `prompt` is for a person; sources without one ignore it. kInterrupted: Ctrl-C, drop the unfinished
  // statement. Errors: kIo.
  virtual Result<ReadLine> next(std::string_view prompt) = 0;
  // A complete command came of the lines: for the history of a person.
  virtual void remember(std::string_view command) { static_cast<void>(command); }
};

// The lines of a text.
std::unique_ptr<LineSource> make_text_source(std::string_view text);
// Reads a file from its descriptor, which stays the caller's. `name` is for messages.
std::unique_ptr<LineSource> make_descriptor_source(int descriptor, std::string name);
// Prompts on standard output, reads standard input without editing.
std::unique_ptr<LineSource> make_prompting_source();

}  // namespace dosql::shell
