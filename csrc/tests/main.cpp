// Runs every test, or those whose names contain the argument.
#include <cstring>

#include "check.hpp"

int main(int argc, char** argv) {
  using icfast::tests::failures;
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
