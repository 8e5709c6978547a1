// Status of a kernel: a code, and the index and value that caused it. Kernels never throw;
// errors.py maps codes to sentences.
#pragma once
#include <cstdint>

namespace icfast {

enum class Code : int {
  ok = 0,
  id_outside_vocabulary = 1,  // index: position in the shard, value: the id
  id_not_in_dictionary = 2,   // index: position in the shard, value: the id
  output_too_small = 3,       // index: number of the output, value: size it needs
  not_sorted = 4,             // index: the entry that does not ascend
  table_without_context = 5,  // index: the n-gram whose context has no entry
  rank_without_window = 6,    // index: the entry, value: its lead, which skipped a rank
  device_failed = 7,          // value: error number of CUDA or cuBLASLt
};

struct Status {
  Code code = Code::ok;
  std::int64_t index = 0;
  std::uint64_t value = 0;
};

}  // namespace icfast
