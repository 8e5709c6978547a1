"""Files: inputs that are regular files, and outputs that never replace another's by accident."""

from icfast.files.atomic import atomic_directory as atomic_directory
from icfast.files.atomic import atomic_path as atomic_path
from icfast.files.atomic import atomic_paths as atomic_paths
from icfast.files.atomic import write_json as write_json
from icfast.files.inputs import open_regular as open_regular
from icfast.files.inputs import read_regular as read_regular
from icfast.files.inputs import require_regular as require_regular
