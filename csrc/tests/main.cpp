// Runs every test, or those whose names contain the argument.
#include <cstring>

#include "check.hpp"
#include "icfast/isa.hpp"

int main(int argc, char** argv) {
  using icfast::tests::failures;
  if (*icfast::isa_error() != 0) {
    std::cout << "skipped: " << icfast::isa_error() << '\n';
    return 77;
  }
  std::cout << "on " << icfast::name_of(icfast::isa()) << '\n';
  int run = 0;
  for (const auto& test : icfast::tests::all_tests()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    const int before = failures;
    test.body();
    std::cout << (failures == before ? "ok      " : "FAILED  ") << test.name << std::endl;
    ++run;
  }
  if (run == 0) std::cout << "no test has that name\n";
  return failures == 0 && run != 0 ? 0 : 1;
}
