// Lines from a person at a terminal: editing, history, completion.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "apps/dosql/completion.h"
#include "apps/dosql/interrupts.h"
#include "apps/dosql/line_source.h"

namespace dosql::shell {

struct EditorOptions {
  // The file is created 0600; empty: no history over sessions.
  std::string history_path;
  std::function<Completion(std::string_view before_cursor)> complete;
  // Called while nobody types; true when more of it is waiting.
  std::function<bool()> idle;
};

// On standard input and output. `interrupts` must outlive it.
std::unique_ptr<LineSource> make_line_editor(EditorOptions options, Interrupts& interrupts);

// DOSQL_HISTORY, else ~/.dosql_history.
std::string default_history_path();

}  // namespace dosql::shell
