// A minimal test framework: TEST registers a body; CHECK_EQUAL prints file:line, expected and
// found.
#pragma once
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "icfast/keys.hpp"
#include "icfast/status.hpp"

namespace icfast::tests {

struct Test {
  const char* file;
  const char* name;
  void (*body)();
};

inline std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}

struct Registered {
  Registered(const char* file, const char* name, void (*body)()) {
    all_tests().push_back({file, name, body});
  }
};

inline int failures = 0;

/// The current case, printed with every failure inside its scope.
inline std::vector<std::string>& cases() {
  static std::vector<std::string> held;
  return held;
}

class Case {
 public:
  template <class... Parts>
  explicit Case(const Parts&... parts) {
    std::ostringstream text;
    ((text << parts << ' '), ...);
    cases().push_back(text.str());
  }
  ~Case() { cases().pop_back(); }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;
};

template <class T>
std::ostream& show(std::ostream& out, const T& value) {
  return out << +value;
}

inline std::ostream& show(std::ostream& out, Code code) {
  return out << "code " << static_cast<int>(code);
}

template <int W>
std::ostream& show(std::ostream& out, const Key<W>& key) {
  for (int w = 0; w < W; ++w) out << (w ? ":" : "") << std::hex << key.word[w] << std::dec;
  return out;
}

template <class A, class B>
std::ostream& show(std::ostream& out, const std::pair<A, B>& value) {
  show(out << '(', value.first);
  return show(out << ", ", value.second) << ')';
}

/// Prints a container: its size and a few elements from a position on.
template <class Container>
std::ostream& show_from(std::ostream& out, const Container& held, std::size_t first) {
  out << held.size() << " elements, from " << first << ':';
  auto at = held.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(std::min(first, held.size())));
  for (int shown = 0; at != held.end() && shown < 6; ++at, ++shown) show(out << ' ', *at);
  return out;
}

template <class T>
std::ostream& show(std::ostream& out, const std::vector<T>& held) {
  return show_from(out, held, 0);
}

template <class Expected, class Found>
std::size_t first_difference(const Expected& expected, const Found& found) {
  std::size_t place = 0;
  for (auto a = expected.begin(), b = found.begin();
       a != expected.end() && b != found.end() && *a == *b; ++a, ++b) {
    ++place;
  }
  return place;
}

inline std::ostream& report(const char* file, int line, const char* what) {
  ++failures;
  std::cout << file << ':' << line << ": " << what;
  for (const std::string& held : cases()) std::cout << " [" << held << ']';
  return std::cout << '\n';
}

template <class T>
void check_equal(const char* file, int line, const char* what, const T& expected, const T& found) {
  if (expected == found) return;
  report(file, line, what);
  if constexpr (requires { expected.begin(); }) {
    const std::size_t place = first_difference(expected, found);
    show_from(std::cout << "  expected ", expected, place) << '\n';
    show_from(std::cout << "  found    ", found, place) << '\n';
  } else {
    show(std::cout << "  expected ", expected) << '\n';
    show(std::cout << "  found    ", found) << '\n';
  }
}

}  // namespace icfast::tests

#define TEST(name)                                                                  \
  static void name();                                                               \
  static const icfast::tests::Registered registered_##name{__FILE__, #name, &name}; \
  static void name()

#define CHECK_EQUAL(expected, found) \
  icfast::tests::check_equal(__FILE__, __LINE__, #found, (expected), (found))
#define CHECK(condition) CHECK_EQUAL(true, static_cast<bool>(condition))
