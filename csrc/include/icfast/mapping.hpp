// Mappings of files that others may cut. Linux answers a read after the end of a cut file, or a
// page that its disk or network cannot deliver, with the signal SIGBUS, which ends the process.
//
// A guarded mapping survives: the handler of the signal puts zeros in the place of the pages from
// the faulting one to the end of the mapping, and notes where they begin. It works in any thread
// and costs nothing while pages can be read. The reader asks lost_from() after its work, and throws
// a result of zeros away. Faults outside guarded mappings go to the handler that was there before.
#pragma once
#include <cstddef>
#include <cstdint>

namespace icfast {

struct Guard;

/// Guards the pages of [begin, begin + bytes). A nullptr if the handler cannot be installed.
Guard* guard_mapping(const void* begin, std::size_t bytes);

/// First byte of the mapping that could not be read, or -1.
std::int64_t lost_from(const Guard* guard);

/// Ends a guard. Call it before the pages are unmapped.
void release_mapping(Guard* guard);

}  // namespace icfast
