# Types of the extension module _cuda: the loss kernels of losses.py, compiled for CUDA devices.

from icfast.backends.arrays import Status
from icfast.backends.losses import (
    DeviceIds,
    DeviceLossCells,
    DeviceMatrix,
    DeviceScratch,
    Queue,
    Softmax,
    Tile,
    TokenLosses,
)

architectures: str

def add_losses(
    nll_nats: int, kinds: int, cells: int, rows: int, sums: DeviceLossCells, queue: Queue
) -> Status: ...
def cross_entropy(
    logits: DeviceMatrix, targets: DeviceIds, softmax: Softmax, out: TokenLosses, queue: Queue
) -> Status: ...
def device_error() -> str: ...
def linear_algorithm(
    hidden: DeviceMatrix,
    weight: DeviceMatrix,
    bias: DeviceMatrix,
    softmax: Softmax,
    tile: Tile,
    queue: Queue,
) -> str: ...
def linear_cross_entropy(
    hidden: DeviceMatrix,
    weight: DeviceMatrix,
    bias: DeviceMatrix,
    targets: DeviceIds,
    softmax: Softmax,
    tile: Tile,
    scratch: DeviceScratch,
    out: TokenLosses,
    queue: Queue,
) -> Status: ...
def linear_scratch_bytes(
    hidden: DeviceMatrix, weight: DeviceMatrix, bias: DeviceMatrix, softmax: Softmax, tile: Tile
) -> int: ...
def load_products(folders: list[str]) -> str: ...
def name_of_error(value: int) -> str: ...
