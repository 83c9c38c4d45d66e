// The modes that align columns: column, table, box, markdown. They keep all rows until end().
#pragma once

#include <memory>

#include "apps/dosql/row_writer.h"

namespace dosql::shell {

// REQUIRES: format.mode is one of the four. `format` and `out` must outlive the writer.
std::unique_ptr<RowWriter> make_column_writer(const Format& format, Output& out);

}  // namespace dosql::shell
