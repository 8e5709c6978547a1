"""Files that icfast writes: complete or absent, and never another's."""

from icfast.files.atomic import (
    atomic_directory as atomic_directory,
)
from icfast.files.atomic import (
    atomic_path as atomic_path,
)
from icfast.files.atomic import (
    atomic_paths as atomic_paths,
)
from icfast.files.atomic import (
    write_json as write_json,
)
