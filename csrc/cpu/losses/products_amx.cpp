// Products of bf16 with AMX: one instruction adds 16 x 16 x 32 of them.
//
// For each logit the instruction sums its 32 products in two chains of 16, adds the two sums, and
// adds the result to the logit. It rounds every one of these additions to nearest even. It takes
// subnormal numbers, operands and results, for zeros.
#include <immintrin.h>

#include "products_avx512.hpp"

namespace icfast {
namespace {

/// A tile register has 16 rows of 64 bytes: 16 pairs of bf16, or 16 logits.
constexpr int kSide = 16;
constexpr int kTile = kSide * kSide;

/// Panels and strips are two tiles wide: four registers for logits, two for each operand.
constexpr int kWide = 2 * kSide;

struct Pairs : Avx512 {
  static constexpr bool kPairs = true;
};

struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

constexpr TileConfig kConfig;

/// Sets up the tile registers of the calling thread and clears them at the end.
class TileRegisters {
 public:
  TileRegisters() {
    // GCC 12 declares that the instruction reads 8 of the 64 bytes. The barrier hides where the
    // address comes from, or the compiler would keep only those 8.
    const void* config = &kConfig;
    asm volatile("" : "+r"(config) : : "memory");
    _tile_loadconfig(config);
  }
  ~TileRegisters() { _tile_release(); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
};

/// to[units / 16][2 tiles] = kWide chosen rows of a matrix, each tile written by `store`. Zeros
/// where a row is negative, and from the last unit to the end of its tile.
template <class Store>
void pack(const Matrix& from, const std::int64_t* chosen, std::int64_t first, int units, float* to,
          Store store) {
  alignas(64) float rows[kWide][kPiece];
  for (int begin = 0; begin < units; begin += kPiece) {
    const int size = std::min(kPiece, units - begin);
    const int filled = (size + kSide - 1) / kSide * kSide;
    for (int j = 0; j < kWide; ++j) {
      const int taken = chosen[j] < 0 ? 0 : size;
      if (taken != 0) take_units<Pairs>(from, chosen[j], first + begin, taken, rows[j]);
      std::fill(rows[j] + taken, rows[j] + filled, 0.0F);
    }
    for (int k = 0; k < filled; k += kSide) {
      for (int j = 0; j < kWide; j += kSide, to += kTile) store(rows[j] + k, to);
    }
  }
}

/// Tiles of 16 units of 16 rows: the first operand of the instruction.
void pack_rows(const Matrix& hidden, const std::int64_t* chosen, std::int64_t first, int units,
               float* to) {
  pack(hidden, chosen, first, units, to, [](const float* rows, float* tile) {
    for (int r = 0; r < kSide; ++r) {
      Pairs::store(tile + r * kSide, Pairs::load(rows + r * kPiece));
    }
  });
}

/// Tiles of 16 columns of 16 units: the second operand.
void pack_columns(const Matrix& weight, const std::int64_t* chosen, std::int64_t first, int units,
                  float* to) {
  pack(weight, chosen, first, units, to,
       [](const float* rows, float* tile) { Pairs::transpose(rows, kPiece, tile, kSide); });
}

/// out[kWide, kWide] = from[kWide, kWide] + hidden[kWide, units] weight[kWide, units]^T. Asks for
/// so many cache lines from `ahead` on with every 16 units.
void multiply_tiles(const char* ahead, int lines, const float* hidden, const float* weight,
                    int units, const float* from, std::int64_t from_stride, float* out,
                    std::int64_t stride) {
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(float));
  const float* from_below = from + kSide * from_stride;
  _tile_loadd(0, from, from_stride * kBytes);
  _tile_loadd(1, from + kSide, from_stride * kBytes);
  _tile_loadd(2, from_below, from_stride * kBytes);
  _tile_loadd(3, from_below + kSide, from_stride * kBytes);
  for (int k = 0; k < units; k += kSide) {
    _tile_loadd(4, hidden, 64);
    _tile_loadd(6, weight, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, weight + kTile, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, hidden + kTile, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    for (int line = 0; line < lines; ++line, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
    hidden += 2 * kTile;
    weight += 2 * kTile;
  }
  float* below = out + kSide * stride;
  _tile_stored(0, out, stride * kBytes);
  _tile_stored(1, out + kSide, stride * kBytes);
  _tile_stored(2, below, stride * kBytes);
  _tile_stored(3, below + kSide, stride * kBytes);
}

void multiply(const float* hidden, int panels, const float* weight, int strips, int units,
              const float* from, std::int64_t from_stride, float* out, std::int64_t stride) {
  const TileRegisters registers;
  const std::int64_t tiles = (units + kSide - 1) / kSide;
  const std::int64_t pitch = kWide * (tiles + 1) * kSide;
  // The first strip would wait for hidden states to come from the third cache. Each strip asks for
  // a part of the next panel. More lines would take the place of the loads of tiles.
  const int lines = std::min(4, 2 * kSide / strips);
  for (std::int64_t strip = 0; strip < strips; ++strip) {
    for (std::int64_t panel = 0; panel < panels; ++panel) {
      const float* states = hidden + panel * pitch;
      const char* ahead = reinterpret_cast<const char*>(states + panels * pitch);
      multiply_tiles(ahead + strip * tiles * lines * 64, lines, states,
                     weight + strip * kWide * tiles * kSide, units,
                     from + panel * kWide * from_stride + strip * kWide, from_stride,
                     out + panel * kWide * stride + strip * kWide, stride);
    }
  }
}

/// The packed weights of a tile take 1 MiB at most, up to a width of 4096.
int narrow_tile(std::int64_t width) {
  if (width <= 1024) return kLargestTile;
  return width <= 2048 ? 256 : 128;
}

}  // namespace

const Products<float> kProductsAmx = {kWide, kWide,       true,         true,      1,
                                      kSide, narrow_tile, pack_columns, pack_rows, multiply};

}  // namespace icfast
