// Whether a list of CMAKE_CUDA_ARCHITECTURES has code for a device, without asking the device to
// load any.
#pragma once
#include <cctype>
#include <string_view>

namespace icfast::cuda {

/// Returns whether one entry, such as 80, 80-real, 90-virtual or 90a, has code for a device of
/// compute capability major.minor.
///
/// Machine code runs on devices of the same major capability and no smaller minor one. PTX is
/// compiled for any device of that capability or later. 90 means both, 90a runs on 9.0 alone, and
/// 100f on later ones of the same family.
inline bool covers_one(std::string_view entry, int major, int minor) {
  int number = 0;
  std::size_t at = 0;
  while (at < entry.size() && std::isdigit(static_cast<unsigned char>(entry[at])) != 0) {
    number = 10 * number + (entry[at++] - '0');
  }
  if (at == 0) return true;  // "all" and the like: a launch reports what is missing
  const char suffix = at < entry.size() ? entry[at] : '\0';
  const int capability = 10 * major + minor;
  if (suffix == 'a') return capability == number;
  const bool same = number / 10 == major && number % 10 <= minor;
  if (suffix == 'f') return same;
  const std::string_view kind = entry.substr(at);
  const bool runs = same && kind != "-virtual";
  return runs || (number <= capability && kind != "-real");
}

/// Returns whether one entry of a list separated by spaces has code for the device.
inline bool covers(std::string_view entries, int major, int minor) {
  while (!entries.empty()) {
    const std::size_t end = entries.find(' ');
    const std::string_view entry = entries.substr(0, end);
    if (!entry.empty() && covers_one(entry, major, minor)) return true;
    if (end == std::string_view::npos) return false;
    entries.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace icfast::cuda
