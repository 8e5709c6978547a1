// Runs every test, or those whose names or files contain one of the arguments.
#include <algorithm>
#include <cstring>
#include <span>

#include "check.hpp"
#include "icfast/isa.hpp"

namespace {

bool chosen(const icfast::tests::Test& test, std::span<char* const> words) {
  return words.empty() || std::ranges::any_of(words, [&](const char* word) {
           return std::strstr(test.name, word) != nullptr ||
                  std::strstr(test.file, word) != nullptr;
         });
}

}  // namespace

int main(int argc, char** argv) {
  using icfast::tests::failures;
  if (*icfast::isa_error() != 0) {
    std::cout << "skipped: " << icfast::isa_error() << '\n';
    return 77;
  }
  std::cout << "on " << icfast::name_of(icfast::isa()) << '\n';
  const std::span<char* const> words(argv + 1, argv + argc);
  int run = 0;
  for (const auto& test : icfast::tests::all_tests()) {
    if (!chosen(test, words)) continue;
    const int before = failures;
    test.body();
    std::cout << (failures == before ? "ok      " : "FAILED  ") << test.name << std::endl;
    ++run;
  }
  if (run == 0) std::cout << "no test or file has that name\n";
  return failures == 0 && run != 0 ? 0 : 1;
}
