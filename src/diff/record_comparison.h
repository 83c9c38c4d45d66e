// Telling two records of a table apart without decoding their values: a difference of many rows is mostly
// made of rows of which one value changed and kept its size.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace dosql::diff {

// True: both are sound records with the same types, and a value that is shown as it is stored differs. False:
// decode them to know. `plain`: by the place of a value in the record, whether some column shows it as it is
// stored. Time: that of comparing the bytes.
bool surely_differ(Bytes a, Bytes b, const std::vector<bool>& plain);

}  // namespace dosql::diff
